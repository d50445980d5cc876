//! The table as it changes: what a screen shows second by second, in batches that hold only what changed.

use crate::{NodeView, NodesQuery, selected};
use peermon_model::{Instant, MemberState, NodeEntry, NodeId, Record, Snapshot, Vitals, Why};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How to follow the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct LiveQuery {
    /// Seconds from one batch to the next, 0.25 to 60.
    pub seconds: f64,
    /// Tell for which nodes all these conditions hold; all nodes are told of in any case.
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl LiveQuery {
    /// The least and the most seconds between two batches: tables change no faster, and a reader that hears nothing for longer takes
    /// the daemon for dead.
    pub const SECONDS: std::ops::RangeInclusive<f64> = 0.25..=60.0;
}

impl Default for LiveQuery {
    fn default() -> Self {
        LiveQuery { seconds: 1.0, conditions: Vec::new() }
    }
}

/// What changed since the batch before. Nodes have a place, a small number that is theirs until they are `gone`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Live {
    /// Vitals in the order of rows' values; null if it did not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
    /// Places whose nodes are no longer in the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<usize>,
    /// Nodes that are new or changed in anything but vitals and age; their vitals stand in `rows`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<LiveNode>,
    /// Rows that changed.
    pub rows: Vec<LiveRow>,
    /// Age of each place's vitals, in seconds to a hundredth; null if not known or no node is there.
    pub ages: Vec<Option<f64>>,
    /// With `where`: the places for which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<Vec<usize>>,
}

/// A node and its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiveNode {
    /// Its place.
    pub place: usize,
    /// The node, without vitals.
    pub node: NodeView,
}

/// The vitals of one place: its number, then a value for each of `attributes`, to four digits; null if not known. Nulls at the end
/// are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiveRow(pub usize, pub Vec<Option<f64>>);

/// What one reader was told, so that only changes are told next.
#[derive(Debug, Default)]
pub struct LiveReader {
    places: BTreeMap<NodeId, usize>,
    told: Vec<Option<Told>>,
    attributes: Vec<String>,
    index: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Told {
    id: NodeId,
    record: Arc<Record>,
    state: MemberState,
    avoided: Option<Why>,
    vitals: Vitals,
    /// Whether it is still there: one mark for each batch.
    batch: bool,
}

impl LiveReader {
    /// What changed since the last time, as seen at `now`. `passes` is the reader's condition, if it has one.
    pub fn next(&mut self, snapshot: &Snapshot, now: Instant, passes: Option<&dyn Fn(&NodeEntry) -> bool>) -> Live {
        let shown = selected(snapshot, &NodesQuery::default());
        let mut live = Live { passes: passes.map(|_| Vec::new()), ..Live::default() };
        for told in self.told.iter_mut().flatten() {
            told.batch = false;
        }
        let attributes_before = self.attributes.len();
        let mut new = Vec::new();
        for node in &shown {
            match self.places.get(&node.record.id).and_then(|p| Some((*p, self.told[*p].as_mut()?))) {
                Some((place, told)) => {
                    told.batch = true;
                    let same = Arc::ptr_eq(&told.record, &node.record) || same_record(&told.record, &node.record);
                    if !same || (told.state, told.avoided) != (node.state, node.avoided) {
                        live.nodes.push(LiveNode { place, node: without_vitals(node, snapshot, now) });
                    }
                    let row = !same || told.vitals != node.vitals;
                    (told.record, told.state, told.avoided) = (node.record.clone(), node.state, node.avoided);
                    told.vitals = node.vitals;
                    if row {
                        live.rows.push(self.row(place, node));
                    }
                }
                None => new.push(*node),
            }
        }
        for (place, told) in self.told.iter_mut().enumerate() {
            if let Some(t) = told.take_if(|t| !t.batch) {
                self.places.remove(&t.id);
                live.gone.push(place);
            }
        }
        let mut free =
            (0..).filter(|p| self.told.get(*p).is_none_or(Option::is_none)).take(new.len()).collect::<Vec<_>>().into_iter();
        for node in new {
            let place = free.next().expect("as many as there are new nodes");
            let (id, record, vitals) = (node.record.id, node.record.clone(), node.vitals);
            let told = Told { id, record, state: node.state, avoided: node.avoided, vitals, batch: true };
            if place >= self.told.len() {
                self.told.resize_with(place + 1, || None);
            }
            self.told[place] = Some(told);
            self.places.insert(node.record.id, place);
            live.nodes.push(LiveNode { place, node: without_vitals(node, snapshot, now) });
            live.rows.push(self.row(place, node));
        }
        live.ages = vec![None; self.told.len()];
        for node in &shown {
            let place = self.places[&node.record.id];
            live.ages[place] = snapshot.age(node, now).map(|a| (a.as_secs_f64() * 100.0).round() / 100.0);
            if let (Some(passes), Some(list)) = (passes, live.passes.as_mut())
                && passes(node)
            {
                list.push(place);
            }
        }
        if self.attributes.len() != attributes_before {
            live.attributes = Some(self.attributes.clone());
        }
        live
    }

