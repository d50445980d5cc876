use crate::net::Host;
use crate::wait::{Directory, say, wait_for};
use anyhow::{Context, Result, bail};
use peermon_client::{Client, Target};
use rustix::process::Signal;
use std::fmt::Write;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// What a daemon is told. Everything else is at its default, except that nothing of this machine's own set-up is read.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its label, and the name of its directory.
    pub name: String,
    /// Where it receives gossip.
    pub listen: SocketAddr,
    /// Where its API listens besides the unix socket, if anywhere.
    pub http: Option<SocketAddr>,
    /// Members to contact.
    pub join: Vec<SocketAddr>,
    /// The cluster key.
    pub key: [u8; 32],
    /// Further lines of its configuration file, dotted keys only.
    pub config: String,
    /// Further flags.
    pub flags: Vec<String>,
}

/// A real daemon. It is killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    spec: Spec,
    binary: PathBuf,
    host: Option<Host>,
    directory: PathBuf,
    child: Option<Child>,
}

/// Time a daemon has to end after SIGTERM before a test calls it stuck.
const STOP_MAX: Duration = Duration::from_secs(15);

impl Daemon {
    /// Starts `binary` as a daemon on a host, or on this machine itself, with its files under `directory`.
    ///
    /// # Errors
    /// If it cannot be started; not if it ends later.
    pub fn start(binary: &Path, host: Option<&Host>, directory: &Directory, spec: Spec) -> Result<Daemon> {
        let place = directory.path().join(&spec.name);
        std::fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        let mut daemon = Daemon { spec, binary: binary.into(), host: host.cloned(), directory: place, child: None };
        private_directory(&daemon.state())?;
        let hex = daemon.spec.key.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        write_private(&daemon.keys(), &format!("{hex}\n"))?;
        daemon.configure(&daemon.spec.config.clone())?;
        daemon.start_again()?;
        Ok(daemon)
    }

    /// Starts it again after [`Daemon::kill`] or [`Daemon::stop`], with the same files.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let file = |name: &str| self.directory.join(name);
        let log = File::options().create(true).append(true).open(file("log")).context("opening the daemon's log")?;
        let mut c = match &self.host {
            Some(host) => host.command(&self.binary),
            None => Command::new(&self.binary),
        };
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("PEERMON_")) {
            c.env_remove(name);
        }
        c.arg("daemon")
            .args(["--name", &self.spec.name])
            .args(["--listen", &self.spec.listen.to_string()])
            .args(["--http", &self.spec.http.map_or("off".into(), |a| a.to_string())])
            .arg("--socket")
            .arg(self.socket())
            .arg("--state-dir")
            .arg(self.state())
            .arg("--cluster-key-file")
            .arg(self.keys())
            .arg("--config")
            .arg(file("peermon.toml"));
        for seed in &self.spec.join {
            c.args(["--join", &seed.to_string()]);
        }
        // Should this process be killed, its daemons end with it.
        c.args(["--with-parent", &std::process::id().to_string()]);
        c.args(&self.spec.flags);
        c.stdin(Stdio::null()).stdout(log.try_clone().context("sharing the log")?).stderr(log);
        self.child = Some(c.spawn().with_context(|| format!("starting {}", self.binary.display()))?);
        Ok(())
    }

    /// Writes its configuration file anew. It takes notice when it is told to, or started again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn configure(&mut self, config: &str) -> Result<()> {
        self.spec.config = config.into();
        write_private(&self.directory.join("peermon.toml"), config)
    }

    /// What it was told.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where tools find it.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("sock")
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Its cluster keys. In the state directory, where they are on machines too, so that what becomes of that becomes of them.
    fn keys(&self) -> PathBuf {
        self.state().join("cluster.keys")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Asks it, over its unix socket.
    ///
    /// # Panics
    /// If the client refuses a plain path, which it never does.
    pub fn ask(&self) -> Client {
        Client::new(Target::Unix(self.socket()), None).expect("a path without a token is always taken")
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is not running.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        let Some(child) = &mut self.child else { bail!("{} is not running", self.name()) };
        if let Some(status) = child.try_wait().context("looking after the daemon")? {
            bail!("{} had ended on its own ({status}):\n{}", self.name(), self.log());
        }
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).with_context(|| format!("sending {signal:?} to {}", self.name()))
    }

    /// How it has ended, if it has. It counts as stopped then.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait().context("looking after the daemon")?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Ends it without a word, as a crash does.
    ///
    /// # Errors
    /// If it was not running any more.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { bail!("{} is not running", self.name()) };
        if let Some(status) = child.try_wait().context("looking after the daemon")? {
            bail!("{} had ended on its own ({status}):\n{}", self.name(), self.log());
        }
        child.kill().context("killing the daemon")?;
        child.wait().context("waiting for the daemon")?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// If it was not running, does not end, or ends with a failure.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let Some(mut child) = self.child.take() else { bail!("{} is not running", self.name()) };
        let mut status = None;
        let ended = wait_for("the daemon to end", STOP_MAX, || match child.try_wait() {
            Ok(None) => Err(format!("{} still runs", self.spec.name)),
            Ok(some) => {
                status = some;
                Ok(())
            }
            Err(e) => Err(e.to_string()),
        });
        if ended.is_err() {
            child.kill().context("killing the daemon")?;
            child.wait().context("waiting for the daemon")?;
        }
        ended?;
        match status {
            Some(s) if s.success() => Ok(()),
            other => bail!("{} ended with {other:?}:\n{}", self.name(), self.log()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            say(&format!("--- the last lines of {}:", self.name()));
            lines[lines.len().saturating_sub(12)..].iter().for_each(|line| say(line));
        }
        if let Some(mut child) = self.child.take() {
            // It may have ended already; either way it is gone then.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn private_directory(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("making {}", path.display()))
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    file.and_then(|mut f| f.write_all(text.as_bytes())).with_context(|| format!("writing {}", path.display()))
}
