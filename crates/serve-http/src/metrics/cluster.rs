//! `/metrics/cluster`: every node as this one's table knows it.

use super::name::{clean, find, in_base_unit, instance_label, metric_name};
use super::{Families, Type};
use peermon_api::{Error, FactValue, Local, NodeView, NodesQuery, State};
use peermon_model::Catalogue;
use std::collections::HashMap;

/// Facts worth a number in dashboards: what vitals are shares of.
const FACTS: &[&str] = &["cpu.threads", "cpu.cores", "cpu.sockets", "mem.total", "swap.total", "boot.time"];

/// Every node's state and age, and the vitals of those that are up: values of a node that is down would have to be shown with
/// their age, which a scraper cannot see.
pub(crate) fn cluster(service: &dyn Local) -> Result<Families, Error> {
    let mut f = Families::default();
    let mut names = Names { catalogue: service.catalogue(), known: HashMap::new() };
    for n in &service.nodes(&NodesQuery::default())? {
        let id = n.id.get(..8).unwrap_or(&n.id);
        let who = [("node", n.name.as_str()), ("id", id)];
        standing(&mut f, n, who);
        for fact in FACTS {
            if let Some(FactValue::Number(v)) = n.facts.get(*fact) {
                names.add(&mut f, fact, who, *v);
            }
        }
        if is_up(n) {
            for (vital, &value) in &n.vitals {
                names.add(&mut f, vital, who, value);
            }
        }
    }
    Ok(f)
}

/// A suspect was silent for one period only; most often it is well, and an alert on it would flap.
fn is_up(n: &NodeView) -> bool {
    matches!(n.state, State::Alive | State::Suspect)
}

fn standing(f: &mut Families, n: &NodeView, who: [(&str, &str); 2]) {
    let [name, id] = who;
    let truth = |b: bool| f64::from(u8::from(b));
    f.add(
        "peermon_node_up",
        Type::Gauge,
        "Whether the node is alive or suspect, rather than down or left.",
        &who,
        truth(is_up(n)),
    );
    for s in State::ALL {
        let labels = [name, id, ("state", s.name())];
        f.add(
            "peermon_node_state",
            Type::Gauge,
            "1 for the state the node is in, 0 for the others.",
            &labels,
            truth(s == n.state),
        );
    }
    f.add("peermon_node_state_seconds", Type::Gauge, "How long the node has been in its state.", &who, n.state_seconds);
    f.add("peermon_node_incarnation", Type::Gauge, "Which life of the node.", &who, f64::from(n.incarnation));
    f.add("peermon_node_period_seconds", Type::Gauge, "How often the node publishes.", &who, n.period_seconds);
    if let Some(age) = n.age_seconds {
        f.add("peermon_node_age_seconds", Type::Gauge, "How old the node's vitals are.", &who, age);
    }
    let text = |fact: &str| match n.facts.get(fact) {
        Some(FactValue::Text(t)) => t.as_str(),
        Some(FactValue::Number(_)) | None => "",
    };
    let labels = [
        name,
        id,
        ("address", n.addresses.first().map_or("", String::as_str)),
        ("os", text("os.name")),
        ("kernel", text("os.kernel")),
        ("cpu", text("cpu.model")),
        ("version", text("peermon.version")),
        ("source", text("source")),
    ];
    f.add("peermon_node_info", Type::Gauge, "Who the node is.", &labels, 1.0);
}

/// Metric names of attributes, worked out once each: names of custom vitals have to be searched for.
struct Names<'a> {
    catalogue: &'a Catalogue,
    known: HashMap<String, Known>,
}

struct Known {
    metric: String,
    help: String,
    /// Label and value of the instance in the name.
    instance: Option<(String, String)>,
    attribute: Option<&'static peermon_model::Attribute>,
}

impl Names<'_> {
    fn add(&mut self, f: &mut Families, attribute: &str, who: [(&str, &str); 2], value: f64) {
        if !self.known.contains_key(attribute) {
            self.known.insert(attribute.to_string(), self.work_out(attribute));
        }
        let k = &self.known[attribute];
        let value = k.attribute.map_or(value, |a| in_base_unit(a, value));
        match &k.instance {
            None => f.add(&k.metric, Type::Gauge, &k.help, &who, value),
            Some((label, instance)) => f.add(&k.metric, Type::Gauge, &k.help, &[who[0], who[1], (label, instance)], value),
        }
    }

    fn work_out(&self, attribute: &str) -> Known {
        match find(self.catalogue, attribute) {
            Some((a, instance)) => {
                // node_exporter's names are for a machine's own page; here they would be mistaken for this host's.
                let plain = peermon_model::Attribute { prometheus: None, ..a.clone() };
                let metric = metric_name(&plain);
                // The row carries a number as it is now, so it is a gauge whatever the catalogue says.
                let metric = metric.strip_suffix("_total").unwrap_or(&metric).to_string();
                let label = match instance_label(&plain) {
                    l if matches!(l.as_str(), "node" | "id") => format!("of_{l}"),
                    l => l,
                };
                Known { metric, help: a.help.to_string(), instance: instance.map(|i| (label, i.to_string())), attribute: Some(a) }
            }
            None => Known {
                metric: format!("peermon_custom_{}", clean(attribute)),
                help: "A vital that nodes' own configuration adds.".to_string(),
                instance: None,
                attribute: None,
            },
        }
    }
}
