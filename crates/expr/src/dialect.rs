//! Other words for the same things: what LSF calls `r1m` is `load.1 / cpu.threads` here.

use crate::ast::{Ast, Binary, COMPARISON, Node};
use crate::error::{Span, Wrong};
use crate::unit::{self, UnitWord};

/// A word that stands for an expression.
#[derive(Debug)]
pub struct Alias {
    /// The word.
    pub name: &'static str,
    /// The expression it stands for.
    pub means: &'static str,
    /// The unit of numbers written beside it without one, e.g. `MiB`; empty if they have none.
    pub unit: &'static str,
}

/// Words that an expression may use beside the attributes' own. Printed, it uses the attributes' own only.
#[derive(Debug)]
pub struct Dialect {
    /// Words that stand for expressions.
    pub aliases: &'static [Alias],
    /// Functions by other names, e.g. `("defined", "known")`.
    pub functions: &'static [(&'static str, &'static str)],
    /// Words that people will try and that mean nothing here, with what to do instead.
    pub refused: &'static [(&'static str, &'static str)],
}

/// The language itself.
pub(crate) static PLAIN: Dialect = Dialect { aliases: &[], functions: &[], refused: &[] };

/// Brackets that an alias may add when its expression is printed.
const ALIAS_DEPTH: u32 = 4;

impl Dialect {
    /// The depth that reading begins at.
    pub(crate) fn depth(&self) -> u32 {
        if self.aliases.is_empty() { 0 } else { ALIAS_DEPTH }
    }

    pub(crate) fn function<'a>(&self, word: &'a str) -> &'a str {
        self.functions.iter().find(|f| f.0 == word).map_or(word, |f| f.1)
    }

    /// What a word stands for, and how many parts that has beside its own.
    pub(crate) fn meaning(&self, word: &str, at: Span) -> Result<Option<(Ast, usize)>, Wrong> {
        if let Some((_, instead)) = self.refused.iter().find(|r| r.0 == word) {
            return Err(Wrong::new(at, format!("{word} is not in the table")).hint(*instead));
        }
        let Some(alias) = self.aliases.iter().find(|a| a.name == word) else { return Ok(None) };
        let mut ast = crate::parse::parse(alias.means, 0..alias.means.len(), &PLAIN)
            .map_err(|w| Wrong::new(at, format!("{word} stands for {:?}, which is no expression: {}", alias.means, w.message)))?;
        let parts = move_to(&mut ast, at);
        ast.usual = unit::find(alias.unit);
        Ok(Some((ast, parts - 1)))
    }
}

/// Gives a number beside an alias the unit that is usual there: `mem > 500` becomes `mem.available > 500MiB`.
pub(crate) fn complete(op: Binary, left: Ast, right: Ast) -> (Ast, Ast) {
    if !(op.level() == COMPARISON || matches!(op, Binary::Plus | Binary::Minus)) {
        return (left, right);
    }
    match (left.usual, right.usual) {
        (Some(u), None) => (left, with_unit(right, u)),
        (None, Some(u)) => (with_unit(left, u), right),
        _ => (left, right),
    }
}

fn with_unit(mut ast: Ast, unit: &'static UnitWord) -> Ast {
    match &mut ast.node {
        Node::Number(_, none @ None) => *none = Some(unit),
        Node::Minus(inner) => {
            if let Node::Number(_, none @ None) = &mut inner.node {
                *none = Some(unit);
            }
        }
        _ => {}
    }
    ast
}

/// Puts all of a tree at one place, and returns how many parts it has.
fn move_to(ast: &mut Ast, at: Span) -> usize {
    ast.at = at;
    1 + match &mut ast.node {
        Node::Minus(a) | Node::Not(a) => move_to(a, at),
        Node::Binary(_, a, b) => move_to(a, at) + move_to(b, at),
        Node::In(a, list, _) => move_to(a, at) + list.iter_mut().map(|a| move_to(a, at)).sum::<usize>(),
        Node::Call(_, list) => list.iter_mut().map(|a| move_to(a, at)).sum(),
        _ => 0,
    }
}
