//! What real daemons in network namespaces survive: a network that goes away and comes back or changes, a full disk, being
//! stopped for a while, a wrong clock, a sender's full buffers, being alone, a bad configuration. And how they end and only listen.
//!
//! As in `netns.rs`, a bound is printed beside what was measured, and only [`MARGIN`] times the bound fails.

use anyhow::{Context, Result, bail, ensure};
use peermon_api::{Error, Event, EventStream, FactValue, NextEvent, NodesQuery, Service, State};
use peermon_testbed::{Cluster, Family, Impairment, MARGIN, PORT, Signal, SmallDisk, Spec, say, wait_for, within, within_since};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

/// All see all after the start, and a return after a restart.
const JOIN: Duration = Duration::from_secs(3);
/// A silent node is known to be down everywhere, at a period of 1 s (docs/internals/gossip.md, "Bound").
const DOWN: Duration = Duration::from_millis(2500);
/// A node that hears nobody at all takes all others for dead after five periods.
const ALONE: Duration = Duration::from_millis(5300);
/// All see all again after the network has healed.
const HEAL: Duration = Duration::from_secs(5);
/// No vitals of a node that can be heard get older at a period of 1 s (docs/internals/gossip-figures.md).
const AGE: Duration = Duration::from_millis(1300);
/// That a node leaves is known everywhere: it is told at once, and told again.
const LEAVE: Duration = Duration::from_secs(1);
/// A change of a record is everywhere: it is published with the next period.
const CHANGE: Duration = Duration::from_secs(2);

/// How long the network is away, and how long a process is stopped.
const AWAY: Duration = Duration::from_secs(10);
const STOPPED: Duration = Duration::from_secs(8);

/// Eight periods a second fill the buffers of a slow link: 16 kB that pass at once, or 200 kB of a socket. An estimate.
const FULL: Duration = Duration::from_secs(10);

const BINARY: &str = env!("CARGO_BIN_EXE_peermon");

fn four() -> Result<Cluster> {
    Cluster::new(BINARY, 4, Family::Both)
}

/// Waits until all daemons see all others.
fn all_see_all(c: &Cluster, bound: Duration, when: &str) -> Result<()> {
    within(bound, &format!("all see all {when}"), || c.all_see_all())
}

/// Whether daemon `i` shows daemon `of` alive, with values as young as they should be.
fn fresh(c: &Cluster, i: usize, of: usize) -> Result<(), String> {
    c.shows(i, of, State::Alive)?;
    match c.view(i, of)?.age_seconds {
        Some(age) if age <= AGE.as_secs_f64() => Ok(()),
        age => Err(format!("{} has values of {} that are {age:?} s old", c.daemons[i].name(), c.daemons[of].name())),
    }
}

/// Whether each of the daemons `at` shows daemon `of` in a state.
fn shown(c: &Cluster, at: &[usize], of: usize, state: State) -> Result<(), String> {
    at.iter().try_for_each(|&i| c.shows(i, of, state))
}

