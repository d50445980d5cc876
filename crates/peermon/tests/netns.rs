//! Real daemons in network namespaces: they find each other, notice a crash, a return, a cut and its end, and bear loss.
//!
//! Machines that run tests are busy at times, so a bound is printed beside what was measured, and only [`MARGIN`] times the
//! bound fails.

use anyhow::{Context, Result, ensure};
use peermon_api::{BestQuery, Event, NextEvent, NodeView, NodesQuery, Service, State};
use peermon_testbed::{Daemon, Directory, Family, Impairment, Spec, Testbed, say, wait_for};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many times the bound a busy machine may need.
const MARGIN: u32 = 4;
/// All see all after the start: what a person waits for without wondering.
const JOIN: Duration = Duration::from_secs(3);
/// A crash is known everywhere, at a period of 1 s (gossip.md, "dead everywhere", worst case).
const DOWN: Duration = Duration::from_millis(2500);
/// One half takes the other half for dead: too few neighbours are left to accuse all, so that it may take the backstop of five
/// periods (gossip.md, cut in half: 5.3 s at most).
const HALF_DOWN: Duration = Duration::from_millis(5300);
/// All see all after a cut has ended.
const HEAL: Duration = Duration::from_secs(5);
/// No vitals get older at a period of 1 s, even while others crash (gossip.md).
const AGE: Duration = Duration::from_millis(1300);
/// How long the network is cut, and how long it is lossy.
const CUT: Duration = Duration::from_secs(30);
const LOSSY: Duration = Duration::from_secs(20);

const KEY: [u8; 32] = [7; 32];
const PORT: u16 = 19810;

struct Cluster {
    daemons: Vec<Daemon>,
    bed: Testbed,
    directory: Directory,
}

/// How the nodes of a cluster learn of each other.
#[derive(Clone, Copy, PartialEq)]
enum Find {
    Seeds,
    Multicast,
}

impl Cluster {
    /// Hosts without daemons.
    fn hosts(count: usize, family: Family) -> Result<Cluster> {
        Ok(Cluster { daemons: Vec::new(), bed: Testbed::new(count, family)?, directory: Directory::new()? })
    }

    /// Hosts with a daemon each.
    fn new(count: usize, family: Family, find: Find) -> Result<Cluster> {
        let mut cluster = Cluster::hosts(count, family)?;
        (0..count).try_for_each(|i| cluster.add(i, find, KEY))?;
        Ok(cluster)
    }

    /// Five on both address families, by seeds: what most tests need.
    fn five() -> Result<Cluster> {
        Cluster::new(5, Family::Both, Find::Seeds)
    }

    /// Starts the daemon of host `i`; the first host is everybody's seed.
    fn add(&mut self, i: usize, find: Find, key: [u8; 32]) -> Result<()> {
        let host = &self.bed.hosts()[i];
        let join =
            if find == Find::Seeds && i > 0 { vec![SocketAddr::new(self.bed.hosts()[0].address(), PORT)] } else { Vec::new() };
        let spec = Spec {
            name: format!("node-{}", i + 1),
            listen: SocketAddr::new(host.address(), PORT),
            http: Some((Ipv4Addr::LOCALHOST, 19811).into()),
            join,
            key,
            config: format!("discovery.enabled = {}\n", find == Find::Multicast),
            flags: Vec::new(),
        };
        let binary = Path::new(env!("CARGO_BIN_EXE_peermon"));
        self.daemons.push(Daemon::start(binary, Some(host), &self.directory, spec)?);
        Ok(())
    }

    /// What daemon `i` says about daemon `of`.
    fn view(&self, i: usize, of: usize) -> Result<NodeView, String> {
        let name = self.daemons[of].name();
        self.daemons[i].ask().node(name).map_err(|e| format!("{} about {name}: {e}", self.daemons[i].name()))
    }

    /// Whether daemon `i` shows daemon `of` in this state.
    fn shows(&self, i: usize, of: usize, state: State) -> Result<(), String> {
        let seen = self.view(i, of)?.state;
        if seen == state {
            Ok(())
        } else {
            Err(format!("{} shows {} as {seen:?}", self.daemons[i].name(), self.daemons[of].name()))
        }
    }

    /// Whether each daemon of `group` shows every other one of it alive, with vitals.
    fn complete(&self, group: &[usize]) -> Result<(), String> {
        for (&i, &of) in group.iter().flat_map(|i| group.iter().map(move |of| (i, of))) {
            self.shows(i, of, State::Alive)?;
            let age = self.view(i, of)?.age_seconds;
            age.ok_or_else(|| format!("{} has no vitals of {}", self.daemons[i].name(), self.daemons[of].name()))?;
        }
        Ok(())
    }

