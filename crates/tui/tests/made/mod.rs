//! A cluster that is made up: the same for the same number of nodes and second.

use peermon_api::{
    CoreView, DiskView, FactValue, FileSystemView, GpuUseView, HealthAnswer, InterfaceView, MemoryView, NodeView, NoticeView,
    PartsAnswer, PeerHealthView, ProbeView, ProcessView, ReasonView, State, UsageAnswer, UserView, Visibility, ZoneTotals,
    ZoneView,
};
use peermon_tui::{Answer, OwnAnswer};
use std::collections::BTreeMap;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// `count` nodes at a second, in zones of up to 50.
pub(crate) fn cluster(count: usize, second: u64) -> Answer {
    let nodes: Vec<NodeView> = (0..count).map(|i| node(i, second)).collect();
    let best = nodes.iter().filter(|n| n.state == State::Alive).skip(1).take(3).map(|n| n.id.clone()).collect();
    let zones = (0..count.div_ceil(50)).map(|z| zone(z, count.saturating_sub(z * 50).min(50))).collect();
    Answer { nodes, best, zones }
}

fn zone(z: usize, nodes: usize) -> ZoneView {
    let totals = ZoneTotals { up: nodes as u32, down: 0, threads: 0, gpus: 0, mem_total: 0.0, mem_available: 0.0, cpu_busy: 0.0 };
    ZoneView {
        name: format!("row-{z}"),
        this: z == 0,
        stale: false,
        age_seconds: Some(0.4),
        period_seconds: 1.0,
        partial: false,
        nodes,
        relays: vec![format!("node-{}", z * 50)],
        totals: Some(totals),
    }
}

/// A number 0 to 1 that changes slowly with the second and differently for each node.
fn wave(i: usize, second: u64, what: usize) -> f64 {
    let period = 20 + (i * 7 + what * 13) % 40;
    let phase = ((second as usize + i * 31 + what * 17) % period) as f64 / period as f64;
    (1.0 - (2.0 * phase - 1.0).abs()).powi(1 + (i % 3) as i32)
}

fn node(i: usize, second: u64) -> NodeView {
    let text = |t: &str| FactValue::Text(t.to_string());
    let (threads, mem) = ([8.0, 16.0, 64.0][i % 3], [16.0, 64.0, 256.0][i % 3] * GIB);
    let gpus = if i % 4 == 2 { 2.0 } else { 0.0 };
    let mut facts: BTreeMap<String, FactValue> = [
        ("host.name", text(&format!("host-{i}"))),
        ("cpu.threads", FactValue::Number(threads)),
        ("cpu.cores", FactValue::Number(threads / 2.0)),
        ("cpu.sockets", FactValue::Number(1.0)),
        ("cpu.model", text("Example 9000 Processor")),
        ("mem.total", FactValue::Number(mem)),
        ("swap.total", FactValue::Number(8.0 * GIB)),
        ("os.name", text("Debian GNU/Linux 12 (bookworm)")),
        ("os.kernel", text("6.1.0-18-amd64")),
        ("nic.eth0.speed", FactValue::Number(1e10)),
        ("nic.eth0.mtu", FactValue::Number(9000.0)),
        ("nic.eth0.driver", text("ixgbe 6.1")),
        ("label.room", text(["b12", "b13"][i / 50 % 2])),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value))
    .collect();
    let state = match i % 97 {
        5 => State::Suspect,
        6 => State::Down,
        _ => State::Alive,
    };
    let busy = wave(i, second, 0);
    let mut vitals: BTreeMap<String, f64> = [
        ("cpu.busy", busy),
        ("cpu.iowait", busy / 20.0),
        ("mem.available", mem * (0.9 - 0.8 * wave(i, second / 4, 1))),
        ("swap.used", 0.0),
        ("load.1", busy * threads * 1.2),
        ("disk.busy", wave(i, second, 2).powi(3)),
        ("net.rx.rate", 1e8 * wave(i, second, 3).powi(4)),
        ("net.tx.rate", 2e7 * wave(i, second, 4).powi(4)),
        ("pressure.cpu", busy.powi(3)),
        ("pressure.memory", 0.0),
        ("pressure.io", wave(i, second, 2) / 3.0),
        ("procs.running", (busy * threads).round()),
        ("users.logged_in", (i % 3) as f64),
        ("health", if i % 11 == 3 { 0.6 } else { 1.0 }),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value))
    .collect();
    if gpus > 0.0 {
        facts.insert("gpu.count".into(), FactValue::Number(gpus));
        facts.insert("gpu.mem.total".into(), FactValue::Number(gpus * 40.0 * GIB));
        vitals.insert("gpu.busy".into(), wave(i, second, 5));
        vitals.insert("gpu.mem.used".into(), wave(i, second / 8, 5));
    }
    let notice = NoticeView {
        topic: "maintenance".into(),
        text: "a new fan, on Friday at 18:00; \u{1b}[31mjobs go elsewhere".into(),
        seconds: None,
    };
    let weak = NoticeView {
        topic: "health.write".into(),
        text: "writing 1 MB to /var took 4.2 s".into(),
        seconds: Some(75.0 + second as f64),
    };
    NodeView {
        name: if i == 4 { "機械-4".into() } else { format!("node-{i}") },
        id: format!("{:08x}", i * 2_654_435_761 % 0xffff_ffff).repeat(8),
        zone: format!("row-{}", i / 50),
        addresses: vec![format!("10.0.{}.{}:19810", i / 250, i % 250 + 1)],
        state,
        state_seconds: 75.0 + second as f64,
        age_seconds: Some(if state == State::Down { 75.0 + second as f64 } else { 0.1 + (i % 9) as f64 / 10.0 }),
        incarnation: 3,
        period_seconds: 1.0,
        facts,
        vitals,
        avoided: (i % 11 == 7).then(|| "it does not answer over TCP".to_string()),
        notices: match i {
            0 => vec![notice],
            i if i % 11 == 3 => vec![weak],
            _ => vec![],
        },
        this: i == 0,
    }
}

