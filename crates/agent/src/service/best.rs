use super::nodes::{each, few, wrong};
use peermon_api::{BestAnswer, BestNode, BestQuery, By, Error, LeftOut, NodeView};
use peermon_expr::{Expression, NodeWords};
use peermon_model::{Instant, NodeId, Snapshot};
use peermon_placement::crowd::{self, Expected};
use peermon_placement::lsf::Lsf;
use peermon_placement::{self as placement, Chosen, Claims, Label, Order, Placed, Requirements, Sight};
use std::time::Duration;

/// The best nodes of a table, less what is claimed of them.
pub(super) fn answer(snapshot: &Snapshot, query: &BestQuery, now: Instant, chance: [u8; 32]) -> Result<BestAnswer, Error> {
    choose(snapshot, query, now, chance, None).map(|chosen| chosen.0)
}

/// A choice by somebody who means to claim what he chooses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bidder<'a> {
    /// The numbers of the claims that are his bid; none yet: he comes after all others.
    pub(super) bid: &'a [u16],
    /// How many of the nodes he takes at most.
    pub(super) most: usize,
}

/// The same for one who means to claim them: less what others will take who choose now and come first. And whether there are other
/// nodes that might be taken instead.
pub(super) fn choose(
    snapshot: &Snapshot,
    query: &BestQuery,
    now: Instant,
    chance: [u8; 32],
    bidder: Option<Bidder<'_>>,
) -> Result<(BestAnswer, bool), Error> {
    let lsf = query.select.as_deref().map(Lsf::parse).transpose().map_err(|e| wrong("select", &e))?;
    let n = match (&lsf, query.n) {
        (Some(lsf), 0) => lsf.nodes.unwrap_or(1),
        (_, n) => n,
    };
    if n == 0 || n > BestQuery::N_MAX {
        return Err(Error::BadRequest(format!("n must be 1 to {}, not {n}", BestQuery::N_MAX)));
    }
    for (name, amount) in [
        ("cpu_delta", Some(query.cpu_delta)),
        ("mem_delta", Some(query.mem_delta)),
        ("mem", query.mem),
        ("gpu_mem", query.gpu_mem),
    ] {
        if let Some(a) = amount.filter(|a| !a.is_finite() || *a < 0.0) {
            return Err(Error::BadRequest(format!("{name} must be 0 or more, not {a}")));
        }
    }
    let mut needs = requirements(query)?;
    let words = NodeWords::of(snapshot);
    needs.conditions = each("where", &query.conditions, |e| e.condition(&words).map(|_| e.clone()))?;
    if let Some(lsf) = &lsf {
        lsf.add_to(&mut needs);
    }
    // The conditions were compiled one by one, so that errors name them; what is left is what `select` asks for.
    let wanted = needs.compile(snapshot).map_err(|e| wrong("select", &e))?;
    let order = order(snapshot, query, lsf.as_ref())?;

    let seed = u64::from_le_bytes(chance[..8].try_into().expect("eight of 32 bytes"));
    // A list of nodes is not yet a job that takes them all.
    let by = to_placement(query, n, bidder.is_some_and(|b| n.min(b.most) > 1));
    let first = |claims: &Claims, n: usize, seed: u64| -> Vec<NodeId> {
        let sight = Sight::new(snapshot, now).with_claims(claims);
        let id = |i: usize| snapshot.nodes[i].record.id;
        match &order {
            Some(order) => sight.rank_by(n, order, &wanted, seed).best.iter().map(|p| id(p.index)).collect(),
            None => sight
                .rank(&placement::Query { n, together: n > 1, ..by }, &wanted, seed)
                .best
                .iter()
                .map(|c| id(c.index))
                .collect(),
        }
    };
    let Expected { claims, seed } = match bidder {
        Some(b) => crowd::expect(snapshot, now, b.bid, seed, first),
        None => Expected { claims: Claims::of(snapshot, now), seed },
    };
    let sight = Sight::new(snapshot, now).with_claims(&claims);
    let (best, left_out) = match &order {
        Some(order) => {
            let found = sight.rank_by(n, order, &wanted, seed);
            (found.best.iter().map(|p| placed(&sight, snapshot, p, order)).collect(), found.left_out)
        }
        None => {
            let found = sight.rank(&by, &wanted, seed);
            (found.best.iter().map(|c| chosen(snapshot, c, &by)).collect::<Vec<_>>(), found.left_out)
        }
    };
    let nodes = if query.whole {
        best.iter().map(|(i, _)| NodeView::of(&snapshot.nodes[*i], snapshot, now)).collect()
    } else {
        Vec::new()
    };
    let others = left_out.iter().any(|(_, reason)| matches!(reason, placement::Reason::NotAmongFirst { .. }));
    let left_out = if query.explain {
        left_out.iter().map(|(i, reason)| self::left_out(snapshot, *i, reason)).collect()
    } else {
        Vec::new()
    };
    let per_node = lsf.and_then(|l| l.per_node);
    let best = best.into_iter().map(|b| b.1).collect();
    Ok((BestAnswer { best, left_out, nodes, per_node, claims: Vec::new() }, others))
}

