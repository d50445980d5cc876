//! What capture costs on this host, under whatever runs on it, or with `busy` under load of its own: as root,
//! `cargo run --release -p peermon-kernel --example cost [SECONDS [busy]]`.
#![allow(clippy::print_stdout)]

use peermon_kernel::{Capture, OBJECT_FROM, measure_costs};
use peermon_model::Instant;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant as Clock};
use std::{fs, io, thread};

/// As the daemon's default.
const PERIOD: Duration = Duration::from_secs(1);
/// Turns with and without the programs: the median of several, since other work on the machine comes and goes.
const TURNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u32 = arguments.next().map_or(Ok(10), |n| n.parse())?;
    if arguments.next().is_none() {
        return measure(seconds);
    }
    let (ended, trips) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|s| {
        s.spawn(|| ping_pong(&ended, &trips));
        let compared = compare(&trips);
        for _ in 0..2 * thread::available_parallelism().map_or(1, NonZero::get) {
            s.spawn(|| work(&ended));
        }
        s.spawn(|| sync(&ended));
        let done = compared.and_then(|()| measure(seconds));
        ended.store(true, Ordering::Relaxed);
        done
    })
}

/// Loads the programs, and tells what they and reading them cost.
fn measure(seconds: u32) -> Result<(), Box<dyn Error>> {
    let begun = Clock::now();
    let cpu_before = thread_seconds();
    let mut capture = Capture::load()?;
    let (wall, cpu) = (begun.elapsed().as_secs_f64() * 1e3, (thread_seconds() - cpu_before) * 1e3);
    println!("programs by {OBJECT_FROM}; loaded in {wall:.1} ms, {cpu:.1} ms of processor time");
    for (part, why) in capture.refused() {
        println!("without {part}: {why}");
    }
    let counting = measure_costs()?;
    let start = Clock::now();
    let mut reads = Vec::new();
    let mut samples = Vec::new();
    for n in 1..=seconds {
        thread::sleep((PERIOD * n).saturating_sub(start.elapsed()));
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
        let share = c.time.as_secs_f64() / passed * 100.0;
        println!("{:<22} {:>12.0} {each:>10.0} {share:>15.3}%", c.tracepoint, c.events as f64 / passed);
        whole += c.time;
    }
    drop(counting);
    println!("{:<22} {:>12} {:>10} {:>15.3}%", "all", "", "", whole.as_secs_f64() / passed * 100.0);
    reads.sort_by(f64::total_cmp);
    let median = reads[reads.len() / 2] * 1e6;
    println!("reading: median {median:.0} µs of processor time a period, {} samples", samples.len());
    for s in samples.iter().filter(|s| s.instance.is_none()) {
        println!("{:<24} {:.9}", s.name(), s.value);
    }
    Ok(())
}

/// How many round trips a second two threads make over TCP on loopback, without and with the programs: each has two switches
/// between tasks, two wake-ups and four segments or so, and nothing else, so it is the worst that they can cost.
fn compare(trips: &AtomicU64) -> Result<(), Box<dyn Error>> {
    let rate = || {
        let (begun, before) = (Clock::now(), trips.load(Ordering::Relaxed));
        thread::sleep(PERIOD);
        (trips.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64()
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        without.push(rate());
        let capture = Capture::load()?;
        with.push(rate());
        drop(capture);
    }
    for list in [&mut without, &mut with] {
        list.sort_by(f64::total_cmp);
    }
    let (a, b) = (without[TURNS / 2], with[TURNS / 2]);
    println!("round trips a second: {a:.0} without, {b:.0} with the programs: {:.0} ns more each", (1.0 / b - 1.0 / a) * 1e9);
    Ok(())
}

fn ping_pong(ended: &AtomicBool, trips: &AtomicU64) {
    let talk = || -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut here = TcpStream::connect(listener.local_addr()?)?;
        let (mut there, _) = listener.accept()?;
        for end in [&here, &there] {
            end.set_nodelay(true)?;
        }
        thread::spawn(move || {
            let mut byte = [0];
            while there.read_exact(&mut byte).and_then(|()| there.write_all(&byte)).is_ok() {}
        });
        let mut byte = [7];
        while !ended.load(Ordering::Relaxed) {
            here.write_all(&byte)?;
            here.read_exact(&mut byte)?;
            trips.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    if let Err(e) = talk() {
        println!("no load by TCP: {e}");
    }
}

/// Computes and gives way in turns, as programs do.
fn work(ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let until = Clock::now() + Duration::from_micros(500);
        while Clock::now() < until {}
        thread::sleep(Duration::from_micros(50));
    }
}

fn sync(ended: &AtomicBool) {
    let path = std::env::temp_dir().join(format!("peermon-kernel-cost-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&path)?;
        while !ended.load(Ordering::Relaxed) {
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
        }
        Ok(())
    };
    if let Err(e) = write() {
        println!("no load by syncing: {e}");
    }
    fs::remove_file(&path).ok();
}

fn thread_seconds() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}
