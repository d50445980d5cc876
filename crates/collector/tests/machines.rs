//! Every machine of `testdata/` gives what its `golden.txt` says; and none makes a collector panic when its files are garbage.
#![allow(clippy::unwrap_used)]

mod support;

use peermon_collector::{COLLECTORS, Config, CustomValue, FileSystemSize, Root, Round, Runner, Setup, Source, facts};
use peermon_model::{Instant, Samples, Unit};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{copy_over, machine};

const MACHINES: &[&str] = &["small-vm", "old-server", "large-numa"];

#[test]
fn machines_give_what_their_golden_files_say() {
    for name in MACHINES {
        let (from, here) = (machine(name), tempfile::tempdir().unwrap());
        copy_over(&from, here.path());
        let seconds = fs::read_to_string(from.join("later/seconds")).unwrap().trim().parse().unwrap();
        let said = two_rounds(here.path(), &from.join("later"), Duration::from_secs_f64(seconds));
        let golden = from.join("golden.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        let first = said.lines().zip(expected.lines()).find(|(a, b)| a != b);
        assert!(
            said == expected,
            "{name} gives {} lines, its golden.txt has {}; the first difference: {first:?}. If that is meant: UPDATE_GOLDEN=1",
            said.lines().count(),
            expected.lines().count()
        );
    }
}

/// The machine at `base`, with its file `statfs`.
fn root(base: &Path) -> Root {
    let text = fs::read_to_string(base.join("statfs")).expect("a machine's statfs");
    let sizes: HashMap<PathBuf, FileSystemSize> = text.lines().map(size).collect();
    Root::at(base, move |mount| sizes.get(mount).copied().ok_or_else(|| io::ErrorKind::TimedOut.into()))
}

/// The mount point may hold spaces: the numbers are counted from the end.
fn size(line: &str) -> (PathBuf, FileSystemSize) {
    let mut words: Vec<&str> = line.rsplitn(7, ' ').collect();
    words.reverse();
    let n = |i: usize| words[i].parse().expect("a number");
    let size =
        FileSystemSize { size: n(1), free: n(2), available: n(3), files: n(4), files_free: n(5), read_only: words[6] == "ro" };
    (PathBuf::from(words[0]), size)
}

fn two_rounds(base: &Path, later: &Path, passed: Duration) -> String {
    let mut runner = Runner::new(&root(base), Config::default()).unwrap();
    let first = runner.round(Instant::from_millis(1000));
    copy_over(later, base);
    let second = runner.round(Instant::from_millis(1000) + passed);
    let (first, second) = (lines(&first), lines(&second));
    let mut out = String::from("# facts\n");
    for f in runner.facts().iter().filter(|f| f.kind.attribute.name != "peermon.version") {
        writeln!(out, "{} {}", f.kind.attribute.full_name(f.instance.as_deref()), f.value).unwrap();
    }
    writeln!(out, "# first round\n{}", first.join("\n")).unwrap();
    let old: BTreeSet<&String> = first.iter().collect();
    let new: Vec<&str> = second.iter().filter(|l| !old.contains(l)).map(String::as_str).collect();
    writeln!(out, "# second round, what differs\n{}", new.join("\n")).unwrap();
    let names =
        |all: &[String]| all.iter().filter_map(|l| Some(l.split_once(['{', ' '])?.0.to_string())).collect::<BTreeSet<_>>();
    for gone in names(&first).difference(&names(&second)) {
        writeln!(out, "gone: {gone}").unwrap();
    }
    out
}

/// All samples but what the run itself cost, and all failures.
fn lines(samples: &Samples) -> Vec<String> {
    let shown = samples.list.iter().filter(|s| !(s.attribute.name.starts_with("collector.") && s.name().ends_with(".seconds")));
    let mut all: Vec<String> = shown
        .map(|s| {
            let labels: Vec<_> = s.labels.iter().flat_map(|l| l.iter()).map(|(k, v)| format!("{k}={v:?}")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // Enough digits to tell a mistake, too few to depend on the order of additions.
            let value = if s.value.fract() == 0.0 { format!("{}", s.value) } else { format!("{:.6}", s.value) };
            format!("{}{labels} {value}", s.name())
        })
        .collect();
    all.extend(samples.reports.iter().filter_map(|r| Some(format!("failure: {} {}", r.collector, r.failure.as_ref()?))));
    all
}

/// Rates of what is read less often than every second: (machine, attribute, value after ten seconds)
const SLOW_RATES: &[(&str, &str, f64)] = &[
    ("large-numa", "infiniband.mlx5_0.1.rx.rate", 1e8),
    ("large-numa", "infiniband.mlx5_0.1.tx.rate", 0.0),
    ("large-numa", "cgroup.user.slice.cpu.used", 2.5),
];

#[test]
fn slow_rates_are_over_the_time_between_readings() {
    for (name, attribute, expected) in SLOW_RATES {
        let (from, here) = (machine(name), tempfile::tempdir().unwrap());
        copy_over(&from, here.path());
        let mut runner = Runner::new(&root(here.path()), Config::default()).unwrap();
        assert_eq!(runner.round(Instant::ZERO).value(attribute), None, "{attribute}");
        copy_over(&from.join("later"), here.path());
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        assert_eq!(runner.round(at(1)).value(attribute), None, "{attribute} is not read every second");
        for s in [10, 11] {
            assert_eq!(runner.round(at(s)).value(attribute), Some(*expected), "{attribute}");
        }
    }
}

/// (file, contents, the failure that names it)
const GARBAGE: &[(&str, &str, &str)] = &[
    ("proc/stat", "cpu  1 2 three 4 5 6 7\n", "cpu: /proc/stat: cpu time 3 is \"three\" where a whole number was expected"),
    ("proc/stat", "cpu0 1 2\n", "cpu: /proc/stat: cpu0 time 3 is \"\" where a whole number was expected"),
    ("proc/stat", "cpu  1 2 3 4 5 6 7\nctxt\n", "procs: /proc/stat: ctxt is \"\" where a whole number was expected"),
    ("proc/loadavg", "0.1 0,2 0.3 1/2 3\n", "load: /proc/loadavg: the second average is \"0,2\" where a number was expected"),
    (
        "proc/loadavg",
        "0.1 0.2 0.3 12 3\n",
        "procs: /proc/loadavg: the count of processes is \"\" where a whole number was expected",
    ),
    ("proc/meminfo", "MemFree: -7 kB\n", "memory: /proc/meminfo: MemFree: is \"-7\" where a whole number was expected"),
    ("proc/vmstat", "pswpin x\n", "memory: /proc/vmstat: pswpin is \"x\" where a whole number was expected"),
    ("proc/pressure/io", "some avg10=1\n", "pressure: /proc/pressure/io: total is \"\" where a whole number was expected"),
    ("proc/diskstats", "8 0 sda 1 2 3\n", "disks: /proc/diskstats: sda column 4 is \"\" where a whole number was expected"),
    ("proc/net/dev", "a\nb\neth0: 1 2 z\n", "net: /proc/net/dev: eth0 column 3 is \"z\" where a whole number was expected"),
    (
        "proc/net/dev",
        "a\nb\nno colon\n",
        "net: /proc/net/dev: a line is \"no colon\" where an interface and its numbers was expected",
    ),
    (
        "proc/net/snmp",
        "Tcp: CurrEstab\nTcp: many\n",
        "tcp: /proc/net/snmp: Tcp: CurrEstab is \"many\" where a whole number was expected",
    ),
    ("proc/net/sockstat", "TCP: inuse\n", "sockets: /proc/net/sockstat: TCP: inuse is \"\" where a whole number was expected"),
    (
        "proc/sys/fs/file-nr",
        "1 2\n",
        "sockets: /proc/sys/fs/file-nr: the limit of open files is \"\" where a whole number was expected",
    ),
    ("proc/uptime", "", "uptime: /proc/uptime: uptime is \"\" where a number was expected"),
    ("proc/self/stat", "1 (x) S\n", "process: /proc/self/stat: word 14 is \"\" where a whole number was expected"),
    ("run/utmp", "short", "users: /run/utmp: the length is \"5 bytes\" where whole records of 384 bytes was expected"),
    (
        "sys/class/hwmon/hwmon0/temp2_input",
        "warm",
        "temperature: /sys/class/hwmon/hwmon0/temp2_input: temperature is \"warm\" where a number was expected",
    ),
    (
        "proc/net/softnet_stat",
        "00 zz 00\n",
        "softnet: /proc/net/softnet_stat: line 1 column 2 is \"zz\" where a hexadecimal number was expected",
    ),
    (
        "proc/sys/net/netfilter/nf_conntrack_count",
        "-3\n",
        "conntrack: /proc/sys/net/netfilter/nf_conntrack_count: the count of connections is \"-3\" where a whole number was expected",
    ),
    ("proc/mdstat", "md0\n", "raid: /proc/mdstat: a line is \"md0\" where an array, a colon and its disks was expected"),
    (
        "sys/devices/system/edac/mc/mc0/ce_count",
        "few",
        "edac: /sys/devices/system/edac/mc/mc0/ce_count: the value is \"few\" where a whole number was expected",
    ),
    (
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
        "",
        "clocks: /sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count: the value is \"\" where a whole number was expected",
    ),
    (
        "sys/class/hwmon/hwmon0/fan1_input",
        "slow",
        "fans: /sys/class/hwmon/hwmon0/fan1_input: turns per minute is \"slow\" where a whole number was expected",
    ),
    (
        "proc/7/stat",
        "7 x S\n",
        "processes: /proc/7/stat: the line is \"7 x S\\n\" where a number and a name in parentheses was expected",
    ),
    (
        "sys/fs/cgroup/cpu/machine/cpu.stat",
        "throttled_time long\n",
        "cgroups: /sys/fs/cgroup/cpu/machine/cpu.stat: throttled_time is \"long\" where a whole number was expected",
    ),
    ("dev/room", "cold\n", "custom: /dev/room: the first word is \"cold\" where a number was expected"),
];

#[test]
fn garbage_is_a_failure_that_names_its_place() {
    let here = tempfile::tempdir().unwrap();
    copy_over(&machine("old-server"), here.path());
    fs::create_dir_all(here.path().join("proc/pressure")).unwrap();
    fs::create_dir_all(here.path().join("proc/7")).unwrap();
    fs::create_dir_all(here.path().join("dev")).unwrap();
    fs::write(here.path().join("dev/room"), "21500\n").unwrap();
    let room = || CustomValue::new("room.temperature", Unit::Celsius, "The room.", Path::new("/dev/room"), 0.001).unwrap();
    let round = || {
        let config = Config { custom: vec![room()], ..Config::default() };
        Runner::new(&root(here.path()), config).unwrap().round(Instant::ZERO)
    };
    let sound = round();
    assert_eq!(sound.value("room.temperature"), Some(21.5));
    assert!(sound.reports.iter().all(|r| r.failure.is_none()), "{:?}", sound.reports);
    for (file, contents, expected) in GARBAGE {
        let path = here.path().join(file);
        let before = fs::read(&path).ok();
        fs::write(&path, contents).unwrap();
        let failures: Vec<_> =
            round().reports.iter().filter_map(|r| Some(format!("{}: {}", r.collector, r.failure.as_ref()?))).collect();
        let base = here.path().display().to_string();
        assert!(failures.iter().any(|f| f.replace(&base, "") == *expected), "{file} with {contents:?} gave {failures:?}");
        match before {
            Some(b) => fs::write(&path, b).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
}

/// What may happen to a file's bytes.
fn damage() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, usize, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(prop_oneof![Just(b'9'), Just(b' '), Just(b'\n'), Just(b':'), Just(b'-'), Just(b'.')], 0..60),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..200_usize, bytes)
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type().unwrap() {
            k if k.is_dir() => files(&entry.path(), all),
            k if k.is_file() => all.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn no_bytes_make_a_collector_panic() {
    for name in MACHINES {
        let here = tempfile::tempdir().unwrap();
        copy_over(&machine(name), here.path());
        let mut all = Vec::new();
        ["proc", "sys", "etc", "run"].map(|d| here.path().join(d)).iter().filter(|d| d.exists()).for_each(|d| files(d, &mut all));
        all.sort();
        let setup = Setup::new(&root(here.path()), []);
        // Kept from case to case, as in a daemon whose files change under it.
        let collectors: Vec<_> = COLLECTORS.iter().map(|e| (e.make)(&setup)).collect();
        let state = RefCell::new((Instant::ZERO, collectors));
        let cases = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(cases, |((which, place, cut, bytes) in damage())| {
            let file = which.get(&all);
            let sound = fs::read(file).unwrap();
            let mut broken = sound.clone();
            let at = if sound.is_empty() { 0 } else { place.index(sound.len()) };
            broken.splice(at..(at + cut).min(sound.len()), bytes);
            fs::write(file, &broken).unwrap();
            let (now, collectors) = &mut *state.borrow_mut();
            *now += Duration::from_secs(20);
            let round = Round::new(*now, &setup);
            let mut out = Vec::new();
            for c in collectors {
                // An error is fine; a panic ends the test.
                let _: Result<(), _> = c.collect(&round, &mut out);
            }
            prop_assert!(out.iter().all(|s| s.value.is_finite()), "{} gave a value that is no number", file.display());
            facts::gather(&root(here.path()));
            fs::write(file, sound).unwrap();
        });
    }
}
