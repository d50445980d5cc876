//! Which nodes a name is held at: the best, but not another set every second, since each change is a new version of the zone.

use peermon_api::BestNode;
use std::collections::HashSet;

/// A member stays as long as it is no worse than the last of the best by this share of that one's score.
pub(super) const KEEP_WITHIN: f64 = 0.25;
/// Where scores are about 0, as loads of idle nodes are: a difference that is none.
pub(super) const KEEP_WITHIN_PLAIN: f64 = 0.25;

/// Up to `n` nodes by id: the present members that are still offered and good enough, then the best others. `ranking` holds all
/// nodes that can be used, best first.
pub fn choose(members: &[String], ranking: &[BestNode], n: usize) -> Vec<String> {
    let Some(last) = ranking.get(..n.min(ranking.len())).and_then(<[_]>::last) else { return Vec::new() };
    // Loads are small negative scores, memory large positive ones: of the former only the second allowance is felt, of the latter
    // only the first.
    let floor = last.score - (last.score.abs() * KEEP_WITHIN).max(KEEP_WITHIN_PLAIN);
    let good: HashSet<&str> = ranking.iter().filter(|b| b.score >= floor).map(|b| &*b.id).collect();
    let mut chosen: Vec<String> = members.iter().filter(|m| good.contains(&***m)).take(n).cloned().collect();
    for b in ranking {
        if chosen.len() >= n {
            break;
        }
        if !chosen.contains(&b.id) {
            chosen.push(b.id.clone());
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &[&str], ranking: &[(&str, f64)], n: usize, expected: &[&str]) {
        let best = |(id, score): &(&str, f64)| BestNode {
            name: (*id).into(),
            id: (*id).into(),
            address: String::new(),
            score: *score,
            reasons: Vec::new(),
            age_seconds: 0.0,
        };
        let ranking: Vec<_> = ranking.iter().map(best).collect();
        let members: Vec<String> = members.iter().map(ToString::to_string).collect();
        assert_eq!(choose(&members, &ranking, n), expected, "{members:?}");
    }

    #[test]
    fn members_stay_while_they_are_good_enough() {
        let idle = &[("a", 9e9), ("b", 9e9), ("c", 8e9), ("d", 2e9)];
        check(&[], idle, 2, &["a", "b"]);
        check(&["c", "a"], idle, 2, &["c", "a"]);
        check(&["d", "c"], idle, 2, &["c", "a"]);
        check(&["gone", "b"], idle, 2, &["b", "a"]);
        check(&["a", "b", "c"], idle, 1, &["a"]);
        check(&["d"], idle, 9, &["d", "a", "b", "c"]);
        check(&["a"], &[], 2, &[]);
        check(&["a"], idle, 0, &[]);
        // Loads per core, as `--by cpu` ranks.
        let loads = &[("a", 0.0), ("b", -0.1), ("c", -0.2), ("d", -3.0)];
        check(&["c"], loads, 1, &["c"]);
        check(&["d"], loads, 1, &["a"]);
    }
}