/// What is asked for apart from `select`.
fn requirements(q: &BestQuery) -> Result<Requirements, Error> {
    few("label", &q.label)?;
    let labels = q.label.iter().map(|l| l.parse::<Label>().map_err(|e| wrong("label", &e))).collect::<Result<_, _>>()?;
    let zone = q.zone.as_ref().map(|z| z.parse().map_err(|e| wrong("zone", &e))).transpose()?;
    Ok(Requirements { cpus: q.cpus, mem: q.mem, gpus: q.gpus, gpu_mem: q.gpu_mem, labels, zone, conditions: Vec::new() })
}

/// What to order by, if it is not `by`.
fn order(snapshot: &Snapshot, q: &BestQuery, lsf: Option<&Lsf>) -> Result<Option<Order>, Error> {
    if q.order.is_empty() {
        let Some(lsf) = lsf else { return Ok(None) };
        return lsf.order(Order::DELTA, snapshot).map_err(|e| wrong("select", &e));
    }
    let words = NodeWords::of(snapshot);
    // Compiled once to know which is wrong.
    let keys: Vec<Expression> = each("order", &q.order, |e| e.measure(&words).map(|_| e.clone()))?;
    Order::new(&keys, Order::DELTA, snapshot).map(Some).map_err(|e| wrong("order", &e))
}

fn to_placement(q: &BestQuery, n: usize, together: bool) -> placement::Query {
    let by = match q.by {
        By::Cpu => placement::By::Cpu,
        By::Mem => placement::By::Mem,
        By::Both => placement::By::Both,
    };
    placement::Query { n, by, cpu_delta: q.cpu_delta, mem_delta: q.mem_delta, together }
}

fn chosen(snapshot: &Snapshot, c: &Chosen, query: &placement::Query) -> (usize, BestNode) {
    (c.index, best_node(snapshot, c.index, c.score, c.reasons(query), c.age))
}

fn placed(sight: &Sight<'_>, snapshot: &Snapshot, p: &Placed, order: &Order) -> (usize, BestNode) {
    let score = p.keys.iter().flatten().next().copied().unwrap_or(0.0);
    (p.index, best_node(snapshot, p.index, score, order.reasons(sight, p), p.age))
}

fn best_node(snapshot: &Snapshot, index: usize, score: f64, reasons: Vec<String>, age: Duration) -> BestNode {
    let record = &snapshot.nodes[index].record;
    BestNode {
        name: record.name.to_string(),
        id: record.id.to_string(),
        address: record.addresses.first().map_or(String::new(), |a| a.ip().to_string()),
        score,
        reasons,
        age_seconds: age.as_secs_f64(),
    }
}

fn left_out(snapshot: &Snapshot, index: usize, reason: &placement::Reason) -> LeftOut {
    let record = &snapshot.nodes[index].record;
    LeftOut { name: record.name.to_string(), id: record.id.to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_questions_are_refused() {
        let nobody = Snapshot::empty(NodeId([0; 32]));
        let check = |change: fn(&mut BestQuery), word: &str| {
            let mut q = BestQuery::default();
            change(&mut q);
            let e = answer(&nobody, &q, Instant::ZERO, [0; 32]).expect_err(word).to_string();
            assert!(e.contains(word), "{e}");
        };
        check(|q| q.n = 0, "n must be");
        check(|q| q.n = usize::MAX, "n must be");
        check(|q| q.cpu_delta = f64::NAN, "cpu_delta");
        check(|q| q.mem_delta = -1.0, "mem_delta");
        check(|q| q.mem = Some(f64::INFINITY), "mem must be");
        check(|q| q.gpu_mem = Some(-1.0), "gpu_mem must be");
        check(|q| q.label = vec!["=x".into()], "label: \"=x\" is not a label");
        check(|q| q.label = vec!["x".into(); 99], "label is given 99 times");
        check(|q| q.zone = Some("rack 7".into()), "zone: \"rack 7\" is not a zone name");
        check(|q| q.conditions = vec!["me".into(), "cpu.bsy < 1".into()], "where: column 1: no attribute is named cpu.bsy");
        check(|q| q.conditions = vec!["mem.available".into()], "where: column 1");
        check(|q| q.order = vec!["name".into()], "order: column 1: a number is wanted here");
        check(|q| q.order = vec!["1 +".into()], "order: column 4");
        check(|q| q.select = Some("select[mem >]".into()), "select: column 13");
        check(|q| q.select = Some("select[pg > 1]".into()), "select: column 8: pg is not in the table");
        check(|q| q.select = Some("order[name]".into()), "select: column 7");
        check(|q| q.select = Some("select[mem + ut > 1]".into()), "select: column");
        assert_eq!(answer(&nobody, &BestQuery::default(), Instant::ZERO, [0; 32]), Ok(BestAnswer::default()));
    }
}
