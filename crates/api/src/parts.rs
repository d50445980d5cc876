//! The parts of the machine of the node that answers: each processor, disk, file system and network interface. No other node is told.

use peermon_model::{Sample, Samples};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Each part of this node's machine. Rates and shares are over the time between its last two looks; what is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartsAnswer {
    /// The node's label.
    pub name: String,
    /// How old the figures are, in seconds; those of file systems and clock rates may be 30 s older.
    pub age_seconds: f64,
    /// Processors (hardware threads), in the kernel's order.
    pub cores: Vec<CoreView>,
    /// What memory is used for.
    pub memory: MemoryView,
    /// Disks, in the kernel's order; what is made of several, too.
    pub disks: Vec<DiskView>,
    /// File systems, by mount point.
    pub file_systems: Vec<FileSystemView>,
    /// Network interfaces, in the kernel's order.
    pub interfaces: Vec<InterfaceView>,
}

/// One processor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoreView {
    /// Its number.
    pub name: String,
    /// Share of its time that was not idle.
    pub busy: Option<f64>,
    /// Share of its time that the kernel and its interrupts used.
    pub system: Option<f64>,
    /// Share of its time in which it had nothing to do but wait for disks.
    pub iowait: Option<f64>,
    /// Its clock rate, in hertz.
    pub frequency: Option<f64>,
}

/// What memory is used for, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemoryView {
    /// All that the kernel manages.
    pub total: Option<u64>,
    /// What new programs may have, as the kernel estimates.
    pub available: Option<u64>,
    /// What nobody uses, not even as cache.
    pub free: Option<u64>,
    /// Cached blocks of disks.
    pub buffers: Option<u64>,
    /// Cached files, shared memory included.
    pub cached: Option<u64>,
    /// Shared memory and tmpfs.
    pub shared: Option<u64>,
    /// The kernel's own data structures.
    pub kernel: Option<u64>,
    /// File contents that are yet to be written to disks.
    pub dirty: Option<u64>,
    /// Swap space.
    pub swap_total: Option<u64>,
    /// Swap space in use.
    pub swap_used: Option<u64>,
    /// Bytes per second read from swap space.
    pub swap_in: Option<f64>,
    /// Bytes per second written to swap space.
    pub swap_out: Option<f64>,
}

/// One disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiskView {
    /// The kernel's name for it.
    pub name: String,
    /// Share of time in which it had work.
    pub busy: Option<f64>,
    /// Bytes per second read.
    pub read: Option<f64>,
    /// Bytes per second written.
    pub written: Option<f64>,
    /// Reads completed per second.
    pub reads: Option<f64>,
    /// Writes completed per second.
    pub writes: Option<f64>,
    /// Mean time of a read or write, in seconds, from being asked to being done; null if none was completed.
    pub latency_seconds: Option<f64>,
    /// Operations that are being done right now.
    pub queue: Option<f64>,
}

/// One file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileSystemView {
    /// Where it is mounted.
    pub point: String,
    /// What is mounted: a device, or a server's folder.
    pub device: String,
    /// Its kind: `ext4`, `nfs4`.
    pub kind: String,
    /// Its size, in bytes.
    pub size: Option<u64>,
    /// Bytes an ordinary user may still use.
    pub available: Option<u64>,
    /// Share in use of what an ordinary user may use.
    pub used: Option<f64>,
    /// Whether nothing can be written.
    pub read_only: bool,
    /// Whether it answers: a mount of a dead server does not.
    pub answers: bool,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InterfaceView {
    /// The kernel's name for it.
    pub name: String,
    /// Bytes per second received.
    pub received: Option<f64>,
    /// Bytes per second sent.
    pub sent: Option<f64>,
    /// Bytes received since it is there.
    pub received_bytes: Option<u64>,
    /// Bytes sent since it is there.
    pub sent_bytes: Option<u64>,
    /// Packets per second that were dropped.
    pub drops: Option<f64>,
    /// Packets per second that came damaged or could not be sent.
    pub errors: Option<f64>,
    /// Speed of its link, in bits per second; null if it has none to tell, as virtual ones have.
    pub speed: Option<f64>,
    /// Whether it has a link; null if it is switched off.
    pub link: Option<bool>,
}

impl PartsAnswer {
    /// What was found, `since` seconds ago.
    pub fn of(name: String, samples: &Samples, since: f64) -> Self {
        let mut parts = Parts::default();
        samples.list.iter().for_each(|s| parts.take(s));
        let mut file_systems = parts.file_systems.list;
        file_systems.sort_by(|a, b| a.point.cmp(&b.point));
        PartsAnswer {
            name,
            age_seconds: since,
            cores: parts.cores.list,
            memory: parts.memory,
            disks: parts.disks.list,
            file_systems,
            interfaces: parts.interfaces.list,
        }
    }
}

