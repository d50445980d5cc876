//! An ssh server on every host of a test bed, and a directory of programs that use it as on a real cluster.

use anyhow::{Context, Result, ensure};
use peermon_testbed::{Cluster, Host, find, wait_for};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_peermon");
/// The group source we ship.
const GROUPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/clustershell/peermon.conf");
/// The page that tells people what to write into their ssh_config.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/placement.md");

/// Seconds that anything may run; longer than all of it takes on a busy machine.
const TIME_MAX: &str = "60";

/// Servers that end with it, and the first host's view of them.
pub(crate) struct Shells {
    directory: PathBuf,
    socket: PathBuf,
    first: Host,
    servers: Vec<Child>,
}

impl Shells {
    /// An ssh server on every host, in which everybody who uses this directory's programs may log in as this user.
    pub(crate) fn start(cluster: &Cluster) -> Result<Shells> {
        let directory = cluster.directory.path().join("ssh");
        fs::create_dir(&directory).context("making a directory")?;
        let hosts = cluster.bed.hosts();
        let mut shells = Shells { directory, socket: cluster.daemons[0].socket(), first: hosts[0].clone(), servers: Vec::new() };
        // Servers want a place to be locked into, which only their package's service makes.
        fs::create_dir_all("/run/sshd").context("making /run/sshd")?;
        shells.key("login")?;
        let (mut known, mut names) = (String::new(), "127.0.0.1 localhost\n".to_string());
        for (host, daemon) in hosts.iter().zip(&cluster.daemons) {
            let (name, address) = (daemon.name(), host.address());
            shells.key(name)?;
            let public = shells.read(&format!("{name}.pub"))?;
            known += &format!("{name},{address},best,best-train {public}");
            names += &format!("{address} {name}\n");
        }
        shells.write("known", &known)?;
        shells.write("hosts", &names)?;
        let mut config = entries()?;
        config += &format!(
            "Host *\n    IdentityFile {0}/login\n    UserKnownHostsFile {0}/known\n    GlobalKnownHostsFile /dev/null\n    \
             StrictHostKeyChecking yes\n    LogLevel ERROR\n    IdentitiesOnly yes\n",
            shells.directory.display()
        );
        shells.write("config", &config)?;
        shells.programs()?;
        for (host, daemon) in hosts.iter().zip(&cluster.daemons) {
            shells.serve(host, daemon.name())?;
        }
        Ok(shells)
    }

    /// A file in the directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// A command on the first host, with the daemon there to ask.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin"));
        let mut c = self.on(&self.first, "node-1");
        // `env` looks the program up in that path.
        c.arg("/usr/bin/env").arg(format!("PATH={path}")).arg(format!("PEERMON_API={}", self.socket.display()));
        c.arg(format!("CLUSTERSHELL_CFGDIR={}", self.path("clustershell"))).arg(format!("HOME={}", self.directory.display()));
        // What hangs is a failure with what it said so far.
        c.args(["timeout", "--kill-after=5", TIME_MAX]).args(line).stdin(Stdio::null());
        c
    }

    /// A host on which what follows runs under the node's name and finds the others by theirs. The name and the file are seen by that alone:
    /// commands on hosts have mounts of their own.
    fn on(&self, host: &Host, name: &str) -> Command {
        let mut c = host.command("/usr/bin/unshare");
        let script = format!("hostname {name} && mount --bind {} /etc/hosts && exec \"$@\"", self.path("hosts"));
        c.args(["-u", "/bin/sh", "-c", &script, "sh"]);
        c
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, line: &[&str]) -> Result<Output> {
        self.command(line).output().with_context(|| format!("running {line:?}"))
    }

    /// As [`Shells::output`], with what it printed; a failure is an error with what it said.
    pub(crate) fn run(&self, line: &[&str]) -> Result<String> {
        let out = self.output(line)?;
        let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        ensure!(out.status.success(), "{line:?} failed ({}):\n{said}{errors}", out.status);
        Ok(said.into_owned())
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.path(name)).with_context(|| format!("reading {name}"))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path(name), text).with_context(|| format!("writing {name}"))
    }

    fn key(&self, name: &str) -> Result<()> {
        let out = Command::new(find("ssh-keygen")?)
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &self.path(name)])
            .output();
        let out = out.context("running ssh-keygen")?;
        ensure!(out.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    }

    /// The programs: ssh with our configuration, the program under test by its three names, ClusterShell's set-up.
    fn programs(&self) -> Result<()> {
        let bin = self.directory.join("bin");
        fs::create_dir(&bin).context("making a directory")?;
        let ssh = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", find("ssh")?.display(), self.path("config"));
        self.write("bin/ssh", &ssh)?;
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).context("making ssh executable")?;
        for name in ["peermon", "smarterssh", "autompigen"] {
            symlink(BINARY, bin.join(name)).context("linking")?;
        }
        fs::create_dir_all(self.directory.join("clustershell/groups.conf.d")).context("making a directory")?;
        self.write("clustershell/groups.conf", "[Main]\ndefault: live\nconfdir: $CFGDIR/groups.conf.d\n")?;
        fs::copy(GROUPS, self.directory.join("clustershell/groups.conf.d/peermon.conf")).context("copying the group source")?;
        Ok(())
    }

    /// Starts a server, in which the host has the name of its node.
    fn serve(&mut self, host: &Host, name: &str) -> Result<()> {
        let config = format!(
            "ListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n\
             PasswordAuthentication no\n",
            host.address(),
            self.path(name),
            self.path("login.pub")
        );
        let file = format!("{name}.sshd");
        self.write(&file, &config)?;
        let log = fs::File::create(self.path(&format!("{name}.log"))).context("making a log")?;
        let mut c = self.on(host, name);
        c.arg(find("sshd")?).args(["-D", "-e", "-f", &self.path(&file)]);
        c.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.servers.push(c.spawn().context("starting sshd")?);
        wait_for("the ssh server", Duration::from_secs(60), || {
            let log = self.read(&format!("{name}.log")).map_err(|e| e.to_string())?;
            if log.contains("Server listening") { Ok(()) } else { Err(log) }
        })?;
        Ok(())
    }
}

/// The entries of ssh_config that the page on placement shows.
fn entries() -> Result<String> {
    let page = fs::read_to_string(PAGE).context("reading docs/placement.md")?;
    let (_, rest) = page.split_once("```ssh_config\n").context("the page has no block of ssh_config")?;
    let (entries, _) = rest.split_once("```").context("the block does not end")?;
    Ok(entries.to_string())
}

impl Drop for Shells {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It may have ended already; either way it is gone then.
            drop(server.kill());
            drop(server.wait());
        }
    }
}