    /// Names that daemon `i` offers when asked for the best nodes.
    fn offers(&self, i: usize) -> Result<Vec<String>, String> {
        let all = BestQuery { n: 100, ..BestQuery::default() };
        let answer = self.daemons[i].ask().best(&all).map_err(|e| format!("{}: {e}", self.daemons[i].name()))?;
        Ok(answer.best.into_iter().map(|b| b.name).collect())
    }

    /// The oldest vitals of each other within a group, in seconds.
    fn oldest(&self, group: &[usize]) -> Result<f64, String> {
        let mut oldest: f64 = 0.0;
        for (&i, &of) in group.iter().flat_map(|i| group.iter().map(move |of| (i, of))) {
            oldest = oldest.max(self.view(i, of)?.age_seconds.ok_or("no vitals")?);
        }
        Ok(oldest)
    }

    /// All daemons see all others.
    fn all_see_all(&self, bound: Duration) -> Result<()> {
        let everybody: Vec<usize> = (0..self.daemons.len()).collect();
        within(bound, "all see all", || self.complete(&everybody))
    }
}

/// Waits for a state and prints how long that took beside how long it may take.
fn within(bound: Duration, what: &str, look: impl FnMut() -> Result<(), String>) -> Result<()> {
    within_since(Instant::now(), bound, what, look)
}

/// As [`within`], counted from a moment that has passed.
fn within_since(start: Instant, bound: Duration, what: &str, look: impl FnMut() -> Result<(), String>) -> Result<()> {
    wait_for(what, bound * MARGIN, look)?;
    let took = start.elapsed();
    say(&format!("measured: {what}: {:.2} s (bound {:.1} s)", took.as_secs_f64(), bound.as_secs_f64()));
    Ok(())
}

/// Runs a test where namespaces are allowed, and says why not where they are not. The panic comes while the cluster is still
/// there, so that it can tell its logs.
fn on_a_testbed(cluster: fn() -> Result<Cluster>, test: fn(&mut Cluster) -> Result<()>) {
    if let Err(why) = Testbed::available() {
        say(&format!("skipped: {why}"));
        return;
    }
    let mut cluster = cluster().expect("hosts with daemons");
    if let Err(e) = test(&mut cluster) {
        panic!("{e:#}");
    }
}

#[test]
fn a_crash_is_noticed_and_a_return_too() {
    on_a_testbed(Cluster::five, |c| {
        c.all_see_all(JOIN)?;
        within(JOIN, "best offers all five", || match c.offers(0)?.len() {
            5 => Ok(()),
            n => Err(format!("{n} are offered")),
        })?;
        let before = c.view(0, 2).map_err(anyhow::Error::msg)?.incarnation;

        let crash = Instant::now();
        c.daemons[2].kill()?;
        let others = [0, 1, 3, 4];
        within_since(crash, DOWN, "best stops offering the crashed node", || {
            others.iter().try_for_each(|&i| match c.offers(i)?.iter().any(|name| name == "node-3") {
                true => Err(format!("node-{} still offers it", i + 1)),
                false => Ok(()),
            })
        })?;
        within_since(crash, DOWN, "everyone shows it down", || others.iter().try_for_each(|&i| c.shows(i, 2, State::Down)))?;

        c.daemons[2].start_again()?;
        c.all_see_all(JOIN)?;
        for i in others {
            let now = c.view(i, 2).map_err(anyhow::Error::msg)?.incarnation;
            ensure!(now > before, "node-{} shows incarnation {now} after {before}", i + 1);
        }

        let asked = Instant::now();
        c.daemons[4].stop().context("a clean stop")?;
        within_since(asked, DOWN, "everyone shows that it left", || {
            [0, 1, 2, 3].iter().try_for_each(|&i| c.shows(i, 4, State::Left))
        })
    });
}

