//! Network interfaces: traffic, errors, drops, and what the link is.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, put_some_of, vital};
use crate::hot_file::{HotFile, read_word};
use crate::limits::{INTERFACES_MAX, LINK_INTERVAL};
use crate::rate::{Former, per_second};
use crate::root::Root;
use crate::text::{Text, name, words};
use peermon_model::Unit::{BitsPerSecond, Bytes, BytesPerSecond, Count, None as NoUnit, PerSecond};
use peermon_model::{Attribute, Instant, Sample};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

attributes! {
    RX_RATE_ALL = vital("net.rx.rate");
    TX_RATE_ALL = vital("net.tx.rate");
    RX_RATE = &Attribute::gauge("net.{}.rx.rate", BytesPerSecond, "Bytes received per second.");
    TX_RATE = &Attribute::gauge("net.{}.tx.rate", BytesPerSecond, "Bytes sent per second.");
    DROPS_RATE = &Attribute::gauge("net.{}.drops.rate", PerSecond, "Packets dropped per second, received ones and those to be sent.");
    ERRORS_RATE = &Attribute::gauge("net.{}.errors.rate", PerSecond, "Packets per second that came damaged or could not be sent.");
    RX_BYTES = &counter("net.{}.rx.bytes", Bytes, "Bytes received.", "node_network_receive_bytes_total");
    RX_PACKETS = &counter("net.{}.rx.packets", Count, "Packets received.", "node_network_receive_packets_total");
    RX_ERRORS = &counter("net.{}.rx.errors", Count, "Packets received damaged.", "node_network_receive_errs_total");
    RX_DROPS = &counter("net.{}.rx.drops", Count, "Packets received and dropped.", "node_network_receive_drop_total");
    RX_FIFO = &counter("net.{}.rx.fifo", Count, "Packets lost because the interface's buffer was full.", "node_network_receive_fifo_total");
    RX_FRAME = &counter("net.{}.rx.frame", Count, "Packets received with a wrong frame.", "node_network_receive_frame_total");
    RX_COMPRESSED = &counter("net.{}.rx.compressed", Count, "Compressed packets received.", "node_network_receive_compressed_total");
    RX_MULTICAST = &counter("net.{}.rx.multicast", Count, "Multicast packets received.", "node_network_receive_multicast_total");
    TX_BYTES = &counter("net.{}.tx.bytes", Bytes, "Bytes sent.", "node_network_transmit_bytes_total");
    TX_PACKETS = &counter("net.{}.tx.packets", Count, "Packets sent.", "node_network_transmit_packets_total");
    TX_ERRORS = &counter("net.{}.tx.errors", Count, "Packets that could not be sent.", "node_network_transmit_errs_total");
    TX_DROPS = &counter("net.{}.tx.drops", Count, "Packets dropped instead of sent.", "node_network_transmit_drop_total");
    TX_FIFO = &counter("net.{}.tx.fifo", Count, "Packets not sent because the interface's buffer ran empty.", "node_network_transmit_fifo_total");
    TX_COLLISIONS = &counter("net.{}.tx.collisions", Count, "Collisions while sending.", "node_network_transmit_colls_total");
    TX_CARRIER = &counter("net.{}.tx.carrier", Count, "Packets not sent because the link was lost.", "node_network_transmit_carrier_total");
    TX_COMPRESSED = &counter("net.{}.tx.compressed", Count, "Compressed packets sent.", "node_network_transmit_compressed_total");
    UP = &link("net.{}.up", NoUnit, "Whether the interface works: 1 or 0.", "node_network_up");
    CARRIER = &link("net.{}.carrier", NoUnit, "Whether the interface has a link: 1 or 0.", "node_network_carrier");
    CARRIER_CHANGES = &counter("net.{}.carrier_changes", Count, "How often the link came or went.", "node_network_carrier_changes_total");
    MTU = &link("net.{}.mtu", Bytes, "Most bytes of a packet.", "node_network_mtu_bytes");
    QUEUE = &link("net.{}.queue", Count, "Packets that may wait for being sent.", "node_network_transmit_queue_length");
    SPEED = &Attribute::gauge("net.{}.speed", BitsPerSecond, "Speed of the link.");
    SPEED_BYTES = &link("net.{}.speed_bytes", BytesPerSecond, "Speed of the link, in bytes.", "node_network_speed_bytes");
    FULL_DUPLEX = &Attribute::gauge("net.{}.full_duplex", NoUnit, "Whether the link carries both ways at once: 1 or 0.");
    INFO = &link("net.{}.info", NoUnit, "Always 1; its labels tell what the interface is.", "node_network_info");
}

