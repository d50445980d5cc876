//! Self-probes: tries of what counters do not show, each in a file with its own pace.
//!
//! A try may take as long as it likes, or for ever: it runs on a thread of its own (`pool.rs`), and whoever waits for it says meanwhile that
//! it is late. What the tries add up to is `peermon-health`'s business.

mod cpu;
mod fetch;
mod fork;
mod kmsg;
mod limits;
mod mounts;
mod pool;
mod resolver;
mod schedule;
mod sockets;
mod ssh;
mod time;
mod write;

pub use cpu::system_cpu;
pub use fetch::fetch;
pub use schedule::Probes;

use peermon_model::{Attribute, Outcome, ProbeResult, Severity};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What probes are told of the cluster and of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Some other nodes: label and addresses.
    pub peers: Vec<(String, Vec<IpAddr>)>,
    /// Nodes in the cluster: what costs a server something is tried less often in a large one.
    pub members: usize,
    /// Directories on whose file systems files are written.
    pub write: Vec<PathBuf>,
}

/// A kind of probe, with its catalogue entries.
#[derive(Debug)]
pub struct Kind {
    /// Its name, in reasons and in the configuration.
    pub name: &'static str,
    /// How many of the last 32 tries were late or failed.
    pub failed: &'static Attribute,
    /// How long the tries take, on average.
    pub time: &'static Attribute,
    /// What there is to try on this host now.
    list: fn(&Told) -> Vec<Plan>,
}

/// What there is to try of one thing.
struct Plan {
    instance: Option<Arc<str>>,
    /// Between two tries, while all is well.
    every: Duration,
    /// When a try that has not ended is late, and when it counts as failed.
    late: Duration,
    fails: Duration,
    /// What is said then, and how bad it is.
    words: String,
    severity: Severity,
    /// It is missed only if it has been there: until a try has been good, nothing is said.
    once_good: bool,
    /// Makes the probe, if the thing is new.
    make: Box<dyn Fn() -> Box<dyn Probe>>,
}

/// Something that can be tried.
trait Probe: Send {
    /// Tries once; `None` if there is nothing to say.
    fn try_once(&mut self, told: &Told) -> Option<Tried>;
}

/// What a try came to.
struct Tried {
    outcome: Outcome,
    severity: Severity,
    words: String,
}

impl Tried {
    fn good() -> Option<Tried> {
        Some(Tried { outcome: Outcome::Good, severity: Severity::Weak, words: String::new() })
    }

    fn failed(severity: Severity, words: impl Into<String>) -> Option<Tried> {
        Some(Tried { outcome: Outcome::Failed, severity, words: words.into() })
    }
}

/// What the probes' thread tells.
#[derive(Debug)]
pub enum Report {
    /// A try, or that one has not ended in time.
    Tried(ProbeResult),
    /// A thing is gone: an unmounted file system.
    Gone(&'static str, Option<Arc<str>>),
}

/// All kinds of probes.
pub static KINDS: &[Kind] = &[
    sockets::KIND,
    limits::KIND,
    fork::KIND,
    resolver::KIND,
    write::KIND,
    mounts::KIND,
    time::KIND,
    ssh::KIND,
    kmsg::KIND,
    cpu::KIND,
];

/// Tries a second that all nodes together may ask of one server.
const SERVER_TRIES: u32 = 50;
/// The rarest that anything is tried in a large cluster.
const EVERY_MAX: Duration = Duration::from_secs(30);

/// Between two tries that cost a server something: as given, or rarer in a large cluster.
fn spared(every: Duration, told: &Told) -> Duration {
    let members = u32::try_from(told.members).unwrap_or(u32::MAX);
    every.max(Duration::from_secs(1) * members / SERVER_TRIES).min(EVERY_MAX)
}

/// A kind's two catalogue entries.
macro_rules! attributes_of {
    ($name:literal, $what:literal) => {
        static FAILED: peermon_model::Attribute = peermon_model::Attribute::gauge(
            concat!("probe.", $name, ".failed"),
            peermon_model::Unit::Count,
            concat!("Of the last 32 tries, how many were late or failed: ", $what, "."),
        );
        static TIME: peermon_model::Attribute = peermon_model::Attribute::gauge(
            concat!("probe.", $name, ".time"),
            peermon_model::Unit::Seconds,
            concat!("Mean time of a try: ", $what, "."),
        );
    };
}
use attributes_of;

/// The attributes of all kinds.
pub fn attributes() -> &'static [&'static Attribute] {
    static ALL: std::sync::OnceLock<Vec<&'static Attribute>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| KINDS.iter().flat_map(|k| [k.failed, k.time]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_are_of_their_kind() {
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|k| k.name == kind.name).count(), 1);
            for (a, end) in [(kind.failed, ".failed"), (kind.time, ".time")] {
                let rest =
                    a.name.strip_prefix("probe.").and_then(|r| r.strip_prefix(kind.name)).and_then(|r| r.strip_suffix(end));
                assert!(matches!(rest, Some("" | ".{}")), "{}", a.name);
            }
        }
    }

    #[test]
    fn a_large_cluster_spares_its_servers() {
        let every = |members| spared(Duration::from_secs(2), &Told { members, ..Told::default() }).as_secs();
        assert_eq!([0, 100, 500, 2_200].map(every), [2, 2, 10, 30]);
    }
}
