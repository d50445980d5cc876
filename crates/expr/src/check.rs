//! A tree to a program: names are found, kinds and units checked, constants folded.

use crate::ast::{Ast, Binary, COMPARISON, Function, Node};
use crate::error::{Span, Wrong};
use crate::lex::Name;
use crate::program::{Compare, Id, Number, Program, Text, Truth, Used};
use crate::suggest;
use crate::text;
use crate::unit::Dimension;
use crate::words::{Vocabulary, Word};
use peermon_model::Unit;

/// What a part gives, and which operation gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Number(Id, Measured),
    Truth(Id),
    Text(Id, Option<&'static [&'static str]>),
}

/// What is known of a number before it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) dimension: Dimension,
    /// It is a share as it was measured, so 0 to 1.
    share: bool,
    /// It is a literal 0, which is 0 in every unit.
    zero: bool,
}

impl Measured {
    fn new(dimension: Dimension) -> Self {
        Measured { dimension, share: false, zero: false }
    }
}

pub(crate) struct Checker<'a, V: Vocabulary> {
    text: &'a str,
    words: &'a V,
    pub(crate) program: Program<V::Key>,
}

impl<'a, V: Vocabulary> Checker<'a, V> {
    pub(crate) fn new(text: &'a str, words: &'a V) -> Self {
        Checker { text, words, program: Program::new() }
    }

    pub(crate) fn check(&mut self, ast: &Ast) -> Result<Part, Wrong> {
        match &ast.node {
            Node::Number(n, unit) => {
                let value = n * unit.map_or(1.0, |u| u.scale);
                if !value.is_finite() {
                    return Err(Wrong::new(ast.at, "the number is too large").hint("numbers go up to 1e308"));
                }
                let dimension = unit.map_or(Dimension::PLAIN, |u| u.dimension);
                let zero = *n == 0.0 && unit.is_none();
                Ok(self.number(Number::Constant(value), Measured { dimension, share: false, zero }))
            }
            Node::Text(t) => Ok(self.text(Text::Constant(t.clone()), None)),
            Node::Truth(t) => Ok(self.truth(Truth::Constant(*t))),
            Node::Name(name) => self.name(name, ast.at),
            Node::Minus(a) => {
                let (id, m) = self.want_number(a)?;
                self.folded(Number::Minus(id), Measured { share: false, ..m }, ast.at)
            }
            Node::Not(a) => {
                let id = self.want_truth(a)?;
                Ok(self.truth(Truth::Not(id)))
            }
            Node::Binary(op, a, b) if matches!(op, Binary::And | Binary::Or) => {
                let (a, b) = (self.want_truth(a)?, self.want_truth(b)?);
                Ok(self.truth(if *op == Binary::And { Truth::And(a, b) } else { Truth::Or(a, b) }))
            }
            Node::Binary(op, a, b) if op.level() == COMPARISON => self.comparison(*op, a, b, ast.at),
            Node::Binary(op, a, b) => self.arithmetic(*op, a, b, ast.at),
            Node::In(a, list, negated) => self.within(a, list, *negated, ast.at),
            Node::Call(function, list) => self.call(*function, list, ast.at),
        }
    }

    fn number(&mut self, op: Number, m: Measured) -> Part {
        self.program.numbers.push(op);
        Part::Number((self.program.numbers.len() - 1) as Id, m)
    }