/// What the node that answers tells of itself at a second: so many processes, and what probes found.
pub(crate) fn own(processes: u32, second: u64) -> OwnAnswer {
    let names = ["solver", "postgres", "bash\u{1b}[31m", "a program with a long name", "ssh"];
    let process = |i: u32| ProcessView {
        pid: 4711 + i * 37,
        user: (i % 7 != 6).then(|| ["ada", "bob", "postgres"][i as usize % 3].to_string()),
        command: (i % 7 != 6).then(|| names[i as usize % names.len()].to_string()),
        cpus: (i != 3).then(|| 8.0 * wave(i as usize, second, 6) / f64::from(i + 1)),
        mem: (12 << 30) / u64::from(i + 1),
        read: i.is_multiple_of(2).then(|| 1e6 * wave(i as usize, second, 7)),
        written: i.is_multiple_of(2).then(|| 3e7 * wave(i as usize, second, 8)),
        age_seconds: 0.5,
        state: Some(["runs", "sleeps", "waits"][i as usize % 3].to_string()),
        parent: Some(if i == 0 { 1 } else { 4711 }),
        threads: Some(1 + i * 3),
        running_seconds: Some(f64::from(i) * 977.0 + 12.0 + second as f64),
    };
    let user = |(i, user): (u32, &str)| UserView {
        user: user.into(),
        processes: 1 + i * 3,
        cpus: 4.0 / f64::from(i + 1),
        mem: (12 << 30) / u64::from(i + 1),
        read: 0.0,
        written: f64::from(i) * 1e6,
    };
    let probe = |probe: &str, instance: Option<&str>, history: &str, reason: Option<&str>| ProbeView {
        probe: probe.into(),
        instance: instance.map(Into::into),
        history: history.into(),
        tries: 40,
        seconds: 0.001,
        mean_seconds: (!history.contains('x')).then_some(0.0012),
        reason: reason.map(|text| ReasonView { probe: probe.into(), text: text.into(), severity: "avoid".into(), seconds: 75.0 }),
    };
    let peer = |i: usize| {
        let viable = i != 7;
        PeerHealthView {
            name: format!("node-{i}"),
            id: format!("{:08x}", i * 2_654_435_761 % 0xffff_ffff).repeat(8),
            viable: Some(viable),
            why: (!viable).then(|| "it does not answer over TCP".to_string()),
            seconds: 42.0,
            history: if viable { "........l......................." } else { "..............xxxxxxxxxxxxxxxxxx" }.into(),
            rtt_seconds: viable.then_some(0.0004),
            fetch: None,
            viable_share: 0.98,
            sees_me: Some(i != 5),
        }
    };
    OwnAnswer {
        usage: Ok(UsageAnswer {
            name: "node-0".into(),
            processes: (0..processes).map(process).collect(),
            users: (0..).zip(["ada", "bob", "postgres"]).map(user).collect(),
            gpus: vec![GpuUseView {
                gpu: 0,
                pid: 4711,
                user: Some("ada".into()),
                command: Some("solver".into()),
                mem: Some(2 << 30),
            }],
            watched: 213,
        }),
        health: Ok(HealthAnswer {
            name: "node-0".into(),
            trust: 0.0,
            reasons: vec![],
            probes: vec![
                probe("cpu", None, "................................", None),
                probe(
                    "mounts",
                    Some("/a/long/way/to/data"),
                    "..........xxxxxxxxxxxxxxxxxxxxxx",
                    Some("reading its attributes takes longer than 2 s"),
                ),
                probe("resolver", Some("10.0.0.1"), "....l..........l................", None),
            ],
            sees: Visibility { viable: 10, of: 11 },
            seen_by: Visibility { viable: 10, of: 11 },
            peers: (1..12).map(peer).collect(),
        }),
        parts: Ok(parts(8, 3, second)),
    }
}