/// Parts of one kind, in the order in which they were told first.
struct Listed<T> {
    list: Vec<T>,
    places: BTreeMap<Arc<str>, usize>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed { list: Vec::new(), places: BTreeMap::new() }
    }
}

impl<T> Listed<T> {
    /// The part of this name, if it is there already or `new` is to make it.
    fn of(&mut self, instance: &Arc<str>, new: Option<impl FnOnce() -> T>) -> Option<&mut T> {
        let place = match (self.places.get(instance), new) {
            (Some(place), _) => *place,
            (None, None) => return None,
            (None, Some(new)) => {
                self.list.push(new());
                self.places.insert(Arc::clone(instance), self.list.len() - 1);
                self.list.len() - 1
            }
        };
        self.list.get_mut(place)
    }
}

#[derive(Default)]
struct Parts {
    cores: Listed<CoreView>,
    memory: MemoryView,
    disks: Listed<DiskView>,
    file_systems: Listed<FileSystemView>,
    interfaces: Listed<InterfaceView>,
}

impl Parts {
    fn take(&mut self, s: &Sample) {
        let name = &*s.attribute.name;
        match (name.split_once(".{}."), &s.instance) {
            (None, None) => self.take_memory(name, s.value),
            (Some(("cpu", what)), Some(i)) => self.take_core(i, what, s.value),
            (Some(("disk", what)), Some(i)) => self.take_disk(i, what, s.value),
            (Some(("fs", what)), Some(i)) => self.take_file_system(i, what, s),
            (Some(("net", what)), Some(i)) => self.take_interface(i, what, s.value),
            _ => {}
        }
    }

    fn take_memory(&mut self, name: &str, value: f64) {
        let m = &mut self.memory;
        let place = match name {
            "mem.info.total" => &mut m.total,
            "mem.available" => &mut m.available,
            "mem.free" => &mut m.free,
            "mem.buffers" => &mut m.buffers,
            "mem.cached" => &mut m.cached,
            "mem.shared" => &mut m.shared,
            "mem.slab" => &mut m.kernel,
            "mem.dirty" => &mut m.dirty,
            "swap.info.total" => &mut m.swap_total,
            "swap.used" => &mut m.swap_used,
            "swap.in.rate" => return m.swap_in = Some(value),
            "swap.out.rate" => return m.swap_out = Some(value),
            _ => return,
        };
        *place = Some(value as u64);
    }

    fn take_core(&mut self, instance: &Arc<str>, what: &str, value: f64) {
        // What the kernel counts of each tells that it is there, before there are shares; clock rates are remembered for longer.
        let new = || CoreView { name: instance.to_string(), ..CoreView::default() };
        let Some(core) = self.cores.of(instance, matches!(what, "busy" | "user.seconds").then_some(new)) else { return };
        match what {
            "busy" => core.busy = Some(value),
            "system" => core.system = Some(value),
            "iowait" => core.iowait = Some(value),
            "frequency" => core.frequency = Some(value),
            _ => {}
        }
    }

    fn take_disk(&mut self, instance: &Arc<str>, what: &str, value: f64) {
        let new = || DiskView { name: instance.to_string(), ..DiskView::default() };
        let Some(disk) = self.disks.of(instance, Some(new)) else { return };
        match what {
            "busy" => disk.busy = Some(value),
            "read.rate" => disk.read = Some(value),
            "write.rate" => disk.written = Some(value),
            "reads.rate" => disk.reads = Some(value),
            "writes.rate" => disk.writes = Some(value),
            "latency" => disk.latency_seconds = Some(value),
            "queue" => disk.queue = Some(value),
            _ => {}
        }
    }

    fn take_file_system(&mut self, instance: &Arc<str>, what: &str, s: &Sample) {
        let new = || FileSystemView { point: instance.to_string(), answers: true, ..FileSystemView::default() };
        let Some(fs) = self.file_systems.of(instance, Some(new)) else { return };
        for (label, value) in s.labels.iter().flat_map(|l| l.iter()) {
            let place = match *label {
                "mountpoint" => &mut fs.point,
                "device" => &mut fs.device,
                "fstype" => &mut fs.kind,
                _ => continue,
            };
            if place != value {
                place.clone_from(value);
            }
        }
        match what {
            "size" => fs.size = Some(s.value as u64),
            "available" => fs.available = Some(s.value as u64),
            "used" => fs.used = Some(s.value),
            "read_only" => fs.read_only = s.value != 0.0,
            "error" => fs.answers = s.value == 0.0,
            _ => {}
        }
    }

