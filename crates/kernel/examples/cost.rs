//! What capture costs on this host, under whatever runs on it: as root,
//! `cargo run --release -p peermon-kernel --example cost [SECONDS]`.
#![allow(clippy::print_stdout)]

use peermon_kernel::{Capture, OBJECT_FROM, measure_costs};
use peermon_model::Instant;
use std::error::Error;
use std::time::{Duration, Instant as Clock};

/// As the daemon's default.
const PERIOD: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u32 = std::env::args().nth(1).map_or(Ok(10), |n| n.parse())?;
    let begun = Clock::now();
    let cpu_before = thread_seconds();
    let mut capture = Capture::load()?;
    println!("programs by {OBJECT_FROM}; loaded in {:.1} ms, {:.1} ms of processor time", begun.elapsed().as_secs_f64() * 1e3, (thread_seconds() - cpu_before) * 1e3);
    for (part, why) in capture.refused() {
        println!("without {part}: {why}");
    }
    let counting = measure_costs()?;
    let start = Clock::now();
    let mut reads = Vec::new();
    let mut samples = Vec::new();
    for n in 1..=seconds {
        std::thread::sleep((PERIOD * n).saturating_sub(start.elapsed()));
        samples.clear();
        let before = thread_seconds();
        capture.read(Instant::from_nanos(start.elapsed().as_nanos() as u64), &mut samples)?;
        reads.push(thread_seconds() - before);
    }
    let passed = start.elapsed().as_secs_f64();
    println!("{:<22} {:>12} {:>10} {:>16}", "trace point", "events/s", "ns/event", "share of a core");
    let mut whole = Duration::ZERO;
    for c in capture.costs()? {
        let each = c.time.as_nanos() as f64 / c.events.max(1) as f64;
        println!("{:<22} {:>12.0} {each:>10.0} {:>15.3}%", c.tracepoint, c.events as f64 / passed, c.time.as_secs_f64() / passed * 100.0);
        whole += c.time;
    }
    drop(counting);
    println!("{:<22} {:>12} {:>10} {:>15.3}%", "all", "", "", whole.as_secs_f64() / passed * 100.0);
    reads.sort_by(f64::total_cmp);
    println!("reading: median {:.0} µs of processor time a period, {} samples", reads[reads.len() / 2] * 1e6, samples.len());
    for s in samples.iter().filter(|s| s.instance.is_none() && s.attribute.prometheus.is_none()) {
        println!("{:<24} {:.9}", s.name(), s.value);
    }
    Ok(())
}

fn thread_seconds() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}
