//! Faults made for real on some of eight hosts, and what another one says of them: within seconds the right reason, no offer any
//! more, and all clear when the fault is over.

use anyhow::{Context, Result, ensure};
use peermon_api::{BestQuery, Service};
use peermon_testbed::{Cluster, Family, Host, Impairment, SmallDisk, Spec, WITHOUT_PROBES, say, wait_for, within, within_since};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit, setpriority_process};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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
/// One of those whose files are all right by then.
const SHUT: usize = 7;

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
    let make = || Cluster::hosts(BINARY, 8, Family::Both);
    Cluster::test(make, |c| {
        let places: Vec<PathBuf> = (0..8).map(|i| c.directory.path().join(format!("place-{i}"))).collect();
        places.iter().try_for_each(std::fs::create_dir).context("making places")?;
        let disks = [FULL, READ_ONLY].map(|i| SmallDisk::mount(&places[i], 1 << 20));
        let [full, read_only] = disks;
        let (full, _read_only) = (full?, read_only?);
        let token = c.directory.path().join("token");
        std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").context("writing a token")?;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).context("making it private")?;
        let fuse = Fuse::mount(&places[MOUNT])?;
        let names = NameServer::start(&c.bed.hosts()[NAMES], c)?;
        for (i, place) in places.iter().enumerate() {
            // all see the same files: each looks at its own only
            let mut config = format!("probes.write = [\"{}\"]\n", place.display());
            if i == MOUNT {
                config = "probes.write = []\n".into();
            } else {
                config += "probes.without = [\"mount\"]\n";
            }
            if i != NAMES {
                config = config.replace("[\"mount\"]", "[\"mount\", \"resolver\"]");
            }
            let spec = c.spec(i);
            let mut http = spec.http;
            if i == SHUT {
                http = Some((Ipv4Addr::UNSPECIFIED, 19811).into());
                config += &format!("api.token_file = \"{}\"\n", token.display());
            }
            c.add(Spec { http, config: spec.config.replace(WITHOUT_PROBES, "") + &config, ..spec })?;
        }
        within(JOIN, "all see all after the start", || c.all_see_all())?;
        wait_for("names to be looked up", SEEN * 8, || works(c, NAMES, "resolver"))?;
        wait_for("files to be written", SEEN * 4, || works(c, FULL, "write").and_then(|()| works(c, READ_ONLY, "write")))?;
        wait_for("the mount to answer", SEEN * 4, || works(c, MOUNT, "mount"))?;
        wait_for("all to be offered", SEEN * 4, || (0..8).try_for_each(|i| is_clear(c, i)))?;

        say("all faults at once");
        let start = Instant::now();
        limit_files(c, DESCRIPTORS, Some(FEW_FILES))?;
        names.mode(Mode::Silent);
        fuse.hangs.store(true, Ordering::Relaxed);
        full.fill()?;
        let no_flags = c"";
        mount_remount(&places[READ_ONLY], MountFlags::RDONLY, no_flags).context("making a file system read-only")?;
        // of what comes to it: what it sends arrives
        c.bed.impair(LOSSY, Impairment { loss_percent: 80, ..Impairment::default() })?;
        let seen = |of: usize, what: &str| within_since(start, SEEN, &format!("seen: {what}"), || is_found(c, of, what));
        seen(DESCRIPTORS, "no sockets left")?;
        seen(FULL, "is on a full file system")?;
        seen(READ_ONLY, "is on a read-only file system")?;
        seen(MOUNT, "does not answer")?;
        seen(NAMES, "does not answer")?;
        // whether the one who looks is a neighbour, and what the others have told by then, is a matter of the rings
        let reasons = ["are lost", "did not answer", "missed probes", "get no answers"];
        let any =
            || reasons.iter().map(|r| is_found(c, LOSSY, r)).find(Result::is_ok).unwrap_or_else(|| is_found(c, LOSSY, "loss"));
        within_since(start, SEEN, "seen: loss", any)?;
        let told = c.view(LOOKS, FULL).map_err(anyhow::Error::msg)?.notices;
        let since = told.iter().find(|n| n.topic == "health.write").and_then(|n| n.seconds).context("it has a beginning")?;
        ensure!(since <= start.elapsed().as_secs_f64() + 2.0, "it began {since} s ago");

        say("the name server answers wrongly, then late");
        names.mode(Mode::Wrong);
        within(SEEN, "seen: wrong addresses", || is_found(c, NAMES, "wrong addresses"))?;
        names.mode(Mode::Late);
        within(SEEN, "seen: late", || is_found(c, NAMES, "late"))?;

        say("an API port that nobody can connect to");
        let closed = [
            "nft",
            "add table inet shut; add chain inet shut in { type filter hook input priority 0; }; \
                       add rule inet shut in iifname eth0 tcp dport 19811 reject",
        ];
        c.bed.hosts()[SHUT].run(&closed)?;
        within(SEEN * 2, "seen: no connection", || is_found(c, SHUT, "does not accept connections"))?;

        say("all faults over");
        c.bed.hosts()[SHUT].run(&["nft", "delete table inet shut"])?;
        limit_files(c, DESCRIPTORS, None)?;
        names.mode(Mode::Right);
        fuse.hangs.store(false, Ordering::Relaxed);
        full.make_room()?;
        mount_remount(&places[READ_ONLY], MountFlags::empty(), no_flags).context("making it writable again")?;
        c.bed.impair(LOSSY, Impairment::default())?;
        within(CLEAR, "all clear", || (0..8).try_for_each(|i| is_clear(c, i)))
    });
}

