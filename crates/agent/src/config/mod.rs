//! Configuration: defaults, then the file, then the environment, then flags; the last one given wins.
//!
//! One list, [`OPTIONS`], names every option with its help, its parser and its printer. The file, the environment, the flags
//! and the documented sample (`packaging/peermon.toml`) are all fed from it.

mod environment;
mod error;
mod file;
mod input;
mod options;
mod overrides;
mod places;
mod sample;
mod seed;
mod tables;
mod validate;

pub use error::ConfigError;
pub use options::{OPTIONS, Opt};
pub use overrides::Overrides;
pub use places::Places;
pub use sample::sample;
pub use seed::Seed;
pub use tables::OwnVital;
pub(crate) use tables::TOPIC_BYTES_MAX;

use peermon_collector::limits::SYSTEM_WINDOW_MAX;
use peermon_model::{AllowList, Facts, NodeName, Notice, Value, ZoneName, limits};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

/// The UDP port of gossip.
pub const GOSSIP_PORT: u16 = 19810;
/// The TCP port of the HTTP API, on loopback.
pub const HTTP_PORT: u16 = 19811;
/// The multicast group and port of LAN discovery: from the block for private use (RFC 2365).
pub const DISCOVERY_GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 19, 81), 19812);

/// Share of one core a daemon may use unless told otherwise: several times what it uses as a rule (docs/footprint.md), so that
/// it matters only where something is out of the ordinary, and little enough that nobody misses it.
const CPU_BUDGET: f64 = 0.01;

/// Everything a daemon is told. See [`OPTIONS`] for what each value means.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The node's label; `None`: the host name.
    pub name: Option<NodeName>,
    /// Its zone.
    pub zone: ZoneName,
    /// Where keys, the incarnation and known peers are kept.
    pub state_dir: PathBuf,
    /// How often vitals are published.
    pub period: Duration,
    /// Bytes a second it may send to keep the table; 0: no limit.
    pub budget: u32,
    /// Members to contact at start.
    pub join: Vec<Seed>,
    /// The cluster keys, if not in the state directory.
    pub cluster_key_file: Option<PathBuf>,
    /// Listen and serve, but do not publish.
    pub listen_only: bool,
    /// Where values come from.
    pub source: ValueSource,
    /// Collectors that do not run.
    pub without_collectors: Vec<String>,
    /// How often collectors look that are named here, rather than as often as usual.
    pub collector_periods: BTreeMap<String, Duration>,
    /// Processor time the daemon may use, as a share of one core; `None`: no limit.
    pub cpu_budget: Option<f64>,
    /// Load programs into the kernel that measure what only it sees.
    pub kernel: bool,
    /// Ask for real-time priority and locked memory.
    pub realtime: bool,
    /// What is told of single processes.
    pub processes: peermon_collector::ProcessPrivacy,
    /// Self-probes.
    pub probes: ProbesConfig,
    /// Node to node.
    pub gossip: Gossip,
    /// Finding members on the LAN.
    pub discovery: Discovery,
    /// Where people and programs ask.
    pub api: Api,
    /// How much of every node's past is kept.
    pub memory: peermon_memory::Bounds,
    /// Answering DNS.
    pub dns: Dns,
    /// Logs.
    pub log: Log,
    /// Labels of this machine, shown as facts `label.KEY`.
    pub labels: BTreeMap<String, String>,
    /// Messages to everybody.
    pub notices: Vec<Notice>,
    /// Attributes added to this node's row.
    pub vitals: Vec<OwnVital>,
    /// Take SIGTERM, SIGINT and SIGHUP of the process, and speak to the service manager. Not an option of the file: the
    /// program sets it, several daemons in one process do not.
    pub process: bool,
    /// How this configuration was put together, so that it can be read again. `None`: made by a program.
    pub origin: Option<Origin>,
}

