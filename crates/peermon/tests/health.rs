//! Faults made for real on some of seven hosts, and what another one says of them: within seconds the right reason, no offer any
//! more, and all clear when the fault is over.

use anyhow::{Context, Result, ensure};
use peermon_api::Service;
use peermon_testbed::{Cluster, Family, Host, Impairment, SmallDisk, Spec, say, wait_for, within, within_since};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_peermon");
const JOIN: Duration = Duration::from_secs(3);
/// A fault is seen by another node.
const SEEN: Duration = Duration::from_secs(5);
/// Twelve good tries in a row, one a second, and their way to the others.
const CLEAR: Duration = Duration::from_secs(16);

/// Who looks, and who suffers from what.
const LOOKS: usize = 0;
const DESCRIPTORS: usize = 1;
const NAMES: usize = 2;
const MOUNT: usize = 3;
const FULL: usize = 4;
const READ_ONLY: usize = 5;
const LOSSY: usize = 6;

/// Open files of a process below which no fifty sockets can be opened; the daemon itself goes on with those it has.
const FEW_FILES: u64 = 40;

/// What daemon `LOOKS` is told that is wrong with a node, by its record and by its own experience.
fn findings(c: &Cluster, of: usize) -> Result<Vec<String>, String> {
    let view = c.view(LOOKS, of)?;
    let told = view.notices.into_iter().filter(|n| n.topic.starts_with("health.")).map(|n| n.text);
    Ok(told.chain(view.avoided).collect())
}

/// Whether the node is shown with this finding and offered to nobody.
fn is_found(c: &Cluster, of: usize, what: &str) -> Result<(), String> {
    let found = findings(c, of)?;
    if !found.iter().any(|f| f.contains(what)) {
        return Err(format!("{} is said to have {found:?}, not {what:?}", c.daemons[of].name()));
    }
    is_offered(c, of, false)
}

fn is_offered(c: &Cluster, of: usize, wanted: bool) -> Result<(), String> {
    let name = c.daemons[of].name();
    let offered = c.offers(LOOKS)?.iter().any(|o| o == name);
    if offered == wanted { Ok(()) } else { Err(format!("{name} is {}offered", if offered { "" } else { "not " })) }
}

fn is_clear(c: &Cluster, of: usize) -> Result<(), String> {
    match findings(c, of)? {
        found if found.is_empty() => is_offered(c, of, true),
        found => Err(format!("{} is said to have {found:?}", c.daemons[of].name())),
    }
}

#[test]
fn faults_are_told_with_their_reasons_and_are_over_when_they_are_over() {
    let make = || Cluster::hosts(BINARY, 7, Family::Both);
    Cluster::test(make, |c| {
        let places: Vec<PathBuf> = (0..7).map(|i| c.directory.path().join(format!("place-{i}"))).collect();
        places.iter().try_for_each(std::fs::create_dir).context("making places")?;
        let disks = [FULL, READ_ONLY].map(|i| SmallDisk::mount(&places[i], 1 << 20));
        let [full, read_only] = disks;
        let (full, _read_only) = (full?, read_only?);
        let names = NameServer::start(&c.bed.hosts()[NAMES], c)?;
        for i in 0..7 {
            // all see the same files: each looks at its own only
            let mut config = format!("probes.write = [\"{}\"]\n", places[i].display());
            if i != MOUNT {
                config += "probes.without = [\"mount\"]\n";
            }
            if i != NAMES {
                config = config.replace("[\"mount\"]", "[\"mount\", \"resolver\"]");
            }
            let spec = c.spec(i);
            c.add(Spec { config: spec.config.clone() + &config, ..spec })?;
        }
        within(JOIN, "all see all after the start", || c.all_see_all())?;
        wait_for("names to be looked up", SEEN * 4, || works(c, NAMES, "resolver"))?;
        wait_for("files to be written", SEEN * 4, || works(c, FULL, "write").and_then(|()| works(c, READ_ONLY, "write")))?;
        wait_for("all to be offered", SEEN * 4, || (0..7).try_for_each(|i| is_clear(c, i)))?;

        say("all faults at once");
        let start = Instant::now();
        limit_files(c, DESCRIPTORS, Some(FEW_FILES))?;
        names.mode(Mode::Silent);
        let hanging = HangingMount::new(&places[MOUNT])?;
        full.fill()?;
        let no_flags = c"";
        mount_remount(&places[READ_ONLY], MountFlags::RDONLY, no_flags).context("making a file system read-only")?;
        c.bed.impair(LOSSY, Impairment { loss_percent: 80, ..Impairment::default() })?;
        let seen = |of: usize, what: &str| within_since(start, SEEN, &format!("seen: {what}"), || is_found(c, of, what));
        seen(DESCRIPTORS, "no sockets left")?;
        seen(FULL, "is on a full file system")?;
        seen(READ_ONLY, "is on a read-only file system")?;
        seen(MOUNT, "does not answer")?;
        seen(NAMES, "does not answer")?;
        seen(LOSSY, "are lost")?;
        let told = c.view(LOOKS, FULL).map_err(anyhow::Error::msg)?.notices;
        let since = told.iter().find(|n| n.topic == "health.write").and_then(|n| n.seconds).context("it has a beginning")?;
        ensure!(since <= start.elapsed().as_secs_f64() + 2.0, "it began {since} s ago");

        say("the name server answers wrongly, then late");
        names.mode(Mode::Wrong);
        within(SEEN, "seen: wrong addresses", || is_found(c, NAMES, "wrong addresses"))?;
        names.mode(Mode::Late);
        within(SEEN, "seen: late", || is_found(c, NAMES, "late"))?;

        say("all faults over");
        limit_files(c, DESCRIPTORS, None)?;
        names.mode(Mode::Right);
        drop(hanging);
        full.make_room()?;
        mount_remount(&places[READ_ONLY], MountFlags::empty(), no_flags).context("making it writable again")?;
        c.bed.impair(LOSSY, Impairment::default())?;
        within(CLEAR, "all clear", || (0..7).try_for_each(|i| is_clear(c, i)))
    });
}

