//! Real daemons in network namespaces: they find each other, notice a crash, a return, a cut and its end, and bear loss.
//!
//! Machines that run tests are busy at times, so a bound is printed beside what was measured, and only [`MARGIN`] times the
//! bound fails.

use anyhow::{Context, Result, ensure};
use peermon_api::{Event, NextEvent, NodesQuery, Service, State};
use peermon_testbed::{Cluster, Family, Impairment, MARGIN, Spec, say, wait_for, within, within_since};
use std::time::{Duration, Instant};

/// All see all after the start: what a person waits for without wondering.
const JOIN: Duration = Duration::from_secs(3);
/// A crash is known everywhere, at a period of 1 s (docs/internals/gossip.md, "Bound").
const DOWN: Duration = Duration::from_millis(2500);
/// One half takes the other half for dead: too few neighbours are left to accuse all, so that it may take the backstop of five
/// periods and the next look.
const HALF_DOWN: Duration = Duration::from_millis(5300);
/// All see all after a cut has ended.
const HEAL: Duration = Duration::from_secs(5);
/// No vitals get older at a period of 1 s, even while others crash (docs/internals/gossip-figures.md).
const AGE: Duration = Duration::from_millis(1300);
/// How long the network is cut, and how long it is lossy.
const CUT: Duration = Duration::from_secs(30);
const LOSSY: Duration = Duration::from_secs(20);

const BINARY: &str = env!("CARGO_BIN_EXE_peermon");

/// Five on both address families, by seeds: what most tests need.
fn five() -> Result<Cluster> {
    Cluster::new(BINARY, 5, Family::Both)
}

/// Waits until all daemons see all others.
fn all_see_all(c: &Cluster, bound: Duration) -> Result<()> {
    within(bound, "all see all", || c.all_see_all())
}

#[test]
fn a_crash_is_noticed_and_a_return_too() {
    Cluster::test(five, |c| {
        all_see_all(c, JOIN)?;
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
        all_see_all(c, JOIN)?;
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
    Cluster::test(five, |c| {
        all_see_all(c, JOIN)?;
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
        all_see_all(c, HEAL)
    });
}

#[test]
fn nobody_is_declared_down_at_20_percent_loss() {
    Cluster::test(five, |c| {
        all_see_all(c, JOIN)?;
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
        all_see_all(c, HEAL)
    });
}

#[test]
fn nodes_find_each_other_by_multicast_alone() {
    let by_multicast = || {
        let mut c = Cluster::hosts(BINARY, 3, Family::Both)?;
        (0..3).try_for_each(|i| c.add(Spec { join: Vec::new(), config: "discovery.enabled = true\n".into(), ..c.spec(i) }))?;
        Ok(c)
    };
    Cluster::test(by_multicast, |c| all_see_all(c, JOIN * 3));
}

#[test]
fn a_cluster_lives_on_ipv6_alone() {
    Cluster::test(|| Cluster::new(BINARY, 3, Family::V6Only), |c| all_see_all(c, JOIN));
}

#[test]
fn another_cluster_key_sees_nothing() {
    Cluster::test(
        || Cluster::hosts(BINARY, 3, Family::Both),
        |c| {
            c.add(c.spec(0))?;
            c.add(c.spec(1))?;
            c.add(Spec { key: [8; 32], ..c.spec(2) })?;
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