    /// A number, which is a constant at once if all its operands are.
    fn folded(&mut self, op: Number, m: Measured, at: Span) -> Result<Part, Wrong> {
        let constant = |id: &Id| self.program.constant_number(*id).is_some();
        let all = match &op {
            Number::Constant(_) => true,
            Number::Attribute(..) | Number::If(..) | Number::Default(..) => false,
            Number::Minus(a) | Number::Abs(a) | Number::Floor(a) | Number::Ceil(a) => constant(a),
            Number::Round(a) | Number::Sqrt(a) | Number::Log2(a) => constant(a),
            Number::Plus(a, b) | Number::Less(a, b) | Number::Times(a, b) => constant(a) && constant(b),
            Number::Over(_, b) if self.program.constant_number(*b) == Some(0.0) => {
                return Err(Wrong::new(at, "this divides by zero, so it is never known"));
            }
            Number::Over(a, b) | Number::Min(a, b) | Number::Max(a, b) => constant(a) && constant(b),
        };
        let Part::Number(id, m) = self.number(op, m) else { return Err(Wrong::new(at, "a number is wanted here")) };
        if all {
            let value = self.program.fold(id);
            let value = value
                .ok_or_else(|| Wrong::new(at, "this has no value: it overflows, or it is a root or logarithm of nothing"))?;
            self.program.numbers[usize::from(id)] = Number::Constant(value);
        }
        Ok(Part::Number(id, m))
    }

