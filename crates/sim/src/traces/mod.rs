//! Recorded machines: for each of several kinds of load, the codes of all vitals, second by second, as the daemon measures
//! them before dead-bands thin them.
//!
//! A series is a text. Lines that begin with `#` are comments.
//!
//! ```text
//! # where it comes from
//! peermon-rows 1
//! vitals cpu.busy mem.available load.1
//! 6 178 38
//! 100 178 -
//! ```
//!
//! First the names of the columns, then one line a second with a code (0 to 254) each; `-` is absent. The series are made by
//! `cargo run --release -p peermon-sim --example series` from the traces of `crates/collector/traces/`, which also tells how
//! each was recorded.

use peermon_model::Vitals;
use peermon_model::quantity::ABSENT;
use peermon_model::vitals::{self, Slot, VITALS};
use std::fmt::Write;
use std::sync::LazyLock;

const HEADER: &str = "peermon-rows 1";
const ABSENT_WORD: &str = "-";

/// The series there are, by the name of their load.
static ALL: LazyLock<Vec<Series>> = LazyLock::new(|| {
    let texts = [
        ("idle", include_str!("idle.rows")),
        ("interactive", include_str!("interactive.rows")),
        ("compile", include_str!("compile.rows")),
        ("database", include_str!("database.rows")),
        ("web", include_str!("web.rows")),
        ("files", include_str!("files.rows")),
        ("memory", include_str!("memory.rows")),
        ("batch", include_str!("batch.rows")),
        ("mpi", include_str!("mpi.rows")),
        ("processes", include_str!("processes.rows")),
        ("transfer", include_str!("transfer.rows")),
    ];
    let series = |(name, text)| Series::parse(name, text).expect("the built-in series are right, which a test checks");
    texts.map(series).into()
});

/// What one machine measured, a row a second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// The load's name.
    pub name: String,
    /// At least one.
    pub rows: Vec<Vitals>,
}

impl Series {
    /// All that come with the simulator.
    pub fn all() -> &'static [Series] {
        &ALL
    }

    /// The one of this load.
    pub fn of(name: &str) -> Option<&'static Series> {
        ALL.iter().find(|s| s.name == name)
    }

    /// Reads a series.
    ///
    /// # Errors
    /// If the text is not a series: which line of which series, and what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Series, String> {
        let wrong = |line: usize, reason: String| format!("series {name}, line {line}: {reason}");
        let lines = text.lines().enumerate().map(|(i, l)| (i + 1, l.trim()));
        let mut lines = lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
        match lines.next() {
            Some((_, HEADER)) => {}
            other => return Err(wrong(other.map_or(0, |l| l.0), format!("a series begins with \"{HEADER}\""))),
        }
        let Some((n, Some(names))) = lines.next().map(|(n, l)| (n, l.strip_prefix("vitals "))) else {
            return Err(wrong(0, "expected \"vitals NAME...\" after the first line".into()));
        };
        let slot = |name| vitals::find(name).map(|v| v.slot).ok_or_else(|| wrong(n, format!("{name:?} is not a vital")));
        let columns: Vec<Slot> = names.split_whitespace().map(slot).collect::<Result<_, _>>()?;
        let rows: Vec<Vitals> = lines.map(|(n, l)| row(l, &columns).map_err(|e| wrong(n, e))).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Err(wrong(0, "it has no line of codes".into()));
        }
        Ok(Series { name: name.into(), rows })
    }

    /// The series as a text that [`Series::parse`] reads, after `comment`. Vitals that it never has are left out.
    pub fn to_text(&self, comment: &str) -> String {
        let there = |slot: Slot| self.rows.iter().any(|r| r.code(slot) != ABSENT);
        let columns: Vec<_> = VITALS.iter().filter(|v| there(v.slot)).collect();
        let mut text = String::new();
        comment.lines().for_each(|line| text.extend(["# ", line, "\n"]));
        text.extend([HEADER, "\nvitals"]);
        columns.iter().for_each(|v| text.extend([" ", &v.attribute.name]));
        for row in &self.rows {
            let mut between = '\n';
            for v in &columns {
                text.push(between);
                between = ' ';
                match row.code(v.slot) {
                    ABSENT => text.push_str(ABSENT_WORD),
                    code => write!(text, "{code}").expect("a String takes everything"),
                }
            }
        }
        text.push('\n');
        text
    }
}

fn row(line: &str, columns: &[Slot]) -> Result<Vitals, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.len() != columns.len() {
        return Err(format!("{} codes where {} were expected", words.len(), columns.len()));
    }
    let mut row = Vitals::default();
    for (word, slot) in words.into_iter().zip(columns).filter(|(w, _)| *w != ABSENT_WORD) {
        let code = word.parse().ok().filter(|c| *c != ABSENT);
        row.put(*slot, code.ok_or_else(|| format!("{word:?} is not a code from 0 to {}", ABSENT - 1))?);
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_are_right_and_long_enough() {
        for s in Series::all() {
            assert!(s.rows.len() >= 120, "{} has {} rows", s.name, s.rows.len());
            let moves = |name: &str| {
                let slot = vitals::find(name).expect("a vital").slot;
                assert!(s.rows.iter().all(|r| r.code(slot) != ABSENT), "{} lacks {name}", s.name);
                s.rows.iter().any(|r| r.code(slot) != s.rows[0].code(slot))
            };
            assert!(moves("cpu.busy"), "{}", s.name);
            assert!(!moves("health"), "{}", s.name);
            let text = s.to_text("a comment\nof two lines");
            assert_eq!(Series::parse(&s.name, &text).as_ref(), Ok(s), "it comes back");
        }
    }

    #[test]
    fn wrong_series_are_refused_by_line() {
        for (text, error) in [
            ("", "series x, line 0: a series begins with \"peermon-rows 1\""),
            ("# a\nhello", "series x, line 2: a series begins with \"peermon-rows 1\""),
            ("peermon-rows 1", "series x, line 0: expected \"vitals NAME...\" after the first line"),
            ("peermon-rows 1\n1 2", "series x, line 0: expected \"vitals NAME...\" after the first line"),
            ("peermon-rows 1\nvitals speed", "series x, line 2: \"speed\" is not a vital"),
            ("peermon-rows 1\nvitals load.1", "series x, line 0: it has no line of codes"),
            ("peermon-rows 1\nvitals load.1\n1 2", "series x, line 3: 2 codes where 1 were expected"),
            ("peermon-rows 1\nvitals load.1\n255", "series x, line 3: \"255\" is not a code from 0 to 254"),
            ("peermon-rows 1\nvitals load.1\n1\n-\nx", "series x, line 5: \"x\" is not a code from 0 to 254"),
        ] {
            assert_eq!(Series::parse("x", text).map(|_| ()), Err(error.into()));
        }
    }
}
