use super::{DIGITS_MAX, Index, SIGNS};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A folded set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// All names that could be folded.
    pub text: String,
    /// Names that hold signs which mean something in sets, and so can stand in none.
    pub left_out: Vec<String>,
}

/// Folds names into one line. Doubles count once.
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> Folded {
    let mut folded = Folded::default();
    // Names of one form, by the texts between their indices.
    let mut forms: BTreeMap<String, (Vec<&str>, BTreeSet<Vec<Index>>)> = BTreeMap::new();
    for name in names {
        if name.contains(SIGNS) || name.contains(char::is_whitespace) || name.is_empty() {
            folded.left_out.push(name.to_string());
            continue;
        }
        let (texts, indices) = split(name);
        // No name contains the sign that joins them.
        let form = forms.entry(texts.join("%")).or_insert_with(|| (texts, BTreeSet::new()));
        form.1.insert(indices);
    }
    let mut parts = Vec::new();
    for (texts, members) in forms.into_values() {
        for block in blocks(members) {
            let mut part = texts[0].to_string();
            for (indices, text) in block.iter().zip(&texts[1..]) {
                write_indices(&mut part, indices);
                part += text;
            }
            parts.push(part);
        }
    }
    folded.text = parts.join(",");
    folded
}

/// The texts before, between and behind a name's indices, and the indices.
fn split(name: &str) -> (Vec<&str>, Vec<Index>) {
    let (mut texts, mut indices) = (Vec::new(), Vec::new());
    let (mut text_start, mut at) = (0, 0);
    let bytes = name.as_bytes();
    while at < bytes.len() {
        let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if (1..=DIGITS_MAX).contains(&digits)
            && let Some(index) = Index::read(&name[at..at + digits])
        {
            texts.push(&name[text_start..at]);
            indices.push(index);
            text_start = at + digits;
        }
        at += digits.max(1);
    }
    texts.push(&name[text_start..]);
    (texts, indices)
}

/// Indices in each dimension: all of their combinations.
type Block = Vec<BTreeSet<Index>>;

/// Splits points into disjoint blocks. Points that differ in the last dimension only are joined first, then blocks that differ only in the
/// one before, and so on; the largest block comes first.
fn blocks(points: BTreeSet<Vec<Index>>) -> Vec<Block> {
    let dimensions = points.first().map_or(0, Vec::len);
    let mut blocks: Vec<Block> = points.into_iter().map(|p| p.into_iter().map(|i| BTreeSet::from([i])).collect()).collect();
    for d in (0..dimensions).rev() {
        // What a block is in all other dimensions, and what all such blocks are in this one.
        let mut joined: BTreeMap<Block, BTreeSet<Index>> = BTreeMap::new();
        for mut block in blocks {
            let here = std::mem::take(&mut block[d]);
            joined.entry(block).or_default().extend(here);
        }
        blocks = joined
            .into_iter()
            .map(|(mut block, here)| {
                block[d] = here;
                block
            })
            .collect();
    }
    let size = |b: &Block| b.iter().map(BTreeSet::len).product::<usize>();
    blocks.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.cmp(b)));
    blocks
}

fn write_indices(out: &mut String, indices: &BTreeSet<Index>) {
    let mut ranges: Vec<(Index, Index)> = Vec::new();
    for &i in indices {
        match ranges.last_mut() {
            Some((first, last)) if last.next(*first) == Some(i) => *last = i,
            _ => ranges.push((i, i)),
        }
    }
    let several = indices.len() > 1;
    if several {
        out.push('[');
    }
    for (n, (first, last)) in ranges.into_iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = if first == last { write!(out, "{comma}{first}") } else { write!(out, "{comma}{first}-{last}") };
    }
    if several {
        out.push(']');
    }
}
