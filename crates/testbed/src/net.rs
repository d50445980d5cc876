use crate::disk;
use crate::impair::{self, Impairment};
use crate::wait::{PREFIX, owner_is_gone, say, unique_name};
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which addresses hosts have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4 and IPv6.
    Both,
    /// IPv6 alone.
    V6Only,
}

/// One switch and some hosts on it, or several LANs and routers between them. Only one exists on a machine at a time: they would steal each other's processor time, and
/// what is measured here is seconds. Dropping it removes everything.
#[derive(Debug)]
pub struct Testbed {
    name: String,
    hosts: Vec<Host>,
    /// Namespaces of the switches, one a LAN; with several, each routes for its LAN.
    switches: Vec<String>,
    impairments: Vec<Impairment>,
    /// Held while the test bed exists; the kernel lets go of it however the process ends.
    _turn: File,
}

/// One host: a network namespace with a link to the switch, `eth0`.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
    index: u8,
    /// Which LAN it is on, and the third byte of its IPv4 address.
    lan: u8,
    family: Family,
}

/// What the kernel must know for [`Testbed::impair`]. Not made by [`impair::rules`], so that a mistake there fails tests instead
/// of skipping them.
const TRIAL_RULES: &str = "add table inet t; add chain inet t i { type filter hook input priority 0; };\n\
                           add rule inet t i numgen random mod 100 < 20 drop";

/// Most hosts on one switch: they are numbered in one byte of their addresses.
const HOSTS_MAX: usize = 250;
/// A router's interface to the others.
const UPLINK: &str = "up0";

impl Host {
    /// Its first address: 10.77.LAN.N, or fd77::N if it has no IPv4.
    pub fn address(&self) -> IpAddr {
        match self.family {
            Family::Both => Ipv4Addr::new(10, 77, self.lan, self.index).into(),
            Family::V6Only => self.address_v6().into(),
        }
    }

    /// Its IPv6 address.
    pub fn address_v6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.index.into())
    }

    /// Its Ethernet address.
    pub(crate) fn mac(&self) -> String {
        format!("02:77:00:00:00:{:02x}", self.index)
    }

    /// A command that runs `program` on this host. The process is the program itself, so killing it kills that.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut c = command("ip");
        c.args(["netns", "exec", &self.namespace]).arg(program);
        c
    }

    /// Runs a program on this host to its end.
    ///
    /// # Errors
    /// If it fails; with what it wrote to stderr.
    pub fn run(&self, line: &[&str]) -> Result<String> {
        let (program, arguments) = line.split_first().context("an empty command")?;
        let mut c = self.command(find(program)?);
        c.args(arguments);
        output(c, "")
    }

    /// Names the name servers of programs that are started on this host from now on.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn resolve_with(&self, servers: &[IpAddr]) -> Result<()> {
        let text: String = servers.iter().map(|ip| format!("nameserver {ip}\n")).collect();
        let place = self.own_etc();
        std::fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        // `ip netns exec` puts what it finds there in the place of /etc/resolv.conf.
        std::fs::write(place.join("resolv.conf"), text).with_context(|| format!("writing into {}", place.display()))
    }

    fn own_etc(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.namespace)
    }

    /// Runs a closure on a thread whose sockets are this host's.
    ///
    /// # Errors
    /// If the thread cannot enter the host's network.
    pub fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<std::thread::JoinHandle<Result<T>>> {
        let path = Path::new("/run/netns").join(&self.namespace);
        let network = std::fs::File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let run = move || {
            use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).context("entering a host's network")?;
            Ok(work())
        };
        std::thread::Builder::new().spawn(run).context("starting a thread")
    }

    /// Loads an nftables ruleset on this host.
    pub(crate) fn load_rules(&self, rules: &str) -> Result<()> {
        let mut c = self.command(find("nft")?);
        c.args(["-f", "-"]);
        output(c, rules).map(drop)
    }
}

