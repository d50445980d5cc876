//! Who places jobs, and by what.

use super::job::Job;
use super::machine::Machine;
use super::told::{Told, id, table};
use crate::Rng;
use peermon_model::{Amounts, ClaimEntry, Instant, Snapshot};
use peermon_placement::{By, Claimed, Claims, Query, Requirements, Sight, crowd};
use std::time::Duration;

/// How a claim counts less and less.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Decay {
    /// As the daemon has it: the ranking sees the table's claims.
    Daemon,
    /// Whole until its end.
    Step,
    /// By equal steps.
    Linear,
    /// By `exp(-t / seconds)` with as many seconds.
    Exponential(f64),
    /// Whole until the machine's own row is this many seconds younger than the claim, and then not at all.
    Shown(f64),
    /// Linear, and as much less as the machine's own row is younger than the claim, until that is so many seconds.
    Fading(f64),
}

/// Seconds after which a claim counts no more.
pub const CLAIM_SECONDS: f64 = 60.0;

impl Decay {
    /// What counts of a claim of that age, in a table in which the machine's row was published so many seconds after it.
    fn weight(self, age: f64, shown: f64) -> f64 {
        if age >= CLAIM_SECONDS {
            return 0.0;
        }
        match self {
            Decay::Daemon | Decay::Step => 1.0,
            Decay::Linear => 1.0 - age / CLAIM_SECONDS,
            Decay::Exponential(seconds) => (-age / seconds).exp(),
            Decay::Shown(seconds) => f64::from(u8::from(shown < seconds)),
            Decay::Fading(seconds) => (1.0 - shown.max(0.0) / seconds).max(0.0),
        }
    }
}

/// By what machines are chosen.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Chooser {
    /// All machines are alike.
    Random,
    /// The daemon's ranking of the table at the place where somebody sits.
    Ranked {
        /// What counts.
        by: By,
        /// What others have claimed counts, too, and so decays; none: nobody claims.
        claims: Option<Decay>,
        /// What the job needs is told (`--cpus`, `--mem`): machines without it are taken only if no other is left.
        needs: bool,
        /// Bids come before claims: all who choose at the same moment know of each other ([`peermon_placement::crowd`]).
        bids: bool,
    },
    /// Knows how all machines are at this moment, and what the job needs.
    Oracle,
}

impl Chooser {
    /// The ranking alone.
    pub const fn by(by: By) -> Chooser {
        Chooser::Ranked { by, claims: None, needs: false, bids: false }
    }
}

/// A claim as its machine's neighbours heard of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) at: f64,
    /// For how long, and until when it was not taken back.
    pub(crate) lasts: f64,
    pub(crate) until: f64,
    /// Of which job.
    pub(crate) job: usize,
    pub(crate) number: u16,
    pub(crate) from: usize,
    pub(crate) on: usize,
    pub(crate) amounts: Amounts,
}

impl Claim {
    /// Whether somebody at a machine knows of it.
    fn known(&self, now: f64, at: usize, delay: f64) -> bool {
        let delay = if self.from == at { 0.0 } else { delay };
        self.at + delay <= now && now < (self.until + delay).min(self.at + self.lasts)
    }
}

/// What a chooser can look at.
pub(crate) struct View<'a> {
    pub(crate) now: f64,
    pub(crate) machines: &'a [Machine],
    pub(crate) told: &'a [Told],
    pub(crate) claims: &'a [Claim],
    /// Seconds that a row takes at most, and a claim takes.
    pub(crate) row_delay: f64,
    pub(crate) claim_delay: f64,
}

