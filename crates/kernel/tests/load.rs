//! The programs in a real kernel, under real load. Needs root; where the kernel takes no programs, each test says why and ends.
#![allow(clippy::print_stderr)]

use peermon_kernel::{Capture, LoadError, Part};
use peermon_model::{Instant, Sample};
use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

/// How long a load may take to show; it is there in the first half second.
const PATIENCE: Duration = Duration::from_secs(30);

/// The programs, if this kernel takes the part asked for.
fn capture(part: Part) -> Option<Capture> {
    let skip = |why: &dyn std::fmt::Display| eprintln!("skipped: {why}");
    match Capture::load() {
        Ok(c) => match c.refused().iter().find(|(p, _)| *p == part) {
            Some((_, why)) => skip(why),
            None => return Some(c),
        },
        Err(why @ (LoadError::Forbidden(_) | LoadError::OldKernel { .. } | LoadError::NoTypes(_))) => skip(&why),
        Err(why) => panic!("{why}"),
    }
    None
}

/// Reads, some time apart, while `load` runs, until `wanted` says that it is there.
fn read_until<T>(capture: &mut Capture, load: impl Fn(&AtomicBool) + Sync, wanted: impl Fn(&Round) -> Option<T>) -> T {
    let ended = AtomicBool::new(false);
    let begun = Clock::now();
    let mut latest = Round(Vec::new());
    thread::scope(|s| {
        s.spawn(|| load(&ended));
        let found = loop {
            thread::sleep(Duration::from_millis(200));
            latest.0.clear();
            let now = Instant::from_nanos(begun.elapsed().as_nanos() as u64);
            let read = capture.read(now, &mut latest.0);
            let found = read.is_ok().then(|| wanted(&latest)).flatten();
            if found.is_some() || read.is_err() || begun.elapsed() > PATIENCE {
                break found;
            }
        };
        ended.store(true, Ordering::Relaxed);
        found
    })
    .unwrap_or_else(|| panic!("it did not show; the latest round: {:?}", latest.named()))
}

struct Round(Vec<Sample>);

impl Round {
    fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|s| s.name() == name).map(|s| s.value)
    }

    fn named(&self) -> Vec<(String, f64)> {
        self.0.iter().map(|s| (s.name().into_owned(), s.value)).collect()
    }
}

#[test]
fn tasks_wait_when_there_are_more_than_processors() {
    let Some(mut capture) = capture(Part::RunQueue) else { return };
    let processors = thread::available_parallelism().expect("known on Linux").get();
    let busy = |ended: &AtomicBool| {
        thread::scope(|s| {
            for _ in 0..4 * processors {
                s.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
        });
    };
    // At any time three of four wait, mostly because others took their place; and the scheduler's slices are milliseconds.
    let former = Cell::new((Clock::now(), f64::INFINITY));
    let (p50, max) = read_until(&mut capture, busy, |r| {
        let (p50, p99, max) = (r.value("kernel.runq.p50")?, r.value("kernel.runq.p99")?, r.value("kernel.runq.max")?);
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{:?}", r.named());
        let seconds = r.value("kernel.runq.seconds")?;
        let (then, old) = former.replace((Clock::now(), seconds));
        let waiting = (seconds - old) / then.elapsed().as_secs_f64();
        (max > 1e-3 && waiting > 2.0 * processors as f64).then_some((p50, max))
    });
    assert!(max < PATIENCE.as_secs_f64(), "{p50} {max}");
}

#[test]
fn what_is_synced_passes_through_the_disk() {
    let Some(mut capture) = capture(Part::Block) else { return };
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kernel-load-{}", std::process::id()));
    let mut file = File::create(&path).expect("cargo's folder takes files");
    file.write_all(&[1]).and_then(|()| file.sync_all()).expect("it syncs");
    let on_device = read_diskstats();
    file.write_all(&[2]).and_then(|()| file.sync_all()).expect("it syncs");
    if read_diskstats() == on_device {
        std::fs::remove_file(&path).ok();
        return eprintln!("skipped: {} is on no block device", path.display());
    }
    let write = |ended: &AtomicBool| {
        while !ended.load(Ordering::Relaxed) {
            (&file).write_all(&[0; 8192]).and_then(|()| file.sync_all()).expect("it syncs");
        }
    };
    let (p50, max) = read_until(&mut capture, write, |r| {
        let (p50, p99, max) = (r.value("kernel.block.p50")?, r.value("kernel.block.p99")?, r.value("kernel.block.max")?);
        assert!(p50 <= p99 && p99 <= max, "{:?}", r.named());
        (r.value("kernel.block.count")? > 20.0).then_some((p50, max))
    });
    std::fs::remove_file(&path).ok();
    // No disk answers within a microsecond, and one that takes a minute is not there.
    assert!(1e-6 < p50 && max < 60.0, "{p50} {max}");
}

/// What block devices have written.
fn read_diskstats() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
    text.lines().filter_map(|l| l.split_whitespace().nth(9).map(str::to_string)).collect()
}

/// Sends single bytes to and fro until told to end.
fn ping_pong(ended: &AtomicBool, from: &str, to: &str) {
    let listener = TcpListener::bind(format!("{to}:0")).expect("a free port");
    let at = listener.local_addr().expect("bound");
    thread::scope(|s| {
        s.spawn(|| echo(&listener));
        let mut stream = connect(from, at);
        stream.set_nodelay(true).expect("TCP takes it");
        let mut byte = [7];
        while !ended.load(Ordering::Relaxed) {
            stream.write_all(&byte).and_then(|()| stream.read_exact(&mut byte)).expect("the other end answers");
        }
    });
}

