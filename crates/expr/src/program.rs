//! A checked expression, and its evaluation.

use crate::limits::TEXT_STEPS_MAX;
use crate::text;
use crate::unit;
use crate::words::{Nothing, Row, Word};
use std::cell::Cell;

/// Which of a program's operations; kept apart by what they give. Programs have fewer than
/// [`crate::limits::NODES_MAX`] of them, give or take those that the checker adds.
pub(crate) type Id = u16;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Compare {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    Unequal,
}

#[derive(Clone, Debug)]
pub(crate) enum Number {
    Constant(f64),
    /// Which attribute, and what its values are multiplied with.
    Attribute(Id, f64),
    Minus(Id),
    Plus(Id, Id),
    Less(Id, Id),
    Times(Id, Id),
    Over(Id, Id),
    Min(Id, Id),
    Max(Id, Id),
    Abs(Id),
    Floor(Id),
    Ceil(Id),
    Round(Id),
    Sqrt(Id),
    Log2(Id),
    If(Id, Id, Id),
    Default(Id, Id),
}

#[derive(Clone, Debug)]
pub(crate) enum Truth {
    Constant(bool),
    Attribute(Id),
    Not(Id),
    And(Id, Id),
    Or(Id, Id),
    Compare(Compare, Id, Id),
    Same(Id, Id),
    InNumbers(Id, Box<[f64]>),
    TextEqual(Id, Id),
    InTexts(Id, Box<[Box<str>]>),
    Like(Id, Box<str>),
    Contains(Id, Id),
    StartsWith(Id, Id),
    EndsWith(Id, Id),
    VersionAtLeast(Id, Box<str>),
    KnownNumber(Id),
    KnownText(Id),
    KnownCondition(Id),
    If(Id, Id, Id),
    Default(Id, Id),
}

#[derive(Clone, Debug)]
pub(crate) enum Text {
    Constant(Box<str>),
    Attribute(Id),
    If(Id, Id, Id),
    Default(Id, Id),
}

/// An attribute that a program uses.
#[derive(Clone, Debug)]
pub(crate) struct Used<K> {
    pub(crate) key: K,
    pub(crate) name: Box<str>,
    pub(crate) word: Word,
}

/// Operations by what they give, each after its operands. Nothing loops, so an evaluation takes each at most once.
#[derive(Clone, Debug)]
pub(crate) struct Program<K> {
    pub(crate) used: Vec<Used<K>>,
    pub(crate) numbers: Vec<Number>,
    pub(crate) truths: Vec<Truth>,
    pub(crate) texts: Vec<Text>,
}

impl<K> Program<K> {
    pub(crate) fn new() -> Self {
        Program { used: Vec::new(), numbers: Vec::new(), truths: Vec::new(), texts: Vec::new() }
    }

    pub(crate) fn number<R: Row<K>>(&self, id: Id, row: &R) -> Option<f64> {
        Some(self.run(row).number(id)).filter(|n| n.is_finite())
    }

    pub(crate) fn truth<R: Row<K>>(&self, id: Id, row: &R) -> Option<bool> {
        self.run(row).truth(id)
    }

    /// The value of a constant.
    pub(crate) fn constant_number(&self, id: Id) -> Option<f64> {
        match self.numbers[usize::from(id)] {
            Number::Constant(n) => Some(n),
            _ => None,
        }
    }

    /// The value of a constant.
    pub(crate) fn constant_truth(&self, id: Id) -> Option<bool> {
        match self.truths[usize::from(id)] {
            Truth::Constant(t) => Some(t),
            _ => None,
        }
    }

    /// What an operation on constants gives.
    pub(crate) fn fold(&self, id: Id) -> Option<f64> {
        self.number(id, &Nothing)
    }

    fn run<'a, R>(&'a self, row: &'a R) -> Run<'a, K, R> {
        Run { program: self, row, fuel: Cell::new(TEXT_STEPS_MAX) }
    }

    /// Each attribute used, once, with its value as people read it.
    pub(crate) fn values<R: Row<K>>(&self, row: &R) -> Vec<(&str, Option<String>)> {
        let show = |u: &Used<K>| match u.word {
            Word::Number(unit) => row.number(&u.key).filter(|n| n.is_finite()).map(|n| unit::show(n, unit)),
            Word::Text | Word::Choice(_) => row.text(&u.key).map(|t| format!("{t:?}")),
            Word::Truth => row.truth(&u.key).map(|t| t.to_string()),
        };
        self.used.iter().map(|u| (&*u.name, show(u))).collect()
    }
}

/// One evaluation. A number that is not known is a NaN inside: arithmetic then needs no branch, and every comparison asks.
struct Run<'a, K, R> {
    program: &'a Program<K>,
    row: &'a R,
    fuel: Cell<u32>,
}

