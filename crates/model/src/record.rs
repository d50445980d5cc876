use crate::facts::Facts;
use crate::id::{Incarnation, NodeId, NodeName};
use crate::quantity::Quantiser;
use crate::{Unit, Vitals, ZoneName, vitals};
use std::net::SocketAddr;
use std::time::Duration;

/// Which version of a node's record within one incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence(pub u32);

/// A vital that a node's own configuration added to its row.
#[derive(Clone, PartialEq, Debug)]
pub struct CustomVital {
    /// Full attribute name, e.g. `disk.sda.busy`.
    pub name: Box<str>,
    /// Base unit.
    pub unit: Unit,
    /// How it becomes a byte ([`Quantiser::ShareOf`] is not used here).
    pub quantiser: Quantiser,
}

/// A short message a node shows to everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What it is about, e.g. `maintenance`. What begins with [`Notice::HEALTH`] is what a self-probe found.
    pub topic: Box<str>,
    /// The message.
    pub text: Box<str>,
    /// Seconds on the cluster's clock when it was first shown.
    pub since: u32,
}

impl Notice {
    /// How topics of what self-probes found begin; the probe's name follows.
    pub const HEALTH: &str = "health.";

    /// A message that is shown from now on: the node puts the time.
    pub fn new(topic: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        Notice { topic: topic.into(), text: text.into(), since: 0 }
    }
}

/// What a node publishes to all and signs: who it is, where it is reached, its facts and notices. Its vitals travel apart,
/// every period, as a row.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Whose.
    pub id: NodeId,
    /// Which life of the node.
    pub incarnation: Incarnation,
    /// Which version within that life.
    pub sequence: Sequence,
    /// Chosen at random at every start: with it, every pair of nodes has keys of its own that no former life had.
    pub salt: [u8; 16],
    /// The node's label.
    pub name: NodeName,
    /// The zone it belongs to.
    pub zone: ZoneName,
    /// Where it receives datagrams, best first.
    pub addresses: Vec<SocketAddr>,
    /// How often it publishes its row if it may spend what that costs.
    pub period: Duration,
    /// Bytes a second it may send to keep the table; 0: no limit.
    pub budget: u32,
    /// It has said that it leaves.
    pub left: bool,
    /// It listens and serves but is not a member to choose or to show.
    pub listen_only: bool,
    /// The newest cluster key it holds.
    pub key_held: u8,
    /// What rarely changes.
    pub facts: Facts,
    /// Vitals of its own, in slot order from [`vitals::FIRST_CUSTOM`].
    pub custom: Vec<CustomVital>,
    /// Messages to everybody.
    pub notices: Vec<Notice>,
    /// Facts that did not fit.
    pub facts_dropped: u8,
}

impl Record {
    /// The rank among records of one node: the higher one is newer.
    pub fn rank(&self) -> (Incarnation, Sequence) {
        (self.incarnation, self.sequence)
    }

    /// The value of a vital in base units, by attribute name; `None` if the node does not have it.
    pub fn vital(&self, row: &Vitals, name: &str) -> Option<f64> {
        if let Some(v) = vitals::find(name) {
            return v.quantiser.decode(row.code(v.slot), self.scale(&v.quantiser));
        }
        let i = self.custom.iter().position(|c| &*c.name == name)?;
        self.custom[i].quantiser.decode(row.code(vitals::Slot::custom(i)?), None)
    }

    /// All vitals the node has, with name, unit and value in base units, in slot order.
    pub fn vitals<'a>(&'a self, row: &'a Vitals) -> impl Iterator<Item = (&'a str, Unit, f64)> + 'a {
        let builtin = vitals::VITALS.iter().filter_map(|v| {
            let value = v.quantiser.decode(row.code(v.slot), self.scale(&v.quantiser))?;
            Some((&*v.attribute.name, v.attribute.unit, value))
        });
        let custom = self.custom.iter().enumerate().filter_map(|(i, c)| {
            let value = c.quantiser.decode(row.code(vitals::Slot::custom(i)?), None)?;
            Some((&*c.name, c.unit, value))
        });
        builtin.chain(custom)
    }

    /// The fact a quantiser scales by.
    pub fn scale(&self, q: &Quantiser) -> Option<f64> {
        match q {
            Quantiser::ShareOf(fact) => self.facts.number(fact),
            _ => None,
        }
    }
}
