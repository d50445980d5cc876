use crate::Failure;
use crate::group::{self, GROUPS};
use crate::output::{Cell, Column, Output, Table, clean};
use peermon_api::{NodesQuery, Service};
use serde::Serialize;
use std::collections::BTreeMap;

/// List the groups of nodes that `peermon nodes --group` knows
///
/// There are up, down, idle and gpufree, and of every label KEY=VALUE the groups KEY and KEY=VALUE. ClusterShell reads them through
/// its groups.conf.d: `clush -w @live:idle` (docs/placement.md).
#[derive(clap::Args, Debug, Default)]
#[command(after_help = "\
Examples:
  peermon groups
  peermon groups --of node-7
  peermon nodes --group role=train")]
pub(crate) struct Args {
    /// Only groups that this node is in
    #[arg(long, value_name = "NODE")]
    of: Option<String>,
    /// Print a JSON array: name, nodes
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Group {
    name: String,
    nodes: Vec<String>,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut groups = Vec::new();
    for (name, condition, _) in GROUPS {
        let query = NodesQuery { conditions: vec![(*condition).to_string()], ..NodesQuery::default() };
        let nodes = service.nodes(&query)?.into_iter().map(|n| n.name).collect();
        groups.push(Group { name: (*name).to_string(), nodes });
    }
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in service.nodes(&NodesQuery::default())? {
        for label in group::of_labels(&node) {
            labels.entry(label).or_default().push(node.name.clone());
        }
    }
    labels.retain(|name, _| GROUPS.iter().all(|g| g.0 != name));
    groups.extend(labels.into_iter().map(|(name, nodes)| Group { name, nodes }));
    if let Some(of) = &args.of {
        let name = service.node(of)?.name;
        groups.retain(|g| g.nodes.contains(&name));
    }
    if args.json {
        return output.json(&groups);
    }
    if !output.screen.terminal {
        return groups.iter().try_for_each(|g| output.line(&clean(&g.name)));
    }
    let mut table = Table::new(&[
        Column::text("GROUP", 255).shrinks_to(14),
        Column::number("NODES", 240),
        Column::text("MEMBERS ARE", 200).folds_to(20),
    ]);
    for g in &groups {
        let fixed = GROUPS.iter().find(|f| f.0 == g.name).map(|f| f.2.to_string());
        let what = fixed.unwrap_or_else(|| format!("labelled {}", g.name));
        table.row(vec![Cell::new(&g.name), Cell::new(g.nodes.len().to_string()), Cell::new(what)]);
    }
    table.print(output.out, output.screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    #[test]
    fn programs_get_names_only() {
        let list = |args: &Args| collected(Screen::PIPE, |o| run(args, &Fake::five(), o)).0;
        // The label's value has signs that no group's name can have.
        assert_eq!(list(&Args::default()), "up\ndown\nidle\ngpufree\nroom\n");
        let json = list(&Args { json: true, of: Some("here-1".into()) });
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json[0]["nodes"].as_array().map(Vec::len), Some(5));
    }
}