    fn take_interface(&mut self, instance: &Arc<str>, what: &str, value: f64) {
        // Its counters tell that it is there; queues and rings are remembered for longer.
        let new = || InterfaceView { name: instance.to_string(), ..InterfaceView::default() };
        let Some(net) = self.interfaces.of(instance, (what == "rx.bytes").then_some(new)) else { return };
        match what {
            "rx.rate" => net.received = Some(value),
            "tx.rate" => net.sent = Some(value),
            "rx.bytes" => net.received_bytes = Some(value as u64),
            "tx.bytes" => net.sent_bytes = Some(value as u64),
            "drops.rate" => net.drops = Some(value),
            "errors.rate" => net.errors = Some(value),
            "speed" => net.speed = Some(value),
            "carrier" => net.link = Some(value != 0.0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::Attribute;
    use peermon_model::Unit::None as NoUnit;

    const fn gauge(name: &'static str) -> Attribute {
        Attribute::gauge(name, NoUnit, "")
    }
    static ATTRIBUTES: [Attribute; 17] = [
        gauge("cpu.{}.busy"),
        gauge("cpu.{}.user.seconds"),
        gauge("cpu.{}.system"),
        gauge("cpu.{}.frequency"),
        gauge("cpu.core.{}.throttles"),
        gauge("cpu.busy"),
        gauge("mem.info.total"),
        gauge("swap.in.rate"),
        gauge("disk.{}.read.ops"),
        gauge("disk.{}.latency"),
        gauge("fs.{}.size"),
        gauge("fs.{}.used"),
        gauge("fs.{}.error"),
        gauge("net.{}.rx.bytes"),
        gauge("net.{}.drops.rate"),
        gauge("net.{}.rx.ring"),
        gauge("net.{}.carrier"),
    ];

    /// What is made of samples written as `ATTRIBUTE INSTANCE VALUE`, and of a label for each file system.
    fn parts(samples: &[(&str, &str, f64)]) -> PartsAnswer {
        let sample = |(name, instance, value): &(&str, &str, f64)| Sample {
            attribute: ATTRIBUTES.iter().find(|a| a.name == *name).expect("an attribute"),
            instance: (!instance.is_empty()).then(|| (*instance).into()),
            labels: name.starts_with("fs").then(|| [("mountpoint", format!("/{instance}")), ("fstype", "ext4".into())].into()),
            value: *value,
        };
        let samples = Samples { list: samples.iter().map(sample).collect(), ..Samples::default() };
        PartsAnswer::of("a".into(), &samples, 0.5)
    }

    #[test]
    fn samples_become_parts() {
        let p = parts(&[
            ("cpu.busy", "", 0.3),
            ("cpu.{}.user.seconds", "0", 8.0),
            ("cpu.{}.busy", "1", 0.5),
            ("cpu.{}.system", "1", 0.25),
            ("cpu.{}.frequency", "1", 3e9),
            ("mem.info.total", "", 64.0),
            ("swap.in.rate", "", 1.5),
            ("disk.{}.read.ops", "sda", 7.0),
            ("disk.{}.latency", "sda", 0.01),
            ("fs.{}.size", "b", 100.0),
            ("fs.{}.error", "b", 0.0),
            ("fs.{}.error", "a", 1.0),
            ("net.{}.rx.bytes", "eth0", 9.0),
            ("net.{}.drops.rate", "eth0", 2.0),
            ("net.{}.carrier", "eth0", 0.0),
        ]);
        assert_eq!((p.name.as_str(), p.age_seconds), ("a", 0.5));
        let core = |name: &str| CoreView { name: name.into(), ..CoreView::default() };
        let second = CoreView { busy: Some(0.5), system: Some(0.25), frequency: Some(3e9), ..core("1") };
        assert_eq!(p.cores, [core("0"), second]);
        assert_eq!(p.memory, MemoryView { total: Some(64), swap_in: Some(1.5), ..MemoryView::default() });
        assert_eq!(p.disks, [DiskView { name: "sda".into(), latency_seconds: Some(0.01), ..DiskView::default() }]);
        let fs = |point: &str, size, answers| FileSystemView {
            point: point.into(),
            kind: "ext4".into(),
            size,
            answers,
            ..FileSystemView::default()
        };
        assert_eq!(p.file_systems, [fs("/a", None, false), fs("/b", Some(100), true)]);
        let eth0 = InterfaceView {
            name: "eth0".into(),
            received_bytes: Some(9),
            drops: Some(2.0),
            link: Some(false),
            ..InterfaceView::default()
        };
        assert_eq!(p.interfaces, [eth0]);
    }

    #[test]
    fn what_is_remembered_of_parts_that_are_gone_makes_none() {
        let p = parts(&[("cpu.{}.frequency", "7", 3e9), ("cpu.core.{}.throttles", "0", 1.0), ("net.{}.rx.ring", "veth9", 512.0)]);
        assert_eq!(p, PartsAnswer { name: "a".into(), age_seconds: 0.5, ..PartsAnswer::default() });
    }
}