    fn truth(&mut self, op: Truth) -> Part {
        let constant = |id: &Id| self.program.constant_truth(*id);
        // Whatever an attribute might say, `false && x` is false.
        let folded = match &op {
            Truth::Not(a) => constant(a).map(|t| !t),
            Truth::And(a, b) => match (constant(a), constant(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Truth::Or(a, b) => match (constant(a), constant(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            _ => None,
        };
        self.program.truths.push(folded.map_or(op, Truth::Constant));
        Part::Truth((self.program.truths.len() - 1) as Id)
    }

    fn text(&mut self, op: Text, choice: Option<&'static [&'static str]>) -> Part {
        self.program.texts.push(op);
        Part::Text((self.program.texts.len() - 1) as Id, choice)
    }

    fn name(&mut self, name: &Name, at: Span) -> Result<Part, Wrong> {
        let full = name.full();
        let place = match self.program.used.iter().position(|u| *u.name == *full) {
            Some(i) => i,
            None => {
                let Some((key, word)) = self.words.find(&full) else { return Err(self.unknown(name, at)) };
                self.program.used.push(Used { key, name: full.into(), word });
                self.program.used.len() - 1
            }
        };
        let id = place as Id;
        Ok(match self.program.used[place].word {
            Word::Number(unit) => {
                let (dimension, scale) = Dimension::of(unit);
                let share = unit == Unit::Ratio;
                self.number(Number::Attribute(id, scale), Measured { dimension, share, zero: false })
            }
            Word::Text => self.text(Text::Attribute(id), None),
            Word::Choice(list) => self.text(Text::Attribute(id), Some(list)),
            Word::Truth => self.truth(Truth::Attribute(id)),
        })
    }

    /// The error for a name that means nothing, with what may have been meant.
    fn unknown(&self, name: &Name, at: Span) -> Wrong {
        let full = name.full();
        let wrong = Wrong::new(at, format!("no attribute is named {full}"));
        let mut names: Vec<String> = Vec::new();
        self.words.names(&mut |n| {
            // A pattern is compared with the instance that was written.
            let parts: Vec<_> = n.split('.').collect();
            if parts.len() == name.segments.len() {
                names.push(
                    parts.iter().zip(&name.segments).map(|(p, s)| if *p == "{}" { s } else { *p }).collect::<Vec<_>>().join("."),
                );
            } else {
                names.push(n.to_string());
            }
        });
        // Of `label.gpu-type` the parser sees a difference.
        let behind = &self.text[at.range().end.min(self.text.len())..];
        if name.segments.len() > 1 && behind.starts_with('-') {
            return wrong.hint("a part of a name with other signs stands in quotes: label.\"gpu-type\"");
        }
        if let Some(nearest) = suggest::nearest(&full, &names) {
            return wrong.hint(format!("did you mean {nearest}?"));
        }
        let some = |list: Vec<&String>| list.iter().take(8).map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
        let ending = format!(".{full}");
        let same_end: Vec<_> = names.iter().filter(|n| n.ends_with(&ending)).collect();
        let start = format!("{}.", name.segments[0]);
        let same_start: Vec<_> = names.iter().filter(|n| n.starts_with(&start)).collect();
        if !same_end.is_empty() {
            wrong.hint(format!("did you mean {}?", some(same_end)))
        } else if !same_start.is_empty() {
            wrong.hint(format!("there are {}", some(same_start)))
        } else if name.word().is_some() {
            wrong.hint(format!("is it a text? Write \"{full}\". Is it a label? Write tag({full})"))
        } else {
            wrong
        }
    }

    fn source(&self, at: Span) -> &str {
        self.text.get(at.range()).unwrap_or("this")
    }

    /// What a part is, in words.
    fn describe(&self, part: Part) -> String {
        match part {
            Part::Number(_, m) if m.share => "a share from 0 to 1".to_string(),
            Part::Number(_, m) => m.dimension.to_string(),
            Part::Truth(_) => "true or false".to_string(),
            Part::Text(..) => "a text".to_string(),
        }
    }

    pub(crate) fn want_number(&mut self, ast: &Ast) -> Result<(Id, Measured), Wrong> {
        match self.check(ast)? {
            Part::Number(id, m) => Ok((id, m)),
            other => Err(Wrong::new(ast.at, format!("a number is wanted here, and this is {}", self.describe(other)))),
        }
    }

    pub(crate) fn want_truth(&mut self, ast: &Ast) -> Result<Id, Wrong> {
        match self.check(ast)? {
            Part::Truth(id) => Ok(id),
            other => {
                let wrong = Wrong::new(ast.at, format!("a condition is wanted here, and this is {}", self.describe(other)));
                let source = self.source(ast.at);
                Err(match other {
                    Part::Number(_, m) if m.share => wrong.hint(format!("compare it: {source} < 50%")),
                    Part::Number(..) => wrong.hint(format!("compare it: {source} > ...")),
                    _ => wrong.hint(format!("compare it: {source} == \"...\"")),
                })
            }
        }
    }

    fn want_text(&mut self, ast: &Ast) -> Result<Id, Wrong> {
        match self.check(ast)? {
            Part::Text(id, _) => Ok(id),
            other => {
                let wrong = Wrong::new(ast.at, format!("a text is wanted here, and this is {}", self.describe(other)));
                Err(match ast.node {
                    Node::Number(..) => wrong.hint(format!("texts stand in quotes: \"{}\"", self.source(ast.at))),
                    _ => wrong,
                })
            }
        }
    }

    /// A text that is known now: patterns and versions are.
    fn want_literal<'b>(&self, ast: &'b Ast) -> Result<&'b str, Wrong> {
        match &ast.node {
            Node::Text(t) => Ok(t),
            _ => {
                Err(Wrong::new(ast.at, "a text in quotes is wanted here")
                    .hint("only texts written out can be patterns or versions"))
            }
        }
    }

    /// The unit that two numbers share.
    fn agree(&self, a: (&Ast, Measured), b: (&Ast, Measured), at: Span) -> Result<Measured, Wrong> {
        if a.1.dimension == b.1.dimension || b.1.zero {
            return Ok(a.1);
        }
        if a.1.zero {
            return Ok(b.1);
        }
        let said = |x: (&Ast, Measured)| format!("{} is {}", self.source(x.0.at), x.1.dimension);
        let wrong = Wrong::new(at, format!("{}, but {}", said(a), said(b)));
        // A bare number beside something with a unit: most likely the unit was forgotten.
        let bare = |x: &Ast| matches!(x.node, Node::Number(_, None));
        let (number, other) = if bare(a.0) { (a.0, b.1) } else { (b.0, a.1) };
        Err(match other.dimension.example() {
            Some(unit) if bare(number) => wrong.hint(format!("write its unit, e.g. {}{unit}", self.source(number.at))),
            _ => wrong.hint("only what has the same unit can be compared or added"),
        })
    }

    fn arithmetic(&mut self, op: Binary, a: &Ast, b: &Ast, at: Span) -> Result<Part, Wrong> {
        let ((left, ml), (right, mr)) = (self.want_number(a)?, self.want_number(b)?);
        let (number, dimension) = match op {
            Binary::Plus => (Number::Plus(left, right), self.agree((a, ml), (b, mr), at)?.dimension),
            Binary::Minus => (Number::Less(left, right), self.agree((a, ml), (b, mr), at)?.dimension),
            _ => {
                let (number, sign) =
                    if op == Binary::Times { (Number::Times(left, right), 1) } else { (Number::Over(left, right), -1) };
                let dimension = ml.dimension.times(mr.dimension, sign);
                let wrong =
                    || Wrong::new(at, "its unit would be a power that means nothing").hint("divide by something alike first");
                (number, dimension.ok_or_else(wrong)?)
            }
        };
        self.folded(number, Measured::new(dimension), at)
    }

    fn comparison(&mut self, op: Binary, a: &Ast, b: &Ast, at: Span) -> Result<Part, Wrong> {
        if matches!(op, Binary::Like | Binary::Unlike) {
            let id = self.want_text(a)?;
            let pattern = self.want_literal(b)?;
            let like = self.truth(Truth::Like(id, pattern.into()));
            return Ok(if op == Binary::Like { like } else { self.negated(like) });
        }
        let how = match op {
            Binary::Less => Compare::Less,
            Binary::LessEqual => Compare::LessEqual,
            Binary::Greater => Compare::Greater,
            Binary::GreaterEqual => Compare::GreaterEqual,
            Binary::Unequal => Compare::Unequal,
            _ => Compare::Equal,
        };
        let equality = matches!(how, Compare::Equal | Compare::Unequal);
        let part = match (self.check(a)?, self.check(b)?) {
            (Part::Number(l, ml), Part::Number(r, mr)) => {
                self.agree((a, ml), (b, mr), at)?;
                let (cl, cr) = (self.program.constant_number(l), self.program.constant_number(r));
                if let (Some(l), Some(r)) = (cl, cr) {
                    return Err(always(at, a, b, compare(how, l, r)));
                }
                for (m, whose, constant, other) in [(ml, a, cr, b), (mr, b, cl, a)] {
                    if m.share
                        && let Some(c) = constant.filter(|c| !(0.0..=1.0).contains(c))
                    {
                        return Err(self.no_share(whose, other, c));
                    }
                }
                return Ok(self.truth(Truth::Compare(how, l, r)));
            }
            (Part::Text(l, cl), Part::Text(r, cr)) if equality => {
                for (choice, other) in [(cl, b), (cr, a)] {
                    if let (Some(list), Node::Text(t)) = (choice, &other.node) {
                        among(list, t, other.at)?;
                    }
                }
                if let (Text::Constant(l), Text::Constant(r)) =
                    (&self.program.texts[usize::from(l)], &self.program.texts[usize::from(r)])
                {
                    return Err(always(at, a, b, (l == r) == (how == Compare::Equal)));
                }
                self.truth(Truth::TextEqual(l, r))
            }
            (Part::Text(..), Part::Text(..)) => {
                return Err(
                    Wrong::new(at, "texts have no order").hint("for versions, write version_at_least(os.kernel, \"6.1\")")
                );
            }
            (Part::Truth(l), Part::Truth(r)) if equality => self.truth(Truth::Same(l, r)),
            (Part::Truth(_), Part::Truth(_)) => return Err(Wrong::new(at, "conditions have no order")),
            (l, r) => {
                let (l, r) = (self.describe(l), self.describe(r));
                let wrong = Wrong::new(at, format!("{} is {l}, but {} is {r}", self.source(a.at), self.source(b.at)));
                return Err(match (&a.node, &b.node) {
                    (_, Node::Number(..)) => wrong.hint(format!("texts stand in quotes: \"{}\"", self.source(b.at))),
                    _ => wrong,
                });
            }
        };
        Ok(if how == Compare::Unequal { self.negated(part) } else { part })
    }

    fn negated(&mut self, part: Part) -> Part {
        match part {
            Part::Truth(id) => self.truth(Truth::Not(id)),
            other => other,
        }
    }

    /// The error for a share compared with what no share reaches.
    fn no_share(&self, share: &Ast, other: &Ast, constant: f64) -> Wrong {
        let (share, number) = (self.source(share.at), self.source(other.at));
        let wrong = Wrong::new(other.at, format!("{share} is a share from 0 to 1, and never {number}"));
        match other.node {
            Node::Number(n, None) if (0.0..=100.0).contains(&constant) => wrong.hint(format!("write {n}%")),
            _ => wrong.hint("shares go from 0% to 100%"),
        }
    }

    fn within(&mut self, a: &Ast, list: &[Ast], negated: bool, at: Span) -> Result<Part, Wrong> {
        let part = match self.check(a)? {
            Part::Number(id, m) => {
                let mut numbers = Vec::new();
                for item in list {
                    let (n, mn) = self.want_number(item)?;
                    self.agree((a, m), (item, mn), item.at)?;
                    // A literal, so it is there.
                    let n = self.program.constant_number(n).ok_or_else(|| Wrong::new(item.at, "a number is wanted here"))?;
                    if m.share && !(0.0..=1.0).contains(&n) {
                        return Err(self.no_share(a, item, n));
                    }
                    numbers.push(n);
                }
                self.truth(Truth::InNumbers(id, numbers.into()))
            }
            Part::Text(id, choice) => {
                let mut texts: Vec<Box<str>> = Vec::new();
                for item in list {
                    let Node::Text(t) = &item.node else {
                        return Err(Wrong::new(
                            item.at,
                            format!("{} is a text, so a text in quotes is wanted here", self.source(a.at)),
                        )
                        .hint(format!("write \"{}\"", self.source(item.at))));
                    };
                    choice.map_or(Ok(()), |list| among(list, t, item.at))?;
                    texts.push(t.clone());
                }
                self.truth(Truth::InTexts(id, texts.into()))
            }
            Part::Truth(_) => return Err(Wrong::new(at, "lists hold numbers and texts only")),
        };
        Ok(if negated { self.negated(part) } else { part })
    }

    fn call(&mut self, function: Function, list: &[Ast], at: Span) -> Result<Part, Wrong> {
        match function {
            Function::Known => match self.check(&list[0])? {
                Part::Number(id, _) => Ok(self.truth(Truth::KnownNumber(id))),
                Part::Text(id, _) => Ok(self.truth(Truth::KnownText(id))),
                Part::Truth(id) => Ok(self.truth(Truth::KnownCondition(id))),
            },
            Function::Tag => self.tag(&list[0]),
            Function::Default => match (self.check(&list[0])?, self.check(&list[1])?) {
                (Part::Number(a, ma), Part::Number(b, mb)) => {
                    let m = self.agree((&list[0], ma), (&list[1], mb), at)?;
                    self.folded(Number::Default(a, b), Measured::new(m.dimension), at)
                }
                (Part::Text(a, _), Part::Text(b, _)) => Ok(self.text(Text::Default(a, b), None)),
                (Part::Truth(a), Part::Truth(b)) => Ok(self.truth(Truth::Default(a, b))),
                (a, b) => Err(self.unlike(a, b, at)),
            },
            Function::If => {
                let c = self.want_truth(&list[0])?;
                match (self.check(&list[1])?, self.check(&list[2])?) {
                    (Part::Number(a, ma), Part::Number(b, mb)) => {
                        let m = self.agree((&list[1], ma), (&list[2], mb), at)?;
                        self.folded(Number::If(c, a, b), Measured::new(m.dimension), at)
                    }
                    (Part::Text(a, _), Part::Text(b, _)) => Ok(self.text(Text::If(c, a, b), None)),
                    (Part::Truth(a), Part::Truth(b)) => Ok(self.truth(Truth::If(c, a, b))),
                    (a, b) => Err(self.unlike(a, b, at)),
                }
            }
            Function::Min | Function::Max => self.extreme(function, list, at),
            Function::Abs | Function::Floor | Function::Ceil | Function::Round => {
                let (id, m) = self.want_number(&list[0])?;
                let op = match function {
                    Function::Abs => Number::Abs(id),
                    Function::Floor => Number::Floor(id),
                    Function::Ceil => Number::Ceil(id),
                    _ => Number::Round(id),
                };
                self.folded(op, Measured::new(m.dimension), at)
            }
            Function::Sqrt | Function::Log2 => {
                let (id, m) = self.want_number(&list[0])?;
                if m.dimension != Dimension::PLAIN {
                    let message = format!("{} takes a number without a unit, and this is {}", function.name(), m.dimension);
                    return Err(Wrong::new(list[0].at, message).hint("divide it by something in the same unit first"));
                }
                let op = if function == Function::Sqrt { Number::Sqrt(id) } else { Number::Log2(id) };
                self.folded(op, Measured::new(Dimension::PLAIN), at)
            }
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                let (a, b) = (self.want_text(&list[0])?, self.want_text(&list[1])?);
                Ok(self.truth(match function {
                    Function::Contains => Truth::Contains(a, b),
                    Function::StartsWith => Truth::StartsWith(a, b),
                    _ => Truth::EndsWith(a, b),
                }))
            }
            Function::VersionAtLeast => {
                let id = self.want_text(&list[0])?;
                let least = self.want_literal(&list[1])?;
                if text::numbers(least).next().is_none() {
                    return Err(Wrong::new(list[1].at, "a version has numbers").hint("e.g. \"6.1\""));
                }
                Ok(self.truth(Truth::VersionAtLeast(id, least.into())))
            }
        }
    }

