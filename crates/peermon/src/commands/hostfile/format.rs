//! The formats, one function for each shape.

use super::{Format, Slots};
use crate::Failure;
use peermon_api::{BestNode, FactValue, NodeView};
use peermon_placement::nodeset;
use serde_json::json;

/// A node in a list.
pub(super) struct Host<'a> {
    /// What the reader calls it.
    pub(super) host: String,
    /// Processes it takes.
    pub(super) slots: u32,
    pub(super) best: &'a BestNode,
    pub(super) node: &'a NodeView,
}

impl Host<'_> {
    /// Processes a node takes; at least one, since it was chosen.
    pub(super) fn slots(node: &NodeView, slots: Slots) -> u32 {
        let fact = |name: &str| match node.facts.get(name) {
            Some(FactValue::Number(n)) if *n >= 1.0 => Some(*n as u32),
            _ => None,
        };
        let told = match slots {
            Slots::Number(n) => Some(n),
            Slots::Cores => fact("cpu.cores").or_else(|| fact("cpu.threads")),
            Slots::Threads => fact("cpu.threads"),
            Slots::Gpus => fact("gpu.count"),
            // The caller knows how many those are.
            Slots::Claim => None,
        };
        told.unwrap_or(1)
    }
}

/// The whole list.
pub(super) fn text(format: Format, hosts: &[Host<'_>], template: Option<&str>, user: Option<&str>) -> Result<String, Failure> {
    Ok(match format {
        Format::Openmpi => lines(hosts, |h| format!("{} slots={}", h.host, h.slots)),
        Format::Mpich | Format::Intel => {
            if let Some(h) = hosts.iter().find(|h| h.host.contains(':')) {
                let (name, address) = (&h.best.name, &h.host);
                return Err(Failure::new(format!(
                    "the IPv6 address {address} of {name} cannot stand before a colon and a number; use names, without --addresses"
                )));
            }
            lines(hosts, |h| format!("{}:{}", h.host, h.slots))
        }
        Format::Parallel => lines(hosts, |h| format!("{}/{}", h.slots, h.host)),
        Format::Pdsh | Format::Dask | Format::Plain => lines(hosts, |h| h.host.clone()),
        Format::SlurmNodelist => nodeset::fold(hosts.iter().map(|h| h.host.as_str())).text + "\n",
        Format::Ray => ray(hosts, user),
        Format::Ansible => ansible(hosts, user),
        Format::Json => {
            let list: Vec<_> = hosts.iter().map(json).collect();
            pretty(&list.into())
        }
        Format::Template => lines(hosts, |h| fill(template.unwrap_or_default(), h)),
    })
}

fn lines(hosts: &[Host<'_>], line: impl Fn(&Host<'_>) -> String) -> String {
    hosts.iter().map(|h| line(h) + "\n").collect()
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn json(h: &Host<'_>) -> serde_json::Value {
    let BestNode { name, id, address, age_seconds, .. } = h.best;
    json!({ "name": name, "id": id, "address": address, "host": h.host, "slots": h.slots, "age_seconds": age_seconds })
}

/// YAML takes JSON's texts.
fn ray(hosts: &[Host<'_>], user: Option<&str>) -> String {
    let quoted = |t: &str| serde_json::Value::from(t).to_string();
    let workers: Vec<_> = hosts.iter().skip(1).map(|h| quoted(&h.host)).collect();
    let (n, head) = (workers.len(), hosts.first().map_or(String::new(), |h| quoted(&h.host)));
    let auth = user.map_or(String::new(), |u| format!("auth:\n  ssh_user: {}\n", quoted(u)));
    format!(
        "cluster_name: peermon\nprovider:\n  type: local\n  head_ip: {head}\n  worker_ips: [{}]\n{auth}min_workers: {n}\nmax_workers: {n}\n",
        workers.join(", ")
    )
}

fn ansible(hosts: &[Host<'_>], user: Option<&str>) -> String {
    let mut variables = serde_json::Map::new();
    for h in hosts {
        let mut of = serde_json::Map::new();
        if h.host != h.best.name {
            of.insert("ansible_host".into(), h.host.as_str().into());
        }
        if let Some(u) = user {
            of.insert("ansible_user".into(), u.into());
        }
        of.insert("peermon".into(), json(h));
        variables.insert(h.best.name.clone(), of.into());
    }
    let names: Vec<_> = hosts.iter().map(|h| h.best.name.as_str()).collect();
    pretty(&json!({ "best": { "hosts": names }, "_meta": { "hostvars": variables } }))
}

/// The names in a template's braces, each with where its brace opens, or what is wrong.
fn holes(template: &str) -> impl Iterator<Item = Result<(usize, &str), &str>> {
    template.match_indices('{').map(|(i, _)| {
        let rest = &template[i + 1..];
        rest.find('}').map(|end| (i, &rest[..end])).ok_or(rest)
    })
}

/// That a template can be filled.
pub(super) fn check_template(template: &str) -> Result<(), Failure> {
    for hole in holes(template) {
        let name = match hole {
            Ok((_, name)) => name,
            Err(rest) => {
                return Err(Failure::new(format!("--template: the brace before {rest:?} is not closed; write e.g. {{name}}")));
            }
        };
        let own = ["name", "address", "host", "slots", "id", "zone"].contains(&name);
        if !own && crate::output::attribute(name).is_none() && !name.starts_with("label.") {
            return Err(Failure::new(format!(
                "--template: no attribute is named {name}; write {{name}}, {{address}}, {{host}}, {{slots}}, {{id}}, {{zone}}, or an attribute that \
                 `peermon show` lists, e.g. {{mem.available}}"
            )));
        }
    }
    Ok(())
}

/// A template's line for a node; what is not known is empty.
fn fill(template: &str, h: &Host<'_>) -> String {
    let template = template.replace("\\t", "\t");
    let mut line = String::new();
    let mut at = 0;
    for (open, name) in holes(&template).flatten() {
        line += &template[at..open];
        at = open + name.len() + 2;
        line += &match name {
            "name" => h.best.name.clone(),
            "address" => h.best.address.clone(),
            "host" => h.host.clone(),
            "slots" => h.slots.to_string(),
            "id" => h.best.id.clone(),
            "zone" => h.node.zone.clone(),
            _ => match (h.node.vitals.get(name), h.node.facts.get(name)) {
                (Some(v), _) | (None, Some(FactValue::Number(v))) => v.to_string(),
                // From another machine: a line break in it would be another line.
                (None, Some(FactValue::Text(t))) => crate::output::clean(t),
                (None, None) => String::new(),
            },
        };
    }
    line + &template[at..]
}