impl<'a, K, R: Row<K>> Run<'a, K, R> {
    fn number(&self, id: Id) -> f64 {
        let n = match &self.program.numbers[usize::from(id)] {
            Number::Constant(n) => return *n,
            Number::Attribute(a, scale) => self.row.number(&self.program.used[usize::from(*a)].key).unwrap_or(f64::NAN) * scale,
            Number::Minus(a) => -self.number(*a),
            Number::Plus(a, b) => self.number(*a) + self.number(*b),
            Number::Less(a, b) => self.number(*a) - self.number(*b),
            Number::Times(a, b) => self.number(*a) * self.number(*b),
            Number::Over(a, b) => self.number(*a) / self.number(*b),
            // Not f64::min, for which a NaN is no value at all: the smaller of something and something unknown is unknown.
            Number::Min(a, b) => {
                let (a, b) = (self.number(*a), self.number(*b));
                if a < b || a.is_nan() { a } else { b }
            }
            Number::Max(a, b) => {
                let (a, b) = (self.number(*a), self.number(*b));
                if a > b || a.is_nan() { a } else { b }
            }
            Number::Abs(a) => self.number(*a).abs(),
            Number::Floor(a) => self.number(*a).floor(),
            Number::Ceil(a) => self.number(*a).ceil(),
            Number::Round(a) => self.number(*a).round(),
            Number::Sqrt(a) => self.number(*a).sqrt(),
            Number::Log2(a) => self.number(*a).log2(),
            Number::If(c, a, b) => match self.truth(*c) {
                Some(true) => self.number(*a),
                Some(false) => self.number(*b),
                None => f64::NAN,
            },
            Number::Default(a, b) => {
                let n = self.number(*a);
                if n.is_nan() { self.number(*b) } else { n }
            }
        };
        // x / 0, what overflows, and what a row should not have said.
        if n.is_finite() { n } else { f64::NAN }
    }

    fn truth(&self, id: Id) -> Option<bool> {
        match &self.program.truths[usize::from(id)] {
            Truth::Constant(t) => Some(*t),
            Truth::Attribute(a) => self.row.truth(&self.program.used[usize::from(*a)].key),
            Truth::Not(a) => self.truth(*a).map(|t| !t),
            // Kleene: what one side decides alone, the other need not know.
            Truth::And(a, b) => match self.truth(*a) {
                Some(false) => Some(false),
                Some(true) => self.truth(*b),
                None => self.truth(*b).filter(|t| !t),
            },
            Truth::Or(a, b) => match self.truth(*a) {
                Some(true) => Some(true),
                Some(false) => self.truth(*b),
                None => self.truth(*b).filter(|t| *t),
            },
            Truth::Compare(how, a, b) => {
                let (a, b) = (self.number(*a), self.number(*b));
                if a.is_nan() || b.is_nan() {
                    return None;
                }
                Some(match how {
                    Compare::Less => a < b,
                    Compare::LessEqual => a <= b,
                    Compare::Greater => a > b,
                    Compare::GreaterEqual => a >= b,
                    Compare::Equal => a == b,
                    Compare::Unequal => a != b,
                })
            }
            Truth::Same(a, b) => Some(self.truth(*a)? == self.truth(*b)?),
            Truth::InNumbers(a, list) => {
                let n = self.number(*a);
                (!n.is_nan()).then(|| list.contains(&n))
            }
            Truth::TextEqual(a, b) => text::equal(&self.fuel, self.text(*a)?, self.text(*b)?),
            Truth::InTexts(a, list) => {
                let t = self.text(*a)?;
                for item in list {
                    if text::equal(&self.fuel, t, item)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Truth::Like(a, pattern) => text::like(&self.fuel, self.text(*a)?, pattern),
            Truth::Contains(a, b) => text::contains(&self.fuel, self.text(*a)?, self.text(*b)?),
            Truth::StartsWith(a, b) => text::starts_with(&self.fuel, self.text(*a)?, self.text(*b)?),
            Truth::EndsWith(a, b) => text::ends_with(&self.fuel, self.text(*a)?, self.text(*b)?),
            Truth::VersionAtLeast(a, least) => text::version_at_least(&self.fuel, self.text(*a)?, least),
            Truth::KnownNumber(a) => Some(!self.number(*a).is_nan()),
            Truth::KnownText(a) => Some(self.text(*a).is_some()),
            Truth::KnownCondition(a) => Some(self.truth(*a).is_some()),
            Truth::If(c, a, b) => {
                if self.truth(*c)? {
                    self.truth(*a)
                } else {
                    self.truth(*b)
                }
            }
            Truth::Default(a, b) => self.truth(*a).or_else(|| self.truth(*b)),
        }
    }

    fn text(&self, id: Id) -> Option<&'a str> {
        match &self.program.texts[usize::from(id)] {
            Text::Constant(t) => Some(t),
            Text::Attribute(a) => self.row.text(&self.program.used[usize::from(*a)].key),
            Text::If(c, a, b) => {
                if self.truth(*c)? {
                    self.text(*a)
                } else {
                    self.text(*b)
                }
            }
            Text::Default(a, b) => self.text(*a).or_else(|| self.text(*b)),
        }
    }
}
