//! `/metrics`: what this host and this daemon measure.

use super::name::{in_base_unit, instance_label, metric_name, type_of};
use super::{Families, Type};
use peermon_api::{Error, FactValue, Local, NodeView, State, Status};
use peermon_model::{Sample, Samples};
use std::collections::BTreeMap;
use std::time::Duration;

/// All samples of this host, who it is, and how its daemon fares. `http` are this face's own counters.
pub(crate) fn node(service: &dyn Local, http: &BTreeMap<&'static str, u64>) -> Result<Families, Error> {
    let mut f = Families::default();
    let status = service.status()?;
    if let Some((samples, age)) = service.samples() {
        host(&mut f, &samples, age);
    }
    // A node that only listens is not in its own table, and has no facts to show.
    if let Ok(me) = service.node(&status.id) {
        identity(&mut f, &me);
    }
    daemon(&mut f, &status, service);
    face(&mut f, http);
    Ok(f)
}

fn host(f: &mut Families, samples: &Samples, age: Duration) {
    for s in &samples.list {
        sample(f, s);
    }
    f.add("peermon_samples_age_seconds", Type::Gauge, "How old the samples of this host are.", &[], age.as_secs_f64());
    for r in &samples.reports {
        let label = [("collector", r.collector)];
        let help = "Time a collector took in its last run.";
        f.add("node_scrape_collector_duration_seconds", Type::Gauge, help, &label, r.duration.as_secs_f64());
        let success = f64::from(u8::from(r.failure.is_none()));
        f.add("node_scrape_collector_success", Type::Gauge, "Whether a collector succeeded in its last run.", &label, success);
    }
}

fn sample(f: &mut Families, s: &Sample) {
    let a = s.attribute;
    let instance_name = instance_label(a);
    let mut labels: Vec<(&str, &str)> = Vec::new();
    let told_by_labels = a.prometheus.is_some_and(|p| p.instance_label.is_empty()) && s.labels.is_some();
    if let Some(i) = &s.instance
        && !told_by_labels
    {
        labels.push((&instance_name, i));
    }
    if let Some(p) = a.prometheus {
        labels.extend(p.labels);
    }
    if let Some(more) = &s.labels {
        labels.extend(more.iter().map(|(n, v)| (*n, v.as_str())));
    }
    f.add(&metric_name(a), type_of(a), &a.help, &labels, in_base_unit(a, s.value));
}

fn identity(f: &mut Families, me: &NodeView) {
    let text = |name: &str| match me.facts.get(name) {
        Some(FactValue::Text(t)) => t.as_str(),
        Some(FactValue::Number(_)) | None => "",
    };
    if !f.has("node_uname_info") {
        let labels = [
            ("domainname", "(none)"),
            ("machine", text("os.arch")),
            ("nodename", text("host.name")),
            ("release", text("os.kernel")),
            ("sysname", "Linux"),
            ("version", ""),
        ];
        f.add("node_uname_info", Type::Gauge, "The system as uname tells it.", &labels, 1.0);
    }
    if !f.has("node_os_info") && !text("os.name").is_empty() {
        let labels = [("pretty_name", text("os.name"))];
        f.add("node_os_info", Type::Gauge, "The operating system's name and version.", &labels, 1.0);
    }
    if let Some(FactValue::Number(boot)) = me.facts.get("boot.time")
        && !f.has("node_boot_time_seconds")
    {
        f.add("node_boot_time_seconds", Type::Gauge, "When the machine booted, in Unix seconds by its own clock.", &[], *boot);
    }
}

fn daemon(f: &mut Families, s: &Status, service: &dyn Local) {
    let build = [("version", s.version.as_str())];
    f.add("peermon_build_info", Type::Gauge, "The daemon's version.", &build, 1.0);
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        if let Some(v) = value {
            f.add(name, Type::Gauge, help, &[], v);
        }
    };
    gauge("peermon_daemon_uptime_seconds", "Time since the daemon started.", Some(s.uptime_seconds));
    gauge("peermon_daemon_incarnation", "Which life of the node this is.", Some(f64::from(s.incarnation)));
    gauge("peermon_daemon_period_seconds", "How often the node publishes.", Some(s.period_seconds));
    gauge("peermon_daemon_cpu_ratio", "Share of one core the daemon used since the last round.", s.cpu_share);
    gauge("peermon_daemon_resident_memory_bytes", "The daemon's resident memory.", s.resident_bytes.map(|b| b as f64));
    gauge("peermon_daemon_links", "Peers this node exchanges packets with.", Some(s.links.len() as f64));
    gauge("peermon_daemon_seeds_waiting", "Addresses to join by that were not reached yet.", Some(s.seeds_waiting.len() as f64));
    let locked = f64::from(u8::from(s.clock_locked));
    gauge("peermon_daemon_clock_locked", "Whether the cluster clock is in step with the peers'.", Some(locked));
    gauge(
        "peermon_daemon_clock_error_seconds",
        "Distance to the median of the peers' cluster clocks.",
        Some(s.clock_error_seconds),
    );
    gauge("peermon_daemon_age_mean_seconds", "Mean age of the alive nodes' vitals.", s.age_mean_seconds);
    gauge("peermon_daemon_age_max_seconds", "Largest age of the alive nodes' vitals.", s.age_max_seconds);
    for state in State::ALL.map(State::name) {
        let count = s.nodes.get(state).copied().unwrap_or(0);
        f.add("peermon_daemon_nodes", Type::Gauge, "Nodes in the table, by state.", &[("state", state)], count as f64);
    }
    for l in &s.links {
        if let Some(rtt) = l.rtt_seconds {
            let labels = [("peer", l.name.as_str()), ("address", l.address.as_str()), ("role", l.role.as_str())];
            f.add("peermon_daemon_link_rtt_seconds", Type::Gauge, "Round-trip time to a peer.", &labels, rtt);
        }
    }
    let of_daemon: Vec<_> = s.counters.iter().map(|(counter, &value)| (counter_name(counter), counter, value)).collect();
    for (name, counter, value) in of_daemon {
        // A collector may have told the same counter as a sample.
        if !f.has(&name) {
            let help = match service.catalogue().find(counter) {
                Some(a) => a.help.to_string(),
                None => format!("How often this daemon counted {counter}."),
            };
            f.add(&name, Type::Counter, &help, &[], value as f64);
        }
    }
}

/// `gossip.dropped.replayed` is `peermon_gossip_dropped_replayed_total`.
fn counter_name(counter: &str) -> String {
    let name = super::name::clean(counter);
    let name = name.strip_prefix("peermon_").unwrap_or(&name);
    let name = name.strip_suffix("_total").unwrap_or(name);
    format!("peermon_{name}_total")
}

fn face(f: &mut Families, http: &BTreeMap<&'static str, u64>) {
    for (&what, &count) in http {
        if what == "requests" {
            f.add("peermon_http_requests_total", Type::Counter, "HTTP requests answered.", &[], count as f64);
        } else {
            let help = "HTTP requests and connections refused, by reason.";
            f.add("peermon_http_refused_total", Type::Counter, help, &[("reason", what)], count as f64);
        }
    }
}
