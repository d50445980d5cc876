//! Tokens to a tree, by precedence climbing.

use crate::ast::{Ast, Binary, COMPARISON, FUNCTIONS, Node};
use crate::dialect::{Dialect, complete};
use crate::error::{Span, Wrong};
use crate::lex::{Name, Token, tokens};
use crate::limits::{DEPTH_MAX, LENGTH_MAX, NODES_MAX};
use crate::suggest;
use std::ops::Range;

/// The tree of the bytes `range` of `text`.
pub(crate) fn parse(text: &str, range: Range<usize>, dialect: &Dialect) -> Result<Ast, Wrong> {
    if text.len() > LENGTH_MAX {
        let cut = text.floor_char_boundary(LENGTH_MAX);
        let message = format!("the expression has {} bytes, and {LENGTH_MAX} are the most", text.len());
        return Err(Wrong::new(Span::new(cut, cut), message).hint("put what it repeats into labels"));
    }
    let list = tokens(text, range)?;
    let mut parser = Parser { list, at: 0, depth: dialect.depth(), nodes: 0, dialect };
    if parser.peek() == &Token::End {
        return Err(Wrong::new(parser.span(), "there is no expression").hint("write one, e.g. cpu.busy < 50%"));
    }
    let ast = parser.expression(0)?;
    if parser.peek() != &Token::End {
        return Err(parser.misplaced());
    }
    // What is printed must be readable again.
    let printed = ast.to_string().len();
    if printed > LENGTH_MAX {
        let message = format!("written in full the expression has {printed} bytes, and {LENGTH_MAX} are the most");
        return Err(Wrong::new(ast.at, message).hint("put what it repeats into labels"));
    }
    Ok(ast)
}

struct Parser<'a> {
    list: Vec<(Token, Span)>,
    at: usize,
    depth: u32,
    nodes: usize,
    dialect: &'a Dialect,
}

/// Binary operators by sign or word.
const OPERATORS: &[(&str, Binary)] = &[
    ("||", Binary::Or),
    ("or", Binary::Or),
    ("&&", Binary::And),
    ("and", Binary::And),
    ("==", Binary::Equal),
    ("!=", Binary::Unequal),
    ("<", Binary::Less),
    ("<=", Binary::LessEqual),
    (">", Binary::Greater),
    (">=", Binary::GreaterEqual),
    ("~", Binary::Like),
    ("!~", Binary::Unlike),
    ("+", Binary::Plus),
    ("-", Binary::Minus),
    ("*", Binary::Times),
    ("/", Binary::Over),
];

