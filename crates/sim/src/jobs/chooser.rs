//! Who places jobs, and by what.

use super::job::Job;
use super::machine::Machine;
use super::told::{Told, id, table};
use crate::Rng;
use peermon_model::{Instant, Snapshot};
use peermon_placement::{By, Claimed, Claims, Query, Requirements, Sight};

/// How a claim counts less and less.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Decay {
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
            Decay::Step => 1.0,
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
    },
    /// Knows how all machines are at this moment, and what the job needs.
    Oracle,
}

impl Chooser {
    /// The ranking alone.
    pub const fn by(by: By) -> Chooser {
        Chooser::Ranked { by, claims: None, needs: false }
    }
}

/// A claim as its machine's neighbours heard of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) at: f64,
    pub(crate) from: usize,
    pub(crate) on: usize,
    pub(crate) cpus: f64,
    pub(crate) mem: f64,
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
    /// The machines for a job, as many as it has processes.
    pub(crate) fn choose(self, view: &View<'_>, job: &Job) -> Vec<usize> {
        let (n, width) = (view.machines.len(), job.width());
        match self {
            Chooser::Random => fill(Vec::new(), n, width, job.seed),
            Chooser::Oracle => {
                let mut costs: Vec<_> = view.machines.iter().map(|m| m.cost(job)).zip(0..n).collect();
                let total = |c: &((f64, f64), usize)| c.0.0 + FULLNESS * c.0.1;
                costs.sort_by(|a, b| total(a).total_cmp(&total(b)));
                costs.into_iter().take(width).map(|c| c.1).collect()
            }
            Chooser::Ranked { by, claims, needs } => {
                let table = table(view.told, job.from, view.now, view.row_delay);
                let claimed = claims.map(|decay| claimed(view, job, &table, decay)).unwrap_or_default();
                let sight = Sight::new(&table, table.taken).with_claims(&claimed);
                let query = Query { n: width, by, ..Query::default() };
                let wanted = |needs: bool| {
                    let amounts = Requirements { cpus: Some(job.threads as u32), mem: Some(job.memory), ..Default::default() };
                    let asked = if needs { amounts } else { Requirements::default() };
                    asked.compile(&table).expect("amounts alone are right")
                };
                let mut chosen = Vec::with_capacity(width);
                for needs in [needs, false] {
                    let ranking = sight.rank(&query, &wanted(needs), job.seed);
                    for c in ranking.best {
                        if chosen.len() < width && !chosen.contains(&c.index) {
                            chosen.push(c.index);
                        }
                    }
                }
                fill(chosen, n, width, job.seed)
            }
        }
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
        let heard = c.from == job.from || age >= view.claim_delay;
        let row_age = table.age(&table.nodes[c.on], now(view.now)).map_or(f64::INFINITY, |a| a.as_secs_f64());
        let weight = decay.weight(age, age - row_age);
        if heard && weight > 0.0 {
            all.add(id(c.on), Claimed { cpus: c.cpus * weight, mem: c.mem * weight, gpus: 0.0 });
        }
    }
    all
}

fn now(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as u64)
}
