//! What was meant by a mistyped word.

use crate::limits::SUGGESTIONS_TRIED_MAX;
use peermon_model::limits::ATTRIBUTE_NAME_BYTES_MAX;

/// The candidate nearest to `word`, if any is near: a third of the word may be wrong. Of equally near ones the first.
pub(crate) fn nearest<S: AsRef<str>>(word: &str, candidates: impl IntoIterator<Item = S>) -> Option<S> {
    if word.len() > ATTRIBUTE_NAME_BYTES_MAX {
        return None;
    }
    let most = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, S)> = None;
    for c in candidates.into_iter().take(SUGGESTIONS_TRIED_MAX) {
        let far = distance(word, c.as_ref());
        if far <= most && best.as_ref().is_none_or(|b| far < b.0) {
            best = Some((far, c));
        }
    }
    best.map(|b| b.1)
}

/// Letters to insert, delete, change or swap with their neighbour to make one word of the other (optimal string alignment,
/// after Damerau, "A technique for computer detection and correction of spelling errors", 1964). Case does not count.
fn distance(a: &str, b: &str) -> usize {
    let letters = |s: &str| s.chars().take(ATTRIBUTE_NAME_BYTES_MAX).map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut far = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                far = far.min(before[j - 2] + 1);
            }
            row.push(far);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let check = |a, b, n| {
            assert_eq!(distance(a, b), n, "{a} {b}");
            assert_eq!(distance(b, a), n, "{b} {a}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("mem.avialable", "mem.available", 1);
        check("CPU.Busy", "cpu.busy", 0);
        check("kitten", "sitting", 3);
    }

    #[test]
    fn the_nearest_is_offered_and_nothing_far() {
        let names = ["cpu.busy", "cpu.iowait", "disk.busy"];
        assert_eq!(nearest("cpu.bsy", names), Some("cpu.busy"));
        assert_eq!(nearest("dsk.busy", names), Some("disk.busy"));
        assert_eq!(nearest("memory", names), None);
        assert_eq!(nearest(&"x".repeat(1000), names), None);
    }
}
