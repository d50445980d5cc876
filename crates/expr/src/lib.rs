//! One small typed language for placement, filters, conditions and alarms.
//!
//! An expression is compiled once, against the names it may use (a [`Vocabulary`]), and evaluated many times, each time for one
//! [`Row`]. Compiling finds names, checks kinds and units and folds constants, so that evaluating can go wrong in one way
//! only: a value is not known. Evaluating allocates nothing, loops nowhere, and takes a bounded number of steps ([`limits`]).
//!
//! What is not known stays so, by Kleene's three-valued logic: arithmetic and comparisons with it are not known, `false && x`
//! is false and `true || x` is true whatever x is, and [`Condition::holds`] says `None` at last. Filters take what is
//! `Some(true)`. A number that is no number (x / 0, an overflow) is not known either.
//!
//! What it is not: it has no variables, no loops and no state. `docs/expressions.md` is its manual.
//!
//! ```
//! use peermon_expr::{Expression, NodeWords};
//!
//! let wanted: Expression = "mem.available > 4 GiB and cpu.busy<50%".parse()?;
//! assert_eq!(wanted.to_string(), "mem.available > 4GiB && cpu.busy < 50%");
//! let condition = wanted.condition(&NodeWords::new())?;
//! assert_eq!(condition.names().collect::<Vec<_>>(), ["mem.available", "cpu.busy"]);
//!
//! let wrong: Expression = "mem.avialable > 4GiB".parse()?;
//! let said = wrong.condition(&NodeWords::new()).expect_err("a mistyped name").to_string();
//! assert_eq!(said, "\
//! column 1: no attribute is named mem.avialable
//!   mem.avialable > 4GiB
//!   ^^^^^^^^^^^^^
//!   did you mean mem.available?");
//! # Ok::<(), peermon_expr::Error>(())
//! ```

mod ast;
mod check;
mod dialect;
mod error;
mod lex;
pub mod limits;
mod node;
mod parse;
mod program;
mod suggest;
#[cfg(test)]
mod tests;
mod text;
mod unit;
mod words;

pub use dialect::{Alias, Dialect};
pub use error::Error;
pub use node::{NODE_NAMES, NodeKey, NodeRow, NodeWords};
pub use unit::Dimension;
pub use words::{Row, Vocabulary, Word, instance};

use check::{Checker, Part};
use program::{Id, Program};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// An expression that was read but means nothing yet. Printed, it has its canonical form, which reads as the same expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Expression {
    text: Box<str>,
    ast: ast::Ast,
}

impl FromStr for Expression {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Expression::part_of(text, 0..text.len(), &dialect::PLAIN)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ast.fmt(f)
    }
}

impl Expression {
    /// Reads the expression in the bytes `range` of `text`, written in a dialect; errors point into the whole text.
    ///
    /// # Panics
    /// If `range` does not lie on characters of `text`.
    pub fn part_of(text: &str, range: Range<usize>, dialect: &Dialect) -> Result<Self, Error> {
        let ast = parse::parse(text, range, dialect).map_err(|w| w.of(text))?;
        Ok(Expression { text: text.into(), ast })
    }

    /// The number of which this one is the negative: what is lowest becomes highest. Of a condition it makes nothing that compiles.
    pub fn negated(self) -> Self {
        let at = self.ast.at;
        let node = match self.ast.node {
            ast::Node::Minus(inner) => inner.node,
            node => ast::Node::Minus(Box::new(ast::Ast { node, ..self.ast })),
        };
        Expression { text: self.text, ast: ast::Ast { node, at, usual: None } }
    }

    /// Compiles it to something that holds or not.
    pub fn condition<V: Vocabulary>(&self, words: &V) -> Result<Condition<V::Key>, Error> {
        let mut checker = Checker::new(&self.text, words);
        let root = checker.want_truth(&self.ast).map_err(|w| w.of(&self.text))?;
        Ok(Condition { program: checker.program, root })
    }

    /// Compiles it to a number.
    pub fn measure<V: Vocabulary>(&self, words: &V) -> Result<Measure<V::Key>, Error> {
        let mut checker = Checker::new(&self.text, words);
        let (root, m) = checker.want_number(&self.ast).map_err(|w| w.of(&self.text))?;
        Ok(Measure { program: checker.program, root, dimension: m.dimension })
    }

    /// Compiles it to whatever it is.
    pub fn compile<V: Vocabulary>(&self, words: &V) -> Result<Compiled<V::Key>, Error> {
        let mut checker = Checker::new(&self.text, words);
        let part = checker.check(&self.ast).map_err(|w| w.of(&self.text))?;
        let program = checker.program;
        Ok(match part {
            Part::Number(root, m) => Compiled::Measure(Measure { program, root, dimension: m.dimension }),
            Part::Truth(root) => Compiled::Condition(Condition { program, root }),
            Part::Text(..) => {
                return Err(error::Wrong::new(self.ast.at, "this is a text, and nothing is done with it")
                    .hint("compare it with another")
                    .of(&self.text));
            }
        })
    }
}

/// What an expression turned out to be.
#[derive(Clone, Debug)]
pub enum Compiled<K> {
    /// It holds or not.
    Condition(Condition<K>),
    /// It is a number.
    Measure(Measure<K>),
}

/// A compiled expression that holds or not.
#[derive(Clone, Debug)]
pub struct Condition<K> {
    program: Program<K>,
    root: Id,
}

impl<K> Condition<K> {
    /// Whether it holds for `row`; `None` if that is not known, or took too many steps.
    pub fn holds<R: Row<K>>(&self, row: &R) -> Option<bool> {
        self.program.truth(self.root, row)
    }

    /// The attributes it uses, each once, in the order they are first named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.program.used.iter().map(|u| &*u.name)
    }

    /// The attributes it uses, each with its value in `row` as people read it; `None` is not known.
    pub fn values<R: Row<K>>(&self, row: &R) -> Vec<(&str, Option<String>)> {
        self.program.values(row)
    }
}

/// A compiled expression that is a number.
#[derive(Clone, Debug)]
pub struct Measure<K> {
    program: Program<K>,
    root: Id,
    dimension: Dimension,
}

impl<K> Measure<K> {
    /// Its value for `row`, finite, in base units (data rates in bytes per second); `None` if it is not known.
    pub fn value<R: Row<K>>(&self, row: &R) -> Option<f64> {
        self.program.number(self.root, row)
    }

    /// Its value if it is the same for every row: it names no attribute.
    pub fn constant(&self) -> Option<f64> {
        self.program.constant_number(self.root)
    }

    /// What it is a number of.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// The attributes it uses, each once, in the order they are first named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.program.used.iter().map(|u| &*u.name)
    }

    /// The attributes it uses, each with its value in `row` as people read it; `None` is not known.
    pub fn values<R: Row<K>>(&self, row: &R) -> Vec<(&str, Option<String>)> {
        self.program.values(row)
    }
}