#[test]
fn two_halves_keep_working_and_heal() {
    on_a_testbed(Cluster::five, |c| {
        c.all_see_all(JOIN)?;
        let (left, right): (&[usize], &[usize]) = (&[0, 1], &[2, 3, 4]);
        c.bed.cut(left)?;
        let cut = Instant::now();
        within_since(cut, HALF_DOWN, "each half shows the other one down", || {
            left.iter()
                .try_for_each(|&l| right.iter().try_for_each(|&r| c.shows(l, r, State::Down).and(c.shows(r, l, State::Down))))
        })?;
        let mut oldest: f64 = 0.0;
        wait_for("the cut to end", CUT + Duration::from_secs(1), || {
            oldest = oldest.max(c.oldest(left)?).max(c.oldest(right)?);
            if cut.elapsed() >= CUT { Ok(()) } else { Err("not yet".into()) }
        })?;
        say(&format!("measured: oldest vitals within a half: {oldest:.2} s (bound {:.1} s)", AGE.as_secs_f64()));
        ensure!(oldest < (AGE * MARGIN).as_secs_f64(), "vitals within a half got {oldest:.1} s old");
        c.complete(left).and(c.complete(right)).map_err(anyhow::Error::msg)?;
        for (i, half) in [(0, left), (2, right)] {
            let mut offered = c.offers(i).map_err(anyhow::Error::msg)?;
            offered.sort();
            let own: Vec<String> = half.iter().map(|h| c.daemons[*h].name().to_string()).collect();
            ensure!(offered == own, "node-{} offers {offered:?}, its half is {own:?}", i + 1);
        }

        c.bed.heal()?;
        c.all_see_all(HEAL)
    });
}

#[test]
fn nobody_is_declared_down_at_20_percent_loss() {
    on_a_testbed(Cluster::five, |c| {
        c.all_see_all(JOIN)?;
        let streams: Vec<_> = c.daemons.iter().map(|d| d.ask().events()).collect::<Result<_, _>>()?;
        c.bed.impair_all(&Impairment { loss_percent: 20, ..Impairment::default() })?;
        let start = Instant::now();
        let (mut looks, mut suspected, mut oldest) = (0_u32, 0_u32, 0.0_f64);
        while start.elapsed() < LOSSY {
            for d in &c.daemons {
                for n in d.ask().nodes(&NodesQuery::default())? {
                    ensure!(n.state <= State::Suspect, "{} shows {} as {:?}", d.name(), n.name, n.state);
                    suspected += u32::from(n.state == State::Suspect);
                    oldest = oldest.max(n.age_seconds.unwrap_or(0.0));
                    looks += 1;
                }
            }
            // Between two looks the daemons shall have the processor; what happens meanwhile the events tell.
            std::thread::sleep(Duration::from_millis(100));
        }
        for (stream, d) in streams.iter().zip(&c.daemons) {
            while let NextEvent::Event(e) = stream.next(Duration::from_millis(10)) {
                match e {
                    Event::Member { name, state, .. } => {
                        ensure!(state <= State::Suspect, "{} declared {name} {state:?}", d.name());
                    }
                    Event::Lost { count } => ensure!(count == 0, "{count} events of {} were lost", d.name()),
                    Event::Record { .. } => {}
                }
            }
        }
        say(&format!(
            "measured: {looks} looks at 20 % loss: {suspected} showed a suspect, none a node that is down; oldest vitals {oldest:.2} s"
        ));
        ensure!(oldest < (AGE * MARGIN).as_secs_f64(), "vitals got {oldest:.1} s old");
        c.bed.heal()?;
        c.all_see_all(HEAL)
    });
}

#[test]
fn nodes_find_each_other_by_multicast_alone() {
    on_a_testbed(|| Cluster::new(3, Family::Both, Find::Multicast), |c| c.all_see_all(JOIN * 3));
}

#[test]
fn a_cluster_lives_on_ipv6_alone() {
    on_a_testbed(|| Cluster::new(3, Family::V6Only, Find::Seeds), |c| c.all_see_all(JOIN));
}

#[test]
fn another_cluster_key_sees_nothing() {
    on_a_testbed(
        || Cluster::hosts(3, Family::Both),
        |c| {
            c.add(0, Find::Seeds, KEY)?;
            c.add(1, Find::Seeds, KEY)?;
            c.add(2, Find::Seeds, [8; 32])?;
            within(JOIN, "two of one key see each other", || c.complete(&[0, 1]))?;
            // The stranger asks the first node to let it in, and is refused: both are states, so this needs no guess of a time.
            within(JOIN, "the stranger's datagrams are counted", || {
                let status = c.daemons[0].ask().status().map_err(|e| e.to_string())?;
                let dropped: u64 =
                    status.counters.iter().filter(|(name, _)| name.starts_with("gossip.dropped.")).map(|(_, n)| n).sum();
                if dropped > 2 { Ok(()) } else { Err(format!("{dropped} dropped: {:?}", status.counters)) }
            })?;
            for (i, sees) in [(0, 2), (1, 2), (2, 1)] {
                let nodes = c.daemons[i].ask().nodes(&NodesQuery { all: true, ..NodesQuery::default() })?;
                ensure!(nodes.len() == sees, "node-{} sees {:?}", i + 1, nodes.iter().map(|n| &n.name).collect::<Vec<_>>());
            }
            Ok(())
        },
    );
}
