//! Control groups of the first two levels, which are slices, services and containers: what each uses and how it is held back.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, put_some_of};
use crate::hot_file::read_bounded;
use crate::limits::{CGROUP_ENTRIES_MAX, CGROUP_NAME_BYTES_MAX, CGROUPS_MAX, FILE_BYTES_MAX};
use crate::rate::{Former, per_second};
use crate::root::Root;
use crate::sysfs::value;
use crate::text::{Text, words};
use peermon_model::Unit::{Bytes, Count, Seconds};
use peermon_model::{Attribute, Instant, Sample};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

attributes! {
    SHOWN_NOT = &Attribute::gauge("cgroup.not_shown", Count, "Control groups of the first two levels beyond those shown.");
    CPU = &Attribute::counter("cgroup.{}.cpu.seconds", Seconds, "Processor time a control group used.");
    CPU_USED = &Attribute::gauge("cgroup.{}.cpu.used", Count, "Processors a control group used on average, over the last seconds.");
    THROTTLED = &Attribute::counter("cgroup.{}.throttled.seconds", Seconds, "Time a control group was held back because it had used its share of processors.");
    MEMORY = &Attribute::gauge("cgroup.{}.mem.used", Bytes, "Memory a control group uses, with contents of files kept for it.");
    MEMORY_MAX = &Attribute::gauge("cgroup.{}.mem.max", Bytes, "Memory a control group may use; absent if there is no limit.");
    KILLS = &Attribute::counter("cgroup.{}.oom_kills", Count, "Processes of a control group that were killed because it was out of memory.");
    READ = &Attribute::counter("cgroup.{}.read.bytes", Bytes, "Bytes a control group read from disks.");
    WRITTEN = &Attribute::counter("cgroup.{}.written.bytes", Bytes, "Bytes a control group wrote to disks.");
    PROCESSES = &Attribute::gauge("cgroup.{}.procs", Count, "Processes and threads of a control group.");
}

/// Version 1 says "no limit" with a number near 2^63, rounded to pages.
const NO_LIMIT: u64 = 1 << 62;

struct Cgroups {
    root: Root,
    former: BTreeMap<Arc<str>, Former<u64>>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Cgroups { root: setup.root.clone(), former: BTreeMap::new() })
}

impl Collector for Cgroups {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let (root, former) = (&self.root, &mut self.former);
        let tree = Tree::find(root);
        let mut groups = tree.groups();
        if !groups.is_empty() {
            put(out, SHOWN_NOT, groups.len().saturating_sub(CGROUPS_MAX) as u64);
        }
        groups.truncate(CGROUPS_MAX);
        former.retain(|name, _| groups.iter().any(|g| g.name == *name));
        for g in groups {
            let usage = tree.read(&g, out)?;
            usage
                .nanoseconds
                .into_iter()
                .for_each(|ns| used(former.entry(Arc::clone(&g.name)).or_default(), &g, ns, round.now, out));
        }
        Ok(())
    }
}

fn used(former: &mut Former<u64>, group: &Group, nanoseconds: u64, now: Instant, out: &mut Vec<Sample>) {
    put_of(out, CPU, &group.name, nanoseconds as f64 / 1e9);
    if let Some((seconds, old)) = former.replace(now, nanoseconds) {
        put_some_of(out, CPU_USED, &group.name, per_second(old, nanoseconds, seconds).map(|n| n / 1e9));
    }
}

/// Where the groups are: one tree (version 2), or one for each kind of resource (version 1).
enum Tree {
    Unified(PathBuf),
    Split(PathBuf),
}

/// The trees of version 1 that are read.
const SPLIT: [&str; 5] = ["cpuacct", "cpu", "memory", "blkio", "pids"];

struct Group {
    name: Arc<str>,
    /// Below the tree's root.
    path: PathBuf,
}

/// What needs a former value to be told.
#[derive(Default)]
struct Usage {
    nanoseconds: Option<u64>,
}

impl Tree {
    fn find(root: &Root) -> Tree {
        let base = root.path("sys/fs/cgroup");
        if base.join("cgroup.controllers").exists() { Tree::Unified(base) } else { Tree::Split(base) }
    }

    /// The groups of the first level, then those of the second, by name.
    fn groups(&self) -> Vec<Group> {
        let roots = match self {
            Tree::Unified(base) => vec![base.clone()],
            Tree::Split(base) => SPLIT.iter().map(|kind| base.join(kind)).collect(),
        };
        let below = |paths: &BTreeSet<PathBuf>| {
            let mut found = BTreeSet::new();
            for (root, path) in roots.iter().flat_map(|r| paths.iter().map(move |p| (r, p))) {
                let room = CGROUP_ENTRIES_MAX.saturating_sub(found.len());
                found.extend(directories(&root.join(path)).take(room).map(|name| path.join(name)));
            }
            found
        };
        let first = below(&BTreeSet::from([PathBuf::new()]));
        let second = below(&first);
        first.into_iter().chain(second).map(|path| Group { name: shorten(&path), path }).collect()
    }

    fn read(&self, group: &Group, out: &mut Vec<Sample>) -> Result<Usage, CollectError> {
        match self {
            Tree::Unified(base) => unified(&base.join(&group.path), &group.name, out),
            Tree::Split(base) => split(base, group, out),
        }
    }
}

fn directories(dir: &Path) -> impl Iterator<Item = std::ffi::OsString> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.file_name())
}

