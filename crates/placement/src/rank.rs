use crate::chance::Chance;
use crate::eligible::Fitness;
use crate::sight::vital;
use crate::{By, Claimed, Query, Reason, Sight, Wanted};
use peermon_model::{Instant, Snapshot};
use std::time::Duration;

/// Processes that the job to be placed is taken to have when processors and memory count: an idle node of 4 cores is not as
/// good as one of 64. Fewer: small nodes that happen to be idle are taken for granted; more: the load of large ones is not seen.
pub const JOB_THREADS: f64 = 4.0;
/// The share of usable nodes that have less memory available than counts, when processors and memory count. A job's memory is
/// there or it is not: beyond what most nodes have, more of it is no reason to bear a higher load. Lower: jobs that need much
/// are sent where it just about fits; higher: all jobs crowd on the few largest nodes.
pub const PLENTY_SHARE: f64 = 0.6;
/// The same when one job takes several nodes: what is spread over them needs less on each, and ends with the slowest. Lower: hardly
/// anything but the load counts; higher: a crowd's parallel jobs overload the larger half and leave the rest idle.
pub const PLENTY_SHARE_TOGETHER: f64 = 0.25;
/// When processors and memory count, the score of a node that has no idle processor is divided by this: a process more on it slows
/// down those that run, however well it does otherwise. Lower: a crowd overloads large nodes while others are idle; higher: a node
/// that is a little busy is passed over for one with hardly any memory.
pub const FULL: f64 = 3.0;
/// Idle processors that a node without any is drawn as if it had.
const IDLE_MIN: f64 = 0.25;

/// A node that is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Which of the snapshot's nodes.
    pub index: usize,
    /// What it was ranked by; higher is better. Bytes for [`By::Mem`] and [`By::Both`], minus load per core for [`By::Cpu`].
    pub score: f64,
    /// Load over the last minute / processors as it is believed now, with what is claimed; 0 if it is not known and does not count.
    pub load_per_core: f64,
    /// The same as the node told it.
    pub load_told: f64,
    /// Available memory in bytes, less what is claimed; 0 if it is not known and does not count.
    pub available: f64,
    /// The load per core that it is ranked by: with [`By::Both`] that with [`JOB_THREADS`] more.
    pub load_counted: f64,
    /// The bytes that it is ranked by: with [`By::Both`] no more than is plenty (see [`PLENTY_SHARE`]).
    pub available_counted: f64,
    /// Whether no processor of it is idle, so that with [`By::Both`] its score is [`FULL`] times less.
    pub full: bool,
    /// What others have claimed of it.
    pub claimed: Claimed,
    /// Bytes of memory that those are supposed to take of it who did not say how much: see [`crate::SUPPOSED_SHARE`].
    pub supposed: f64,
    /// How old these values are.
    pub age: Duration,
    /// Its place, counted from 1.
    pub place: usize,
    /// Nodes in its group, itself among them; within it the lot decides.
    pub equals: usize,
    /// Nodes in all better groups.
    pub better: usize,
}

impl Chosen {
    /// Why it stands where it stands, in sentences for people.
    pub fn reasons(&self, query: &Query) -> Vec<String> {
        // Amounts as `free -h` and the table of nodes show them, the delta as people write it.
        let gib = |b: f64| b / (1024.0 * 1024.0 * 1024.0);
        let gb = query.mem_delta / 1e9;
        let mut reasons = vec![match query.by {
            By::Cpu => format!("load per core {:.2}", self.load_per_core),
            By::Mem => format!("{:.1} GiB of memory available", gib(self.available)),
            By::Both => {
                let mut memory = format!("{:.1} GiB of memory available", gib(self.available));
                if self.available_counted < self.available {
                    memory += &format!(", of which {:.1} GiB count,", gib(self.available_counted));
                }
                let (load, with) = (self.load_per_core, self.load_counted);
                let full = if self.full { format!(" / {FULL} as no processor is idle") } else { String::new() };
                format!(
                    "{memory} / (1 + {with:.2} load per core: {load:.2} and {JOB_THREADS} processes more){full} = {:.1} GiB",
                    gib(self.score)
                )
            }
        }];
        let claimed = !self.claimed.is_nothing();
        // Less would not be seen in the numbers above.
        if query.by.cpu() && !claimed && self.load_per_core - self.load_told >= 0.005 {
            let (told, age) = (self.load_told, self.age.as_secs_f64());
            reasons.push(format!(
                "its load per core was {told:.2}, but that was {age:.1} s ago: it counts as nearer to what is usual"
            ));
        }
        if claimed {
            let supposed = match self.supposed {
                bytes if bytes < 1e6 => String::new(),
                bytes => format!(", and those that name no memory are supposed to take {:.1} GiB", gib(bytes)),
            };
            reasons.push(format!("claims take {} of it{supposed}", self.claimed));
        }
        reasons.push(better(self.better));
        if self.equals > 1 {
            let deltas = match query.by {
                By::Cpu => format!("{} load per core", query.cpu_delta),
                By::Mem => format!("{gb} GB"),
                By::Both => format!("{} load per core and {gb} GB", query.cpu_delta),
            };
            reasons.push(format!(
                "one of {} that count as equal (within {deltas}): placed among them by lot, the larger the likelier",
                self.equals
            ));
        }
        reasons
    }
}