const fn counter(name: &'static str, unit: peermon_model::Unit, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::counter(name, unit, help).prom(prometheus, "device", &[])
}

const fn link(name: &'static str, unit: peermon_model::Unit, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::gauge(name, unit, help).prom(prometheus, "device", &[])
}

/// The columns of `/proc/net/dev`.
const COLUMNS: [&&Attribute; 16] = [
    &RX_BYTES,
    &RX_PACKETS,
    &RX_ERRORS,
    &RX_DROPS,
    &RX_FIFO,
    &RX_FRAME,
    &RX_COMPRESSED,
    &RX_MULTICAST,
    &TX_BYTES,
    &TX_PACKETS,
    &TX_ERRORS,
    &TX_DROPS,
    &TX_FIFO,
    &TX_COLLISIONS,
    &TX_CARRIER,
    &TX_COMPRESSED,
];
/// Which columns are told as a rate, each with the place of its rate in [`RATES`].
const GROWING: [(usize, usize); 6] = [(0, 0), (8, 1), (3, 2), (11, 2), (2, 3), (10, 3)];
const RATES: [&&Attribute; 4] = [&RX_RATE, &TX_RATE, &DROPS_RATE, &ERRORS_RATE];
const HEADER_LINES: usize = 2;

struct Net {
    file: HotFile,
    root: Root,
    /// By place in the file.
    interfaces: Vec<Interface>,
    links_read: Option<Instant>,
}

struct Interface {
    name: Arc<str>,
    sys: PathBuf,
    former: Former<[u64; RATES.len()]>,
    /// Its traffic is not another interface's too, and leaves the machine.
    counts: bool,
    link: Vec<Sample>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Net { file: setup.hot("proc/net/dev"), root: setup.root.clone(), interfaces: Vec::new(), links_read: None })
}

impl Collector for Net {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let text = self.file.read()?;
        let read_links = self.links_read.is_none_or(|at| round.now.since(at) >= LINK_INTERVAL);
        if read_links {
            self.links_read = Some(round.now);
        }
        let mut all: Option<[f64; 2]> = None;
        let mut place = 0;
        for line in text.lines().skip(HEADER_LINES).take(INTERFACES_MAX) {
            // The name may touch the first number: "eth0:123".
            let Some(colon) = line.iter().rposition(|b| *b == b':') else {
                return Err(text.garbage(Some(line), "a line", "an interface and its numbers"));
            };
            let id = line[..colon].trim_ascii();
            if self.interfaces.get(place).is_none_or(|i| i.name.as_bytes() != id) {
                self.interfaces.truncate(place);
                self.interfaces.push(Interface::new(&self.root, &name(id)));
            }
            let interface = &mut self.interfaces[place];
            if read_links || interface.link.is_empty() {
                interface.read_link();
            }
            if let Some(rates) = interface.put(&text, &line[colon + 1..], round.now, out)? {
                let sum = all.get_or_insert([0.0; 2]);
                sum[0] += rates[0];
                sum[1] += rates[1];
            }
            place += 1;
        }
        self.interfaces.truncate(place);
        if let Some([received, sent]) = all {
            put(out, RX_RATE_ALL, received);
            put(out, TX_RATE_ALL, sent);
        }
        Ok(())
    }
}

impl Interface {
    fn new(root: &Root, name: &str) -> Self {
        let sys = root.path("sys/class/net").join(name);
        Interface { counts: false, name: name.into(), sys, former: Former::default(), link: Vec::new() }
    }