/// Looks again and again until a time since `start` has passed, and fails once what must hold does not.
fn holds_until(start: Instant, time: Duration, what: &str, mut look: impl FnMut() -> Result<(), String>) -> Result<()> {
    while start.elapsed() < time {
        look().map_err(anyhow::Error::msg).with_context(|| format!("{what}, after {:.1} s", start.elapsed().as_secs_f64()))?;
        // Between two looks the daemons shall have the processor.
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn counters(c: &Cluster, i: usize) -> Result<BTreeMap<String, u64>, String> {
    Ok(c.daemons[i].ask().status().map_err(|e| format!("{}: {e}", c.daemons[i].name()))?.counters)
}

/// Whether a counter of daemon `i` is at least so much.
fn counted(c: &Cluster, i: usize, name: &str, at_least: u64) -> Result<(), String> {
    match counters(c, i)?.get(name) {
        Some(n) if *n >= at_least => Ok(()),
        n => Err(format!("{name} of {} is {n:?}", c.daemons[i].name())),
    }
}

/// What some daemons say of members.
struct Watch(Vec<(String, EventStream)>);

impl Watch {
    fn new(c: &Cluster, at: &[usize]) -> Result<Watch> {
        let streams = at.iter().map(|&i| Ok((c.daemons[i].name().to_string(), c.daemons[i].ask().events()?)));
        Ok(Watch(streams.collect::<Result<_>>()?))
    }

    /// Nobody was declared down since the beginning, except one.
    fn nobody_was_down_but(self, this: &str) -> Result<()> {
        for (observer, stream) in self.0 {
            while let NextEvent::Event(e) = stream.next(Duration::from_millis(50)) {
                match e {
                    Event::Member { name, state, .. } => {
                        ensure!(state <= State::Suspect || name == this, "{observer} declared {name} {state:?}");
                    }
                    Event::Lost { count } => bail!("{count} events of {observer} were lost"),
                    Event::Record { .. } => {}
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a_network_goes_away_and_comes_back_and_an_address_changes() {
    let one_on_all_addresses = || {
        let mut c = Cluster::hosts(BINARY, 4, Family::Both)?;
        for i in 0..4 {
            let spec = c.spec(i);
            let listen = if i == 2 { (Ipv4Addr::UNSPECIFIED, PORT).into() } else { spec.listen };
            c.add(Spec { listen, ..spec })?;
        }
        Ok(c)
    };
    Cluster::test(one_on_all_addresses, |c| {
        let others = [0, 1, 3];
        let addresses = |c: &Cluster, at: SocketAddr| {
            others.iter().try_for_each(|&i| match c.view(i, 2)?.addresses {
                list if list == [at.to_string()] => Ok(()),
                list => Err(format!("{} knows node-3 at {list:?}", c.daemons[i].name())),
            })
        };
        all_see_all(c, JOIN, "at the start")?;
        let old = SocketAddr::new(c.bed.hosts()[2].address(), PORT);
        addresses(c, old).map_err(anyhow::Error::msg)?;
        let watch = Watch::new(c, &others)?;

        let gone = Instant::now();
        c.bed.down(2)?;
        within_since(gone, DOWN, "a node without network is down for the others", || shown(c, &others, 2, State::Down))?;
        let age = (AGE * MARGIN).as_secs_f64();
        holds_until(gone, AWAY, "the others go on, and so does the lone one", || {
            c.complete(&others)?;
            shown(c, &others, 2, State::Down)?;
            match c.view(2, 2)?.age_seconds {
                Some(own) if own < age => c.shows(2, 2, State::Alive),
                own => Err(format!("its own values are {own:?} s old")),
            }
        })?;
        c.bed.up(2)?;
        all_see_all(c, HEAL, "after the network came back")?;
        within(HEAL, "its values are fresh again", || others.iter().try_for_each(|&i| fresh(c, i, 2)))?;
        addresses(c, old).map_err(anyhow::Error::msg)?;

        let gone = Instant::now();
        c.bed.move_to(2, None)?;
        within_since(gone, DOWN, "a node without address is down for the others", || shown(c, &others, 2, State::Down))?;
        c.bed.move_to(2, Some(33))?;
        let moved = Instant::now();
        let new = SocketAddr::new(Ipv4Addr::new(10, 77, 0, 33).into(), PORT);
        within_since(moved, HEAL, "all know its new address", || addresses(c, new))?;
        within_since(moved, HEAL, "all see all from the new address", || c.all_see_all())?;
        within_since(moved, HEAL, "its values are fresh from there", || others.iter().try_for_each(|&i| fresh(c, i, 2)))?;
        watch.nobody_was_down_but("node-3")
    });
}

#[test]
fn a_full_disk_stops_nothing() {
    Cluster::test(
        || Cluster::hosts(BINARY, 3, Family::Both),
        |c| {
            // Room for the state, 4 kB a file, and little more.
            let disk = match SmallDisk::mount(&c.directory.path().join("node-2/state"), 64 * 1024) {
                Ok(disk) => disk,
                Err(e) => {
                    say(&format!("skipped: {e:#}"));
                    return Ok(());
                }
            };
            (0..3).try_for_each(|i| c.add(c.spec(i)))?;
            all_see_all(c, JOIN, "at the start")?;
            let watch = Watch::new(c, &[0, 2])?;
            disk.fill()?;
            let kept = std::fs::read_to_string(c.daemons[1].state().join("cluster.keys")).context("reading its keys")?;

            let keys = c.daemons[0].ask().rotate_key()?;
            ensure!(keys.len() == 2, "{keys:?}");
            within(JOIN, "the keys are rotated", || {
                (0..3).try_for_each(|i| {
                    let keys = c.daemons[i].ask().keys().map_err(|e| e.to_string())?;
                    let done = keys.len() == 2 && keys.last().is_some_and(|k| k.sending);
                    if done { Ok(()) } else { Err(format!("{} has {keys:?}", c.daemons[i].name())) }
                })
            })?;
            within(JOIN, "the failure is counted", || counted(c, 1, "peermon.state.failures", 1))?;
            within(JOIN, "and logged, with advice", || {
                let log = c.daemons[1].log();
                let told = log.contains("cannot store") && log.contains("make room on that file system");
                if told { Ok(()) } else { Err(log) }
            })?;
            let now = std::fs::read_to_string(c.daemons[1].state().join("cluster.keys")).context("reading its keys")?;
            ensure!(now == kept, "the keys on the full disk were {kept:?} and are {now:?}");

            let config = format!("{}labels.rack = \"r7\"\n", c.spec(1).config);
            c.daemons[1].configure(&config)?;
            c.daemons[1].signal(Signal::HUP)?;
            within(CHANGE, "its record changes all the same", || labelled(c, 0, 1, "r7").and(labelled(c, 2, 1, "r7")))?;
            within(HEAL, "its values are fresh", || fresh(c, 0, 1).and(fresh(c, 2, 1)))?;
            watch.nobody_was_down_but("")?;

            let before = c.view(0, 1).map_err(anyhow::Error::msg)?.incarnation;
            c.daemons[1].kill()?;
            let logged = c.daemons[1].log().len();
            c.daemons[1].start_again()?;
            all_see_all(c, JOIN, "after a start on the full disk, with the keys of before the rotation")?;
            let log = c.daemons[1].log().split_off(logged);
            ensure!(log.contains("WARN") && log.contains("cannot store"), "it does not warn: {log}");
            ensure!(c.view(0, 1).map_err(anyhow::Error::msg)?.incarnation > before, "it is back in the same life");

            // Without a key that lasts there is no identity: the first start of all needs room.
            c.daemons[1].kill()?;
            let id = c.view(0, 1).map_err(anyhow::Error::msg)?.id;
            std::fs::remove_file(c.daemons[1].state().join("node.key")).context("removing its key")?;
            disk.fill()?;
            let logged = c.daemons[1].log().len();
            c.daemons[1].start_again()?;
            let mut status = None;
            wait_for("a first start on a full disk to be refused", JOIN * MARGIN, || {
                status = c.daemons[1].ended().map_err(|e| e.to_string())?;
                status.map(drop).ok_or_else(|| "it runs".into())
            })?;
            let log = c.daemons[1].log().split_off(logged);
            ensure!(status.is_some_and(|s| s.code() == Some(1)), "it ended with {status:?}");
            ensure!(log.contains("node.key") && log.contains("make room on that file system"), "it says: {log}");
            disk.make_room()?;
            c.daemons[1].start_again()?;
            within(JOIN, "with room it starts, as a new node", || {
                let nodes = c.daemons[0].ask().nodes(&NodesQuery::default()).map_err(|e| e.to_string())?;
                let new = nodes.iter().any(|n| n.name == "node-2" && n.id != id && n.state == State::Alive);
                if new { Ok(()) } else { Err(format!("{nodes:?}")) }
            })
        },
    );
}

/// Whether daemon `i` shows this label `rack` of daemon `of`.
fn labelled(c: &Cluster, i: usize, of: usize, rack: &str) -> Result<(), String> {
    match c.view(i, of)?.facts.get("label.rack") {
        Some(FactValue::Text(text)) if text == rack => Ok(()),
        other => Err(format!("{} shows the rack of {} as {other:?}", c.daemons[i].name(), c.daemons[of].name())),
    }
}

/// As close as a test can come to a machine that sleeps: the process does not run, and the clocks do.
#[test]
fn a_daemon_that_was_stopped_comes_back_and_blames_nobody() {
    Cluster::test(four, |c| {
        let others = [0, 1, 3];
        all_see_all(c, JOIN, "at the start")?;
        let watch = Watch::new(c, &[0, 1, 2, 3])?;
        let stop = Instant::now();
        c.daemons[2].signal(Signal::STOP)?;
        within_since(stop, DOWN, "a stopped daemon is down for the others", || shown(c, &others, 2, State::Down))?;
        holds_until(stop, STOPPED, "the others go on", || c.complete(&others))?;
        let go_on = Instant::now();
        c.daemons[2].signal(Signal::CONT)?;
        within_since(go_on, JOIN, "all see all after it goes on", || c.all_see_all())?;
        within_since(go_on, JOIN, "everything is fresh", || {
            (0..4).try_for_each(|i| fresh(c, i, 2)).and_then(|()| (0..4).try_for_each(|i| fresh(c, 2, i)))
        })?;
        // Who wrongly took the others for silent would say so within this time.
        holds_until(go_on, ALONE, "all stay", || c.all_see_all())?;
        counted(c, 2, "gossip.stalls", 1).map_err(anyhow::Error::msg)?;
        watch.nobody_was_down_but("node-3")
    });
}

/// The time of day only begins a life. Here it was a day ahead in a former one, which was then forgotten.
#[test]
fn a_clock_that_was_wrong_costs_no_node_its_place() {
    Cluster::test(
        || Cluster::new(BINARY, 3, Family::Both),
        |c| {
            all_see_all(c, JOIN, "at the start")?;
            let life = |c: &Cluster| c.view(0, 2).map(|n| n.incarnation);
            let at_first = life(c).map_err(anyhow::Error::msg)?;
            let file = c.daemons[2].state().join("incarnation");
            let ahead = at_first + 24 * 3600;

            c.daemons[2].kill()?;
            std::fs::write(&file, format!("{ahead}\n")).context("setting its life")?;
            c.daemons[2].start_again()?;
            let later = |c: &Cluster, than: u32| {
                c.all_see_all()?;
                [0, 1, 2].iter().try_for_each(|&i| match c.view(i, 2)?.incarnation {
                    n if n > than => fresh(c, i, 2),
                    n => Err(format!("{} shows life {n}, not one after {than}", c.daemons[i].name())),
                })
            };
            within(JOIN, "a life after one with a clock ahead", || later(c, ahead))?;

            c.daemons[2].kill()?;
            std::fs::remove_file(&file).context("forgetting its lives")?;
            let ahead = life(c).map_err(anyhow::Error::msg)?;
            c.daemons[2].start_again()?;
            within(JOIN, "a life after one that was forgotten", || later(c, ahead))
        },
    );
}

#[test]
fn a_sender_without_room_goes_on_and_comes_back() {
    let quick = || {
        let mut c = Cluster::hosts(BINARY, 4, Family::Both)?;
        for i in 0..4 {
            let spec = c.spec(i);
            c.add(Spec { config: format!("{}period = \"125ms\"\n", spec.config), ..spec })?;
        }
        Ok(c)
    };
    Cluster::test(quick, |c| {
        let others = [0, 1, 3];
        all_see_all(c, JOIN, "at the start")?;
        let watch = Watch::new(c, &others)?;

        let resent = counters(c, 2).map_err(anyhow::Error::msg)?.get("gossip.resent").copied().unwrap_or(0);
        c.bed.impair(2, Impairment { rate_bits: Some(8_000), ..Impairment::default() })?;
        within(FULL, "losses on a link that is too slow are counted", || counted(c, 2, "gossip.resent", resent + 5))?;
        c.bed.heal()?;
        all_see_all(c, HEAL, "on the fast link")?;

        c.bed.impair(2, Impairment { rate_bits: Some(1_000), queue_bytes: Some(1 << 20), ..Impairment::default() })?;
        within(FULL, "the kernel has no room, and that is counted", || counted(c, 2, "gossip.send.no_buffers", 5))?;
        shown(c, &[2], 2, State::Alive).map_err(anyhow::Error::msg)?;
        c.complete(&others).map_err(anyhow::Error::msg)?;
        c.bed.heal()?;
        all_see_all(c, HEAL, "once there is room")?;
        within(HEAL, "its values are fresh", || others.iter().try_for_each(|&i| fresh(c, i, 2)))?;
        watch.nobody_was_down_but("node-3")
    });
}

#[test]
fn a_node_that_is_alone_answers_with_honest_ages() {
    Cluster::test(four, |c| {
        all_see_all(c, JOIN, "at the start")?;
        c.bed.cut(&[3])?;
        let cut = Instant::now();
        // The last values that came were measured before the cut, and were at most so old; clocks of a cluster differ a little.
        let (most, slack) = ((AGE * MARGIN).as_secs_f64(), 0.25);
        let (mut looks, mut alone) = (0, None);
        holds_until(cut, AWAY, "it answers", || {
            let since = cut.elapsed().as_secs_f64();
            let nodes = c.daemons[3].ask().nodes(&NodesQuery::default()).map_err(|e| e.to_string())?;
            if nodes.len() != 4 {
                return Err(format!("it shows {} nodes", nodes.len()));
            }
            for n in nodes {
                let age = n.age_seconds.ok_or_else(|| format!("no age of {}", n.name))?;
                let honest = if n.this { age < most } else { age > since - slack && age < since + most };
                if !honest || (n.this && n.state != State::Alive) {
                    return Err(format!("{since:.2} s after the cut it shows {} as {:?}, {age:.2} s old", n.name, n.state));
                }
            }
            looks += 1;
            let offered = c.offers(3)?;
            if offered == ["node-4"] {
                alone = alone.or(Some(cut.elapsed().as_secs_f64()));
            }
            if offered.iter().any(|name| name == "node-4") { Ok(()) } else { Err(format!("it offers {offered:?}")) }
        })?;
        say(&format!("measured: {looks} looks at a lone node's table, each with the ages there should be"));
        let alone = alone.with_context(|| format!("it still offers {:?}", c.offers(3)))?;
        say(&format!("measured: it offers only itself: {alone:.1} s after the cut (bound {:.1} s)", ALONE.as_secs_f64()));
        (0..3).try_for_each(|of| c.shows(3, of, State::Down)).map_err(anyhow::Error::msg)?;
        for (command, lines) in [("best", 1), ("nodes", 5)] {
            let out = Command::new(BINARY).arg(command).arg("--api").arg(c.daemons[3].socket()).output().context("running it")?;
            let text = String::from_utf8_lossy(&out.stdout);
            ensure!(out.status.success() && text.lines().count() == lines, "peermon {command}: {out:?}");
            ensure!(text.contains("node-4"), "peermon {command}: {text}");
        }
        c.bed.heal()?;
        all_see_all(c, HEAL, "after the cut")
    });
}

#[test]
fn a_new_configuration_is_seen_elsewhere_and_a_broken_one_changes_nothing() {
    Cluster::test(
        || Cluster::new(BINARY, 2, Family::Both),
        |c| {
            all_see_all(c, JOIN, "at the start")?;
            let basis = c.spec(0).config;
            let notice = "notice = [{ topic = \"maintenance\", text = \"down on Friday\" }]\n";
            c.daemons[0].configure(&format!("{basis}labels.rack = \"r1\"\n{notice}"))?;
            c.daemons[0].signal(Signal::HUP)?;
            within(CHANGE, "another node shows the new label and notice", || {
                labelled(c, 1, 0, "r1")?;
                let notices = c.view(1, 0)?.notices;
                let told = notices.iter().any(|n| n.topic == "maintenance" && n.text == "down on Friday");
                if told { Ok(()) } else { Err(format!("it shows the notices {notices:?}")) }
            })?;
            let socket = c.daemons[1].socket();
            let out = Command::new(BINARY).args(["show", "node-1", "--api"]).arg(socket).output().context("running it")?;
            let text = String::from_utf8_lossy(&out.stdout);
            ensure!(text.contains("maintenance: down on Friday") && text.contains("r1"), "peermon show: {out:?}");

            for (broken, complaint) in [
                ("labels.rack = \"r2\"\nperiod = \"often\"\n", "period"),
                ("labels.rack = \"r2\"\nno_such_option = 1\n", "no_such_option"),
                ("labels.rack = \"r2\nthis is no TOML", "peermon.toml"),
            ] {
                let logged = c.daemons[0].log().len();
                c.daemons[0].configure(&format!("{basis}{broken}"))?;
                c.daemons[0].signal(Signal::HUP)?;
                within(CHANGE, "a broken configuration is refused in the log", || {
                    let log = c.daemons[0].log().split_off(logged);
                    let told = log.contains("reload failed; what was in use stays") && log.contains(complaint);
                    if told { Ok(()) } else { Err(format!("it says: {log}")) }
                })?;
                labelled(c, 0, 0, "r1").and(labelled(c, 1, 0, "r1")).map_err(anyhow::Error::msg)?;
            }
            c.daemons[0].configure(&format!("{basis}labels.rack = \"r3\"\n"))?;
            c.daemons[0].signal(Signal::HUP)?;
            within(CHANGE, "another node shows what the next good one says", || {
                labelled(c, 1, 0, "r3")?;
                let notices = c.view(1, 0)?.notices;
                if notices.is_empty() { Ok(()) } else { Err(format!("it still shows {notices:?}")) }
            })?;
            let life = c.view(1, 0).map_err(anyhow::Error::msg)?;
            ensure!(life.state == State::Alive, "it is {:?}", life.state);
            counted(c, 0, "peermon.reloads", 5).map_err(anyhow::Error::msg)
        },
    );
}

#[test]
fn a_daemon_that_is_told_to_end_says_so() {
    Cluster::test(four, |c| {
        all_see_all(c, JOIN, "at the start")?;
        let asked = Instant::now();
        c.daemons[2].signal(Signal::TERM)?;
        within_since(asked, LEAVE, "the others show that it left", || shown(c, &[0, 1, 3], 2, State::Left))?;
        let mut status = None;
        wait_for("it to end", JOIN * MARGIN, || {
            status = c.daemons[2].ended().map_err(|e| e.to_string())?;
            status.map(drop).ok_or_else(|| "it runs".into())
        })?;
        say(&format!("measured: it ended {:.2} s after the signal", asked.elapsed().as_secs_f64()));
        ensure!(status.is_some_and(|s| s.code() == Some(0)), "it ended with {status:?}");
        for i in [0, 1, 3] {
            let offered = c.offers(i).map_err(anyhow::Error::msg)?;
            ensure!(offered.iter().all(|name| name != "node-3"), "node-{} offers {offered:?}", i + 1);
        }
        c.complete(&[0, 1, 3]).map_err(anyhow::Error::msg)
    });
}

#[test]
fn a_listener_sees_all_and_is_seen_by_none() {
    let with_a_listener = || {
        let mut c = Cluster::hosts(BINARY, 4, Family::Both)?;
        (0..3).try_for_each(|i| c.add(c.spec(i)))?;
        c.add(Spec { flags: vec!["--listen-only".into()], ..c.spec(3) })?;
        Ok(c)
    };
    Cluster::test(with_a_listener, |c| {
        let publishers = [0, 1, 2];
        within(JOIN, "the three that publish see each other, and the listener sees them", || {
            c.complete(&publishers)?;
            publishers.iter().try_for_each(|&of| fresh(c, 3, of))
        })?;
        let all = NodesQuery { all: true, ..NodesQuery::default() };
        let served = || {
            let roles = publishers.iter().map(|&i| Ok(c.daemons[i].ask().status().map_err(|e| e.to_string())?.links));
            let links: Vec<_> = roles.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect();
            if links.iter().any(|l| l.role == "listener") { Ok(()) } else { Err(format!("links: {links:?}")) }
        };
        within(JOIN, "somebody serves it", served)?;
        for i in 0..4 {
            let names: Vec<String> = c.daemons[i].ask().nodes(&all)?.into_iter().map(|n| n.name).collect();
            ensure!(names == ["node-1", "node-2", "node-3"], "node-{} shows {names:?}", i + 1);
            let mut offered = c.offers(i).map_err(anyhow::Error::msg)?;
            offered.sort();
            ensure!(offered == names, "node-{} offers {offered:?}", i + 1);
        }
        for i in publishers {
            let asked = c.daemons[i].ask().node("node-4");
            ensure!(matches!(asked, Err(Error::NotFound(_))), "node-{} says of it: {asked:?}", i + 1);
        }
        Ok(())
    });
}
