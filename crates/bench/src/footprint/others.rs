//! Other monitors, as Debian packages them, started by hand in a process group of their own and ended by their numbers.

use super::place::Places;
use super::{PATIENCE, free};
use anyhow::{Context, Result, bail};
use peermon_bench::process::descendants;
use peermon_testbed::{find, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starts one on a host, with its files in a directory; an error says why it cannot be compared with.
type Start = fn(&Places, usize, &Path) -> Result<Other>;

/// All of them.
pub(super) const ALL: [Start; 3] = [node_exporter, gmond, netdata];

/// Time one has to end when it is told to.
const END_WAIT: Duration = Duration::from_secs(10);
/// Between two looks whether one answers.
const FIRST_ANSWER: Duration = Duration::from_millis(300);
/// Ganglia's port.
const GANGLIA: u16 = 8649;
/// Where netdata answers, on its own host.
const NETDATA: u16 = 19999;

/// One of them, running. It ends with this, and so do its children.
pub(super) struct Other {
    pub(super) name: String,
    /// What is read once a second, if it does its work only then.
    pub(super) page: Option<SocketAddr>,
    child: Child,
}

impl Other {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let family = descendants(self.pid());
        let signal = |pid: u32, signal: Signal| {
            // It may have ended already; either way it is gone then.
            Pid::from_raw(pid.cast_signed()).map(|pid| kill_process(pid, signal).ok());
        };
        signal(self.pid(), Signal::TERM);
        let ended = wait_for("its end", END_WAIT, || match self.child.try_wait() {
            Ok(None) => Err("it runs".into()),
            _ => Ok(()),
        });
        if ended.is_err() {
            signal(self.pid(), Signal::KILL);
            self.child.wait().ok();
        }
        let mine = |pid: &u32| std::fs::exists(format!("/proc/{pid}")).unwrap_or(false);
        family.into_iter().skip(1).filter(mine).for_each(|pid| signal(pid, Signal::KILL));
    }
}

fn start(mut command: Command, name: &str) -> Result<Child> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("starting {name}"))
}

fn installed(program: &str, package: &str) -> Result<PathBuf> {
    find(program).with_context(|| format!("{program} is not here: apt-get install --no-install-recommends {package}"))
}

/// It reads nothing until it is asked.
fn node_exporter(places: &Places, i: usize, _: &Path) -> Result<Other> {
    let name = "prometheus-node-exporter";
    let page = SocketAddr::new(places.address(i), free()?.port());
    let mut command = places.command(i, &installed(name, name)?);
    command.arg(format!("--web.listen-address={page}"));
    let other = Other { name: "node_exporter, read at 1 Hz".into(), page: Some(page), child: start(command, name)? };
    wait_for("node_exporter's first answer", PATIENCE, || {
        let reader = places.reader(super::WATCHER, page).map_err(|e| format!("{e:#}"))?;
        std::thread::sleep(FIRST_ANSWER);
        reader.end().map_err(|e| format!("{e:#}"))
    })?;
    Ok(other)
}

/// Debian's configuration with all groups collected and sent every second, to one receiver rather than by multicast.
fn gmond(places: &Places, i: usize, directory: &Path) -> Result<Other> {
    let program = installed("gmond", "ganglia-monitor")?;
    let default = Command::new(&program).arg("-t").output().context("asking gmond for its configuration")?;
    let to = SocketAddr::new(places.address(0), if places.host(0).is_some() { GANGLIA } else { free()?.port() });
    let path = directory.join("gmond.conf");
    let text = gmond_at_1_hz(&String::from_utf8_lossy(&default.stdout), to, &gmond_modules()?)?;
    std::fs::write(&path, text).context("writing gmond.conf")?;
    receive(places, to)?;
    let mut command = places.command(i, &program);
    command.arg("-c").arg(&path);
    Ok(Other { name: "gmond, sending at 1 Hz".into(), page: None, child: start(command, "gmond")? })
}

/// Where gmond's modules are. The places that Debian's programs and their configuration name are not where its package puts them,
/// and without modules gmond runs and measures nothing.
fn gmond_modules() -> Result<PathBuf> {
    let below = std::fs::read_dir("/usr/lib").context("looking for gmond's modules")?;
    let places = below.flatten().map(|e| e.path().join("ganglia")).chain([PathBuf::from("/usr/lib/ganglia")]);
    places.into_iter().find(|p| p.join("modcpu.so").exists()).context("gmond's modules are not below /usr/lib")
}