    /// Adds the counters; gives the rates if they count for the whole machine.
    fn put(
        &mut self,
        text: &Text<'_>,
        columns: &[u8],
        now: Instant,
        out: &mut Vec<Sample>,
    ) -> Result<Option<[f64; 2]>, CollectError> {
        let mut grown = [0_u64; RATES.len()];
        let mut words = words(columns);
        for (i, attribute) in COLUMNS.iter().enumerate() {
            let value = text.number(words.next(), format_args!("{} column {}", self.name, i + 1))?;
            put_of(out, attribute, &self.name, value);
            if let Some((_, rate)) = GROWING.iter().find(|(column, _)| *column == i) {
                grown[*rate] = grown[*rate].saturating_add(value);
            }
        }
        out.extend_from_slice(&self.link);
        let Some((seconds, old)) = self.former.replace(now, grown) else { return Ok(None) };
        let rates: [_; RATES.len()] = std::array::from_fn(|i| per_second(old[i], grown[i], seconds));
        for (attribute, rate) in RATES.iter().zip(rates) {
            put_some_of(out, attribute, &self.name, rate);
        }
        Ok(rates[0].zip(rates[1]).map(|(r, t)| [r, t]).filter(|_| self.counts))
    }

    /// What changes rarely. None of these files is needed: a container may have none.
    fn read_link(&mut self) {
        let word = |file: &str| read_word(&self.sys.join(file));
        let number = |file: &str| word(file)?.parse::<f64>().ok().filter(|n| *n >= 0.0);
        let state = word("operstate");
        let duplex = word("duplex");
        let out = &mut self.link;
        out.clear();
        put_some_of(out, UP, &self.name, state.as_ref().map(|s| s == "up"));
        put_some_of(out, CARRIER, &self.name, number("carrier"));
        put_some_of(out, CARRIER_CHANGES, &self.name, number("carrier_changes"));
        put_some_of(out, MTU, &self.name, number("mtu"));
        put_some_of(out, QUEUE, &self.name, number("tx_queue_len"));
        let megabits = speed_megabits(&self.sys);
        put_some_of(out, SPEED, &self.name, megabits.map(|m| m * 1e6));
        put_some_of(out, SPEED_BYTES, &self.name, megabits.map(|m| m * 1e6 / 8.0));
        put_some_of(out, FULL_DUPLEX, &self.name, duplex.as_ref().filter(|d| *d != "unknown").map(|d| d == "full"));
        let up = word("flags").and_then(|f| u64::from_str_radix(f.trim_start_matches("0x"), 16).ok()).map(|f| f & 1 == 1);
        let labels = [
            ("address", word("address")),
            ("adminstate", up.map(|u| if u { "up" } else { "down" }.into())),
            ("broadcast", word("broadcast")),
            ("duplex", duplex),
            ("ifalias", word("ifalias")),
            ("operstate", state),
        ];
        if labels.iter().any(|(_, v)| v.is_some()) {
            let labels = labels.into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect();
            out.push(Sample { attribute: INFO, instance: Some(Arc::clone(&self.name)), labels: Some(labels), value: 1.0 });
        }
        self.counts = &*self.name != "lo" && !stands_on_another(&self.sys);
    }
}

/// The speed of a link in Mbit/s, if it has one: an unplugged or virtual one says -1 or nothing.
pub(crate) fn speed_megabits(sys: &Path) -> Option<f64> {
    // 4294967295 is -1 in older kernels.
    read_word(&sys.join("speed"))?.parse::<f64>().ok().filter(|m| *m > 0.0 && *m < 4_294_967_295.0)
}

/// Whether an interface's traffic is that of others, below it: a bond, a bridge, a VLAN.
fn stands_on_another(sys: &Path) -> bool {
    let Ok(files) = fs::read_dir(sys) else { return false };
    files.flatten().any(|f| f.file_name().as_encoded_bytes().starts_with(b"lower_"))
}
