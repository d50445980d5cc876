//! InfiniBand and RoCE ports.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put_of, put_some_of};
use crate::hot_file::read_word;
use crate::limits::INFINIBAND_PORTS_MAX;
use crate::rate::{Former, per_second};
use crate::root::Root;
use crate::sysfs::{entries, file_name, numbered, value};
use peermon_model::Unit::{Bytes, BytesPerSecond, Count, None as NoUnit};
use peermon_model::{Attribute, Instant, Sample};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

attributes! {
    RX_RATE = &Attribute::gauge("infiniband.{}.rx.rate", BytesPerSecond, "Bytes one port received per second.");
    TX_RATE = &Attribute::gauge("infiniband.{}.tx.rate", BytesPerSecond, "Bytes one port sent per second.");
    RX_BYTES = &counter("infiniband.{}.rx.bytes", Bytes, "Bytes one port received.", "node_infiniband_port_data_received_bytes_total");
    TX_BYTES = &counter("infiniband.{}.tx.bytes", Bytes, "Bytes one port sent.", "node_infiniband_port_data_transmitted_bytes_total");
    RX_PACKETS = &counter("infiniband.{}.rx.packets", Count, "Packets one port received.", "node_infiniband_port_packets_received_total");
    TX_PACKETS = &counter("infiniband.{}.tx.packets", Count, "Packets one port sent.", "node_infiniband_port_packets_transmitted_total");
    RX_ERRORS = &counter("infiniband.{}.rx.errors", Count, "Packets one port received damaged.", "node_infiniband_port_errors_received_total");
    TX_DISCARDS = &counter("infiniband.{}.tx.discards", Count, "Packets one port dropped instead of sent.", "node_infiniband_port_discards_transmitted_total");
    TX_WAIT = &counter("infiniband.{}.tx.wait", Count, "Ticks in which one port had something to send and no credit.", "node_infiniband_port_transmit_wait_total");
    SYMBOL_ERRORS = &counter("infiniband.{}.symbol_errors", Count, "Small errors on one port's lanes.", "node_infiniband_symbol_error_total");
    RECOVERIES = &counter("infiniband.{}.link.recoveries", Count, "Times one port's link recovered from errors.", "node_infiniband_link_error_recovery_total");
    DOWNS = &counter("infiniband.{}.link.downs", Count, "Times one port's link went down.", "node_infiniband_link_downed_total");
    STATE = &Attribute::gauge("infiniband.{}.state", NoUnit, "State of one port's link: 1 down, 2 beginning, 3 armed, 4 active.").prom("node_infiniband_state_id", "", &[]);
    SPEED = &Attribute::gauge("infiniband.{}.speed_bytes", BytesPerSecond, "Speed of one port's link, in bytes.").prom("node_infiniband_rate_bytes_per_second", "", &[]);
}

const fn counter(name: &'static str, unit: peermon_model::Unit, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::counter(name, unit, help).prom(prometheus, "", &[])
}

/// Files of counters, and what one step of each stands for: data is counted in lanes' words of 4 bytes.
const COUNTERS: [(&str, &&Attribute, u64); 10] = [
    ("port_rcv_data", &RX_BYTES, 4),
    ("port_xmit_data", &TX_BYTES, 4),
    ("port_rcv_packets", &RX_PACKETS, 1),
    ("port_xmit_packets", &TX_PACKETS, 1),
    ("port_rcv_errors", &RX_ERRORS, 1),
    ("port_xmit_discards", &TX_DISCARDS, 1),
    ("port_xmit_wait", &TX_WAIT, 1),
    ("symbol_error", &SYMBOL_ERRORS, 1),
    ("link_error_recovery", &RECOVERIES, 1),
    ("link_downed", &DOWNS, 1),
];

struct Infiniband {
    root: Root,
    former: BTreeMap<Arc<str>, Former<[Option<u64>; 2]>>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Infiniband { root: setup.root.clone(), former: BTreeMap::new() })
}

impl Collector for Infiniband {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let ports = ports(&self.root.path("sys/class/infiniband"));
        self.former.retain(|name, _| ports.iter().any(|p| p.name == *name));
        ports.iter().try_for_each(|p| p.read(round.now, self.former.entry(Arc::clone(&p.name)).or_default(), out))
    }
}

struct Port {
    name: Arc<str>,
    dir: PathBuf,
    labels: Arc<[(&'static str, String)]>,
}

fn ports(dir: &Path) -> Vec<Port> {
    let mut ports = Vec::new();
    for device in entries(dir) {
        for (number, dir) in numbered(&device.join("ports"), "", INFINIBAND_PORTS_MAX) {
            let name = file_name(&device);
            let labels = [("device", name.clone()), ("port", number.to_string())].into();
            ports.push(Port { name: format!("{name}.{number}").into(), dir, labels });
        }
    }
    ports.truncate(INFINIBAND_PORTS_MAX);
    ports
}

impl Port {
    fn read(&self, now: Instant, former: &mut Former<[Option<u64>; 2]>, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let first = out.len();
        let mut traffic = [None; 2];
        for (place, (file, attribute, step)) in COUNTERS.into_iter().enumerate() {
            let Some(n) = value(&self.dir.join("counters").join(file))? else { continue };
            let n = n.saturating_mul(step);
            put_of(out, attribute, &self.name, n);
            if let Some(t) = traffic.get_mut(place) {
                *t = Some(n);
            }
        }
        let word = |file: &str| read_word(&self.dir.join(file));
        // "4: ACTIVE" and "100 Gb/sec (4X EDR)"
        let state = word("state").and_then(|s| s.split(':').next()?.trim().parse::<u64>().ok());
        put_some_of(out, STATE, &self.name, state);
        let gigabits = word("rate").and_then(|r| r.split_whitespace().next()?.parse::<f64>().ok()).filter(|g| g.is_finite());
        put_some_of(out, SPEED, &self.name, gigabits.map(|g| g * 1e9 / 8.0));
        for sample in &mut out[first..] {
            sample.labels = Some(Arc::clone(&self.labels));
        }
        if let Some((seconds, old)) = former.replace(now, traffic) {
            for (i, rate) in [RX_RATE, TX_RATE].into_iter().enumerate() {
                let rates = old[i].zip(traffic[i]).and_then(|(old, new)| per_second(old, new, seconds));
                put_some_of(out, rate, &self.name, rates);
            }
        }
        Ok(())
    }
}
