//! Comparisons of texts, each within a budget of steps. `None` says that it did not suffice.

use std::cmp::Ordering;

/// Steps left to one evaluation.
pub(crate) type Fuel<'a> = &'a std::cell::Cell<u32>;

/// Takes so many steps, if they are there.
fn spend(fuel: Fuel<'_>, steps: usize) -> Option<()> {
    let left = u32::try_from(steps).ok().and_then(|s| fuel.get().checked_sub(s));
    fuel.set(left.unwrap_or(0));
    left.map(|_| ())
}

pub(crate) fn equal(fuel: Fuel<'_>, a: &str, b: &str) -> Option<bool> {
    spend(fuel, 1 + a.len().min(b.len()))?;
    Some(a == b)
}

pub(crate) fn starts_with(fuel: Fuel<'_>, a: &str, b: &str) -> Option<bool> {
    spend(fuel, 1 + b.len())?;
    Some(a.starts_with(b))
}

pub(crate) fn ends_with(fuel: Fuel<'_>, a: &str, b: &str) -> Option<bool> {
    spend(fuel, 1 + b.len())?;
    Some(a.ends_with(b))
}

/// The standard library searches in linear time.
pub(crate) fn contains(fuel: Fuel<'_>, a: &str, b: &str) -> Option<bool> {
    spend(fuel, 1 + a.len() + b.len())?;
    Some(a.contains(b))
}

/// Whether all of `text` fits `pattern`: `*` is any number of characters, `?` is one. Only the last star is ever tried anew,
/// which is enough (Kirk Krauss, "Matching Wildcards: An Algorithm", Dr. Dobb's 2008), so it takes text times pattern at most.
pub(crate) fn like(fuel: Fuel<'_>, text: &str, pattern: &str) -> Option<bool> {
    let (t, p) = (text.as_bytes(), pattern.as_bytes());
    let (mut i, mut j) = (0, 0);
    // Behind the last star, and where its text begins.
    let mut star: Option<(usize, usize)> = None;
    let char_end = |i: usize| i + text[i..].chars().next().map_or(1, char::len_utf8);
    while i < t.len() {
        spend(fuel, 1)?;
        if j < p.len() && p[j] == b'*' {
            star = Some((j + 1, i));
            j += 1;
        } else if j < p.len() && p[j] == b'?' && text.is_char_boundary(i) {
            i = char_end(i);
            j += 1;
        } else if j < p.len() && p[j] != b'?' && p[j] == t[i] {
            i += 1;
            j += 1;
        } else if let Some((behind, from)) = star {
            let from = char_end(from);
            star = Some((behind, from));
            i = from;
            j = behind;
        } else {
            return Some(false);
        }
    }
    Some(p[j..].iter().all(|c| *c == b'*'))
}

/// Whether the version in `text` is `least` or later: their numbers are compared from the left, a missing one is 0, and what is
/// not a number only separates (`6.1.0-18-amd64` is 6, 1, 0, 18, 64). `None` also if the text has no number.
pub(crate) fn version_at_least(fuel: Fuel<'_>, text: &str, least: &str) -> Option<bool> {
    spend(fuel, 1 + text.len() + least.len())?;
    let (mut have, mut want) = (numbers(text).peekable(), numbers(least));
    have.peek()?;
    loop {
        let Some(w) = want.next() else { return Some(true) };
        match have.next().unwrap_or(0).cmp(&w) {
            Ordering::Less => return Some(false),
            Ordering::Greater => return Some(true),
            Ordering::Equal => {}
        }
    }
}

/// The numbers in a text; too large ones count as the largest.
pub(crate) fn numbers(text: &str) -> impl Iterator<Item = u64> + '_ {
    let runs = text.split(|c: char| !c.is_ascii_digit()).filter(|r| !r.is_empty());
    runs.map(|r| r.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn patterns() {
        let check = |text: &str, pattern: &str, expected: bool| {
            assert_eq!(like(&Cell::new(10_000), text, pattern), Some(expected), "{text} ~ {pattern}");
        };
        check("", "", true);
        check("", "*", true);
        check("", "?", false);
        check("gpu-12", "gpu-*", true);
        check("gpu-12", "gpu-?", false);
        check("gpu-12", "gpu-??", true);
        check("gpu-12", "*-*2", true);
        check("gpu-12", "*-*3", false);
        check("aab", "*ab", true);
        check("abcabd", "*abd", true);
        check("münchen", "m?nchen", true);
        check("münchen", "m??nchen", false);
        check("ü", "*ü", true);
        check("éü", "*?", true);
        check("é", "??", false);
        check("a", "a**", true);
        check("abc", "", false);
    }

    #[test]
    fn hostile_patterns_run_out_of_steps() {
        let fuel = Cell::new(1_000);
        assert_eq!(like(&fuel, &"a".repeat(500), &format!("*{}b", "a".repeat(250))), None);
        assert_eq!(fuel.get(), 0);
        assert_eq!(equal(&fuel, "a", "a"), None);
    }

    #[test]
    fn versions() {
        let check = |text: &str, least: &str, expected: Option<bool>| {
            assert_eq!(version_at_least(&Cell::new(10_000), text, least), expected, "{text} {least}");
        };
        check("6.1.0-18-amd64", "6.1", Some(true));
        check("5.10.0", "6.1", Some(false));
        check("6.10", "6.9", Some(true));
        check("6", "6.0.0", Some(true));
        check("6", "6.0.1", Some(false));
        check("none", "1", None);
        check("99999999999999999999999", "5", Some(true));
    }
}
