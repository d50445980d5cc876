//! Facts: what rarely changes about this host.

use crate::addresses::interface_addresses;
use crate::collect::speed_megabits;
use crate::ethtool::{DriverInfo, driver_info};
use crate::hot_file::{read_bounded, read_word};
use crate::limits::{FACT_INTERFACES_MAX, FILE_BYTES_MAX};
use crate::root::Root;
use crate::text::{name, number, words};
use peermon_model::{Facts, Value};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// All facts that can be known of the machine at `root`. What cannot be known is left out. The label, source and
/// administrator's facts are not this host's to tell.
///
/// It may wait for an Ethernet driver; [`crate::Runner`] runs it where it can be abandoned.
pub fn gather(root: &Root) -> Facts {
    let mut f = Facts::default();
    let word = |path: &str| read_word(&root.path(path));
    put_text(&mut f, "host.name", word("proc/sys/kernel/hostname"));
    processors(root, &mut f);
    memory(root, &mut f);
    put_text(&mut f, "os.name", os_name(root));
    put_text(&mut f, "os.kernel", word("proc/sys/kernel/osrelease"));
    let arch = word("proc/sys/kernel/arch").or_else(|| root.is_host().then(|| std::env::consts::ARCH.to_string()));
    put_text(&mut f, "os.arch", arch);
    put_text(&mut f, "host.virtualisation", Some(virtualisation(root)));
    put_number(&mut f, "boot.time", boot_time(root));
    put_text(&mut f, "peermon.version", Some(env!("CARGO_PKG_VERSION").into()));
    interfaces(root, &mut f);
    tcp(root, &mut f);
    if root.is_host() {
        let addresses: Vec<_> = interface_addresses().iter().map(ToString::to_string).collect();
        put_text(&mut f, "host.addresses", Some(addresses.join(" ")));
    }
    f
}

fn put_text(f: &mut Facts, fact: &str, text: Option<String>) {
    if let Some(t) = text.filter(|t| !t.trim().is_empty()) {
        f.put(fact, None, Value::text(&t));
    }
}

fn put_number(f: &mut Facts, fact: &str, number: Option<u64>) {
    if let Some(n) = number {
        f.put(fact, None, Value::Number(n as f64));
    }
}

/// From `/proc/cpuinfo`; where that does not tell cores and packages (ARM), from `/sys`.
fn processors(root: &Root, f: &mut Facts) {
    let text = whole(root, "proc/cpuinfo");
    let (mut threads, mut model) = (0_u64, None);
    let (mut cores, mut sockets) = (HashSet::new(), HashSet::new());
    let (mut socket, mut core) = (None, None);
    for line in text.split(|b| *b == b'\n') {
        let mut halves = line.splitn(2, |b| *b == b':');
        let (key, value) = (halves.next().unwrap_or_default().trim_ascii(), halves.next().unwrap_or_default().trim_ascii());
        match key {
            b"processor" if number(value).is_some() => threads += 1,
            b"physical id" => socket = number(value),
            b"core id" => core = number(value),
            b"model name" | b"Model" | b"cpu model" if model.is_none() => model = Some(name(value).into_owned()),
            _ => continue,
        }
        if let (Some(s), b"core id") = (socket, key) {
            sockets.insert(s);
            cores.extend(core.map(|c| (s, c)));
        }
    }
    if cores.is_empty() {
        topology(root, &mut cores, &mut sockets);
    }
    let known = |n: usize| (n > 0).then_some(n as u64);
    put_number(f, "cpu.threads", Some(threads).filter(|t| *t > 0));
    put_number(f, "cpu.cores", known(cores.len()));
    put_number(f, "cpu.sockets", known(sockets.len()));
    put_text(f, "cpu.model", model);
}

fn topology(root: &Root, cores: &mut HashSet<(u64, u64)>, sockets: &mut HashSet<u64>) {
    for entry in fs::read_dir(root.path("sys/devices/system/cpu")).into_iter().flatten().flatten() {
        let id = |file: &str| number(read_word(&entry.path().join("topology").join(file))?.as_bytes());
        if let (Some(socket), Some(core)) = (id("physical_package_id"), id("core_id")) {
            sockets.insert(socket);
            cores.insert((socket, core));
        }
    }
}

fn memory(root: &Root, f: &mut Facts) {
    let text = whole(root, "proc/meminfo");
    let field = |key: &[u8]| {
        let line = text.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(key))?;
        number(words(line).next()?)?.checked_mul(1024)
    };
    put_number(f, "mem.total", field(b"MemTotal:"));
    put_number(f, "swap.total", field(b"SwapTotal:"));
}

fn os_name(root: &Root) -> Option<String> {
    let text = ["etc/os-release", "usr/lib/os-release"].into_iter().find_map(|p| read_word(&root.path(p)))?;
    let value = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_string())
}

fn boot_time(root: &Root) -> Option<u64> {
    let text = whole(root, "proc/stat");
    number(words(text.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(b"btime "))?).next()?)
}

