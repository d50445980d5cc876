use super::Index;
use peermon_expr::Error;
use std::collections::BTreeSet;
use std::ops::Range;

/// Names that one set may stand for: more than any table has nodes. A set of a few bytes could stand for any number.
pub const NAMES_MAX: usize = 100_000;

/// The names that a set stands for, in no more than [`NAMES_MAX`] steps. Names of one form stand in order of their numbers.
///
/// # Errors
/// If it is no set; the error points into it. Groups (`@up`) are errors, too.
pub fn unfold(text: &str) -> Result<Vec<String>, Error> {
    unfold_with(text, |_| None)
}

/// As [`unfold`], where a term `@GROUP` stands for the names that `members` tells of it; `None`: there is no such group.
///
/// # Errors
/// If it is no set, or names a group that is not there; the error points into it.
pub fn unfold_with(text: &str, mut members: impl FnMut(&str) -> Option<Vec<String>>) -> Result<Vec<String>, Error> {
    let mut set: BTreeSet<Vec<Piece>> = BTreeSet::new();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut operator = ',';
    let mut spent = 0;
    let mut at = 0;
    loop {
        let end = term_end(text, at)?;
        let range = trim(text, at..end);
        if range.is_empty() {
            let sign = if at == 0 { end..(end + 1).min(text.len()) } else { at - 1..at };
            return Err(Error::new(text, sign, "a name is missing here").with_hint("write e.g. node[1-3],node10"));
        }
        let group = text[range.clone()].strip_prefix('@').filter(|g| !g.is_empty()).and_then(&mut members);
        let names = match group {
            Some(names) => {
                spent += names.len();
                within(text, range, spent)?;
                names.iter().map(|name| pieces(name)).collect()
            }
            None => term(text, range, &mut spent)?,
        };
        match operator {
            ',' => set.extend(names),
            '!' => set.retain(|n| !names.contains(n)),
            '&' => set.retain(|n| names.contains(n)),
            _ => set = set.symmetric_difference(&names).cloned().collect(),
        }
        let Some(next) = text[end..].chars().next() else { break };
        operator = next;
        // All operators are one byte.
        at = end + 1;
    }
    Ok(set.into_iter().map(|name| name.iter().map(ToString::to_string).collect()).collect())
}

/// A part of a name. Numbers stand before texts, in order of width and value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Number(Index),
    Text(String),
}

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Piece::Number(i) => i.fmt(f),
            Piece::Text(t) => f.write_str(t),
        }
    }
}

/// Where the term that begins at `start` ends: before an operator outside of brackets.
fn term_end(text: &str, start: usize) -> Result<usize, Error> {
    let mut open = None;
    for (i, c) in text[start..].char_indices().map(|(i, c)| (start + i, c)) {
        match c {
            '[' if open.is_some() => return Err(Error::new(text, i..i + 1, "there is a bracket in brackets")),
            '[' => open = Some(i),
            ']' if open.is_none() => return Err(Error::new(text, i..i + 1, "this bracket was not opened")),
            ']' => open = None,
            ',' | '!' | '&' | '^' if open.is_none() => return Ok(i),
            _ => {}
        }
    }
    match open {
        Some(i) => Err(Error::new(text, i..i + 1, "this bracket is not closed").with_hint("write e.g. node[1-3,10]")),
        None => Ok(text.len()),
    }
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = &text[range.clone()];
    let start = range.start + (inside.len() - inside.trim_start().len());
    start..start + inside.trim().len()
}

/// The names of one term, `rack[1-2]n[01-10]`.
fn term(text: &str, range: Range<usize>, spent: &mut usize) -> Result<BTreeSet<Vec<Piece>>, Error> {
    let mut names: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut at = range.start;
    while at < range.end {
        // A text without brackets, with the digits beside brackets left to those.
        let open = text[at..range.end].find('[').map_or(range.end, |i| at + i);
        let plain = &text[at..open];
        only_names(text, at..open)?;
        let before = if open < range.end { plain.len() - plain.trim_end_matches(|c: char| c.is_ascii_digit()).len() } else { 0 };
        append_text(&mut names, &plain[..plain.len() - before]);
        if open == range.end {
            break;
        }
        let close = open + text[open..range.end].find(']').unwrap_or(range.end - open);
        let behind = text[close + 1..range.end].bytes().take_while(u8::is_ascii_digit).count();
        if text[close + 1 + behind..range.end].starts_with('[') {
            let next = close + 1 + behind;
            return Err(
                Error::new(text, next..next + 1, "brackets follow brackets").with_hint("names have a text between two numbers")
            );
        }
        let beside = (&text[open - before..open], &text[close + 1..close + 1 + behind]);
        let indices = indices(text, open + 1..close, beside, names.len(), spent)?;
        names = names.iter().flat_map(|n| indices.iter().map(|i| [n.as_slice(), std::slice::from_ref(i)].concat())).collect();
        at = close + 1 + behind;
    }
    *spent += names.len();
    within(text, range, *spent)?;
    Ok(names.into_iter().collect())
}

