//! Who is compared, and what is the same for all of them.

use crate::network::Loopback;
use crate::{chitchat, serf};
use anyhow::{Context, Result};
use peermon_bench::figures::Figures;
use peermon_bench::fleet::Fleet;
use std::path::Path;
use std::time::Duration;

/// What happens in the first seconds of a cluster is not its steady state.
pub(crate) const SETTLE: Duration = Duration::from_secs(20);
/// Until all know all.
pub(crate) const JOIN_MAX: Duration = Duration::from_secs(300);
/// Until all know of a death.
pub(crate) const DEATH_MAX: Duration = Duration::from_secs(180);

/// One of those who are compared.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What must be installed for it; its package has the same name.
    pub(crate) program: Option<&'static str>,
    measure: fn(&Path, usize, Duration) -> Result<Figures>,
}

/// All of them.
pub(crate) static CONTESTANTS: &[Contestant] = &[
    Contestant { name: "peermon", program: None, measure: peermon },
    Contestant { name: "chitchat", program: None, measure: |_, n, t| chitchat::run(n, Duration::from_secs(1), t) },
    Contestant { name: "chitchat-0.25s", program: None, measure: |_, n, t| chitchat::run(n, Duration::from_millis(250), t) },
    Contestant { name: "serf", program: Some(serf::PROGRAM), measure: |_, n, t| serf::run(n, t) },
];

impl Contestant {
    /// Measures a cluster of it, in this process and its children, on this host.
    pub(crate) fn run(&self, peermon: &Path, nodes: usize, length: Duration) -> Result<Figures> {
        (self.measure)(peermon, nodes, length).with_context(|| format!("{nodes} x {}", self.name))
    }
}

/// The one with this name.
pub(crate) fn find(name: &str) -> Result<&'static Contestant> {
    let names = || CONTESTANTS.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
    CONTESTANTS.iter().find(|c| c.name == name).with_context(|| format!("there is no contestant {name:?}, only {}", names()))
}

/// The real daemon. Its own counters tell what it sent; the kernel's take their place, so that all are counted alike.
fn peermon(program: &Path, nodes: usize, length: Duration) -> Result<Figures> {
    let mut fleet = Fleet::start(program, nodes)?;
    std::thread::sleep(SETTLE);
    let mut sent = Figures::default();
    Loopback::over(length)?.put(&mut sent, nodes);
    let mut figures = fleet.figures(length)?;
    let [own, kernel] = [&figures, &sent].map(|f| f.value("sent.bytes").unwrap_or(f64::NAN));
    eprintln!("peermon's own counters say {own:.0} bytes/s a node, the kernel's {kernel:.0}");
    figures.extend(&sent);
    Ok(figures)
}