/// Somebody takes what gmond sends, so that the kernel answers no datagram with an error.
fn receive(places: &Places, to: SocketAddr) -> Result<()> {
    let take = move || {
        let Ok(socket) = UdpSocket::bind(to) else { return };
        let mut bytes = [0; 2048];
        // It ends with the bench.
        while socket.recv(&mut bytes).is_ok() {}
    };
    match places.host(0) {
        Some(host) => host.thread(take).map(drop),
        None => std::thread::Builder::new().spawn(take).map(drop).context("starting a thread"),
    }
}

/// The text of a configuration, changed so that every group comes every second.
fn gmond_at_1_hz(default: &str, to: SocketAddr, modules: &Path) -> Result<String> {
    let mut out = String::new();
    let mut skipping = false;
    for line in default.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if line.starts_with("udp_send_channel") || line.starts_with("udp_recv_channel") || line.starts_with("tcp_accept_channel")
        {
            skipping = true;
        }
        let changed = match word {
            "daemonize" => "  daemonize = no",
            "setuid" => "  setuid = no",
            "collect_every" => "  collect_every = 1",
            "time_threshold" => "  time_threshold = 1",
            "path" => &line.replace("path = \"", &format!("path = \"{}/", modules.display())),
            _ => line,
        };
        if !skipping {
            out += changed;
            out.push('\n');
        }
        if skipping && line.starts_with('}') {
            skipping = false;
        }
    }
    if !out.contains("collect_every = 1\n") {
        bail!("this gmond tells no configuration that is understood");
    }
    out += &format!("udp_send_channel {{\n  host = {}\n  port = {}\n}}\n", to.ip(), to.port());
    Ok(out)
}

/// As it is installed: it collects every second, keeps it, and nobody looks.
fn netdata(places: &Places, i: usize, directory: &Path) -> Result<Other> {
    let program = installed("netdata", "netdata-core")?;
    let own = directory.join("netdata");
    for part in ["etc", "cache", "lib", "log"] {
        std::fs::create_dir_all(own.join(part)).context("making netdata's directories")?;
    }
    std::fs::write(own.join("etc/.opt-out-from-anonymous-statistics"), "").context("opting out")?;
    let place = |part: &str| own.join(part).display().to_string();
    let text = format!(
        "[global]\nrun as user = {}\nupdate every = 1\n\
         [directories]\nconfig = {}\ncache = {}\nlib = {}\nlog = {}\nhome = {}\n\
         [web]\nbind to = 127.0.0.1:{NETDATA}\n",
        if rustix::process::geteuid().is_root() { "root" } else { "" },
        place("etc"),
        place("cache"),
        place("lib"),
        place("log"),
        place("lib"),
    );
    let path = own.join("etc/netdata.conf");
    std::fs::write(&path, text).context("writing netdata.conf")?;
    let mut command = places.command(i, &program);
    command.arg("-D").arg("-c").arg(&path);
    Ok(Other { name: "netdata, nobody looks".into(), page: None, child: start(command, "netdata")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_changed_to_once_a_second() {
        let default = "globals {\n  daemonize = yes\n  setuid = yes\n}\nmodules {\n  module {\n    path = \"modcpu.so\"\n  }\n}\nudp_send_channel {\n  mcast_join = 1.2.3.4\n}\n\
                       collection_group {\n  collect_every = 20\n  time_threshold = 90\n  metric {\n    name = \"x\"\n  }\n}\n";
        let to = SocketAddr::from(([10, 0, 0, 1], 8649));
        let text = gmond_at_1_hz(default, to, Path::new("/m")).expect("understood");
        assert!(
            text.contains("daemonize = no") && text.contains("collect_every = 1\n") && !text.contains("mcast_join"),
            "{text}"
        );
        assert!(
            text.contains("host = 10.0.0.1\n") && text.contains("name = \"x\"") && text.contains("path = \"/m/modcpu.so\"\n"),
            "{text}"
        );
        assert!(gmond_at_1_hz("nothing", to, Path::new("/m")).is_err());
    }
}
