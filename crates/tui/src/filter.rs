//! Which nodes are shown: an expression, or just a part of a name.

use crate::table::{Node, Table};
use peermon_api::FactValue;
use peermon_expr::{Condition, Error, Expression, NodeKey, NodeWords, Row, Vocabulary, Word};
use std::collections::BTreeSet;

/// A filter that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) text: String,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Nodes with this in their names; in lower case.
    Name(String),
    Condition(Condition<Key>),
}

impl Filter {
    /// Reads a filter; an empty one is none. A single word that is no attribute is a part of a name.
    pub(crate) fn read(text: &str, table: Option<&Table>) -> Result<Option<Filter>, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let words = Words::of(table);
        let rule = match text.parse::<Expression>().and_then(|e| e.condition(&words)) {
            Ok(condition) => Rule::Condition(condition),
            Err(_) if is_name(text) && words.find(text).is_none() => Rule::Name(text.to_lowercase()),
            Err(e) => return Err(e),
        };
        Ok(Some(Filter { text: text.to_string(), rule }))
    }

    /// Whether a node is shown. What is not known does not pass.
    pub(crate) fn passes(&self, node: &Node, waited: f64) -> bool {
        match &self.rule {
            Rule::Name(part) => node.view.name.to_lowercase().contains(part),
            Rule::Condition(condition) => condition.holds(&At { node, waited }) == Some(true),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// What a name in a filter was found as, and the name.
#[derive(Clone, Debug)]
struct Key(NodeKey, Box<str>);

/// All names of the language, and the vitals that nodes added themselves, whose unit is not told.
struct Words {
    common: NodeWords,
    own: BTreeSet<String>,
}

impl Words {
    fn of(table: Option<&Table>) -> Words {
        let common = NodeWords::new();
        let all = table.iter().flat_map(|t| &t.nodes).flat_map(|n| n.view.vitals.keys());
        let own = all.filter(|name| common.find(name).is_none()).cloned().collect();
        Words { common, own }
    }
}

impl Vocabulary for Words {
    type Key = Key;

    fn find(&self, name: &str) -> Option<(Key, Word)> {
        if self.own.contains(name) {
            let unit = peermon_model::Unit::None;
            return Some((Key(NodeKey::Custom(name.into(), unit), name.into()), Word::Number(unit)));
        }
        let (key, word) = self.common.find(name)?;
        Some((Key(key, name.into()), word))
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        self.common.names(each);
        self.own.iter().for_each(|n| each(n));
    }
}

/// A node, some seconds after the table was told.
struct At<'a> {
    node: &'a Node,
    waited: f64,
}

impl Row<Key> for At<'_> {
    fn number(&self, Key(key, name): &Key) -> Option<f64> {
        let view = &self.node.view;
        match key {
            NodeKey::Vital(..) | NodeKey::Custom(..) => self.node.vital(name),
            NodeKey::Fact(..) => self.node.number(name),
            NodeKey::Age => Some(view.age_seconds? + self.waited),
            NodeKey::StateAge => Some(view.state_seconds + self.waited),
            NodeKey::Period => Some(view.period_seconds),
            _ => None,
        }
    }

    fn text<'a>(&'a self, Key(key, name): &'a Key) -> Option<&'a str> {
        let view = &self.node.view;
        match key {
            NodeKey::Name => Some(&view.name),
            NodeKey::Zone => Some(&view.zone),
            NodeKey::State => Some(view.state.name()),
            NodeKey::Fact(..) => match view.facts.get(&**name)? {
                FactValue::Text(t) => Some(t),
                FactValue::Number(_) => None,
            },
            NodeKey::Notice(topic) => view.notices.iter().find(|n| *n.topic == **topic).map(|n| n.text.as_str()),
            _ => None,
        }
    }

    fn truth(&self, Key(key, _): &Key) -> Option<bool> {
        match key {
            NodeKey::Me => Some(self.node.view.this),
            // The daemon lists neither.
            NodeKey::ListenOnly | NodeKey::Hidden => Some(false),
            _ => None,
        }
    }
}