impl Chooser {
    /// The machines for a job of this number, as many as it has processes.
    pub(crate) fn choose(self, view: &View<'_>, number: usize, job: &Job) -> Vec<usize> {
        let (n, width) = (view.machines.len(), job.width());
        match self {
            Chooser::Random => fill(Vec::new(), n, width, job.seed),
            Chooser::Oracle => {
                let mut costs: Vec<_> = view.machines.iter().map(|m| m.cost(job)).zip(0..n).collect();
                let total = |c: &((f64, f64), usize)| c.0.0 + FULLNESS * c.0.1;
                costs.sort_by(|a, b| total(a).total_cmp(&total(b)));
                costs.into_iter().take(width).map(|c| c.1).collect()
            }
            Chooser::Ranked { by, claims, needs, .. } => {
                let mut table = table(view.told, job.from, view.now, view.row_delay);
                if claims == Some(Decay::Daemon) {
                    table.claims = view.entries(job.from);
                }
                let query = Query { n: width, by, together: width > 1, ..Query::default() };
                let asks = |needs: bool| {
                    let amounts = Requirements { cpus: Some(job.threads as u32), mem: Some(job.memory), ..Default::default() };
                    let asked = if needs { amounts } else { Requirements::default() };
                    asked.compile(&table).expect("amounts alone are right")
                };
                let wanted = [asks(needs), asks(false)];
                let rank = |claims: &Claims, width: usize, seed: u64| {
                    let sight = Sight::new(&table, table.taken).with_claims(claims);
                    let query = Query { n: width, together: width > 1, ..query };
                    let mut chosen = Vec::with_capacity(width.min(n));
                    for wanted in &wanted[usize::from(!needs)..] {
                        for c in sight.rank(&query, wanted, seed).best {
                            if chosen.len() < width && !chosen.contains(&c.index) {
                                chosen.push(c.index);
                            }
                        }
                        if chosen.len() >= width {
                            break;
                        }
                    }
                    chosen
                };
                let (claimed, seed) = match claims {
                    None => (Claims::default(), job.seed),
                    Some(Decay::Daemon) if self.bids() => {
                        let mine: Vec<u16> =
                            view.claims.iter().filter(|c| c.job == number && c.until > view.now).map(|c| c.number).collect();
                        let ids = |claims: &Claims, n: usize, seed: u64| {
                            rank(claims, n, seed).into_iter().map(|i| table.nodes[i].record.id).collect()
                        };
                        let e = crowd::expect(&table, table.taken, &mine, job.seed, ids);
                        (e.claims, e.seed)
                    }
                    Some(Decay::Daemon) => (Claims::of(&table, table.taken), job.seed),
                    Some(decay) => (claimed(view, job, &table, decay), job.seed),
                };
                fill(rank(&claimed, width, seed), n, width, job.seed)
            }
        }
    }

    /// What a daemon claims of each machine for a job: what is told to be needed, or else one processor.
    pub(crate) fn claims(self, job: &Job) -> Amounts {
        match self {
            Chooser::Ranked { needs: true, .. } => Amounts { cpus: job.threads, mem: job.memory, gpus: 0.0 },
            _ => Amounts { cpus: 1.0, ..Amounts::default() },
        }
    }

    /// Whether it makes a bid first.
    pub(crate) fn bids(self) -> bool {
        matches!(self, Chooser::Ranked { bids: true, claims: Some(_), .. })
    }
}

impl View<'_> {
    /// The claims that a machine knows of, as its table shows them.
    fn entries(&self, at: usize) -> Vec<ClaimEntry> {
        let known = self.claims.iter().filter(|c| c.known(self.now, at, self.claim_delay));
        let entry = |c: &Claim| ClaimEntry {
            by: Some(id(c.from)),
            number: c.number,
            node: id(c.on),
            amounts: c.amounts,
            age: Duration::from_secs_f64(self.now - c.at),
            lasts: Duration::from_secs_f64(c.lasts),
        };
        let mut all: Vec<ClaimEntry> = known.map(entry).collect();
        all.sort_by_key(|c| (c.by, c.number));
        all
    }
}

/// What a machine that is as full as can be costs beside one that is empty, among those where the job would be as fast: the
/// oracle knows the present only, and others' work will change.
const FULLNESS: f64 = 0.1;

/// Fills up with machines at random.
fn fill(mut chosen: Vec<usize>, n: usize, width: usize, seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(seed);
    while chosen.len() < width.min(n) {
        let one = rng.below(n);
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    chosen
}

fn claimed(view: &View<'_>, job: &Job, table: &Snapshot, decay: Decay) -> Claims {
    let mut all = Claims::default();
    for c in view.claims {
        let age = view.now - c.at;
        let heard = c.known(view.now, job.from, view.claim_delay);
        let row_age = table.age(&table.nodes[c.on], now(view.now)).map_or(f64::INFINITY, |a| a.as_secs_f64());
        let weight = decay.weight(age, age - row_age);
        if heard && weight > 0.0 {
            all.add(id(c.on), Claimed { cpus: c.amounts.cpus * weight, mem: c.amounts.mem * weight, gpus: 0.0 });
        }
    }
    all
}

fn now(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as u64)
}