/// Which self-probes run.
#[derive(Clone, PartialEq, Debug)]
pub struct ProbesConfig {
    /// Those that do not; `all`: none does.
    pub without: Vec<String>,
    /// How long the kernel's highest share of the processors counts against this node.
    pub cpu_window: Duration,
    /// Directories on whose file systems files are written to try it.
    pub write: Vec<PathBuf>,
}

/// Node to node traffic.
#[derive(Clone, PartialEq, Debug)]
pub struct Gossip {
    /// Sockets, one per address; port 0 is any free one.
    pub listen: Vec<SocketAddr>,
    /// Addresses told to others; empty: those of the interfaces.
    pub advertise: Vec<SocketAddr>,
    /// Address prefixes that are talked to; empty: all.
    pub allow: AllowList,
    /// Bytes per second that rows may take.
    pub rate_max: f64,
    /// Nodes up to which zones tell each other of all.
    pub members_full: usize,
    /// Most members in the table.
    pub members_max: usize,
    /// A node that is down or gone for so long is hidden.
    pub hide_after: Duration,
    /// A node that is down or gone for so long is forgotten.
    pub remove_after: Duration,
    /// How long an old cluster key is still accepted after a rotation.
    pub key_overlap: Duration,
    /// How long a rotation waits for members that do not hold the new cluster key.
    pub key_patience: Duration,
}

/// Finding members on the LAN.
#[derive(Clone, PartialEq, Debug)]
pub struct Discovery {
    /// Whether to look and to be found.
    pub enabled: bool,
    /// Multicast group and port.
    pub group: SocketAddrV4,
}

/// Where people and programs ask.
#[derive(Clone, PartialEq, Debug)]
pub struct Api {
    /// HTTP address; `None`: off.
    pub http: Option<SocketAddr>,
    /// Unix socket; `None`: off.
    pub socket: Option<PathBuf>,
    /// A file with the token that HTTP requests must carry.
    pub token_file: Option<PathBuf>,
}

/// Answering DNS for a small zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Dns {
    /// Addresses for UDP and TCP; empty: off.
    pub listen: Vec<SocketAddr>,
    /// The zone's name.
    pub zone: String,
    /// How long an answer may be kept.
    pub ttl: Duration,
    /// Addresses of the best nodes in one answer.
    pub answers: usize,
    /// Names of the zone's name servers; empty: `ns.ZONE`, which is this one.
    pub name_servers: Vec<String>,
    /// Address prefixes that may ask; empty: all.
    pub allow: AllowList,
    /// Requests a second from one client network; 0: no limit.
    pub rate_max: u32,
}

/// Logs, to standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// The least important level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a node's values come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueSource {
    /// This machine.
    Host,
    /// A recorded trace of another machine; the node is labelled as such.
    Replay {
        /// The name of a trace that comes with the program, or a file.
        trace: String,
        /// How far into the trace it begins.
        from: Duration,
    },
}

/// How a configuration was put together.
#[derive(Clone, PartialEq, Debug)]
pub struct Origin {
    /// The flags.
    pub overrides: Overrides,
    /// The file that was read; `None`: there was none.
    pub file: Option<PathBuf>,
    /// Things worth telling that are no errors.
    pub warnings: Vec<String>,
}