    /// `tag(big)`: whether a node has a label of that name, whatever its value.
    fn tag(&mut self, ast: &Ast) -> Result<Part, Wrong> {
        let label = match &ast.node {
            Node::Name(name) => name.full(),
            Node::Text(text) => text.to_string(),
            _ => {
                return Err(
                    Wrong::new(ast.at, "the name of a label is wanted here").hint("write tag(big) or tag(\"big-memory\")")
                );
            }
        };
        let name = Name { segments: vec!["label".into(), label.into()] };
        match self.name(&name, ast.at)? {
            Part::Text(id, _) => Ok(self.truth(Truth::KnownText(id))),
            _ => Err(Wrong::new(ast.at, "there are no labels here")),
        }
    }

    fn extreme(&mut self, function: Function, list: &[Ast], at: Span) -> Result<Part, Wrong> {
        let (mut id, mut m) = self.want_number(&list[0])?;
        for (i, ast) in list.iter().enumerate().skip(1) {
            let (next, mn) = self.want_number(ast)?;
            m = self.agree((&list[i - 1], m), (ast, mn), ast.at)?;
            let op = if function == Function::Min { Number::Min(id, next) } else { Number::Max(id, next) };
            if let Part::Number(both, _) = self.folded(op, m, at)? {
                id = both;
            }
        }
        Ok(Part::Number(id, Measured::new(m.dimension)))
    }

