use crate::daemon::{Daemon, Spec};
use crate::net::{Family, Testbed};
use crate::wait::{Directory, say};
use anyhow::Result;
use peermon_api::{BestQuery, NodeView, Service, State};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// A daemon on each host of a test bed.
#[derive(Debug)]
pub struct Cluster {
    /// In the order of the hosts they run on.
    pub daemons: Vec<Daemon>,
    /// The network between them.
    pub bed: Testbed,
    /// Where their files are.
    pub directory: Directory,
    binary: PathBuf,
}

/// Where daemons receive gossip, unless told otherwise.
pub const PORT: u16 = 19810;
/// What a machine that is busy with tests finds wrong with itself is none of most tests' business.
pub const WITHOUT_PROBES: &str = "probes.without = [\"all\"]\n";
/// The key of a cluster, unless told otherwise.
const KEY: [u8; 32] = [7; 32];

impl Cluster {
    /// Hosts without daemons, and the program that will run on them.
    ///
    /// # Errors
    /// As [`Testbed::new`].
    pub fn hosts(binary: &str, count: usize, family: Family) -> Result<Cluster> {
        let (bed, directory) = (Testbed::new(count, family)?, Directory::new()?);
        Ok(Cluster { daemons: Vec::new(), bed, directory, binary: binary.into() })
    }

    /// Hosts with a daemon each, which find each other by their seed.
    ///
    /// # Errors
    /// As [`Testbed::new`] and [`Daemon::start`].
    pub fn new(binary: &str, count: usize, family: Family) -> Result<Cluster> {
        let mut cluster = Cluster::hosts(binary, count, family)?;
        (0..count).try_for_each(|i| cluster.add(cluster.spec(i)))?;
        Ok(cluster)
    }

    /// LANs with a daemon on each host; those of each LAN are the zone `lan-N`, and the first host of all is everybody's seed.
    ///
    /// # Errors
    /// As [`Testbed::lans`] and [`Daemon::start`].
    pub fn lans(binary: &str, sizes: &[usize]) -> Result<Cluster> {
        let (bed, directory) = (Testbed::lans(sizes)?, Directory::new()?);
        let mut cluster = Cluster { daemons: Vec::new(), bed, directory, binary: binary.into() };
        let lans = sizes.iter().enumerate().flat_map(|(lan, size)| std::iter::repeat_n(lan, *size));
        for (i, lan) in lans.enumerate() {
            let spec = cluster.spec(i);
            cluster.add(Spec { config: format!("{}zone = \"lan-{lan}\"\n", spec.config), ..spec })?;
        }
        Ok(cluster)
    }

    /// What the daemon of host `i` is told unless a test wants otherwise: it is `node-{i + 1}`, without discovery and probes, and the first
    /// host is everybody's seed.
    pub fn spec(&self, i: usize) -> Spec {
        let seed = SocketAddr::new(self.bed.hosts()[0].address(), PORT);
        Spec {
            name: format!("node-{}", i + 1),
            listen: SocketAddr::new(self.bed.hosts()[i].address(), PORT),
            http: Some((Ipv4Addr::LOCALHOST, 19811).into()),
            join: if i > 0 { vec![seed] } else { Vec::new() },
            key: KEY,
            config: format!("discovery.enabled = false\n{WITHOUT_PROBES}"),
            flags: Vec::new(),
        }
    }

    /// Starts the daemon of the next host that has none.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn add(&mut self, spec: Spec) -> Result<()> {
        let host = &self.bed.hosts()[self.daemons.len()];
        self.daemons.push(Daemon::start(&self.binary, Some(host), &self.directory, spec)?);
        Ok(())
    }

    /// What daemon `i` says about daemon `of`.
    ///
    /// # Errors
    /// If it does not answer or does not know it.
    pub fn view(&self, i: usize, of: usize) -> Result<NodeView, String> {
        let name = self.daemons[of].name();
        self.daemons[i].ask().node(name).map_err(|e| format!("{} about {name}: {e}", self.daemons[i].name()))
    }

    /// Whether daemon `i` shows daemon `of` in this state.
    ///
    /// # Errors
    /// If not; with what it shows.
    pub fn shows(&self, i: usize, of: usize, state: State) -> Result<(), String> {
        let seen = self.view(i, of)?.state;
        if seen == state {
            Ok(())
        } else {
            Err(format!("{} shows {} as {seen:?}", self.daemons[i].name(), self.daemons[of].name()))
        }
    }

    /// Whether each daemon of `group` shows every other one of it alive, with vitals.
    ///
    /// # Errors
    /// If not; with the first that is missing.
    pub fn complete(&self, group: &[usize]) -> Result<(), String> {
        for (&i, &of) in group.iter().flat_map(|i| group.iter().map(move |of| (i, of))) {
            self.shows(i, of, State::Alive)?;
            let age = self.view(i, of)?.age_seconds;
            age.ok_or_else(|| format!("{} has no vitals of {}", self.daemons[i].name(), self.daemons[of].name()))?;
        }
        Ok(())
    }

    /// Whether each daemon shows every other one alive, with vitals.
    ///
    /// # Errors
    /// As [`Cluster::complete`].
    pub fn all_see_all(&self) -> Result<(), String> {
        self.complete(&(0..self.daemons.len()).collect::<Vec<_>>())
    }

    /// Names that daemon `i` offers when asked for the best nodes.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn offers(&self, i: usize) -> Result<Vec<String>, String> {
        let all = BestQuery { n: 100, ..BestQuery::default() };
        let answer = self.daemons[i].ask().best(&all).map_err(|e| format!("{}: {e}", self.daemons[i].name()))?;
        Ok(answer.best.into_iter().map(|b| b.name).collect())
    }

    /// The oldest vitals of each other within a group, in seconds.
    ///
    /// # Errors
    /// If a daemon has none of another.
    pub fn oldest(&self, group: &[usize]) -> Result<f64, String> {
        let mut oldest: f64 = 0.0;
        for (&i, &of) in group.iter().flat_map(|i| group.iter().map(move |of| (i, of))) {
            oldest = oldest.max(self.view(i, of)?.age_seconds.ok_or("no vitals")?);
        }
        Ok(oldest)
    }

    /// Runs a test where test beds are allowed, and says why not where they are not. A failure becomes a panic while the
    /// cluster is still there, so that it can tell its logs.
    ///
    /// # Panics
    /// If the test fails, or there should be a cluster and is none.
    pub fn test(make: impl FnOnce() -> Result<Cluster>, test: impl FnOnce(&mut Cluster) -> Result<()>) {
        if let Err(why) = Testbed::available() {
            say(&format!("skipped: {why}"));
            return;
        }
        let mut cluster = make().expect("hosts with daemons");
        if let Err(e) = test(&mut cluster) {
            panic!("{e:#}");
        }
    }
}