impl Config {
    /// What holds when nothing is said, for a daemon whose files lie in `places`.
    pub fn defaults(places: &Places) -> Self {
        Config {
            name: None,
            zone: ZoneName::default(),
            state_dir: places.state_dir.clone(),
            period: Duration::from_secs(1),
            budget: 32_000,
            join: Vec::new(),
            cluster_key_file: None,
            listen_only: false,
            source: ValueSource::Host,
            without_collectors: Vec::new(),
            collector_periods: BTreeMap::new(),
            cpu_budget: Some(CPU_BUDGET),
            kernel: false,
            realtime: false,
            processes: peermon_collector::ProcessPrivacy::default(),
            probes: ProbesConfig {
                without: Vec::new(),
                cpu_window: SYSTEM_WINDOW_MAX,
                write: crate::run::probes::usual_places(),
            },
            gossip: Gossip {
                listen: vec![(Ipv4Addr::UNSPECIFIED, GOSSIP_PORT).into(), (Ipv6Addr::UNSPECIFIED, GOSSIP_PORT).into()],
                advertise: Vec::new(),
                allow: AllowList::default(),
                rate_max: 256_000.0,
                members_full: limits::MEMBERS_FULL,
                members_max: limits::MEMBERS_MAX,
                hide_after: Duration::from_mins(10),
                remove_after: Duration::from_hours(24),
                key_overlap: Duration::from_hours(24),
                key_patience: Duration::from_hours(1),
            },
            discovery: Discovery { enabled: true, group: DISCOVERY_GROUP },
            api: Api {
                http: Some((Ipv4Addr::LOCALHOST, HTTP_PORT).into()),
                socket: Some(places.socket.clone()),
                token_file: None,
            },
            memory: peermon_memory::Bounds { keep: Duration::from_hours(1), bytes_max: 64_000_000 },
            dns: Dns {
                listen: Vec::new(),
                zone: String::new(),
                ttl: Duration::from_secs(5),
                answers: 3,
                name_servers: Vec::new(),
                allow: AllowList::default(),
                rate_max: 100,
            },
            log: Log { level: LogLevel::Info, format: LogFormat::Text },
            labels: BTreeMap::new(),
            notices: Vec::new(),
            vitals: Vec::new(),
            process: false,
            origin: None,
        }
    }

    /// Defaults, file, environment of this process and flags.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it stands and what to do.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::load_with(overrides, &Places::of_this_process(), std::env::vars_os())
    }

    /// As [`Config::load`], with the default places and the environment given.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(
        overrides: &Overrides,
        places: &Places,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let environment = environment::read(environment);
        let mut config = Config::defaults(places);
        let file = file::find(overrides, &environment, places)?;
        if let Some((path, text)) = &file {
            file::apply(&mut config, path, text)?;
        }
        environment.apply(&mut config)?;
        overrides.apply(&mut config)?;
        validate::check(&config)?;
        config.origin =
            Some(Origin { overrides: overrides.clone(), file: file.map(|(path, _)| path), warnings: environment.warnings });
        Ok(config)
    }

    /// Reads file and environment again, under the same flags. A configuration made by a program stays as it is.
    ///
    /// # Errors
    /// As [`Config::load`]; the configuration in use is untouched.
    pub fn reload(&self) -> Result<Self, ConfigError> {
        match &self.origin {
            None => Ok(self.clone()),
            Some(origin) => Ok(Config { process: self.process, ..Config::load(&origin.overrides)? }),
        }
    }

    /// The node's label: the one given, or made of the host name.
    pub fn node_name(&self) -> NodeName {
        self.name.clone().unwrap_or_else(|| name_of_host(&rustix::system::uname().nodename().to_string_lossy()))
    }

    /// Facts that the configuration adds to those of the machine.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (key, value) in &self.labels {
            facts.put("label.{}", Some(key), Value::text(value));
        }
        if let Some(http) = self.api.http.filter(|a| !a.ip().is_loopback() && a.port() > 0) {
            facts.put("api.port", None, Value::Number(http.port().into()));
        }
        facts.put("peermon.version", None, Value::text(env!("CARGO_PKG_VERSION")));
        facts
    }

    /// The options by name that differ in `other` and take effect only at a restart.
    pub fn restart_needed(&self, other: &Config) -> Vec<&'static str> {
        OPTIONS.iter().filter(|o| !o.reloads && o.show(self) != o.show(other)).map(|o| o.key).collect()
    }
}

/// A host name as a node name: what a node name may not hold becomes `-`.
fn name_of_host(host: &str) -> NodeName {
    let tame = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let text: String = host.chars().map(tame).take(limits::NAME_BYTES_MAX).collect();
    let text = if text.is_empty() { "unnamed" } else { &text };
    text.parse().expect("letters, digits, dots and dashes, neither none nor too many, are a node name")
}

#[cfg(test)]
mod tests;
