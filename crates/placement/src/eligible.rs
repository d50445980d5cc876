use crate::sight::{processors, vital};
use crate::{By, Claimed, Sight, Unmet};
use peermon_model::{MemberState, NodeEntry, Notice, Why};
use std::fmt;
use std::time::Duration;

/// A node whose kernel used more than this share of its processors within the last 3 minutes is left out: it is thrashing or
/// drowning in interrupts even if its load looks low (CoDeeN's guard).
pub const SYSTEM_CPU_MAX: f64 = 0.95;
/// A node with less health than this is ranked as if it had this.
const HEALTH_MIN: f64 = 0.05;
/// Who claims processors and does not say how much memory is supposed to take this share of what falls to so many processors; batch
/// systems can share memory out by processors, too (Slurm's `DefMemPerCPU`). Lower:
/// jobs of a crowd meet where memory is short; higher: they crowd on nodes with much memory a processor.
pub const SUPPOSED_SHARE: f64 = 0.25;
/// Periods of a node after which its values say nothing about now. The table hides a node that is silent this long.
pub const AGE_MAX_PERIODS: u32 = 10;
/// The shortest period believed when judging ages: a node that claims a shorter one is not held to it.
const PERIOD_MIN: Duration = Duration::from_millis(100);

/// Why a node is not offered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// It has been down or gone so long that it is not shown.
    Hidden,
    /// It only listens.
    ListenOnly,
    /// Membership does not see it as alive.
    NotAlive(MemberState, Duration),
    /// No values have come from it yet.
    NoValues,
    /// Its values are older than [`AGE_MAX_PERIODS`] of its periods.
    TooOld {
        /// How old they are.
        age: Duration,
        /// How old they may be.
        limit: Duration,
    },
    /// It says that it is unusable, and why, if it does.
    Unhealthy(Box<str>),
    /// It does not answer this node well.
    Avoided(Why),
    /// Its kernel used this share of its processors, more than [`SYSTEM_CPU_MAX`], within the last 3 minutes.
    SystemCpu(f64),
    /// It does not publish this attribute, or publishes a value that makes no sense.
    Missing(&'static str),
    /// It does not have what was asked for.
    Unmet(Unmet),
    /// It can be used, but none of the numbers to order by is known of it.
    NoOrder,
    /// It could be used, but others come first.
    NotAmongFirst {
        /// Its place, counted from 1; far behind it is by score alone.
        place: usize,
        /// Nodes that could be used.
        of: usize,
        /// Nodes asked for.
        n: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Hidden => f.write_str("it has been away so long that it is hidden"),
            Reason::ListenOnly => f.write_str("it only listens and offers nothing"),
            Reason::NotAlive(state, since) => {
                let how = match state {
                    MemberState::Alive => "alive",
                    MemberState::Suspect => "suspect: it was silent in its last period",
                    MemberState::Down => "down: it answers nobody",
                    MemberState::Stale => "stale: its zone is cut off from here",
                    MemberState::Left => "left: it said that it leaves",
                };
                write!(f, "{how} (for {:.0} s)", since.as_secs_f64())
            }
            Reason::NoValues => f.write_str("no values have come from it yet"),
            Reason::TooOld { age, limit } => write!(
                f,
                "its values are {:.1} s old; more than {AGE_MAX_PERIODS} of its periods ({:.1} s) is too old",
                age.as_secs_f64(),
                limit.as_secs_f64()
            ),
            Reason::Unhealthy(why) if why.is_empty() => f.write_str("it reports health 0: it does not trust itself"),
            Reason::Unhealthy(why) => write!(f, "it does not trust itself: {why}"),
            Reason::Avoided(why) => write!(f, "avoided from here: {why}"),
            Reason::SystemCpu(share) => write!(
                f,
                "its kernel used {:.1} % of its processors within the last 3 minutes; above {:.0} % is too much",
                share * 100.0,
                SYSTEM_CPU_MAX * 100.0
            ),
            Reason::Missing(name) => write!(f, "it does not publish a usable {name}"),
            Reason::Unmet(unmet) => unmet.fmt(f),
            Reason::NoOrder => f.write_str("nothing that it is to be ordered by is known of it"),
            Reason::NotAmongFirst { place, of, n } => write!(f, "usable, but number {place} of {of} and {n} asked for"),
        }
    }
}

/// What a node is ranked by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fitness {
    /// As it is believed now, with what is claimed.
    pub(crate) load_per_core: f64,
    /// As the node told it.
    pub(crate) load_told: f64,
    /// Less what is claimed, or supposed to be.
    pub(crate) available: f64,
    pub(crate) age: Duration,
    pub(crate) claimed: Claimed,
    /// Bytes of memory that claims which name none are supposed to take.
    pub(crate) supposed: f64,
    pub(crate) cores: f64,
}

impl Sight<'_> {
    /// How old a node's values are if it may be offered, else why not.
    pub(crate) fn usable(&self, node: &NodeEntry) -> Result<Duration, Reason> {
        let record = &*node.record;
        if node.hidden {
            return Err(Reason::Hidden);
        }
        if record.listen_only {
            return Err(Reason::ListenOnly);
        }
        if node.state != MemberState::Alive {
            return Err(Reason::NotAlive(node.state, node.in_state + (self.now - self.snapshot.taken)));
        }
        let age = self.age(node).ok_or(Reason::NoValues)?;
        let limit = node.period.max(PERIOD_MIN).saturating_mul(AGE_MAX_PERIODS);
        if age > limit {
            return Err(Reason::TooOld { age, limit });
        }
        if vital(node, "health") == Some(0.0) {
            let found = record.notices.iter().find(|n| n.topic.starts_with(Notice::HEALTH));
            return Err(Reason::Unhealthy(found.map_or_else(Box::default, |n| n.text.clone())));
        }
        if let Some(why) = node.avoided {
            return Err(Reason::Avoided(why));
        }
        if let Some(share) = vital(node, "cpu.system.max3m").filter(|s| *s > SYSTEM_CPU_MAX) {
            return Err(Reason::SystemCpu(share));
        }
        Ok(age)
    }

    /// A node's values if it may be offered, else why not. A value that does not count for `by` may be missing; it is 0 then.
    pub(crate) fn judge(&self, node: &NodeEntry, by: By) -> Result<Fitness, Reason> {
        let age = self.usable(node)?;
        let needed = |name, counts: bool| match vital(node, name) {
            None if counts => Err(Reason::Missing(name)),
            value => Ok(value),
        };
        let told = needed("load.1", by.cpu())?;
        let available = needed("mem.available", by.mem())?;
        let (cores, held) = (processors(node), self.held(node));
        let claimed = held.named;
        let total = node.record.facts.number("mem.total").filter(|t| t.is_finite() && *t > 0.0).unwrap_or(0.0);
        let supposed = (held.bare / cores).min(1.0) * total * SUPPOSED_SHARE;
        let health = vital(node, "health").unwrap_or(1.0).clamp(HEALTH_MIN, 1.0);
        let load = told.map_or(0.0, |l| self.load_now(l, cores, age) + claimed.cpus);
        Ok(Fitness {
            // a node that recovers, or is weak, is taken for a smaller one
            load_per_core: load / (cores * health),
            load_told: told.unwrap_or(0.0) / cores,
            available: (available.unwrap_or(0.0) * health - claimed.mem - supposed).max(0.0),
            age,
            claimed,
            supposed,
            cores,
        })
    }
}
