use peermon_api::{BestAnswer, BestNode, BestQuery, By, Error, LeftOut};
use peermon_model::{Instant, Snapshot};
use peermon_placement::{self as placement, Chosen, rank};

/// The best nodes of a table.
pub(super) fn answer(snapshot: &Snapshot, query: &BestQuery, now: Instant, chance: [u8; 32]) -> Result<BestAnswer, Error> {
    if query.n == 0 || query.n > BestQuery::N_MAX {
        return Err(Error::BadRequest(format!("n must be 1 to {}, not {}", BestQuery::N_MAX, query.n)));
    }
    for (name, delta) in [("cpu_delta", query.cpu_delta), ("mem_delta", query.mem_delta)] {
        if !delta.is_finite() || delta < 0.0 {
            return Err(Error::BadRequest(format!("{name} must be 0 or more, not {delta}")));
        }
    }
    let wanted = to_placement(query);
    let seed = u64::from_le_bytes(chance[..8].try_into().expect("eight of 32 bytes"));
    let ranking = rank(snapshot, &wanted, now, seed);
    let best = ranking.best.iter().map(|c| best_node(snapshot, c, &wanted)).collect();
    let left_out = if query.explain {
        ranking.left_out.iter().map(|(i, reason)| left_out(snapshot, *i, reason)).collect()
    } else {
        Vec::new()
    };
    Ok(BestAnswer { best, left_out })
}

fn to_placement(q: &BestQuery) -> placement::Query {
    let by = match q.by {
        By::Cpu => placement::By::Cpu,
        By::Mem => placement::By::Mem,
        By::Both => placement::By::Both,
    };
    placement::Query { n: q.n, by, cpu_delta: q.cpu_delta, mem_delta: q.mem_delta }
}

fn best_node(snapshot: &Snapshot, chosen: &Chosen, query: &placement::Query) -> BestNode {
    let record = &snapshot.nodes[chosen.index].record;
    BestNode {
        name: record.name.to_string(),
        id: record.id.to_string(),
        address: record.addresses.first().map_or(String::new(), |a| a.ip().to_string()),
        score: chosen.score,
        reasons: chosen.reasons(query),
        age_seconds: chosen.age.as_secs_f64(),
    }
}

fn left_out(snapshot: &Snapshot, index: usize, reason: &placement::Reason) -> LeftOut {
    let record = &snapshot.nodes[index].record;
    LeftOut { name: record.name.to_string(), id: record.id.to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::NodeId;

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
        assert_eq!(answer(&nobody, &BestQuery::default(), Instant::ZERO, [0; 32]), Ok(BestAnswer::default()));
    }
}