impl Parser<'_> {
    // The last token is the end, and nothing moves past it.
    fn peek(&self) -> &Token {
        &self.list[self.at].0
    }

    fn span(&self) -> Span {
        self.list[self.at].1
    }

    fn next(&mut self) -> (Token, Span) {
        let token = self.list[self.at].clone();
        self.at = (self.at + 1).min(self.list.len() - 1);
        token
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(s) if *s == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(n) if n.word() == Some(word))
    }

    fn expect(&mut self, sign: &'static str, after: Span) -> Result<Span, Wrong> {
        if self.is_sign(sign) {
            return Ok(self.next().1);
        }
        match self.peek() {
            Token::End => Err(Wrong::new(after, format!("this bracket is not closed: {sign:?} is missing"))),
            _ => Err(self.misplaced()),
        }
    }

    fn operator(&self) -> Option<Binary> {
        let word = match self.peek() {
            Token::Sign(s) => s,
            Token::Name(n) => n.word()?,
            _ => return None,
        };
        OPERATORS.iter().find(|o| o.0 == word).map(|o| o.1)
    }

    fn make(&mut self, node: Node, at: Span) -> Result<Ast, Wrong> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Wrong::new(at, format!("the expression has more than {NODES_MAX} parts"))
                .hint("shorten it: name ~ \"gpu-*\" or a label says in one part what a list says in many"));
        }
        Ok(Ast { node, at, usual: None })
    }

    fn deeper(&mut self, by: u32) -> Result<(), Wrong> {
        self.depth += by;
        if self.depth > DEPTH_MAX {
            return Err(Wrong::new(self.span(), format!("the expression is nested more than {DEPTH_MAX} deep")));
        }
        Ok(())
    }

    fn expression(&mut self, level_min: u8) -> Result<Ast, Wrong> {
        let mut left = if level_min <= COMPARISON && self.is_word("not") {
            // Counts twice, because it is printed with a bracket.
            self.deeper(2)?;
            let start = self.next().1;
            let inner = self.expression(COMPARISON)?;
            self.depth -= 2;
            let at = start.to(inner.at);
            self.make(Node::Not(Box::new(inner)), at)?
        } else {
            self.signed()?
        };
        // The comparison just made, if the next operator is one too.
        let mut compared = false;
        loop {
            let negated =
                self.is_word("not") && matches!(self.list.get(self.at + 1), Some((Token::Name(n), _)) if n.word() == Some("in"));
            let within = negated || self.is_word("in");
            let level = if within { COMPARISON } else { self.operator().map_or(0, Binary::level) };
            if level == 0 || level < level_min {
                return Ok(left);
            }
            if level == COMPARISON && std::mem::replace(&mut compared, true) {
                return Err(Wrong::new(self.span(), "comparisons do not chain").hint("write a < b && b < c"));
            }
            if level < COMPARISON {
                compared = false;
            }
            let op = self.operator();
            let start = left.at;
            self.next();
            let node = match op {
                Some(op) => {
                    let right = self.expression(level + 1)?;
                    let (left, right) = complete(op, left, right);
                    let at = start.to(right.at);
                    let sum = matches!(op, Binary::Plus | Binary::Minus);
                    let usual = left.usual.or(right.usual).filter(|_| sum);
                    (Node::Binary(op, Box::new(left), Box::new(right)), at, usual)
                }
                None => {
                    if negated {
                        self.next();
                    }
                    let (list, end) = self.literals()?;
                    (Node::In(Box::new(left), list, negated), start.to(end), None)
                }
            };
            left = self.make(node.0, node.1)?;
            left.usual = node.2;
        }
    }

    fn signed(&mut self) -> Result<Ast, Wrong> {
        let not = self.is_sign("!");
        if !not && !self.is_sign("-") {
            return self.primary();
        }
        self.deeper(1)?;
        let start = self.next().1;
        let inner = Box::new(self.signed()?);
        self.depth -= 1;
        let at = start.to(inner.at);
        self.make(if not { Node::Not(inner) } else { Node::Minus(inner) }, at)
    }

    fn primary(&mut self) -> Result<Ast, Wrong> {
        match self.peek() {
            Token::Sign("(") => {
                self.deeper(1)?;
                let start = self.next().1;
                let mut inner = self.expression(0)?;
                let end = self.expect(")", start)?;
                self.depth -= 1;
                inner.at = start.to(end);
                Ok(inner)
            }
            Token::Number(..) | Token::Text(_) => {
                let (token, at) = self.next();
                match token {
                    Token::Number(n, unit) => self.make(Node::Number(n, unit), at),
                    Token::Text(t) => self.make(Node::Text(t), at),
                    _ => Err(Wrong::new(at, "an expression is missing here")),
                }
            }
            Token::Name(name) => {
                if matches!(name.word(), Some("and" | "or" | "in" | "not")) {
                    return Err(self.misplaced());
                }
                let name = name.clone();
                let at = self.next().1;
                self.named(name, at)
            }
            _ => Err(self.misplaced()),
        }
    }

    /// A name is a truth value, the start of a call, or an attribute.
    fn named(&mut self, name: Name, at: Span) -> Result<Ast, Wrong> {
        if self.is_sign("(") {
            return self.call(&name, at);
        }
        match name.word() {
            Some("true") => return self.make(Node::Truth(true), at),
            Some("false") => return self.make(Node::Truth(false), at),
            Some(word) => {
                if let Some((meaning, more)) = self.dialect.meaning(word, at)? {
                    self.nodes += more;
                    return Ok(Ast { usual: meaning.usual, ..self.make(meaning.node, at)? });
                }
            }
            None => {}
        }
        self.make(Node::Name(name), at)
    }

    fn call(&mut self, name: &Name, at: Span) -> Result<Ast, Wrong> {
        let word = self.dialect.function(name.word().unwrap_or(""));
        let Some((_, function, least, most, usage)) = FUNCTIONS.iter().find(|f| f.0 == word) else {
            let wrong = Wrong::new(at, format!("there is no function {name}"));
            let nearest = suggest::nearest(&name.full(), FUNCTIONS.iter().map(|f| f.0));
            return Err(match nearest {
                Some(n) => wrong.hint(format!("did you mean {n}?")),
                None => wrong.hint(format!("functions are {}", FUNCTIONS.iter().map(|f| f.0).collect::<Vec<_>>().join(", "))),
            });
        };
        self.deeper(1)?;
        let open = self.next().1;
        let mut list = Vec::new();
        if !self.is_sign(")") {
            loop {
                list.push(self.expression(0)?);
                if !self.is_sign(",") {
                    break;
                }
                self.next();
            }
        }
        let end = self.expect(")", open)?;
        self.depth -= 1;
        let at = at.to(end);
        if list.len() < *least || list.len() > *most {
            let given = list.len();
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(Wrong::new(
                at,
                format!("{word} takes {wanted} argument{}, not {given}", if *most == 1 { "" } else { "s" }),
            )
            .hint(format!("write {usage}")));
        }
        self.make(Node::Call(*function, list), at)
    }

    /// The list behind `in`.
    fn literals(&mut self) -> Result<(Vec<Ast>, Span), Wrong> {
        let open = self.span();
        if !self.is_sign("(") {
            return Err(self.misplaced().hint("a list stands in brackets: zone in (\"a\", \"b\")"));
        }
        self.deeper(1)?;
        self.next();
        let mut list = Vec::new();
        loop {
            let item = self.signed()?;
            let literal = match &item.node {
                Node::Minus(inner) => matches!(inner.node, Node::Number(..)),
                node => matches!(node, Node::Number(..) | Node::Text(_)),
            };
            if !literal {
                let wrong = Wrong::new(item.at, "lists hold numbers and texts only");
                return Err(match &item.node {
                    Node::Name(n) => wrong.hint(format!("is it a text? Write \"{}\"", n.full())),
                    _ => wrong,
                });
            }
            list.push(item);
            if !self.is_sign(",") {
                break;
            }
            self.next();
        }
        let end = self.expect(")", open)?;
        self.depth -= 1;
        Ok((list, end))
    }

    /// The present token is not what can stand here.
    fn misplaced(&self) -> Wrong {
        let at = self.span();
        let operator = self.operator().is_some() || self.is_word("in");
        // An operator where a value is wanted, or a value where an operator is.
        let behind_value = self.at > 0
            && match &self.list[self.at - 1].0 {
                Token::Sign(s) => *s == ")",
                Token::Name(n) => !matches!(n.word(), Some("and" | "or" | "in" | "not")),
                _ => true,
            };
        match self.peek() {
            Token::End => Wrong::new(at, "the expression ends too early").hint("a value is missing at the end"),
            Token::Sign(")") if behind_value => Wrong::new(at, "this bracket was never opened"),
            Token::Sign(",") => Wrong::new(at, "a comma separates arguments of functions and items of lists only")
                .hint("conditions are joined with && or ||"),
            _ if operator && !behind_value => Wrong::new(at, "a value is missing before this"),
            Token::Sign(_) if behind_value => Wrong::new(at, "an operator is missing before this"),
            Token::Sign(_) => Wrong::new(at, "a value is missing before this"),
            _ => Wrong::new(at, "an operator is missing before this").hint("conditions are joined with && or ||"),
        }
    }
}
