//! The tree of an expression, and how it is printed.

use crate::error::Span;
use crate::lex::Name;
use crate::unit::UnitWord;
use std::fmt;

/// A part of an expression and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Ast {
    pub(crate) node: Node,
    pub(crate) at: Span,
    /// The unit that a dialect expects of numbers beside it.
    pub(crate) usual: Option<&'static UnitWord>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    Number(f64, Option<&'static UnitWord>),
    Text(Box<str>),
    Truth(bool),
    Name(Name),
    Minus(Box<Ast>),
    Not(Box<Ast>),
    Binary(Binary, Box<Ast>, Box<Ast>),
    /// Value, list of literals, whether it is `not in`.
    In(Box<Ast>, Vec<Ast>, bool),
    Call(Function, Vec<Ast>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Like,
    Unlike,
    Plus,
    Minus,
    Times,
    Over,
}

impl Binary {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Equal => "==",
            Binary::Unequal => "!=",
            Binary::Less => "<",
            Binary::LessEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterEqual => ">=",
            Binary::Like => "~",
            Binary::Unlike => "!~",
            Binary::Plus => "+",
            Binary::Minus => "-",
            Binary::Times => "*",
            Binary::Over => "/",
        }
    }

    /// How tightly it binds its operands.
    pub(crate) fn level(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Plus | Binary::Minus => 4,
            Binary::Times | Binary::Over => 5,
            _ => COMPARISON,
        }
    }
}

/// Comparisons do not chain.
pub(crate) const COMPARISON: u8 = 3;
const SIGNED: u8 = 6;
const PRIMARY: u8 = 7;

/// A function: what it is called and how many arguments it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Function {
    Known,
    Default,
    If,
    Min,
    Max,
    Abs,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Log2,
    Contains,
    StartsWith,
    EndsWith,
    VersionAtLeast,
    Tag,
}

/// All functions: name, arguments at least and at most, and how they are called.
pub(crate) static FUNCTIONS: &[(&str, Function, usize, usize, &str)] = &[
    ("known", Function::Known, 1, 1, "known(ATTRIBUTE)"),
    ("default", Function::Default, 2, 2, "default(VALUE, INSTEAD)"),
    ("if", Function::If, 3, 3, "if(CONDITION, THEN, ELSE)"),
    ("min", Function::Min, 2, 8, "min(A, B, ...)"),
    ("max", Function::Max, 2, 8, "max(A, B, ...)"),
    ("abs", Function::Abs, 1, 1, "abs(NUMBER)"),
    ("floor", Function::Floor, 1, 1, "floor(NUMBER)"),
    ("ceil", Function::Ceil, 1, 1, "ceil(NUMBER)"),
    ("round", Function::Round, 1, 1, "round(NUMBER)"),
    ("sqrt", Function::Sqrt, 1, 1, "sqrt(NUMBER)"),
    ("log2", Function::Log2, 1, 1, "log2(NUMBER)"),
    ("contains", Function::Contains, 2, 2, "contains(TEXT, PART)"),
    ("starts_with", Function::StartsWith, 2, 2, "starts_with(TEXT, START)"),
    ("ends_with", Function::EndsWith, 2, 2, "ends_with(TEXT, END)"),
    ("version_at_least", Function::VersionAtLeast, 2, 2, "version_at_least(TEXT, \"6.1\")"),
    ("tag", Function::Tag, 1, 1, "tag(LABEL)"),
];

impl Function {
    pub(crate) fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|f| f.1 == self).map_or("", |f| f.0)
    }
}

impl Ast {
    fn level(&self) -> u8 {
        match &self.node {
            Node::Binary(op, ..) => op.level(),
            Node::In(..) => COMPARISON,
            Node::Minus(_) | Node::Not(_) => SIGNED,
            _ => PRIMARY,
        }
    }

    /// Prints it as an operand that must bind at least so tightly.
    fn operand(&self, f: &mut fmt::Formatter<'_>, level: u8) -> fmt::Result {
        if self.level() < level { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

/// Above and below, a number is printed with an exponent.
const PLAIN_NUMBERS: std::ops::Range<f64> = 1e-6..1e15;

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Number(n, unit) => {
                if *n == 0.0 || PLAIN_NUMBERS.contains(n) {
                    write!(f, "{n}")?;
                } else {
                    write!(f, "{n:e}")?;
                }
                f.write_str(unit.map_or("", |u| u.canonical))
            }
            Node::Text(t) => quote(f, t),
            Node::Truth(t) => write!(f, "{t}"),
            Node::Name(n) => write!(f, "{n}"),
            Node::Minus(a) => {
                f.write_str("-")?;
                a.operand(f, SIGNED)
            }
            Node::Not(a) => {
                f.write_str("!")?;
                a.operand(f, SIGNED)
            }
            Node::Binary(op, a, b) => {
                let level = op.level();
                a.operand(f, if level == COMPARISON { level + 1 } else { level })?;
                write!(f, " {} ", op.sign())?;
                b.operand(f, level + 1)
            }
            Node::In(a, list, negated) => {
                a.operand(f, COMPARISON + 1)?;
                f.write_str(if *negated { " not in " } else { " in " })?;
                arguments(f, list)
            }
            Node::Call(function, list) => {
                f.write_str(function.name())?;
                arguments(f, list)
            }
        }
    }
}

fn arguments(f: &mut fmt::Formatter<'_>, list: &[Ast]) -> fmt::Result {
    f.write_str("(")?;
    for (i, a) in list.iter().enumerate() {
        write!(f, "{}{a}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str(")")
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, s) in self.segments.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') { f.write_str(s)? } else { quote(f, s)? }
        }
        Ok(())
    }
}