/// Who suffers in the small cluster.
const STOPPED: usize = 1;
const DEAF: usize = 2;
/// How long the kernel's share of the processors counts: the least there is, for a test cannot wait three minutes.
const CPU_WINDOW: Duration = Duration::from_secs(10);
/// It ends at the end of a step.
const CPU_STEP: Duration = Duration::from_secs(5);

/// Why `LOOKS` offers a node to nobody, in words; an error while it does.
fn left_out(c: &Cluster, of: usize) -> Result<String, String> {
    let name = c.daemons[of].name();
    let query = BestQuery { n: 9, explain: true, ..BestQuery::default() };
    let answer = c.daemons[LOOKS].ask().best(&query).map_err(|e| e.to_string())?;
    let found = answer.left_out.into_iter().find(|l| l.name == name).map(|l| l.reason);
    found.ok_or_else(|| format!("{name} is offered"))
}

fn left_out_for(c: &Cluster, of: usize, reasons: &[&str]) -> Result<(), String> {
    let why = left_out(c, of)?;
    if reasons.iter().any(|r| why.contains(r)) { Ok(()) } else { Err(format!("{} is left out: {why}", c.daemons[of].name())) }
}

#[test]
fn daemons_stopped_and_deaf_and_kernels_that_take_all_processors_are_told() {
    let make = || Cluster::hosts(BINARY, 4, Family::Both);
    Cluster::test(make, |c| {
        for i in 0..4 {
            let spec = c.spec(i);
            // What the processors' own probe says is all that this machine adds. The daemons must be heard beside what is to come.
            let config = spec.config.replace(WITHOUT_PROBES, "")
                + "realtime = \"auto\"\nprobes.cpu_window = \"10s\"\n\
                   probes.without = [\"sockets\", \"resolver\", \"mount\", \"write\", \"fork\", \"limits\", \"ssh\", \"time\", \"kmsg\"]\n";
            c.add(Spec { config, ..spec })?;
        }
        within(JOIN, "all see all after the start", || c.all_see_all())?;
        let all_clear = |c: &Cluster| (0..4).try_for_each(|i| is_clear(c, i));
        wait_for("all to be offered", CPU_WINDOW * 4, || all_clear(c))?;

        say("one daemon stopped");
        c.daemons[STOPPED].signal(Signal::STOP)?;
        within(SEEN, "seen: stopped", || left_out_for(c, STOPPED, &["down: it answers nobody"]))?;
        c.daemons[STOPPED].signal(Signal::CONT)?;
        within(CLEAR, "all clear after it goes on", || all_clear(c))?;

        say("nothing arrives at one, though all it sends does");
        let others = (0..4).filter(|i| *i != DEAF).collect();
        c.bed.impair(DEAF, Impairment { deaf_to: others, ..Impairment::default() })?;
        let reasons = ["did not answer", "missed probes", "get no answers", "are lost", "down: it answers nobody"];
        within(SEEN, "seen: deaf", || left_out_for(c, DEAF, &reasons))?;
        c.bed.impair(DEAF, Impairment::default())?;
        within(CLEAR, "all clear after it hears again", || all_clear(c))?;

        // All hosts of this test have one kernel, so all say so, and nobody is left to offer.
        say("the kernel takes all processors");
        let burning = Burning::start()?;
        let all_say_so = || (0..4).try_for_each(|i| is_found(c, i, "the kernel itself used over 95 %"));
        within(SEEN, "seen: system CPU", all_say_so)?;
        let offered = c.offers(LOOKS).map_err(anyhow::Error::msg)?;
        ensure!(offered.is_empty(), "{offered:?} are offered");
        drop(burning);
        within(CPU_WINDOW + CPU_STEP + CLEAR, "all clear after the kernel rests", || all_clear(c))
    });
}

/// Thirty times what others get: above 95 % beside a busy program, and whoever asks the daemons is still answered in time.
const BURNS_AT: i32 = -15;