/// How many stand in better groups.
pub(crate) fn better(n: usize) -> String {
    match n {
        0 => "no usable node is better".to_string(),
        1 => "1 usable node is better".to_string(),
        n => format!("{n} usable nodes are better"),
    }
}

/// What [`rank`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Best first, at most as many as asked for.
    pub best: Vec<Chosen>,
    /// Every other node by its index in the snapshot, and why it is not offered: first those that could be used, best first, then
    /// the others in the snapshot's order.
    pub left_out: Vec<(usize, Reason)>,
}

struct Candidate {
    index: usize,
    fitness: Fitness,
    counts: Counts,
    score: f64,
    group: Option<usize>,
    /// In its group, drawn by lot.
    place: f64,
}

/// What a node is ranked by.
#[derive(Clone, Copy)]
struct Counts {
    load_per_core: f64,
    available: f64,
    /// No processor is idle: see [`FULL`].
    full: bool,
}

/// Ranks the snapshot's nodes as they are at `now`. The same arguments always give the same ranking; another `seed` draws
/// another lot among equals.
pub fn rank(snapshot: &Snapshot, query: &Query, now: Instant, seed: u64) -> Ranking {
    Sight::new(snapshot, now).rank(query, &Wanted::default(), seed)
}

impl Sight<'_> {
    /// As [`rank`], of the nodes that have what is wanted.
    pub fn rank(&self, query: &Query, wanted: &Wanted, seed: u64) -> Ranking {
        let mut left_out = Vec::new();
        let mut candidates = Vec::new();
        let plenty = if query.by == By::Both { self.plenty(query.together) } else { f64::INFINITY };
        for (index, node) in self.snapshot.nodes.iter().enumerate() {
            let judged = self.judge(node, query.by);
            match judged.and_then(|fitness| self.met(wanted, node).map(|()| fitness).map_err(Reason::Unmet)) {
                Ok(fitness) => {
                    let more = if query.by == By::Both { JOB_THREADS / fitness.cores } else { 0.0 };
                    // with one processor or two, half of them: they are hardly ever idle altogether
                    let needed = (fitness.cores / 2.0).min(1.0);
                    let full = query.by == By::Both && (1.0 - fitness.load_per_core) * fitness.cores < needed - 1e-9;
                    let (load_per_core, available) = (fitness.load_per_core + more, fitness.available.min(plenty));
                    let counts = Counts { load_per_core, available, full };
                    candidates.push(Candidate {
                        index,
                        fitness,
                        counts,
                        score: score(query.by, counts),
                        group: None,
                        place: 0.0,
                    });
                }
                Err(reason) => left_out.push((index, reason)),
            }
        }
        arrange(self.snapshot, candidates, left_out, query, seed)
    }

    /// Bytes of available memory beyond which more is no better. As nodes told it: claims change nobody's but the claimed node's
    /// place.
    fn plenty(&self, together: bool) -> f64 {
        let share = if together { PLENTY_SHARE_TOGETHER } else { PLENTY_SHARE };
        let usable = self.snapshot.nodes.iter().filter(|n| self.usable(n).is_ok());
        let mut told: Vec<f64> = usable.filter_map(|n| vital(n, "mem.available")).collect();
        if told.is_empty() {
            return f64::INFINITY;
        }
        let at = ((told.len() as f64 * share) as usize).min(told.len() - 1);
        *told.select_nth_unstable_by(at, f64::total_cmp).1
    }
}

