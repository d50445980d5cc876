//! Sets of node names in one short line, `node[1-3,10]`, as ClusterShell folds and unfolds them.
//!
//! Every run of digits in a name counts: `rack[1-2]n[1-2]` is four nodes. Leading zeros are part of an index, so `node[2,01,001]` is
//! three nodes. Unfolding takes steps (`node[0-6/2]`), digits beside brackets (`n0[1-3]0`) and the operators `,` (and), `!` (without),
//! `&` (in both), `^` (in one of them), from left to right. What it is not: it knows no groups (`@up`), since those need a
//! cluster; whoever has one tells their members ([`unfold_with`]).
//!
//! ```
//! use peermon_placement::nodeset::{fold, unfold};
//!
//! assert_eq!(fold(["node10", "node1", "node3", "node2"]).text, "node[1-3,10]");
//! assert_eq!(unfold("node[08-10]!node09")?, ["node08", "node10"]);
//! # Ok::<(), peermon_expr::Error>(())
//! ```

mod fold;
mod parse;

pub use fold::{Folded, fold};
pub use parse::{NAMES_MAX, unfold, unfold_with};

/// Digits of an index, at most; a longer run of digits is text like any other. It fits in 64 bits.
const DIGITS_MAX: usize = 18;
/// What means something in a set and can therefore not stand in a name.
const SIGNS: &[char] = &['[', ']', ',', '!', '&', '^', '@', '%'];

/// A number as it is written: with its leading zeros. In order of width, then value, which is the order of ClusterShell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Index {
    width: usize,
    value: u64,
}

impl Index {
    /// Reads digits, of which there are 1 to [`DIGITS_MAX`].
    fn read(digits: &str) -> Option<Index> {
        let fits = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| digits.parse().ok()).flatten().map(|value| Index { width: digits.len(), value })
    }

    fn is_padded(self) -> bool {
        self.width > 1 && self.value < 10u64.pow(self.width as u32 - 1)
    }

    /// The next one in a range that begins with `first`: a range with leading zeros keeps its width.
    fn next(self, first: Index) -> Option<Index> {
        let value = self.value + 1;
        let width = if value >= 10u64.pow(self.width as u32) { self.width + 1 } else { self.width };
        let kept = width == self.width || !first.is_padded();
        (kept && width <= DIGITS_MAX).then_some(Index { width, value })
    }
}

impl std::fmt::Display for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0w$}", self.value, w = self.width)
    }
}

#[cfg(test)]
mod tests;
