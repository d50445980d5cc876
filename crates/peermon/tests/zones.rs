//! Three LANs behind routers, each a zone, with real daemons: all know all, best offers nodes of any zone, a relay that dies is
//! replaced, and a LAN that is cut off is stale and comes back.

use anyhow::{Context, Result, ensure};
use peermon_api::{Service, State, ZoneView};
use peermon_testbed::{Cluster, say, within};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_peermon");
/// Hosts of each LAN.
const SIZES: [usize; 3] = [4, 4, 4];
/// All know all after the start: a zone's relays must have found each other first.
const JOIN: Duration = Duration::from_secs(6);
/// A zone's silence is noticed after three periods and a second, and one more look.
const STALE: Duration = Duration::from_secs(6);
/// A zone that can be reached again is fresh everywhere.
const HEALED: Duration = Duration::from_secs(10);
/// A crash is known in other zones, too.
const DOWN: Duration = Duration::from_secs(3);

/// The daemons of a LAN.
fn of(lan: usize) -> std::ops::Range<usize> {
    let first = SIZES[..lan].iter().sum();
    first..first + SIZES[lan]
}

fn zone(c: &Cluster, i: usize, lan: usize) -> Result<ZoneView, String> {
    let zones = c.daemons[i].ask().zones().map_err(|e| e.to_string())?;
    zones.into_iter().find(|z| z.name == format!("lan-{lan}")).ok_or_else(|| format!("daemon {i} knows no zone lan-{lan}"))
}

#[test]
fn three_lans_behind_routers() {
    Cluster::test(
        || Cluster::lans(BINARY, &SIZES),
        |c| {
            within(JOIN, "all see all in three zones", || c.all_see_all())?;
            let totals = || {
                for (i, lan) in (0..12).flat_map(|i| (0..3).map(move |lan| (i, lan))) {
                    let z = zone(c, i, lan)?;
                    let up = z.totals.as_ref().map(|t| t.up);
                    if up != Some(4) || z.stale || z.relays.len() != 3 || z.this != of(lan).contains(&i) {
                        return Err(format!("daemon {i} shows {z:?}"));
                    }
                }
                Ok(())
            };
            within(JOIN * 2, "each zone has told the others how many it has", totals)?;
            within(JOIN, "best offers nodes of all zones", || match c.offers(0)?.len() {
                12 => Ok(()),
                n => Err(format!("{n} are offered")),
            })?;
            let oldest = c.oldest(&(0..12).collect::<Vec<_>>()).map_err(anyhow::Error::msg)?;
            say(&format!("the oldest values anywhere are {oldest:.3} s old"));

            // the relay that speaks for the second zone dies
            let relay = zone(c, 0, 1).map_err(anyhow::Error::msg)?.relays[0].clone();
            let dead = c.daemons.iter().position(|d| d.name() == relay).context("a relay is one of the daemons")?;
            ensure!(of(1).contains(&dead), "{relay} is a relay of another zone");
            c.daemons[dead].kill()?;
            let others: Vec<usize> = (0..12).filter(|i| *i != dead).collect();
            within(DOWN, "a dead relay is known as down everywhere", || {
                others.iter().try_for_each(|i| c.shows(*i, dead, State::Down))
            })?;
            within(JOIN, "it is replaced, and all others are fresh", || {
                c.complete(&others)?;
                let oldest = c.oldest(&others)?;
                let relays = zone(c, 0, 1)?.relays;
                if oldest < 1.5 && relays.len() == 3 && !relays.contains(&relay) {
                    Ok(())
                } else {
                    Err(format!("{oldest} s, {relays:?}"))
                }
            })?;
            c.daemons[dead].start_again()?;
            within(JOIN, "it is back", || c.all_see_all())?;

            // the third LAN loses its router's line
            c.bed.isolate(2)?;
            let apart = |i: usize, j: usize| of(2).contains(&i) != of(2).contains(&j);
            within(STALE, "the cut zone is stale, not down, on both sides", || {
                for (i, j) in (0..12).flat_map(|i| (0..12).map(move |j| (i, j))) {
                    c.shows(i, j, if apart(i, j) { State::Stale } else { State::Alive })?;
                }
                Ok(())
            })?;
            within(STALE, "best offers nobody who is stale", || {
                let offers = c.offers(0)?;
                let gone = of(2).map(|i| c.daemons[i].name().to_string()).find(|name| offers.contains(name));
                gone.map_or(Ok(()), |name| Err(format!("{name} is offered")))
            })?;
            ensure!(zone(c, 0, 2).map_err(anyhow::Error::msg)?.stale && !zone(c, 0, 1).map_err(anyhow::Error::msg)?.stale);
            c.bed.rejoin(2)?;
            within(HEALED, "after the cut all are fresh again", || {
                c.all_see_all()?;
                let oldest = c.oldest(&(0..12).collect::<Vec<_>>())?;
                if oldest < 1.5 { Ok(()) } else { Err(format!("the oldest values are {oldest} s old")) }
            })
        },
    );
}