fn arrange(
    snapshot: &Snapshot,
    mut candidates: Vec<Candidate>,
    mut left_out: Vec<(usize, Reason)>,
    query: &Query,
    seed: u64,
) -> Ranking {
    let id = |c: &Candidate| snapshot.nodes[c.index].record.id;
    candidates.sort_by(|a, b| {
        let more = b.score.total_cmp(&a.score).then(b.counts.available.total_cmp(&a.counts.available));
        more.then_with(|| id(a).cmp(&id(b)))
    });
    let groups = group(&mut candidates, query);

    // Within a group by falling score and then id, whatever order the nodes came in, until the lot is drawn.
    candidates.sort_by_key(|c| c.group.unwrap_or(usize::MAX));
    let mut rest = &mut candidates[..];
    for size in &groups {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(*size);
        draw(head, query.by, |c| Chance::of(seed, &id(c)));
        rest = tail;
    }

    let of = candidates.len();
    let mut best = Vec::with_capacity(query.n.min(of));
    let mut behind = Vec::new();
    let mut better = 0;
    let sizes = groups.iter().flat_map(|size| std::iter::repeat_n(*size, *size)).chain(std::iter::repeat(1));
    for (i, (c, equals)) in candidates.iter().zip(sizes).enumerate() {
        if i > 0 && c.group != candidates[i - 1].group {
            better = i;
        }
        if i < query.n {
            let Fitness { load_per_core, load_told, available, age, claimed, supposed, .. } = c.fitness;
            let Counts { load_per_core: load_counted, available: available_counted, full } = c.counts;
            best.push(Chosen {
                index: c.index,
                score: c.score,
                load_per_core,
                load_told,
                available,
                load_counted,
                available_counted,
                full,
                claimed,
                supposed,
                age,
                place: i + 1,
                equals,
                better,
            });
        } else {
            behind.push((c.index, Reason::NotAmongFirst { place: i + 1, of, n: query.n }));
        }
    }
    behind.append(&mut left_out);
    Ranking { best, left_out: behind }
}

/// Draws the lot among equals. Tickets are what each has of their idle processors and of their memory, the smaller share if both
/// count: a crowd that asks at once then fills large nodes and small ones alike.
fn draw(equals: &mut [Candidate], by: By, chance: impl Fn(&Candidate) -> Chance) {
    let idle = |c: &Candidate| (c.fitness.cores * (1.0 - c.fitness.load_per_core)).max(IDLE_MIN);
    let memory = |c: &Candidate| c.fitness.available.max(1.0);
    let all_idle: f64 = equals.iter().map(idle).sum();
    let all_memory: f64 = equals.iter().map(memory).sum();
    for c in &mut *equals {
        let (idle, memory) = (idle(c) / all_idle, memory(c) / all_memory);
        let weight = match by {
            By::Cpu => idle,
            By::Mem => memory,
            By::Both => idle.min(memory),
        };
        c.place = chance(c).place(weight);
    }
    equals.sort_by(|a, b| a.place.total_cmp(&b.place));
}

fn score(by: By, counts: Counts) -> f64 {
    match by {
        // Not "-": an idle node scores 0, not minus 0.
        By::Cpu => 0.0 - counts.load_per_core,
        By::Mem => counts.available,
        By::Both => counts.available / (1.0 + counts.load_per_core) / if counts.full { FULL } else { 1.0 },
    }
}

/// Gives candidates their groups, as the crate's page says, until as many as asked for have one, and returns the groups' sizes.
/// `candidates` stand by falling score; those without a group in the end are worth no search, since nobody sees their place.
fn group(candidates: &mut [Candidate], query: &Query) -> Vec<usize> {
    // max also turns a NaN into 0.
    let (cpu_delta, mem_delta) = (query.cpu_delta.max(0.0), query.mem_delta.max(0.0));
    let mut sizes = Vec::new();
    let mut placed = 0;
    for leader in 0..candidates.len() {
        if placed >= query.n {
            break;
        }
        if candidates[leader].group.is_some() {
            continue;
        }
        let best = candidates[leader].counts;
        // No member of the group can score less than this; it ends the search early, a little lower to allow for rounding.
        let worst =
            Counts { load_per_core: best.load_per_core + cpu_delta, available: (best.available - mem_delta).max(0.0), ..best };
        let floor = score(query.by, worst);
        let floor = floor - floor.abs() * 1e-9;
        let mut size = 0;
        for c in &mut candidates[leader..] {
            if c.score < floor {
                break;
            }
            let near = c.counts.full == best.full
                && (!query.by.cpu() || (c.counts.load_per_core - best.load_per_core).abs() <= cpu_delta)
                && (!query.by.mem() || (c.counts.available - best.available).abs() <= mem_delta);
            if c.group.is_none() && near {
                c.group = Some(sizes.len());
                size += 1;
            }
        }
        sizes.push(size);
        placed += size;
    }
    sizes
}