/// Refuses signs that no name in a set holds.
fn only_names(text: &str, range: Range<usize>) -> Result<(), Error> {
    let Some(i) = text[range.clone()].find(|c: char| c == '@' || c == '%' || c.is_whitespace()) else { return Ok(()) };
    let (i, sign) = (range.start + i, text[range.start + i..].chars().next().map_or(1, char::len_utf8));
    Err(match text.as_bytes()[i] {
        b'@' => {
            Error::new(text, i..range.end, "there is no such group here").with_hint("write e.g. @up; `peermon groups` lists all")
        }
        _ => Error::new(text, i..i + sign, "no name holds this sign").with_hint("put commas between names"),
    })
}

/// A whole name, whatever it holds.
fn pieces(name: &str) -> Vec<Piece> {
    let mut names = [Vec::new()];
    append_text(&mut names, name);
    let [name] = names;
    name
}

/// Appends a text to all names, its numbers as numbers.
fn append_text(names: &mut [Vec<Piece>], text: &str) {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let length = if digits > 0 { digits } else { rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()) };
        let (part, behind) = rest.split_at(length);
        let piece = Index::read(part).map_or_else(|| Piece::Text(part.into()), Piece::Number);
        names.iter_mut().for_each(|n| n.push(piece.clone()));
        rest = behind;
    }
}

/// What stands in brackets, with the digits beside them, as pieces.
fn indices(
    text: &str,
    range: Range<usize>,
    (before, behind): (&str, &str),
    times: usize,
    spent: &mut usize,
) -> Result<Vec<Piece>, Error> {
    let mut found = Vec::new();
    let mut at = range.start;
    for part in text[range.clone()].split(',') {
        let here = trim(text, at..at + part.len());
        at += part.len() + 1;
        let wrong = |message: &str| Error::new(text, here.clone(), message).with_hint("write e.g. node[1-3,10]");
        let (bounds, step) = text[here.clone()].split_once('/').map_or((&text[here.clone()], None), |(b, s)| (b, Some(s)));
        let (first, last) = bounds.split_once('-').unwrap_or((bounds, bounds));
        let number = |t: &str| Index::read(t.trim()).ok_or_else(|| wrong("a number of up to 18 digits is wanted here"));
        let (first, last) = (number(first)?, number(last)?);
        let step = step.map(number).transpose()?.map_or(1, |s| s.value);
        if step == 0 {
            return Err(wrong("the step is 0"));
        }
        if first.value > last.value {
            return Err(wrong("the range goes backwards"));
        }
        if (first.is_padded() || last.is_padded()) && first.width != last.width {
            return Err(wrong("the ends of a range with leading zeros must have the same width"));
        }
        if step != 1 && !behind.is_empty() {
            return Err(wrong("digits cannot follow a range with steps"));
        }
        *spent =
            spent.saturating_add(usize::try_from((last.value - first.value) / step).unwrap_or(usize::MAX).saturating_mul(times));
        within(text, range.clone(), *spent)?;
        for value in (first.value..=last.value).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let width = if first.is_padded() { first.width } else { 1 };
            let digits = format!("{before}{value:0width$}{behind}");
            found.push(Index::read(&digits).map_or(Piece::Text(digits), Piece::Number));
        }
    }
    Ok(found)
}

fn within(text: &str, range: Range<usize>, names: usize) -> Result<(), Error> {
    if names > NAMES_MAX {
        return Err(Error::new(text, range, format!("this stands for more than {NAMES_MAX} names")));
    }
    Ok(())
}
