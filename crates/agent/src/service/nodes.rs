use peermon_api::{Error, NodeView, NodesQuery, selected};
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
