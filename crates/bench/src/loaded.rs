//! How timely a daemon is on a machine that is oversubscribed: the age of its values at a peer and the time of a local read, idle
//! and loaded, without and with real-time priority.

use crate::table;
use anyhow::Result;
use peermon_api::{NodeView, Service};
use peermon_testbed::{Daemon, Directory, Spec, wait_for};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Busy loops for each core.
const LOOPS_PER_CORE: usize = 8;
/// Memory that is written over and over beside them.
const MEMORY_BYTES: usize = 1 << 30;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(37);
/// Load and schedule settle.
const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// Medians and 99th percentiles, in seconds.
#[derive(Clone, Copy)]
struct Figures {
    age: (f64, f64),
    read: (f64, f64),
}

pub(crate) fn run(peermon: &Path, length: Duration) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    println!(
        "two daemons at 1 Hz; idle, and with {} busy loops on {cores} cores and {} MiB written over and over; {} s each",
        LOOPS_PER_CORE * cores,
        MEMORY_BYTES >> 20,
        length.as_secs()
    );
    let mut rows = Vec::new();
    for realtime in ["off", "auto"] {
        let directory = Directory::new()?;
        let first = start(peermon, &directory, "measured", realtime, None)?;
        let seed = wait_for_listen(&first)?;
        let second = start(peermon, &directory, "peer", realtime, Some(seed))?;
        wait_for("both to see each other", PATIENCE, || {
            view(&second, "measured").and_then(|v| v.age_seconds.map(drop).ok_or("no values yet".into()))
        })?;
        let idle = measure(&second, length)?;
        let load = Load::start(LOOPS_PER_CORE * cores);
        std::thread::sleep(SETTLE);
        let loaded = measure(&second, length)?;
        drop(load);
        for (what, f, base) in [("idle", idle, None), ("loaded", loaded, Some(idle))] {
            let show = |v: f64, base: Option<f64>| match base {
                Some(b) if b > 0.0 => format!("{:.1} ms ({:.2} x)", v * 1e3, v / b),
                _ => format!("{:.1} ms", v * 1e3),
            };
            rows.push(vec![
                format!("realtime {realtime}, {what}"),
                show(f.age.0, base.map(|b| b.age.0)),
                show(f.age.1, base.map(|b| b.age.1)),
                show(f.read.0, base.map(|b| b.read.0)),
                show(f.read.1, base.map(|b| b.read.1)),
            ]);
        }
    }
    println!();
    table::print(&["", "age at the peer, median", "p99", "local read, median", "p99"], &rows);
    Ok(())
}

fn start(peermon: &Path, directory: &Directory, name: &str, realtime: &str, join: Option<SocketAddr>) -> Result<Daemon> {
    let spec = Spec {
        name: name.into(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        http: None,
        join: join.into_iter().collect(),
        key: [3; 32],
        config: format!("discovery.enabled = false\nrealtime = \"{realtime}\"\n"),
        flags: Vec::new(),
    };
    Daemon::start(peermon, None, directory, spec)
}

fn wait_for_listen(daemon: &Daemon) -> Result<SocketAddr> {
    let mut found = None;
    wait_for("the first daemon", PATIENCE, || {
        let status = daemon.ask().status().map_err(|e| format!("{e}\n{}", daemon.log()))?;
        found = status.listen.first().and_then(|a| a.parse().ok());
        found.map(drop).ok_or_else(|| "it listens nowhere yet".into())
    })?;
    found.ok_or_else(|| anyhow::anyhow!("it listens nowhere"))
}

fn view(daemon: &Daemon, name: &str) -> Result<NodeView, String> {
    daemon.ask().node(name).map_err(|e| e.to_string())
}

fn measure(peer: &Daemon, length: Duration) -> Result<Figures> {
    let (mut ages, mut reads) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let client = peer.ask();
    while start.elapsed() < length {
        let begun = Instant::now();
        let node = client.node("measured")?;
        reads.push(begun.elapsed().as_secs_f64());
        ages.extend(node.age_seconds);
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(Figures { age: summary(ages), read: summary(reads) })
}

fn summary(mut all: Vec<f64>) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all.get(((all.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN);
    (at(0.5), at(0.99))
}

/// Busy loops and memory being written. They end when this is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start(loops: usize) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        for _ in 0..loops {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let over = Arc::clone(&ended);
        std::thread::spawn(move || {
            let mut memory = vec![0_u8; MEMORY_BYTES];
            let mut n = 0_u8;
            while !over.load(Ordering::Relaxed) {
                n = n.wrapping_add(1);
                memory.chunks_mut(4096).for_each(|page| page[0] = n);
                std::hint::black_box(&memory);
            }
        });
        Load(ended)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
