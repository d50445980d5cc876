//! Network devices' queues and rings: what a fast link needs to be tuned.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put_of};
use crate::ethtool::rings;
use crate::limits::RINGS_INTERFACES_MAX;
use crate::root::Root;
use crate::sysfs::{entries, file_name, numbered};
use peermon_model::{Attribute, Sample, Unit::Count};
use std::sync::Arc;

attributes! {
    RX_QUEUES = &Attribute::gauge("net.{}.rx.queues", Count, "Queues that received packets may come through.");
    TX_QUEUES = &Attribute::gauge("net.{}.tx.queues", Count, "Queues that packets may be sent through.");
    RX_RING = &Attribute::gauge("net.{}.rx.ring", Count, "Packets that may wait in each of the device's receiving rings.");
    RX_RING_MAX = &Attribute::gauge("net.{}.rx.ring.max", Count, "Packets that could be allowed to wait in a receiving ring.");
    TX_RING = &Attribute::gauge("net.{}.tx.ring", Count, "Packets that may wait in each of the device's sending rings.");
    TX_RING_MAX = &Attribute::gauge("net.{}.tx.ring.max", Count, "Packets that could be allowed to wait in a sending ring.");
}

/// Queues counted of one device; the largest cards have one per processor.
const QUEUES_MAX: usize = 4096;

struct Rings(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Rings(setup.root.clone()))
}

impl Collector for Rings {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        read(&self.0, out);
        Ok(())
    }
}

/// Devices only: what containers and tunnels hang on has no rings.
fn read(root: &Root, out: &mut Vec<Sample>) {
    let all = entries(&root.path("sys/class/net"));
    for dir in all.iter().filter(|d| d.join("device").exists()).take(RINGS_INTERFACES_MAX) {
        let name = file_name(dir);
        let device: Arc<str> = name.as_str().into();
        let mut put = |attribute, n: u64| {
            if n > 0 {
                put_of(out, attribute, &device, n);
            }
        };
        for (prefix, attribute) in [("rx-", RX_QUEUES), ("tx-", TX_QUEUES)] {
            put(attribute, numbered(&dir.join("queues"), prefix, QUEUES_MAX).len() as u64);
        }
        if let Some(r) = root.is_host().then(|| rings(&name)).flatten() {
            for (attribute, n) in [(RX_RING, r.rx), (RX_RING_MAX, r.rx_max), (TX_RING, r.tx), (TX_RING_MAX, r.tx_max)] {
                put(attribute, u64::from(n));
            }
        }
    }
}
