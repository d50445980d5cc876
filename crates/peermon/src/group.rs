//! Groups of nodes by name, for tools that think in groups: ClusterShell, pdsh.

use crate::Failure;
use peermon_api::{FactValue, NodeView, NodesQuery, Service};
use std::collections::BTreeSet;

/// The groups that every cluster has: name, condition, sentence.
pub(crate) const GROUPS: &[(&str, &str, &str)] = &[
    ("up", "state == \"alive\"", "nodes that are alive"),
    ("down", "state == \"down\"", "nodes that are down"),
    (
        "idle",
        "state == \"alive\" && load.1 / cpu.threads < 0.1 && cpu.busy < 10%",
        "alive, with a load per processor below 0.1 and less than 10 % busy",
    ),
    (
        "gpufree",
        "state == \"alive\" && gpu.count * (1 - gpu.mem.used) >= 0.9",
        "alive, with the memory of one GPU or more not in use",
    ),
];

/// The attribute that a label is.
const LABEL: &str = "label.";

/// The condition that holds for a group's members; a name that is in no list is a label's.
pub(crate) fn condition(name: &str) -> String {
    if let Some((_, condition, _)) = GROUPS.iter().find(|g| g.0 == name) {
        return (*condition).to_string();
    }
    let quoted = |t: &str| format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\""));
    match name.split_once('=') {
        Some((key, value)) => format!("label.{} == {}", quoted(key), quoted(value)),
        None => format!("tag({})", quoted(name)),
    }
}

/// That there is such a group: it is in the list, or some node has the label.
pub(crate) fn check(service: &dyn Service, name: &str, members: &str) -> Result<(), Failure> {
    let listed = GROUPS.iter().any(|g| g.0 == name);
    if listed {
        return Ok(());
    }
    let no_such = |_| {
        let names: Vec<_> = GROUPS.iter().map(|g| g.0).collect();
        Failure::new(format!(
            "there is no group {name:?}: it is none of {}, and no node has such a label; `peermon groups` lists all",
            names.join(", ")
        ))
    };
    // A name that is no label's at all makes no condition.
    let query = NodesQuery { all: true, conditions: vec![members.to_string()], ..NodesQuery::default() };
    match service.nodes(&query) {
        Ok(nodes) if !nodes.is_empty() => Ok(()),
        Ok(_) | Err(peermon_api::Error::BadRequest(_)) => Err(no_such(())),
        Err(e) => Err(e.into()),
    }
}

/// The groups that a node's labels make. Those whose names other tools could not read are left out.
pub(crate) fn of_labels(node: &NodeView) -> BTreeSet<String> {
    let labels = node.facts.iter().filter_map(|(name, value)| Some((name.strip_prefix(LABEL)?, value)));
    let both = labels.flat_map(|(key, value)| match value {
        FactValue::Text(v) => [Some(key.to_string()), Some(format!("{key}={v}"))],
        FactValue::Number(_) => [Some(key.to_string()), None],
    });
    both.flatten().filter(|g| g.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_expr::{Expression, NodeWords};

    #[test]
    fn every_group_is_a_condition() {
        let check = |name: &str| {
            let text = condition(name);
            text.parse::<Expression>().and_then(|e| e.condition(&NodeWords::new())).unwrap_or_else(|e| panic!("{name}: {e}"));
        };
        GROUPS.iter().for_each(|g| check(g.0));
        ["role", "role=train", "gpu-type=a\"100\\", "x=y=z"].into_iter().for_each(check);
    }
}
