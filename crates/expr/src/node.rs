//! Expressions about a node of the table.

use crate::words::{Row, Vocabulary, Word, instance};
use peermon_model::{Instant, MemberState, NodeEntry, Quantiser, Snapshot, Unit, Value, facts, vitals};
use std::time::Duration;

/// All states, as they are called.
const STATES: &[&str] = &[
    MemberState::Alive.name(),
    MemberState::Suspect.name(),
    MemberState::Down.name(),
    MemberState::Left.name(),
    MemberState::Stale.name(),
];

/// What a name of [`NodeWords`] was found as.
#[derive(Clone, PartialEq, Debug)]
pub enum NodeKey {
    /// `name`: the node's label.
    Name,
    /// `zone`: the zone it belongs to.
    Zone,
    /// `state`: how membership sees it.
    State,
    /// `state.age`: how long it has been in its state.
    StateAge,
    /// `age`: how old its values are.
    Age,
    /// `period`: how often its values are expected.
    Period,
    /// `me`: whether it is the node that answers.
    Me,
    /// `listen_only`: whether it only listens.
    ListenOnly,
    /// `hidden`: whether it has been away so long that it is not shown.
    Hidden,
    /// `notice.TOPIC`: the text of a notice.
    Notice(Box<str>),
    /// A built-in vital, by its place in [`vitals::VITALS`], and the number of the fact that it is a share of.
    Vital(usize, Option<u8>),
    /// A fact, by its number on the wire, and its instance.
    Fact(u8, Option<Box<str>>),
    /// A vital of the node's own configuration, in the unit it was first seen with.
    Custom(Box<str>, Unit),
}

/// The names that are no attributes of the catalogue, and a sentence on each.
pub static NODE_NAMES: &[(&str, NodeKey, Word, &str)] = &[
    ("name", NodeKey::Name, Word::Text, "The node's name."),
    ("zone", NodeKey::Zone, Word::Text, "The zone it belongs to."),
    ("state", NodeKey::State, Word::Choice(STATES), "How membership sees it: alive, suspect, down, left or stale."),
    ("state.age", NodeKey::StateAge, Word::Number(Unit::Seconds), "How long it has been in that state."),
    ("age", NodeKey::Age, Word::Number(Unit::Seconds), "How old its values are now."),
    ("period", NodeKey::Period, Word::Number(Unit::Seconds), "How often its values are expected."),
    ("me", NodeKey::Me, Word::Truth, "It is the node that answers."),
    ("listen_only", NodeKey::ListenOnly, Word::Truth, "It only listens and is not to be chosen."),
    ("hidden", NodeKey::Hidden, Word::Truth, "It has been away so long that it is not shown."),
];

const NOTICE: &str = "notice.{}";

/// The names of a node in the table: its own, all facts and vitals of the catalogue, and the vitals that nodes added.
#[derive(Clone, Debug, Default)]
pub struct NodeWords {
    custom: Vec<(Box<str>, Unit)>,
}

impl NodeWords {
    /// Without vitals that nodes added.
    pub fn new() -> Self {
        NodeWords::default()
    }

    /// With the vitals that the nodes of a snapshot added. Where two nodes give one name different units, the first is meant
    /// and the other node's value is not known.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut words = NodeWords::new();
        for c in snapshot.nodes.iter().flat_map(|n| &n.record.custom) {
            if !words.custom.iter().any(|(name, _)| *name == c.name) {
                words.custom.push((c.name.clone(), c.unit));
            }
        }
        words
    }
}

impl Vocabulary for NodeWords {
    type Key = NodeKey;