fn echo(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().expect("somebody connects");
    stream.set_nodelay(true).expect("TCP takes it");
    let mut byte = [0];
    while stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte)).is_ok() {}
}

fn connect(from: &str, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let s = socket(family, SocketType::STREAM, None).expect("a socket");
    bind(&s, &format!("{from}:0").parse::<SocketAddr>().expect("an address")).expect("an address of this host");
    connect(&s, &to).expect("it listens");
    TcpStream::from(s)
}

#[test]
fn round_trips_within_the_host_are_apart() {
    let Some(mut capture) = capture(Part::TcpRtt) else { return };
    for address in ["127.0.0.1", "[::1]"] {
        if TcpListener::bind(format!("{address}:0")).is_err() {
            eprintln!("skipped: no {address} here");
            continue;
        }
        let p50 = read_until(&mut capture, |ended| ping_pong(ended, address, address), |r| r.value("kernel.tcp.local.rtt.p50"));
        assert!(1e-7 < p50 && p50 < 1.0, "{address}: {p50}");
    }
}

#[test]
fn round_trips_between_addresses_and_segments_sent_again() {
    let Some(_) = capture(Part::TcpRtt).and(capture(Part::TcpRetransmits)) else { return };
    // Two addresses look like two hosts; and what goes to a link that leads nowhere is sent again after a second.
    let network = "ip link set lo up && ip addr add 10.77.0.1/32 dev lo && ip addr add 10.77.0.2/32 dev lo && \
                   ip link add nowhere type veth peer name beyond && ip addr add 10.78.0.1/24 dev nowhere && \
                   ip link set nowhere up && ip link set beyond up && \
                   ip neigh add 10.78.0.2 lladdr 02:00:00:00:00:02 dev nowhere";
    let unshared = |script: &str| {
        let mut c = Command::new("unshare");
        c.args(["--net", "sh", "-c", script, "sh"]);
        c
    };
    match unshared(network).output() {
        Ok(done) if done.status.success() => {}
        Ok(done) => return eprintln!("skipped: no network namespace: {}", String::from_utf8_lossy(&done.stderr)),
        Err(e) => return eprintln!("skipped: no program unshare or ip: {e}"),
    }
    let this = std::env::current_exe().expect("tests are programs");
    let script = format!("{network} && exec \"$@\"");
    let test = ["--exact", "in_a_network_of_its_own", "--include-ignored", "--nocapture"];
    let done = unshared(&script).arg(this).args(test).output().expect("it ran a moment ago");
    assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
}

#[test]
#[ignore = "round_trips_between_addresses_and_segments_sent_again runs it in a network namespace"]
fn in_a_network_of_its_own() {
    let Some(mut capture) = capture(Part::TcpRtt) else { return };
    let (from, to) = ("10.77.0.1", "10.77.0.2");
    let p50 = read_until(&mut capture, |ended| ping_pong(ended, from, to), |r| r.value("kernel.tcp.rtt.p50"));
    assert!(1e-7 < p50 && p50 < 1.0, "{p50}");
    let knock = |_: &AtomicBool| {
        let nobody = "10.78.0.2:9".parse().expect("an address");
        TcpStream::connect_timeout(&nobody, Duration::from_millis(3500)).expect_err("nobody is there");
    };
    read_until(&mut capture, knock, |r| r.value("kernel.tcp.retransmits").filter(|rate| *rate > 0.0));
}

#[test]
fn dropping_takes_the_programs_out_of_the_kernel() {
    let Some(capture) = capture(Part::RunQueue) else { return };
    let ids = capture.program_ids().expect("the kernel tells");
    assert!(ids.len() >= 3 && ids.iter().all(|id| in_kernel(*id)), "{ids:?}");
    drop(capture);
    // The kernel frees them a little later, when nobody can be running them any more.
    let begun = Clock::now();
    while ids.iter().any(|id| in_kernel(*id)) {
        assert!(begun.elapsed() < PATIENCE, "still there: {ids:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn in_kernel(id: u32) -> bool {
    aya::programs::loaded_programs().filter_map(Result::ok).any(|p| p.id() == id)
}

#[test]
fn without_privilege_it_says_what_is_missing() {
    if !rustix::process::geteuid().is_root() {
        return match Capture::load() {
            Err(LoadError::Forbidden(why)) => assert!(!why.is_empty()),
            // this user may after all, or the kernel cannot at all
            other => eprintln!("as this user: {other:?}"),
        };
    }
    let this = std::env::current_exe().expect("tests are programs");
    // Copied, since another user may not enter the folder it is in.
    let dir = std::path::Path::new("/tmp").join(format!("peermon-kernel-test-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("/tmp takes folders");
    let copy = dir.join("test");
    std::fs::copy(this, &copy).expect("/tmp takes files");
    let test = ["--exact", "without_privilege_it_says_what_is_missing", "--nocapture"];
    let open = Command::new("chmod").args(["-R", "a+rx"]).arg(&dir).status();
    let done = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(test)
        .current_dir("/")
        .output();
    std::fs::remove_dir_all(&dir).ok();
    let done = match (open, done) {
        (Ok(_), Ok(done)) => done,
        (_, e) => return eprintln!("skipped: no program setpriv: {e:?}"),
    };
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("1 passed") && !said.contains("as this user"), "{said}");
}