/// A process for each processor that has the kernel fill memory with zeroes, before all others of this machine.
struct Burning(Vec<Child>);

impl Burning {
    fn start() -> Result<Self> {
        let mut burning = Burning(Vec::new());
        for _ in 0..std::thread::available_parallelism().context("counting processors")?.get() {
            let mut dd = Command::new("setsid");
            dd.args(["dd", "if=/dev/zero", "of=/dev/null", "bs=16M"]).stderr(Stdio::null());
            burning.0.push(dd.spawn().context("starting dd")?);
        }
        for child in &burning.0 {
            let pid = Pid::from_child(child);
            setpriority_process(Some(pid), BURNS_AT).context("giving dd priority")?;
            // Kernels that share processors among sessions first want to be told of the session, too: once it is one of its own,
            // which it is when setsid has become dd.
            let process = PathBuf::from(format!("/proc/{}", child.id()));
            wait_for("dd's own session", SEEN, || match std::fs::read_to_string(process.join("comm")) {
                Ok(name) if name.trim_end() == "dd" => Ok(()),
                other => Err(format!("not yet: {other:?}")),
            })?;
            let group = process.join("autogroup");
            if group.exists() {
                std::fs::write(&group, BURNS_AT.to_string()).context("giving dd's session priority")?;
            }
        }
        Ok(burning)
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // it runs until it is killed
            child.kill().and_then(|()| child.wait()).ok();
        }
    }
}

/// Whether a probe of a daemon has been good; of names, each.
fn works(c: &Cluster, i: usize, probe: &str) -> Result<(), String> {
    let health = c.daemons[i].ask().health().map_err(|e| e.to_string())?;
    let good = health.probes.iter().filter(|p| p.probe == probe);
    if good.clone().count() > 0 && good.clone().all(|p| p.history.ends_with('.') && (probe != "resolver" || p.tries > 6)) {
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

/// A FUSE file system with nothing but its root, whose program answers or hangs.
struct Fuse {
    path: PathBuf,
    hangs: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Fuse {
    fn mount(path: &Path) -> Result<Self> {
        let mut device = std::fs::File::options().read(true).write(true).open("/dev/fuse").context("opening /dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = std::ffi::CString::new(options).context("mount options")?;
        mount("test", path, "fuse", MountFlags::empty(), options.as_c_str()).context("mounting a FUSE file system")?;
        let fuse = Fuse { path: path.into(), hangs: Arc::default(), ended: Arc::default() };
        let (hangs, ended) = (Arc::clone(&fuse.hangs), Arc::clone(&fuse.ended));
        std::thread::spawn(move || {
            let mut request = vec![0; 64 << 10];
            while !ended.load(Ordering::Relaxed) {
                let wait = rustix::time::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                let mut fds = [PollFd::new(&device, PollFlags::IN)];
                if hangs.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                } else if poll(&mut fds, Some(&wait)).is_ok_and(|n| n > 0) {
                    let Ok(n) = device.read(&mut request) else { return };
                    if let Some(reply) = fuse_reply(&request[..n]) {
                        // whoever asked may be gone
                        device.write_all(&reply).ok();
                    }
                }
            }
        });
        Ok(fuse)
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Err(e) = unmount(&self.path, UnmountFlags::DETACH) {
            say(&format!("cannot unmount {}: {e}", self.path.display()));
        }
    }
}

/// What the kernel is told (include/uapi/linux/fuse.h): the protocol's version, the root's attributes, and the file system's size.
fn fuse_reply(request: &[u8]) -> Option<Vec<u8>> {
    const NO_SUCH_CALL: i32 = -38;
    let number = |at: usize| Some(u32::from_le_bytes(request.get(at..at + 4)?.try_into().ok()?));
    let (opcode, unique) = (number(4)?, request.get(8..16)?);
    let (error, body) = match opcode {
        // INIT: version 7.31
        26 => {
            let mut body = vec![0; 64];
            body[..8].copy_from_slice(&[7, 0, 0, 0, 31, 0, 0, 0]);
            body[20..24].copy_from_slice(&4096_u32.to_le_bytes());
            (0, body)
        }
        // GETATTR: a directory
        3 => {
            let mut body = vec![0; 16 + 88];
            body[16] = 1;
            body[16 + 60..16 + 64].copy_from_slice(&0o40_755_u32.to_le_bytes());
            body[16 + 64] = 2;
            (0, body)
        }
        // STATFS
        17 => (0, vec![0; 80]),
        // FORGET and INTERRUPT want no answer
        2 | 36 | 42 => return None,
        _ => (NO_SUCH_CALL, Vec::new()),
    };
    let mut reply = ((16 + body.len()) as u32).to_le_bytes().to_vec();
    reply.extend(error.to_le_bytes());
    reply.extend(unique);
    reply.extend(body);
    Some(reply)
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