/// The parts of a machine at a second: so many processors, and so many disks, file systems and interfaces of each kind.
pub(crate) fn parts(cores: usize, others: usize, second: u64) -> PartsAnswer {
    let core = |i: usize| CoreView {
        name: i.to_string(),
        busy: (i != 5).then(|| wave(i, second, 9)),
        system: Some(wave(i, second, 9) / 3.0),
        iowait: Some(if i == 1 { 0.12 } else { 0.0 }),
        frequency: Some(8e8 + 2.6e9 * wave(i, second, 9)),
    };
    let disk = |i: usize| DiskView {
        name: if i == 0 { "nvme0n1".into() } else { format!("sd{i}") },
        busy: Some(wave(i, second, 10)),
        read: Some(2e8 * wave(i, second, 10)),
        written: (i != 2).then(|| 5e7 * wave(i, second, 11)),
        reads: Some(900.0 * wave(i, second, 10)),
        writes: Some(300.0 * wave(i, second, 11)),
        latency_seconds: (i != 1).then_some(0.0004 * (1 + i * i) as f64),
        queue: Some(i as f64),
    };
    let file_system = |i: usize| FileSystemView {
        point: ["/", "/data/a long\u{1b}[31m way/to/where/nobody/looks", "/mnt/dead"][i % 3].to_string() + &"x".repeat(i / 3),
        device: format!("/dev/sd{i}"),
        kind: ["ext4", "xfs", "nfs4"][i % 3].into(),
        size: (i % 3 != 2).then_some(1 << 40),
        available: (i % 3 != 2).then_some((1 << 40) / (2 + i as u64)),
        used: (i % 3 != 2).then(|| 1.0 - 1.0 / (2 + i) as f64),
        read_only: i == 1,
        answers: i % 3 != 2,
    };
    let interface = |i: usize| InterfaceView {
        name: ["eth0", "eno1", "lo", "veth"][i.min(3)].to_string() + &"9".repeat(i / 4),
        received: Some(9e7 * wave(i, second, 12)),
        sent: Some(8e6 * wave(i, second, 13)),
        received_bytes: Some(1 << (50 - i.min(40))),
        sent_bytes: Some(0),
        drops: Some(if i == 0 { 1.5 } else { 0.0 }),
        errors: Some(0.0),
        speed: (i < 2).then_some(1e9),
        link: Some(i != 1),
    };
    let gib = |n: f64| Some((n * GIB) as u64);
    PartsAnswer {
        name: "node-0".into(),
        age_seconds: 0.4,
        cores: (0..cores).map(core).collect(),
        memory: MemoryView {
            total: gib(16.0),
            available: gib(9.0),
            free: gib(1.5),
            buffers: gib(0.25),
            cached: gib(7.0),
            shared: gib(0.5),
            kernel: gib(0.75),
            dirty: gib(0.01),
            swap_total: gib(8.0),
            swap_used: Some(0),
            swap_in: Some(0.0),
            swap_out: Some(if second.is_multiple_of(2) { 3e6 } else { 0.0 }),
        },
        disks: (0..others).map(disk).collect(),
        file_systems: (0..others).map(file_system).collect(),
        interfaces: (0..others).map(interface).collect(),
    }
}
