//! What names mean to an expression, and where their values come from.

use peermon_model::{Attribute, Kind, Unit};

/// What a name's values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Numbers in this unit.
    Number(Unit),
    /// Texts.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// True or false.
    Truth,
}

impl Word {
    /// What an attribute of the catalogue holds: facts without a unit are texts, everything else is a number.
    pub fn of(attribute: &Attribute) -> Word {
        match (attribute.kind, attribute.unit) {
            (Kind::Fact, Unit::None) => Word::Text,
            (_, unit) => Word::Number(unit),
        }
    }
}

/// The names that an expression may use. What a name is found as is kept in the program and handed to the row, so that
/// evaluating it looks nothing up by name.
pub trait Vocabulary {
    /// What a name is found as.
    type Key;

    /// The full name `name`, e.g. `nic.eth0.speed`, if it means something.
    fn find(&self, name: &str) -> Option<(Self::Key, Word)>;

    /// Calls `each` with all names, for suggestions; `{}` stands for any instance.
    fn names(&self, each: &mut dyn FnMut(&str));
}

/// One thing that an expression is evaluated for. What is not known is `None`; it is not an error.
pub trait Row<K> {
    /// A number in the unit its word was found with. One that is not finite counts as not known.
    fn number(&self, key: &K) -> Option<f64>;

    /// A text.
    fn text<'a>(&'a self, key: &'a K) -> Option<&'a str>;

    /// True or false.
    fn truth(&self, key: &K) -> Option<bool>;
}

/// A row of which nothing is known; constants are folded with it.
pub(crate) struct Nothing;

impl<K> Row<K> for Nothing {
    fn number(&self, _: &K) -> Option<f64> {
        None
    }

    fn text<'a>(&'a self, _: &'a K) -> Option<&'a str> {
        None
    }

    fn truth(&self, _: &K) -> Option<bool> {
        None
    }
}

/// The instance in `name` if it fits the catalogue's `pattern`: `nic.{}.speed` and `nic.eth0.speed` give `eth0`. An instance
/// may have dots. A pattern without `{}` fits nothing here.
pub fn instance<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let (start, end) = pattern.split_once("{}")?;
    name.strip_prefix(start)?.strip_suffix(end).filter(|i| !i.is_empty())
}