    fn find(&self, name: &str) -> Option<(NodeKey, Word)> {
        if let Some((_, key, word, _)) = NODE_NAMES.iter().find(|n| n.0 == name) {
            return Some((key.clone(), *word));
        }
        if let Some(i) = vitals::VITALS.iter().position(|v| v.attribute.name == name) {
            let v = &vitals::VITALS[i];
            let scale = match v.quantiser {
                Quantiser::ShareOf(fact) => facts::find(fact).map(|f| f.code),
                _ => None,
            };
            return Some((NodeKey::Vital(i, scale), Word::of(&v.attribute)));
        }
        if let Some((name, unit)) = self.custom.iter().find(|c| *c.0 == *name) {
            return Some((NodeKey::Custom(name.clone(), *unit), Word::Number(*unit)));
        }
        if let Some(topic) = instance(NOTICE, name) {
            return Some((NodeKey::Notice(topic.into()), Word::Text));
        }
        facts::FACTS.iter().find_map(|f| {
            let pattern = &*f.attribute.name;
            let whose = instance(pattern, name);
            (whose.is_some() || (pattern == name && !pattern.contains("{}")))
                .then(|| (NodeKey::Fact(f.code, whose.map(Into::into)), Word::of(&f.attribute)))
        })
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        NODE_NAMES.iter().for_each(|n| each(n.0));
        vitals::VITALS.iter().for_each(|v| each(&v.attribute.name));
        facts::FACTS.iter().for_each(|f| each(&f.attribute.name));
        each(NOTICE);
        self.custom.iter().for_each(|c| each(&c.0));
    }
}

/// A node of a snapshot as it is at `now`.
#[derive(Clone, Copy, Debug)]
pub struct NodeRow<'a> {
    /// The table it is in.
    pub snapshot: &'a Snapshot,
    /// The node.
    pub node: &'a NodeEntry,
    /// When it is asked.
    pub now: Instant,
}

impl NodeRow<'_> {
    fn fact(&self, code: u8, whose: Option<&str>) -> Option<&Value> {
        let facts = &self.node.record.facts;
        facts.iter().find(|f| f.kind.code == code && f.instance.as_deref() == whose).map(|f| &f.value)
    }
}

impl Row<NodeKey> for NodeRow<'_> {
    fn number(&self, key: &NodeKey) -> Option<f64> {
        let (record, seconds) = (&*self.node.record, |d: Duration| Some(d.as_secs_f64()));
        match key {
            NodeKey::Vital(i, scale) => {
                let v = &vitals::VITALS[*i];
                // As `Record::scale`, by number and not by name.
                let scale = scale.and_then(|code| self.fact(code, None)?.number());
                v.quantiser.decode(self.node.vitals.code(v.slot), scale)
            }
            NodeKey::Fact(code, whose) => self.fact(*code, whose.as_deref())?.number(),
            NodeKey::Age => seconds(self.snapshot.age(self.node, self.now)?),
            NodeKey::Period => seconds(self.node.period),
            NodeKey::StateAge => seconds(self.node.in_state + (self.now - self.snapshot.taken)),
            NodeKey::Custom(name, unit) => {
                let i = record.custom.iter().position(|c| c.name == *name && c.unit == *unit)?;
                record.custom[i].quantiser.decode(self.node.vitals.code(vitals::Slot::custom(i)?), None)
            }
            _ => None,
        }
    }

    fn text<'a>(&'a self, key: &'a NodeKey) -> Option<&'a str> {
        let record = &*self.node.record;
        match key {
            NodeKey::Name => Some(record.name.as_str()),
            NodeKey::Zone => Some(record.zone.as_str()),
            NodeKey::State => Some(self.node.state.name()),
            NodeKey::Fact(code, whose) => match self.fact(*code, whose.as_deref())? {
                Value::Text(t) => Some(t),
                Value::Number(_) => None,
            },
            NodeKey::Notice(topic) => record.notices.iter().find(|n| n.topic == *topic).map(|n| &*n.text),
            _ => None,
        }
    }

    fn truth(&self, key: &NodeKey) -> Option<bool> {
        match key {
            NodeKey::Me => Some(self.node.record.id == self.snapshot.me),
            NodeKey::ListenOnly => Some(self.node.record.listen_only),
            NodeKey::Hidden => Some(self.node.hidden),
            _ => None,
        }
    }
}