impl Testbed {
    /// Whether test beds can be made here.
    ///
    /// # Errors
    /// Why not, for a test to print before it passes without having shown anything.
    pub fn available() -> Result<(), String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        for (program, package) in [("ip", "iproute2"), ("nft", "nftables"), ("tc", "iproute2")] {
            find(program).map_err(|_| format!("no program {program} here: apt-get install {package}"))?;
        }
        let one = Host { namespace: format!("{}-try", unique_name()), index: 1, lan: 0, family: Family::Both };
        let tried = ip(&["netns", "add", &one.namespace])
            .and_then(|()| one.run(&["ip", "link", "add", "br0", "type", "bridge"]))
            .and_then(|_| one.load_rules(TRIAL_RULES));
        let removed = ip(&["netns", "delete", &one.namespace]);
        tried.and(removed).map_err(|e| format!("{e:#}"))
    }

    /// A switch with `count` hosts, all well connected. Waits for its turn if another test bed exists.
    ///
    /// # Errors
    /// If the kernel or a tool refuses.
    pub fn new(count: usize, family: Family) -> Result<Testbed> {
        ensure!(count <= HOSTS_MAX, "{count} hosts are more than {HOSTS_MAX}");
        let mut bed = Testbed::empty()?;
        bed.add_lan(count, family)?;
        Ok(bed)
    }

    /// LANs with so many hosts each, IPv4 alone, and between them a network of routers, one a LAN.
    ///
    /// # Errors
    /// As [`Testbed::new`].
    pub fn lans(sizes: &[usize]) -> Result<Testbed> {
        let count: usize = sizes.iter().sum();
        ensure!(count <= HOSTS_MAX, "{count} hosts are more than {HOSTS_MAX}");
        let mut bed = Testbed::empty()?;
        let core = bed.add_switch("core")?;
        for (lan, size) in sizes.iter().enumerate() {
            bed.add_lan(*size, Family::Both)?;
            let router = bed.switches[lan + 1].clone();
            in_namespace(&router, &["address", "add", &format!("10.77.{lan}.254/24"), "dev", "br0"])?;
            let port = format!("lan{lan}");
            in_namespace(&core, &["link", "add", &port, "type", "veth", "peer", "name", UPLINK, "netns", &router])?;
            in_namespace(&core, &["link", "set", &port, "master", "br0", "up"])?;
            in_namespace(&router, &["address", "add", &format!("10.78.0.{}/24", lan + 1), "dev", UPLINK])?;
            let forward = Host { namespace: router, index: 0, lan: lan as u8, family: Family::Both };
            forward.run(&["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])?;
            for host in bed.hosts.iter().filter(|h| usize::from(h.lan) == lan) {
                let gateway = format!("10.77.{lan}.254");
                in_namespace(&host.namespace, &["route", "replace", "default", "via", &gateway])?;
            }
        }
        // the first switch is the core: those of the LANs follow
        for lan in 0..sizes.len() {
            bed.rejoin(lan)?;
        }
        Ok(bed)
    }

    /// Takes the line of a LAN's router to the others down.
    ///
    /// # Errors
    /// If `ip` refuses.
    pub fn isolate(&mut self, lan: usize) -> Result<()> {
        in_namespace(&self.switches[lan + 1], &["link", "set", UPLINK, "down"])
    }

    /// Takes it up again.
    ///
    /// # Errors
    /// As [`Testbed::isolate`].
    pub fn rejoin(&mut self, lan: usize) -> Result<()> {
        let router = &self.switches[lan + 1];
        in_namespace(router, &["link", "set", UPLINK, "up"])?;
        for other in (0..self.switches.len() - 1).filter(|other| *other != lan) {
            let (to, via) = (format!("10.77.{other}.0/24"), format!("10.78.0.{}", other + 1));
            in_namespace(router, &["route", "replace", &to, "via", &via])?;
        }
        Ok(())
    }

    fn empty() -> Result<Testbed> {
        let turn = turn()?;
        remove_leftovers();
        let (name, hosts, switches, impairments) = (unique_name(), Vec::new(), Vec::new(), Vec::new());
        Ok(Testbed { name, hosts, switches, impairments, _turn: turn })
    }

    fn add_switch(&mut self, suffix: &str) -> Result<String> {
        let switch = format!("{}-{suffix}", self.name);
        ip(&["netns", "add", &switch])?;
        self.switches.push(switch.clone());
        // No multicast snooping: without a router that asks, a switch would forget who wants to hear what.
        in_namespace(&switch, &["link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        in_namespace(&switch, &["link", "set", "br0", "up"])?;
        Ok(switch)
    }

    fn add_lan(&mut self, count: usize, family: Family) -> Result<()> {
        let lan = self.switches.len().saturating_sub(1) as u8;
        let switch = self.add_switch(&format!("sw{lan}"))?;
        let first = self.hosts.len() + 1;
        for index in (first..first + count).map(|i| i as u8) {
            let host = Host { namespace: format!("{}-{index}", self.name), index, lan, family };
            ip(&["netns", "add", &host.namespace])?;
            self.hosts.push(host.clone());
            self.impairments.push(Impairment::default());
            connect(&switch, &host)?;
        }
        Ok(())
    }

    /// Its hosts, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Sets what is wrong with what reaches host number `to`, instead of what was wrong with it before.
    ///
    /// # Errors
    /// If nftables or tc refuses.
    pub fn impair(&mut self, to: usize, what: Impairment) -> Result<()> {
        let host = &self.hosts[to];
        let deaf_to: Vec<String> = what.deaf_to.iter().map(|h| self.hosts[*h].mac()).collect();
        host.load_rules(&impair::rules(&what, &deaf_to))?;
        let before = &self.impairments[to];
        if (what.rate_bits, what.queue_bytes) != (before.rate_bits, before.queue_bytes) {
            impair::limit_rate(host, &what)?;
        }
        self.impairments[to] = what;
        Ok(())
    }

    /// Sets the same for every host.
    ///
    /// # Errors
    /// As [`Testbed::impair`].
    pub fn impair_all(&mut self, what: &Impairment) -> Result<()> {
        (0..self.hosts.len()).try_for_each(|h| self.impair(h, what.clone()))
    }

    /// Cuts the network between the hosts numbered in `half` and all others, in both directions.
    ///
    /// # Errors
    /// As [`Testbed::impair`].
    pub fn cut(&mut self, half: &[usize]) -> Result<()> {
        for to in 0..self.hosts.len() {
            let deaf_to = (0..self.hosts.len()).filter(|from| half.contains(from) != half.contains(&to)).collect();
            self.impair(to, Impairment { deaf_to, ..self.impairments[to].clone() })?;
        }
        Ok(())
    }

    /// Makes the network well again.
    ///
    /// # Errors
    /// As [`Testbed::impair`].
    pub fn heal(&mut self) -> Result<()> {
        self.impair_all(&Impairment::default())
    }

    /// Takes the interface of host number `of` down, as an administrator or a broken driver does.
    ///
    /// # Errors
    /// If `ip` refuses.
    pub fn down(&mut self, of: usize) -> Result<()> {
        in_namespace(&self.hosts[of].namespace, &["link", "set", "eth0", "down"])
    }

    /// Takes it up again. What the kernel forgot meanwhile, the IPv6 address and the routes, comes back as well.
    ///
    /// # Errors
    /// As [`Testbed::down`].
    pub fn up(&mut self, of: usize) -> Result<()> {
        take_up(&self.hosts[of])
    }

    /// Gives the IPv4 address of host number `of` up for another one in the same network, 10.77.0.`last`, or for none.
    ///
    /// # Errors
    /// As [`Testbed::down`].
    pub fn move_to(&mut self, of: usize, last: Option<u8>) -> Result<()> {
        let name = &self.hosts[of].namespace;
        in_namespace(name, &["-4", "address", "flush", "dev", "eth0"])?;
        match last {
            None => Ok(()),
            Some(last) => {
                in_namespace(name, &["address", "add", &format!("10.77.0.{last}/24"), "dev", "eth0"])?;
                in_namespace(name, &["route", "replace", "default", "dev", "eth0"])
            }
        }
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        for etc in self.hosts.iter().map(Host::own_etc).filter(|etc| etc.exists()) {
            if let Err(e) = std::fs::remove_dir_all(&etc) {
                say(&format!("cannot remove {}: {e}", etc.display()));
            }
        }
        for namespace in self.hosts.iter().map(|h| h.namespace.clone()).chain(self.switches.clone()) {
            remove_namespace(&namespace);
        }
    }
}

fn connect(switch: &str, host: &Host) -> Result<()> {
    let (port, name, mac) = (format!("port{}", host.index), &host.namespace, host.mac());
    // Both ends are made inside their namespaces: this machine's own network never sees them.
    in_namespace(switch, &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "address", &mac, "netns", name])?;
    in_namespace(switch, &["link", "set", &port, "master", "br0", "up"])?;
    in_namespace(name, &["link", "set", "lo", "up"])?;
    if host.family == Family::Both {
        in_namespace(name, &["address", "add", &format!("10.77.{}.{}/24", host.lan, host.index), "dev", "eth0"])?;
    }
    take_up(host)
}

fn take_up(host: &Host) -> Result<()> {
    let name = &host.namespace;
    in_namespace(name, &["link", "set", "eth0", "up"])?;
    // Without duplicate address detection the address can be used at once.
    in_namespace(name, &["address", "replace", &format!("{}/64", host.address_v6()), "dev", "eth0", "nodad"])?;
    // Multicast without a route of its own follows the default route.
    if host.family == Family::Both {
        in_namespace(name, &["route", "replace", "default", "dev", "eth0"])?;
    }
    Ok(())
}

/// Waits until no other process on this machine has a test bed.
fn turn() -> Result<File> {
    let path = std::env::temp_dir().join(format!("{PREFIX}.lock"));
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive).context("waiting for other test beds to end")?;
    Ok(file)
}

/// Removes what test runs left that were killed: namespaces with our prefix whose process is gone, what runs in them, and disks.
fn remove_leftovers() {
    for entry in std::fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if owner_is_gone(&name) {
            remove_namespace(&name);
        }
    }
    disk::remove_leftovers();
}