    fn row(&mut self, place: usize, node: &NodeEntry) -> LiveRow {
        let mut values = Vec::with_capacity(self.attributes.len());
        for (name, _, value) in node.record.vitals(&node.vitals).filter(|v| v.2.is_finite()) {
            let index = match self.index.get(name) {
                Some(i) => *i,
                None => {
                    self.attributes.push(name.to_string());
                    self.index.insert(name.to_string(), self.attributes.len() - 1);
                    self.attributes.len() - 1
                }
            };
            if values.len() <= index {
                values.resize(index + 1, None);
            }
            values[index] = Some(rounded(value));
        }
        LiveRow(place, values)
    }
}

fn same_record(a: &Record, b: &Record) -> bool {
    (a.incarnation, a.sequence, &a.notices, a.period) == (b.incarnation, b.sequence, &b.notices, b.period)
}

fn without_vitals(node: &NodeEntry, snapshot: &Snapshot, now: Instant) -> NodeView {
    NodeView { vitals: BTreeMap::new(), ..NodeView::of(node, snapshot, now) }
}

/// To four digits: a code has fewer.
fn rounded(v: f64) -> f64 {
    if v == 0.0 {
        return v;
    }
    let digits = 3 - v.abs().log10().floor() as i32;
    // Dividing by a whole power of ten gives the number nearest to what is written; multiplying by its inverse does not.
    match 10f64.powi(digits.abs()) {
        scale if digits >= 0 => (v * scale).round() / scale,
        scale => (v / scale).round() * scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use peermon_model::{Facts, Incarnation, Sequence, Value, vitals};
    use std::time::Duration;

    fn entry(digit: u8, cpu: f64) -> NodeEntry {
        let mut facts = Facts::default();
        facts.put("mem.total", None, Value::Number(64e9));
        let record = Record {
            id: NodeId([digit; 32]),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("n{digit}").parse().expect("a name"),
            addresses: Vec::new(),
            period: Duration::from_secs(1),
            budget: 0,
            zone: peermon_model::ZoneName::default(),
            left: false,
            listen_only: false,
            key_held: 0,
            facts,
            custom: Vec::new(),
            notices: Vec::new(),
            facts_dropped: 0,
        };
        let mut row = Vitals::default();
        let v = vitals::find("cpu.busy").expect("built in");
        row.put(v.slot, v.quantiser.encode(cpu, None));
        NodeEntry {
            record: Arc::new(record),
            state: MemberState::Alive,
            vitals: row,
            age: Some(Duration::from_millis(440)),
            in_state: Duration::from_secs(9),
            hidden: false,
            avoided: None,
            period: Duration::from_secs(1),
        }
    }

    fn table(nodes: &[NodeEntry]) -> Snapshot {
        Snapshot { nodes: nodes.to_vec(), ..Snapshot::empty(NodeId([1; 32])) }
    }

    /// What a batch says, short: places gone, places and names new or changed, rows, ages.
    fn said(live: &Live) -> String {
        let nodes: Vec<_> = live.nodes.iter().map(|n| format!("{}={}:{}", n.place, n.node.name, n.node.state.name())).collect();
        let rows: Vec<_> = live.rows.iter().map(|r| format!("{}:{:?}", r.0, r.1[0].unwrap_or(-1.0))).collect();
        format!("gone {:?} nodes {} rows {}", live.gone, nodes.join(" "), rows.join(" "))
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut reader = LiveReader::default();
        let (a, b, c) = (entry(1, 0.5), entry(2, 0.25), entry(3, 1.0));
        let now = Instant::ZERO;
        let mut tell = |nodes: &[NodeEntry]| reader.next(&table(nodes), now, None);
        let first = tell(&[a.clone(), b.clone()]);
        assert_eq!(said(&first), "gone [] nodes 0=n1:alive 1=n2:alive rows 0:0.5 1:0.25");
        assert_eq!(first.attributes.as_deref(), Some(&["cpu.busy".to_string()][..]));
        assert_eq!((first.ages, first.passes), (vec![Some(0.44), Some(0.44)], None));
        assert!(first.nodes.iter().all(|n| n.node.vitals.is_empty() && !n.node.facts.is_empty()));

        let quiet = tell(&[a.clone(), b.clone()]);
        assert_eq!((said(&quiet).as_str(), quiet.attributes), ("gone [] nodes  rows ", None));

        let busy = NodeEntry { vitals: entry(2, 0.75).vitals, ..b.clone() };
        assert_eq!(said(&tell(&[a.clone(), busy.clone()])), "gone [] nodes  rows 1:0.75");
        let down = NodeEntry { state: MemberState::Down, ..busy };
        assert_eq!(said(&tell(&[a.clone(), down.clone()])), "gone [] nodes 1=n2:down rows ");
        let mut newer = a.clone();
        Arc::make_mut(&mut newer.record).sequence = Sequence(2);
        assert_eq!(said(&tell(&[newer.clone(), down.clone()])), "gone [] nodes 0=n1:alive rows 0:0.5");
        let avoided = NodeEntry { avoided: Some(Why::Loss), ..down.clone() };
        assert_eq!(said(&tell(&[newer.clone(), avoided])), "gone [] nodes 1=n2:down rows ");
        assert_eq!(said(&tell(&[newer.clone(), down.clone()])), "gone [] nodes 1=n2:down rows ");
        // A place is given again once its node is gone; what is hidden is gone as well.
        let hidden = NodeEntry { hidden: true, ..newer };
        assert_eq!(said(&tell(&[hidden, down.clone(), c.clone()])), "gone [0] nodes 0=n3:alive rows 0:1.0");
        let last = tell(&[c]);
        assert_eq!((said(&last).as_str(), last.ages), ("gone [1] nodes  rows ", vec![Some(0.44), None]));
    }

    #[test]
    fn conditions_mark_and_do_not_hide() {
        let nodes = [entry(1, 0.5), entry(2, 0.25)];
        let busy = |n: &NodeEntry| n.record.name.as_str() == "n2";
        let live = LiveReader::default().next(&table(&nodes), Instant::ZERO, Some(&busy));
        assert_eq!((live.nodes.len(), live.passes), (2, Some(vec![1])));
        assert_eq!(live.nodes[0].node.state, State::Alive);
    }

    #[test]
    fn numbers_are_short() {
        let check = |v: f64, text: &str| assert_eq!(serde_json::to_string(&rounded(v)).expect("a number"), text);
        check(0.0, "0.0");
        check(1.0 / 3.0, "0.3333");
        check(24_391_836_303.36, "24390000000.0");
        check(0.000_123_456, "0.0001235");
        check(-12.345_6, "-12.35");
        check(9_999.6, "10000.0");
    }

    #[test]
    fn a_batch_survives_json() {
        let live = LiveReader::default().next(&table(&[entry(1, 0.5)]), Instant::ZERO, None);
        let text = serde_json::to_string(&live).expect("plain");
        assert!(text.contains(r#""rows":[[0,[0.5]]],"ages":[0.44]"#), "{text}");
        assert_eq!(serde_json::from_str::<Live>(&text).expect("plain"), live);
    }
}
