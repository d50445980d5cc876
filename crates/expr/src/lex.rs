//! Text to tokens.

use crate::error::{Span, Wrong};
use crate::unit::{self, UnitWord};
use std::ops::Range;

/// A dotted name, e.g. `nic."eth0.100".speed`: three segments, one of them written in quotes because of its dot.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Name {
    pub(crate) segments: Vec<Box<str>>,
}

impl Name {
    /// The attribute's full name.
    pub(crate) fn full(&self) -> String {
        self.segments.join(".")
    }

    /// The word, if the name is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.segments[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Token {
    Number(f64, Option<&'static UnitWord>),
    Text(Box<str>),
    Name(Name),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
    End,
}

/// Longer ones first, so that `<=` is not `<`.
const SIGNS: &[&str] = &["&&", "||", "==", "!=", "<=", ">=", "!~", "<", ">", "~", "!", "+", "-", "*", "/", "(", ")", ","];

pub(crate) fn tokens(text: &str, range: Range<usize>) -> Result<Vec<(Token, Span)>, Wrong> {
    let end = range.end;
    let mut lexer = Lexer { text: &text[..end], at: range.start };
    let mut list = Vec::new();
    loop {
        lexer.skip(char::is_whitespace);
        let start = lexer.at;
        let token = lexer.token()?;
        let last = token == Token::End;
        list.push((token, Span::new(start, lexer.at)));
        if last {
            return Ok(list);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves past the characters that `which` is true for, and returns them.
    fn skip(&mut self, which: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let n = rest.find(|c| !which(c)).unwrap_or(rest.len());
        self.at += n;
        &rest[..n]
    }

    fn token(&mut self) -> Result<Token, Wrong> {
        let start = self.at;
        let Some(c) = self.peek() else { return Ok(Token::End) };
        if c.is_ascii_digit() || (c == '.' && self.rest()[1..].starts_with(|d: char| d.is_ascii_digit())) {
            return self.number();
        }
        if c == '"' || c == '\'' {
            return self.quoted().map(Token::Text);
        }
        if c.is_ascii_alphabetic() || c == '_' {
            return self.name();
        }
        if let Some(sign) = SIGNS.iter().find(|s| self.rest().starts_with(**s)) {
            self.at += sign.len();
            return Ok(Token::Sign(sign));
        }
        let wrong = Wrong::new(Span::new(start, start + c.len_utf8()), format!("{c:?} means nothing here"));
        Err(match c {
            '=' => wrong.hint("to compare, write =="),
            '&' => wrong.hint("write && or the word and"),
            '|' => wrong.hint("write || or the word or"),
            '%' => wrong.hint("a percent sign follows its number at once: 80%"),
            '{' | '[' => wrong.hint("group with ( and )"),
            _ => wrong,
        })
    }

    fn number(&mut self) -> Result<Token, Wrong> {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        // An exponent needs a digit: 4E is nobody's number.
        if let Some(rest) = self.rest().strip_prefix('e') {
            let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            if digits.starts_with(|c: char| c.is_ascii_digit()) {
                self.at = self.text.len() - digits.len();
                self.skip(|c| c.is_ascii_digit());
            }
        }
        let digits = &self.text[start..self.at];
        let here = Span::new(start, self.at);
        let value: f64 = digits.parse().map_err(|_| Wrong::new(here, format!("{digits:?} is not a number")))?;
        if !value.is_finite() {
            return Err(Wrong::new(here, "the number is too large").hint("numbers go up to 1e308"));
        }
        Ok(Token::Number(value, self.unit()?))
    }

    /// The unit behind a number: at once, or after a space if nothing else can be meant.
    fn unit(&mut self) -> Result<Option<&'static UnitWord>, Wrong> {
        let start = self.at;
        let letter = |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | 'µ');
        let word = self.skip(letter);
        let near = !word.is_empty();
        if !near {
            self.skip(|c| c == ' ');
        }
        let first = self.at - word.len();
        if !near {
            self.skip(letter);
        }
        // "/s" belongs to the unit if nothing longer begins there.
        let per_second = self.rest().strip_prefix("/s").is_some_and(|r| !r.starts_with(in_word))
            && unit::find(&self.text[first..self.at + 2]).is_some();
        if per_second && (near || first == start || self.at > first) {
            self.at += 2;
        }
        let word = &self.text[first..self.at];
        let found = unit::find(word);
        if near {
            let at = Span::new(first, self.at);
            if found.is_none() {
                return Err(Wrong::new(at, format!("{word:?} is not a unit")).hint(unit::meant(word)));
            }
            if self.rest().starts_with(in_word) {
                return Err(Wrong::new(at, "a unit ends where a digit follows").hint("put a space or an operator between"));
            }
        } else if found.is_none() || self.rest().starts_with(|c| in_word(c) || c == '.' || c == '(') {
            self.at = start;
            return Ok(None);
        }
        Ok(found)
    }

    fn quoted(&mut self) -> Result<Box<str>, Wrong> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, c)| c);
        while let Some((i, c)) = chars.next() {
            let here = Span::new(start + i, start + i + c.len_utf8());
            match c {
                _ if c == quote => {
                    self.at = start + i + 1;
                    return Ok(text.into());
                }
                '\\' => match chars.next() {
                    Some((_, e @ ('\\' | '"' | '\''))) => text.push(e),
                    _ => return Err(Wrong::new(here, "a backslash stands before a quote or a backslash only")),
                },
                _ if c.is_control() => return Err(Wrong::new(here, "a text holds no control characters")),
                _ => text.push(c),
            }
        }
        Err(Wrong::new(Span::new(start, self.text.len()), "the text has no closing quote").hint(format!("end it with {quote}")))
    }

    fn name(&mut self) -> Result<Token, Wrong> {
        let mut segments: Vec<Box<str>> = vec![self.skip(in_word).into()];
        while self.peek() == Some('.') {
            self.at += 1;
            let from = self.at;
            let segment: Box<str> = match self.peek() {
                Some('"' | '\'') => self.quoted()?,
                _ => self.skip(in_word).into(),
            };
            if segment.is_empty() {
                return Err(Wrong::new(Span::new(from - 1, self.at), "a name does not end with a dot")
                    .hint("parts of a name with other signs stand in quotes: label.\"gpu-type\""));
            }
            segments.push(segment);
        }
        Ok(Token::Name(Name { segments }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_unit_and_no_more() {
        let check = |text: &str, value: f64, word: &str, behind: &[Token]| {
            let list: Vec<_> = tokens(text, 0..text.len()).expect(text).into_iter().map(|t| t.0).collect();
            assert_eq!(list[0], Token::Number(value, unit::find(word)), "{text}");
            assert_eq!(&list[1..list.len() - 1], behind, "{text}");
        };
        let name = |n: &str| Token::Name(Name { segments: n.split('.').map(Into::into).collect() });
        check("4GiB", 4.0, "GiB", &[]);
        check("4 GiB", 4.0, "GiB", &[]);
        check(".5%", 0.5, "%", &[]);
        check("1e3ms", 1e3, "ms", &[]);
        check("2.5e-3", 2.5e-3, "", &[]);
        check("100MB/s", 100.0, "MB/s", &[]);
        check("100 MB/s", 100.0, "MB/s", &[]);
        check("100MB/sum", 100.0, "MB", &[Token::Sign("/"), name("sum")]);
        check("5/s", 5.0, "/s", &[]);
        check("80°C", 80.0, "°C", &[]);
        check("80 %", 80.0, "%", &[]);
        check("4 and", 4.0, "", &[name("and")]);
        check("4 min(", 4.0, "", &[name("min"), Token::Sign("(")]);
        check("4 s.x", 4.0, "", &[name("s.x")]);
        check("4 / s", 4.0, "", &[Token::Sign("/"), name("s")]);
        check("5 ", 5.0, "", &[]);
    }
}