fn remove_namespace(name: &str) {
    // Whatever still runs in a namespace that we made was started by us.
    let mut list = command("ip");
    list.args(["netns", "pids", name]);
    let pids = output(list, "").unwrap_or_default();
    for pid in pids.split_whitespace().filter_map(|p| p.parse().ok()).filter_map(rustix::process::Pid::from_raw) {
        // It may have ended meanwhile; then there is nothing to do.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    if let Err(e) = ip(&["netns", "delete", name]) {
        say(&format!("cannot remove network namespace {name}: {e:#}"));
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let mut c = command("ip");
    c.args(arguments);
    output(c, "").map(drop)
}

fn in_namespace(name: &str, arguments: &[&str]) -> Result<()> {
    ip(&[&["-n", name], arguments].concat())
}

fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|_| program.into()))
}

/// Where a program is; an ordinary user's `PATH` often lacks the places of system tools.
///
/// # Errors
/// If it is nowhere.
pub fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    places.map(|p| p.join(program)).find(|p| p.is_file()).with_context(|| format!("no program {program} here"))
}

/// Runs a command to its end, with `input` on its stdin.
fn output(mut c: Command, input: &str) -> Result<String> {
    let words = format!("{c:?}");
    let mut child = c
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {words}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| format!("writing to {words}"))?;
    }
    let out = child.wait_with_output().with_context(|| format!("running {words}"))?;
    if !out.status.success() {
        bail!("{words} failed ({}): {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