/// A group's name: its path with `:` between its parts; containers' long numbers are cut as their tools do it.
fn shorten(path: &Path) -> Arc<str> {
    const NUMBER_DIGITS: usize = 12;
    let path = path.to_string_lossy().replace('/', ":");
    let mut name = String::new();
    let mut digits = 0;
    let long = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).count() >= 32;
    let mut cutting = false;
    for (i, c) in path.char_indices() {
        if !c.is_ascii_hexdigit() {
            (digits, cutting) = (0, false);
        } else if digits == 0 {
            cutting = long(&path[i..]);
        }
        digits += usize::from(c.is_ascii_hexdigit());
        if cutting && digits > NUMBER_DIGITS {
            continue;
        }
        if name.len() + c.len_utf8() > CGROUP_NAME_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name.into()
}

/// The numbers of a file of lines `key number`, for the keys wanted.
fn keyed<const N: usize>(path: &Path, keys: [&str; N]) -> Result<[Option<u64>; N], CollectError> {
    let mut values = [None; N];
    let Some(bytes) = bytes(path)? else { return Ok(values) };
    let text = Text { file: path, bytes: &bytes };
    for line in text.lines() {
        let mut words = words(line);
        let key = words.next().unwrap_or_default();
        if let Some(i) = keys.iter().position(|k| k.as_bytes() == key) {
            values[i] = Some(text.number(words.next(), keys[i])?);
        }
    }
    Ok(values)
}

/// A file of a group; a group may end while it is read.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>, CollectError> {
    match read_bounded(path, FILE_BYTES_MAX) {
        Err(CollectError::Read { cause, .. }) if cause.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        read => read,
    }
}

fn unified(dir: &Path, name: &Arc<str>, out: &mut Vec<Sample>) -> Result<Usage, CollectError> {
    let [usage, throttled] = keyed(&dir.join("cpu.stat"), ["usage_usec", "throttled_usec"])?;
    put_some_of(out, THROTTLED, name, throttled.map(|t| t as f64 / 1e6));
    put_some_of(out, MEMORY, name, value(&dir.join("memory.current"))?);
    // A word instead of a number: "max".
    put_some_of(out, MEMORY_MAX, name, value(&dir.join("memory.max")).unwrap_or(None));
    let [kills] = keyed(&dir.join("memory.events"), ["oom_kill"])?;
    put_some_of(out, KILLS, name, kills);
    let path = dir.join("io.stat");
    if let Some(bytes) = bytes(&path)? {
        // 8:0 rbytes=1 wbytes=2 rios=3 ...
        let text = Text { file: &path, bytes: &bytes };
        for (key, attribute) in [("rbytes=", READ), ("wbytes=", WRITTEN)] {
            let mut sum = 0_u64;
            for word in text.lines().flat_map(words).filter_map(|w| w.strip_prefix(key.as_bytes())) {
                sum = sum.saturating_add(text.number(Some(word), key)?);
            }
            put_of(out, attribute, name, sum);
        }
    }
    put_some_of(out, PROCESSES, name, value(&dir.join("pids.current"))?);
    Ok(Usage { nanoseconds: usage.map(|u| u.saturating_mul(1000)) })
}

fn split(base: &Path, group: &Group, out: &mut Vec<Sample>) -> Result<Usage, CollectError> {
    let name = &group.name;
    let file = |kind: &str, file: &str| base.join(kind).join(&group.path).join(file);
    let [throttled] = keyed(&file("cpu", "cpu.stat"), ["throttled_time"])?;
    put_some_of(out, THROTTLED, name, throttled.map(|t| t as f64 / 1e9));
    put_some_of(out, MEMORY, name, value(&file("memory", "memory.usage_in_bytes"))?);
    put_some_of(out, MEMORY_MAX, name, value(&file("memory", "memory.limit_in_bytes"))?.filter(|m| *m < NO_LIMIT));
    let [kills] = keyed(&file("memory", "memory.oom_control"), ["oom_kill"])?;
    put_some_of(out, KILLS, name, kills);
    let path = file("blkio", "blkio.throttle.io_service_bytes_recursive");
    if let Some(bytes) = bytes(&path)? {
        // 8:0 Read 1
        let text = Text { file: &path, bytes: &bytes };
        for (key, attribute) in [("Read", READ), ("Write", WRITTEN)] {
            let mut sum = 0_u64;
            for line in text.lines().filter(|l| words(l).nth(1) == Some(key.as_bytes())) {
                sum = sum.saturating_add(text.number(words(line).nth(2), key)?);
            }
            put_of(out, attribute, name, sum);
        }
    }
    put_some_of(out, PROCESSES, name, value(&file("pids", "pids.current"))?);
    Ok(Usage { nanoseconds: value(&file("cpuacct", "cpuacct.usage"))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_keep_what_tells_groups_apart() {
        let long = "0123456789abcdef".repeat(4);
        for (path, name) in [
            ("system.slice/ssh.service", "system.slice:ssh.service".to_string()),
            (&format!("system.slice/docker-{long}.scope"), "system.slice:docker-0123456789ab.scope".into()),
            (&format!("docker/{long}"), "docker:0123456789ab".into()),
            (&"x".repeat(99), "x".repeat(CGROUP_NAME_BYTES_MAX)),
            (&"é".repeat(99), "é".repeat(CGROUP_NAME_BYTES_MAX / 2)),
        ] {
            assert_eq!(&*shorten(Path::new(path)), name, "{path}");
        }
    }
}
