use peermon_api::{Error, Live, LiveQuery, LiveReader, NodeView, NodesQuery, selected};
use peermon_expr::{Expression, NodeRow, NodeWords};
use peermon_model::{Instant, NodeEntry, Snapshot};
use std::cmp::Ordering;

/// Conditions, labels or things to order by that one question may name, of each kind: people write two or three.
pub(super) const EXPRESSIONS_MAX: usize = 16;

/// The nodes of a table that a query asks for.
pub(super) fn answer(snapshot: &Snapshot, query: &NodesQuery, now: Instant) -> Result<Vec<NodeView>, Error> {
    let words = NodeWords::of(snapshot);
    let conditions = each("where", &query.conditions, |e| e.condition(&words))?;
    let order = each("order", &query.order, |e| e.measure(&words))?;
    let mut nodes = selected(snapshot, query);
    nodes.retain(|n| conditions.iter().all(|c| c.holds(&NodeRow { snapshot, node: n, now }) == Some(true)));
    if !order.is_empty() {
        let keys = |n: &NodeEntry| order.iter().map(|m| m.value(&NodeRow { snapshot, node: n, now })).collect::<Vec<_>>();
        let mut keyed: Vec<_> = nodes.into_iter().map(|n| (keys(n), n)).collect();
        // A stable sort: by name where the numbers do not decide.
        keyed.sort_by(|a, b| highest_first(&a.0, &b.0));
        nodes = keyed.into_iter().map(|(_, n)| n).collect();
    }
    Ok(nodes.into_iter().map(|n| NodeView::of(n, snapshot, now)).collect())
}

/// What changed in a table since `reader` was told last.
pub(super) fn live(snapshot: &Snapshot, reader: &mut LiveReader, query: &LiveQuery, now: Instant) -> Result<Live, Error> {
    let words = NodeWords::of(snapshot);
    let conditions = each("where", &query.conditions, |e| e.condition(&words))?;
    let passes = |node: &NodeEntry| conditions.iter().all(|c| c.holds(&NodeRow { snapshot, node, now }) == Some(true));
    Ok(reader.next(snapshot, now, if conditions.is_empty() { None } else { Some(&passes) }))
}

/// Reads and compiles expressions; errors begin with the parameter's name.
pub(super) fn each<T>(
    name: &str,
    texts: &[String],
    compile: impl Fn(&Expression) -> Result<T, peermon_expr::Error>,
) -> Result<Vec<T>, Error> {
    few(name, texts)?;
    texts.iter().map(|t| t.parse::<Expression>().and_then(|e| compile(&e)).map_err(|e| wrong(name, &e))).collect()
}

/// Refuses more than anybody writes.
pub(super) fn few(name: &str, texts: &[String]) -> Result<(), Error> {
    if texts.len() > EXPRESSIONS_MAX {
        return Err(Error::BadRequest(format!("{name} is given {} times; {EXPRESSIONS_MAX} are the most", texts.len())));
    }
    Ok(())
}

pub(super) fn wrong(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::BadRequest(format!("{name}: {why}"))
}

fn highest_first(a: &[Option<f64>], b: &[Option<f64>]) -> Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    pairs.find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::NodeId;

    #[test]
    fn mistakes_are_named_by_their_parameter() {
        let nobody = Snapshot::empty(NodeId([0; 32]));
        let check = |conditions: &[&str], order: &[&str], says: &str| {
            let texts = |list: &[&str]| list.iter().map(|t| (*t).to_string()).collect();
            let q = NodesQuery { conditions: texts(conditions), order: texts(order), ..NodesQuery::default() };
            let e = answer(&nobody, &q, Instant::ZERO).expect_err(says);
            assert!(matches!(&e, Error::BadRequest(m) if m.contains(says)), "{e}");
        };
        check(&["me", "mem.avialable > 1GB"], &[], "where: column 1: no attribute is named mem.avialable");
        check(&["cpu.busy"], &[], "where: column 1");
        check(&[], &["load.1", "name"], "order: column 1: a number is wanted here");
        check(&["me"; EXPRESSIONS_MAX + 1], &[], "where is given 17 times; 16 are the most");
        assert_eq!(answer(&nobody, &NodesQuery::default(), Instant::ZERO), Ok(Vec::new()));
        let q = LiveQuery { conditions: vec!["cpu.busy < 80".into()], ..LiveQuery::default() };
        let e = live(&nobody, &mut LiveReader::default(), &q, Instant::ZERO).expect_err("80 of what");
        assert!(e.to_string().starts_with("where: column 12: "), "{e}");
    }

    #[test]
    fn the_highest_comes_first_and_the_unknown_last() {
        let check = |a: &[Option<f64>], b: &[Option<f64>], expected| assert_eq!(highest_first(a, b), expected, "{a:?} {b:?}");
        check(&[Some(2.0)], &[Some(1.0)], Ordering::Less);
        check(&[Some(1.0), None], &[Some(1.0), Some(0.0)], Ordering::Greater);
        check(&[None, Some(1.0)], &[None, Some(1.0)], Ordering::Equal);
    }
}
