//! What it costs to tell TCP connections by network on a host with very many of them:
//! `cargo run --release -p peermon-collector --example connections [SOCKETS]`.
//!
//! Half as many connections as sockets are opened over loopback, for both ends count, by as many processes as the limit on open
//! files makes it take.
//! The rounds are told that a second has passed since the former one.
#![allow(clippy::print_stdout)]

use peermon_collector::{COLLECTORS, Root, Round, Setup, limits};
use peermon_model::Instant;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Clock};

/// Connections to one address: below the ports that a kernel gives out by itself.
const PER_ADDRESS: usize = 20_000;
/// Files that this program itself needs.
const OWN_FILES: u64 = 64;
/// Processes that hold them, at most.
const PROCESSES_MAX: usize = 200;
/// What tells such a process what to do.
const HOLD: &str = "hold";
/// Looks at all connections that are measured.
const LOOKS: usize = 3;
/// No look takes so many rounds.
const ROUNDS_MAX: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [hold, network, sockets] = words.as_slice()
        && hold == HOLD
    {
        return holding(network.parse()?, sockets.parse()?);
    }
    let wanted: usize = words.first().map_or(Ok(100_000), |n| n.parse())?;
    let begun = Clock::now();
    let held = Held::open(wanted)?;
    println!("{} sockets of {} processes in {:.1} s", held.sockets, held.processes.len(), begun.elapsed().as_secs_f64());

    let setup = Setup::new(&Root::host(), []);
    let entry = COLLECTORS.iter().find(|e| e.name == "networks").ok_or("there is no such collector")?;
    let mut collector = (entry.make)(&setup);
    let mut second = 0;
    for look in 1..=LOOKS {
        let (mut most, mut all, mut rounds) = (Duration::ZERO, Duration::ZERO, 0_u64);
        let mut told = None;
        // A look is over when a round costs next to nothing: the collector rests.
        while rounds < ROUNDS_MAX {
            second += 1;
            let round = Round::new(Instant::from_millis(second * 1000), &setup).every(limits::NETWORKS_INTERVAL);
            let mut out = Vec::new();
            let before = processor();
            collector.collect(&round, &mut out)?;
            let spent = processor().saturating_sub(before);
            let connections: f64 = out.iter().filter(|s| s.name().ends_with(".connections")).map(|s| s.value).sum();
            if spent < Duration::from_micros(50) && told == Some(connections) && rounds > 0 {
                break;
            }
            if spent >= Duration::from_micros(50) {
                rounds += 1;
                all += spent;
                most = most.max(spent);
            }
            told = Some(connections);
        }
        let per = |d: Duration, n: u64| d.as_secs_f64() * 1e6 / n.max(1) as f64;
        println!(
            "look {look}: {} connections told; {rounds} rounds, {:.0} µs each on average and {:.0} at most; {:.2} µs a connection, {:.1} ms in all, \
             so the next look comes after {:.0} s",
            told.unwrap_or_default(),
            per(all, rounds),
            most.as_secs_f64() * 1e6,
            per(all, held.sockets as u64),
            all.as_secs_f64() * 1e3,
            (all * limits::NETWORKS_REST).max(limits::NETWORKS_INTERVAL).as_secs_f64(),
        );
        // Past the rest it takes.
        second += (all * limits::NETWORKS_REST).as_secs() + limits::NETWORKS_INTERVAL.as_secs();
    }
    Ok(())
}

/// As many sockets as this process may have, after asking for as many as are wanted.
fn allowed(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let need = wanted as u64 + OWN_FILES;
    let most = Rlimit { current: Some(need), maximum: limit.maximum.map(|m| m.max(need)) };
    let within = Rlimit { current: limit.maximum.or(Some(need)).map(|m| m.min(need)), maximum: limit.maximum };
    if limit.current.is_some_and(|c| c < need) && setrlimit(Resource::Nofile, most).is_err() {
        setrlimit(Resource::Nofile, within).ok();
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(need);
    wanted.min(now.saturating_sub(OWN_FILES) as usize)
}

/// Processes that hold connections; they end when their standard input does.
struct Held {
    sockets: usize,
    processes: Vec<Child>,
}

impl Held {
    /// As many processes as it takes, for each may open only so many files.
    fn open(wanted: usize) -> Result<Held, Box<dyn Error>> {
        let each = allowed(wanted) / 2 * 2;
        let mut held = Held { sockets: 0, processes: Vec::new() };
        while held.sockets < wanted && held.processes.len() < PROCESSES_MAX {
            let sockets = each.min(wanted - held.sockets);
            let network = held.processes.len() + 1;
            let mut child = Command::new(std::env::current_exe()?);
            child.args([HOLD, &network.to_string(), &sockets.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = child.spawn()?;
            let mut word = String::new();
            BufReader::new(child.stdout.take().ok_or("it has an output")?).read_line(&mut word)?;
            held.processes.push(child);
            held.sockets += word.trim().parse::<usize>()?;
        }
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for child in &mut self.processes {
            drop(child.stdin.take());
            child.wait().ok();
        }
    }
}

/// Opens both ends of connections within loopback network 127.0.N, says how many sockets that is, and waits.
fn holding(network: u8, sockets: usize) -> Result<(), Box<dyn Error>> {
    allowed(sockets);
    let mut held = Vec::with_capacity(sockets);
    let mut listener: Option<(TcpListener, SocketAddr)> = None;
    for i in 0..sockets / 2 {
        if i.is_multiple_of(PER_ADDRESS) {
            let address = Ipv4Addr::new(127, 0, network, 1 + (i / PER_ADDRESS) as u8);
            let new = TcpListener::bind((address, 0))?;
            let at = new.local_addr()?;
            listener = Some((new, at));
        }
        let Some((listener, at)) = &listener else { continue };
        held.push(TcpStream::connect(at)?);
        held.push(listener.accept()?.0);
    }
    println!("{}", held.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn processor() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec.cast_unsigned(), t.tv_nsec as u32)
}
