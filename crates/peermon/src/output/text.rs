//! Text on a terminal: how wide it is, and what must not get there.

/// Columns a character takes. Enough of Unicode's tables for names people give machines: combining marks take none, East
/// Asian wide characters and emoji two.
fn char_width(c: char) -> usize {
    match c as u32 {
        0..=0x1f | 0x7f..=0x9f => 0,
        0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f => 0,
        0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x200b..=0x200f | 0x2060..=0x2064 | 0x20d0..=0x20ff => 0,
        0xfe00..=0xfe0f | 0xfe20..=0xfe2f | 0xfeff | 0xe0100..=0xe01ef => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff => 2,
        0xa000..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The text without control characters and direction marks: what comes from other machines must not steer this terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !matches!(*c as u32, 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069))
        .collect()
}

/// The text cut to at most `most` columns, with an ellipsis where something was cut.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_string();
    }
    let mut left = most.saturating_sub(1);
    let mut cut = String::new();
    for c in text.chars() {
        match left.checked_sub(char_width(c)) {
            Some(l) => left = l,
            None => break,
        }
        cut.push(c);
    }
    if most > 0 {
        cut.push('…');
    }
    cut
}

/// The text broken at spaces into lines of at most `width` columns; lines after the first are indented by `indent`. A word
/// longer than a line stays whole, so that addresses and tokens can be copied.
pub(crate) fn fold(text: &str, most: Option<usize>, indent: usize) -> String {
    let Some(most) = most else { return text.to_string() };
    let lead: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut folded = lead.clone();
    let mut column = lead.len();
    let mut first = true;
    for word in text.split_whitespace() {
        let w = width(word);
        if !first && column + 1 + w > most {
            folded.push('\n');
            folded.push_str(&" ".repeat(indent));
            column = indent;
        } else if !first {
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += w;
        first = false;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        for (text, expected) in
            [("", 0), ("node-1", 6), ("größe", 5), ("gro\u{308}ße", 5), ("機械", 4), ("🖥", 2), ("\u{1b}[1m", 3)]
        {
            assert_eq!(width(text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_to_columns() {
        for (text, most, expected) in [
            ("node-1", 6, "node-1"),
            ("node-1", 5, "node…"),
            ("機械機械", 6, "機械…"),
            ("機械機械", 4, "機…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(shorten(text, most), expected, "{text} {most}");
            assert!(width(&shorten(text, most)) <= most);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\r\n\u{202e}c"), "a[2Jbc");
    }

    #[test]
    fn folding() {
        assert_eq!(fold("one two three", Some(7), 2), "one two\n  three");
        assert_eq!(fold("  one two", Some(6), 4), "  one\n    two");
        assert_eq!(fold("averylongword x", Some(5), 0), "averylongword\nx");
        assert_eq!(fold("one two three", None, 2), "one two three");
    }
}