/// What a firmware's maker or product says of the machine being a virtual one. The first match counts.
const HYPERVISORS: &[(&str, &str)] = &[
    ("QEMU", "kvm"),
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google", "google"),
    ("VMware", "vmware"),
    ("VirtualBox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("Xen", "xen"),
    ("Microsoft Corporation Virtual", "hyper-v"),
    ("Parallels", "parallels"),
    ("Bochs", "bochs"),
    ("Apple Virtualization", "apple"),
];

/// The container if it runs in one, else the hypervisor, else `none`.
fn virtualisation(root: &Root) -> String {
    let word = |path: &str| read_word(&root.path(path));
    if let Some(container) = word("run/systemd/container") {
        return container;
    }
    for (mark, container) in [(".dockerenv", "docker"), ("run/.containerenv", "podman")] {
        if root.path(mark).exists() {
            return container.into();
        }
    }
    if let Some(kind) = word("sys/hypervisor/type") {
        return kind;
    }
    let dmi = ["sys_vendor", "product_name"].map(|file| word(&format!("sys/class/dmi/id/{file}")).unwrap_or_default());
    let dmi = dmi.join(" ");
    // Some clouds rent whole machines under their own name: only the processor tells whether there is a hypervisor.
    let flags = whole(root, "proc/cpuinfo");
    let line = flags.split(|b| *b == b'\n').find(|l| l.starts_with(b"flags"));
    let told = line.map(|l| words(l).any(|w| w == b"hypervisor"));
    match HYPERVISORS.iter().find(|(mark, _)| dmi.contains(mark)) {
        Some((_, kind)) if told != Some(false) => (*kind).into(),
        _ if told == Some(true) => "some hypervisor".into(),
        _ => "none".into(),
    }
}

fn interfaces(root: &Root, f: &mut Facts) {
    let dir = root.path("sys/class/net");
    let mut names: Vec<String> =
        fs::read_dir(&dir).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.retain(|n| is_nic(&dir.join(n)));
    names.sort();
    for nic in names.iter().take(FACT_INTERFACES_MAX) {
        let sys = dir.join(nic);
        let mut put = |fact: &str, value: Option<Value>| {
            if let Some(v) = value {
                f.put(fact, Some(nic), v);
            }
        };
        let text = |t: &str| (!t.is_empty()).then(|| Value::text(t));
        let told = if root.is_host() { driver_info(nic) } else { None }.unwrap_or_default();
        let told = with_sys(told, &sys);
        put("nic.{}.speed", speed_megabits(&sys).map(|m| Value::Number(m * 1e6)));
        put("nic.{}.driver", text(format!("{} {}", told.driver, told.version).trim()));
        put("nic.{}.firmware", text(&told.firmware));
        put("nic.{}.mtu", read_word(&sys.join("mtu")).and_then(|m| number(m.as_bytes())).map(|m| Value::Number(m as f64)));
        put("nic.{}.duplex", read_word(&sys.join("duplex")).filter(|d| d != "unknown").and_then(|d| text(&d)));
    }
}

/// A device, or a bond of devices; not what containers and virtual machines hang on.
fn is_nic(sys: &Path) -> bool {
    sys.join("device").exists() || sys.join("bonding").exists()
}

/// What the system call did not tell, from the links of `/sys`.
fn with_sys(mut told: DriverInfo, sys: &Path) -> DriverInfo {
    if told.driver.is_empty() {
        let link = fs::read_link(sys.join("device/driver")).ok();
        told.driver = link.and_then(|l| Some(l.file_name()?.to_string_lossy().into_owned())).unwrap_or_default();
    }
    if told.driver.is_empty() && sys.join("bonding").exists() {
        told.driver = "bonding".into();
    }
    if told.version.is_empty() {
        told.version = read_word(&sys.join("device/driver/module/version")).unwrap_or_default();
    }
    told
}

/// Options of TCP and their names in the fact.
const TCP_OPTIONS: [(&str, &str); 4] = [
    ("tcp_window_scaling", "scaling"),
    ("tcp_timestamps", "timestamps"),
    ("tcp_sack", "sack"),
    ("tcp_mtu_probing", "mtu-probing"),
];

fn tcp(root: &Root, f: &mut Facts) {
    let ipv4 = |file: &str| read_word(&root.path("proc/sys/net/ipv4").join(file));
    let core = |file: &str| read_word(&root.path("proc/sys/net/core").join(file));
    let triple = |text: Option<String>| text.map(|t| t.split_whitespace().collect::<Vec<_>>().join(" "));
    put_text(f, "tcp.congestion", ipv4("tcp_congestion_control"));
    put_text(f, "tcp.rmem", triple(ipv4("tcp_rmem")));
    put_text(f, "tcp.wmem", triple(ipv4("tcp_wmem")));
    put_number(f, "tcp.rmem_max", core("rmem_max").and_then(|t| number(t.as_bytes())));
    put_number(f, "tcp.wmem_max", core("wmem_max").and_then(|t| number(t.as_bytes())));
    put_text(f, "tcp.qdisc", core("default_qdisc"));
    let known: Vec<_> = TCP_OPTIONS.iter().filter_map(|(file, word)| Some((ipv4(file)?, *word))).collect();
    if !known.is_empty() {
        let on: Vec<_> = known.iter().filter(|(value, _)| value != "0").map(|(_, word)| *word).collect();
        put_text(f, "tcp.options", Some(if on.is_empty() { "none".into() } else { on.join(" ") }));
    }
}

/// A file of `/proc`, or nothing.
fn whole(root: &Root, path: &str) -> Vec<u8> {
    read_bounded(&root.path(path), FILE_BYTES_MAX).ok().flatten().unwrap_or_default()
}