/// Whether a probe of a daemon has been good.
fn works(c: &Cluster, i: usize, probe: &str) -> Result<(), String> {
    let health = c.daemons[i].ask().health().map_err(|e| e.to_string())?;
    let good = health.probes.iter().filter(|p| p.probe == probe);
    if good.clone().count() > 0 && good.clone().all(|p| p.history.ends_with('.')) {
        return Ok(());
    }
    Err(format!("{probe} of {}: {:?}", c.daemons[i].name(), good.collect::<Vec<_>>()))
}

/// Leaves a daemon so many open files, or as many as it had.
fn limit_files(c: &Cluster, i: usize, most: Option<u64>) -> Result<()> {
    let pid = c.daemons[i].pid().and_then(|p| Pid::from_raw(p.try_into().ok()?)).context("it runs")?;
    let before = rustix::process::getrlimit(Resource::Nofile);
    let limit = Rlimit { current: most.or(before.current), maximum: before.maximum };
    prlimit(Some(pid), Resource::Nofile, limit).context("limiting the open files of a daemon").map(drop)
}

/// A FUSE file system whose program never answers.
struct HangingMount<'a> {
    path: &'a Path,
    device: Option<std::fs::File>,
}

impl<'a> HangingMount<'a> {
    fn new(path: &'a Path) -> Result<Self> {
        let device = std::fs::File::options().read(true).write(true).open("/dev/fuse").context("opening /dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = std::ffi::CString::new(options).context("mount options")?;
        mount("hangs", path, "fuse", MountFlags::empty(), options.as_c_str()).context("mounting a file system that hangs")?;
        Ok(HangingMount { path, device: Some(device) })
    }
}

impl Drop for HangingMount<'_> {
    fn drop(&mut self) {
        // whoever waits for the program is told that it is gone
        self.device = None;
        if let Err(e) = unmount(self.path, UnmountFlags::DETACH) {
            say(&format!("cannot unmount {}: {e}", self.path.display()));
        }
    }
}

/// How a name server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Right,
    Silent,
    Wrong,
    Late,
}

const MODES: [Mode; 4] = [Mode::Right, Mode::Silent, Mode::Wrong, Mode::Late];

/// A name server that knows the nodes, on a host's loopback address.
struct NameServer {
    mode: Arc<AtomicU8>,
    ended: Arc<AtomicBool>,
}

/// Longer than a probe calls in time, shorter than it waits.
const LATE: Duration = Duration::from_millis(1_200);

impl NameServer {
    fn start(host: &Host, c: &Cluster) -> Result<Self> {
        let known: Vec<(String, IpAddr)> =
            c.bed.hosts().iter().enumerate().map(|(i, h)| (format!("node-{}", i + 1), h.address())).collect();
        let server = NameServer { mode: Arc::default(), ended: Arc::default() };
        let (mode, ended) = (Arc::clone(&server.mode), Arc::clone(&server.ended));
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        host.resolve_with(&[here.ip()])?;
        host.thread(move || -> std::io::Result<()> {
            let socket = UdpSocket::bind(here)?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            let mut late: Vec<(Instant, Vec<u8>, SocketAddr)> = Vec::new();
            let mut question = [0; 512];
            while !ended.load(Ordering::Relaxed) {
                let mode = MODES[usize::from(mode.load(Ordering::Relaxed))];
                if let Ok((n, from)) = socket.recv_from(&mut question)
                    && let Some(answer) = answer(&question[..n], &known, mode == Mode::Wrong)
                {
                    match mode {
                        Mode::Silent => {}
                        Mode::Late => late.push((Instant::now() + LATE, answer, from)),
                        Mode::Right | Mode::Wrong => drop(socket.send_to(&answer, from)?),
                    }
                }
                for (_, answer, to) in late.extract_if(.., |(at, ..)| *at <= Instant::now()) {
                    // who asked may have given up
                    socket.send_to(&answer, to).ok();
                }
            }
            Ok(())
        })?;
        Ok(server)
    }

    fn mode(&self, mode: Mode) {
        let number = MODES.iter().position(|m| *m == mode).unwrap_or_default();
        self.mode.store(number as u8, Ordering::Relaxed);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// The answer to a question (RFC 1035, 4.1): the address of a node, another one if it shall be wrong, or that there is none.
fn answer(question: &[u8], known: &[(String, IpAddr)], wrong: bool) -> Option<Vec<u8>> {
    let first = usize::from(*question.get(12)?);
    let name = String::from_utf8_lossy(question.get(13..13 + first)?).to_lowercase();
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += 1 + usize::from(question[end]);
    }
    end += 5;
    let asks_ipv4 = question.get(end - 4..end - 2)? == [0, 1];
    let address = known.iter().find(|(n, _)| *n == name).map(|(_, a)| *a);
    let mut out = question[..end].to_vec();
    out[2..12].copy_from_slice(&[0x81, if address.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, 0, 0, 0, 0, 0]);
    if let (Some(IpAddr::V4(ip)), true) = (address, asks_ipv4) {
        out[7] = 1;
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        out.extend(if wrong { [10, 9, 9, 9] } else { ip.octets() });
    }
    Some(out)
}
