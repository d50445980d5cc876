//! Vitals: the few values every node tells everybody every period, one byte each.
//!
//! A slot is a bit of the row's mask. The first six sit in the row's head byte, so they cost nothing extra; the last eight
//! belong to each node's own configuration (see [`crate::CustomVital`]).

use crate::attribute::{Attribute, Prometheus, Unit};
use crate::quantity::{ABSENT, Quantiser};

/// Slots of a row: 6 primary, 6 + 7 extended, 8 custom.
pub const SLOTS: usize = 27;
/// The first slot a node's own configuration may use.
pub const FIRST_CUSTOM: usize = 19;

/// Which of a row's fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(u8);

impl Slot {
    /// The slot with this number, if there is one.
    pub const fn new(n: usize) -> Option<Slot> {
        if n < SLOTS { Some(Slot(n as u8)) } else { None }
    }

    /// The slot of the `n`th custom vital.
    pub const fn custom(n: usize) -> Option<Slot> {
        Slot::new(FIRST_CUSTOM + n)
    }

    /// The slot's number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A built-in vital.
#[derive(Debug)]
pub struct Vital {
    /// Its catalogue entry.
    pub attribute: Attribute,
    /// Where it sits in the row.
    pub slot: Slot,
    /// How it becomes a byte.
    pub quantiser: Quantiser,
    /// Code steps it must move before the change is sent (it is sent every 16 periods anyway).
    pub dead_band: u8,
}

const fn vital(slot: usize, name: &'static str, unit: Unit, quantiser: Quantiser, dead_band: u8, help: &'static str) -> Vital {
    Vital { attribute: Attribute::gauge(name, unit, help), slot: Slot(slot as u8), quantiser, dead_band }
}

/// The same vital under the name node_exporter gives it.
const fn known_as(prometheus: &'static str, mut v: Vital) -> Vital {
    v.attribute.prometheus = Some(Prometheus { name: prometheus, labels: &[], instance_label: "", untyped: false });
    v
}

const RATE: Quantiser = Quantiser::Log { floor: 1000.0 };

/// All built-in vitals, in slot order.
pub static VITALS: &[Vital] = &[
    vital(
        0,
        "cpu.busy",
        Unit::Ratio,
        Quantiser::Ratio,
        4,
        "Share of all processor time that was not idle, over the last period.",
    ),
    known_as(
        "node_memory_MemAvailable_bytes",
        vital(
            1,
            "mem.available",
            Unit::Bytes,
            Quantiser::ShareOf("mem.total"),
            2,
            "Memory a new program could use without swapping.",
        ),
    ),
    vital(2, "disk.busy", Unit::Ratio, Quantiser::Ratio, 10, "Share of the last period in which the busiest disk had work."),
    vital(3, "net.rx.rate", Unit::BytesPerSecond, RATE, 4, "Bytes received per second on all interfaces but loopback."),
    vital(4, "net.tx.rate", Unit::BytesPerSecond, RATE, 4, "Bytes sent per second on all interfaces but loopback."),
    known_as(
        "node_load1",
        vital(
            5,
            "load.1",
            Unit::Count,
            Quantiser::Log { floor: 1.0 / 64.0 },
            2,
            "Processes running or waiting, averaged over one minute.",
        ),
    ),
    vital(
        6,
        "cpu.iowait",
        Unit::Ratio,
        Quantiser::Ratio,
        5,
        "Share of processor time that waited for disks, over the last period.",
    ),
    vital(
        7,
        "cpu.system.max3m",
        Unit::Ratio,
        Quantiser::Ratio,
        2,
        "Highest share of processor time the kernel itself used, in the last 3 minutes (option probes.cpu_window).",
    ),
    vital(8, "swap.used", Unit::Bytes, Quantiser::ShareOf("swap.total"), 2, "Swap space in use."),
    vital(
        9,
        "pressure.cpu",
        Unit::Ratio,
        Quantiser::Ratio,
        10,
        "Share of the last period in which some task waited for a processor.",
    ),
    vital(
        10,
        "pressure.memory",
        Unit::Ratio,
        Quantiser::Ratio,
        4,
        "Share of the last period in which some task waited for memory.",
    ),
    vital(11, "pressure.io", Unit::Ratio, Quantiser::Ratio, 10, "Share of the last period in which some task waited for disks."),
    known_as(
        "node_procs_running",
        vital(12, "procs.running", Unit::Count, Quantiser::Count, 4, "Processes able to run right now."),
    ),
    vital(
        13,
        "cpu.steal",
        Unit::Ratio,
        Quantiser::Ratio,
        4,
        "Share of processor time taken by other virtual machines, over the last period.",
    ),
    vital(14, "users.logged_in", Unit::Count, Quantiser::Count, 1, "Distinct users logged in."),
    vital(15, "gpu.busy", Unit::Ratio, Quantiser::Ratio, 4, "Share of time in which the busiest GPU had work."),
    vital(16, "gpu.mem.used", Unit::Ratio, Quantiser::Ratio, 2, "Share of all GPU memory in use."),
    vital(17, "temperature.max", Unit::Celsius, Quantiser::Count, 2, "Temperature of the hottest sensor."),
    vital(18, "health", Unit::Ratio, Quantiser::Ratio, 1, "How far the node trusts itself: 1 is well, 0 is unusable."),
];

/// The built-in vital with this attribute name.
pub fn find(name: &str) -> Option<&'static Vital> {
    VITALS.iter().find(|v| v.attribute.name == name)
}

/// One node's vitals as codes; an absent one is not known or not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vitals {
    codes: [u8; SLOTS],
}

impl Default for Vitals {
    fn default() -> Self {
        Vitals { codes: [ABSENT; SLOTS] }
    }
}

impl Vitals {
    /// The code in a slot.
    pub fn code(&self, slot: Slot) -> u8 {
        self.codes[slot.index()]
    }

    /// Puts a code into a slot.
    pub fn put(&mut self, slot: Slot, code: u8) {
        self.codes[slot.index()] = code;
    }

    /// All codes, by slot number.
    pub fn codes(&self) -> &[u8; SLOTS] {
        &self.codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dense_and_unique() {
        for (i, v) in VITALS.iter().enumerate() {
            assert_eq!(v.slot.index(), i, "{}", v.attribute.name);
        }
        assert_eq!(VITALS.len(), FIRST_CUSTOM);
        assert_eq!(Slot::custom(crate::limits::CUSTOM_VITALS_MAX - 1), Slot::new(SLOTS - 1));
        assert_eq!(Slot::custom(crate::limits::CUSTOM_VITALS_MAX), None);
    }
}