    fn unlike(&self, a: Part, b: Part, at: Span) -> Wrong {
        Wrong::new(at, format!("one is {}, the other {}", self.describe(a), self.describe(b))).hint("both must be alike")
    }
}

fn compare(how: Compare, a: f64, b: f64) -> bool {
    match how {
        Compare::Less => a < b,
        Compare::LessEqual => a <= b,
        Compare::Greater => a > b,
        Compare::GreaterEqual => a >= b,
        Compare::Equal => a == b,
        Compare::Unequal => a != b,
    }
}

/// The error for a comparison that asks nothing of any node.
fn always(at: Span, a: &Ast, b: &Ast, result: bool) -> Wrong {
    let wrong = Wrong::new(at, format!("this is always {result}: it names no attribute"));
    let text = matches!((&a.node, &b.node), (Node::Text(_), Node::Text(_)));
    if text { wrong.hint("attributes stand without quotes") } else { wrong }
}

fn among(list: &[&str], text: &str, at: Span) -> Result<(), Wrong> {
    if list.contains(&text) {
        return Ok(());
    }
    let wrong = Wrong::new(at, format!("it is never {text:?}"));
    Err(match suggest::nearest(text, list) {
        Some(n) => wrong.hint(format!("did you mean \"{n}\"?")),
        None => wrong.hint(format!("it is one of {}", list.join(", "))),
    })
}
