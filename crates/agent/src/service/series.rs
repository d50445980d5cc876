use super::nodes::few;
use peermon_api::{Error, Fold, Series, SeriesAnswer, SeriesQuery};
use peermon_memory::{Grid, Kept, Memory, Row, resample};
use peermon_model::quantity::Quantiser;
use peermon_model::vitals::{self, Slot};
use peermon_model::{Instant, NodeEntry, Snapshot};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The shortest step: a tenth of a second is the shortest period there is.
const STEP_MIN: f64 = 0.1;
/// A row holds until so many periods have passed without another.
const HOLDS: f64 = 2.5;

/// What is remembered of the nodes' vitals.
pub(super) fn answer(
    snapshot: &Snapshot,
    memory: &Mutex<Memory>,
    query: &SeriesQuery,
    now: Instant,
) -> Result<SeriesAnswer, Error> {
    few("attribute", &query.attribute)?;
    few("node", &query.node)?;
    if query.attribute.is_empty() {
        return Err(Error::BadRequest("name an attribute, such as attribute=cpu.busy".into()));
    }
    let locked = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = locked().keep();
    if !(query.seconds >= STEP_MIN && query.seconds <= kept.as_secs_f64()) {
        return Err(Error::BadRequest(format!(
            "seconds must be {STEP_MIN} to {}, as far back as this node remembers (option memory.keep), not {}",
            kept.as_secs_f64(),
            query.seconds
        )));
    }
    let nodes = chosen(snapshot, query)?;
    let period = nodes.iter().map(|n| n.period.as_secs_f64()).fold(f64::INFINITY, f64::min).clamp(STEP_MIN, query.seconds);
    let points = query.points.unwrap_or(((query.seconds / period).round() as usize).clamp(1, SeriesQuery::POINTS));
    if !(1..=SeriesQuery::POINTS_MAX).contains(&points) || query.seconds / (points as f64) < STEP_MIN {
        return Err(Error::BadRequest(format!(
            "points must be 1 to {}, no more than one in {STEP_MIN} s, not {points}",
            SeriesQuery::POINTS_MAX
        )));
    }
    if points * nodes.len() * query.attribute.len() > SeriesQuery::VALUES_MAX {
        return Err(Error::BadRequest(format!(
            "that would be more than {} values; ask for fewer nodes, attributes or points",
            SeriesQuery::VALUES_MAX
        )));
    }
    for name in &query.attribute {
        if vitals::find(name).is_none() && !snapshot.nodes.iter().any(|n| n.record.custom.iter().any(|c| *c.name == **name)) {
            let names: Vec<&str> = vitals::VITALS.iter().map(|v| &*v.attribute.name).collect();
            return Err(Error::BadRequest(format!("no vital is named {name:?}; there are: {}", names.join(", "))));
        }
    }
    let step = Duration::from_secs_f64(query.seconds / points as f64);
    let grid = Grid { to: now, step, points };
    let fold = match query.fold {
        Fold::Mean => peermon_memory::Fold::Mean,
        Fold::Min => peermon_memory::Fold::Min,
        Fold::Max => peermon_memory::Fold::Max,
        Fold::Last => peermon_memory::Fold::Last,
    };
    let mut series = Vec::with_capacity(nodes.len() * query.attribute.len());
    for node in nodes {
        // one node at a time: the loop needs the same lock
        let found = locked().of(&node.record.id);
        let rows = found.as_ref().map(|k| k.rows(grid.from())).unwrap_or_default();
        for name in &query.attribute {
            let values = match (Decoder::of(node, name), &found) {
                (Some(decoder), Some(kept)) => {
                    let holds = node.period.mul_f64(HOLDS);
                    resample(&rows, &grid, holds, fold, |r| decoder.value(kept, r)).into_iter().map(|v| v.map(rounded)).collect()
                }
                _ => vec![None; points],
            };
            let record = &node.record;
            series.push(Series { node: record.name.to_string(), id: record.id.to_string(), attribute: name.clone(), values });
        }
    }
    Ok(SeriesAnswer { step_seconds: step.as_secs_f64(), to_seconds_ago: 0.0, kept_seconds: kept.as_secs_f64(), series })
}

fn chosen<'a>(snapshot: &'a Snapshot, query: &SeriesQuery) -> Result<Vec<&'a NodeEntry>, Error> {
    let mut nodes: Vec<&NodeEntry> = if query.node.is_empty() {
        snapshot.nodes.iter().filter(|n| !n.hidden).collect()
    } else {
        query.node.iter().map(|name| peermon_api::one(snapshot, name)).collect::<Result<_, _>>()?
    };
    nodes.sort_by(|a, b| (&a.record.name, a.record.id).cmp(&(&b.record.name, b.record.id)));
    nodes.dedup_by_key(|n| n.record.id);
    Ok(nodes)
}

/// How a node's codes of one vital become values.
struct Decoder {
    slot: Slot,
    quantiser: Quantiser,
    scale: Option<f64>,
    custom: bool,
}

impl Decoder {
    fn of(node: &NodeEntry, name: &str) -> Option<Self> {
        let record = &node.record;
        if let Some(v) = vitals::find(name) {
            let scale = record.scale(&v.quantiser);
            return Some(Decoder { slot: v.slot, quantiser: v.quantiser, scale, custom: false });
        }
        let i = record.custom.iter().position(|c| *c.name == *name)?;
        Some(Decoder { slot: Slot::custom(i)?, quantiser: record.custom[i].quantiser, scale: None, custom: true })
    }

    fn value(&self, kept: &Kept, row: &Row) -> Option<f64> {
        if self.custom && row.at < kept.custom_since {
            return None;
        }
        self.quantiser.decode(row.codes[self.slot.index()], self.scale)
    }
}

/// To four digits: a code has fewer.
fn rounded(v: f64) -> f64 {
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    let scale = 10f64.powi(3 - v.abs().log10().floor() as i32);
    (v * scale).round() / scale
}
