//! How far long work is: a line that is written over, on the standard error of somebody who looks.

use super::Output;
use crate::Failure;
use std::io::IsTerminal;

/// A counted line, while somebody looks.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    wanted: bool,
}

impl Progress {
    /// Shown only on a terminal, and only if it is `wanted`.
    pub(crate) fn new(wanted: bool) -> Progress {
        Progress { shown: false, wanted: wanted && std::io::stderr().is_terminal() }
    }

    /// Writes `done of all what` over what stood there, until all is done.
    pub(crate) fn show(&mut self, done: usize, all: usize, what: &str, output: &mut Output<'_>) -> Result<(), Failure> {
        if done >= all {
            return self.hide(output);
        }
        if self.wanted {
            write!(output.hints, "\r\u{1b}[K{}", line(done, all, what, output.screen.width))?;
            output.hints.flush()?;
            self.shown = true;
        }
        Ok(())
    }

    /// Takes it away, before something else is written and at the end.
    pub(crate) fn hide(&mut self, output: &mut Output<'_>) -> Result<(), Failure> {
        if std::mem::take(&mut self.shown) {
            write!(output.hints, "\r\u{1b}[K")?;
            output.hints.flush()?;
        }
        Ok(())
    }
}

/// Cells of the bar.
const BAR: usize = 20;

/// A bar and the counts, if they fit into the line: one that is broken cannot be written over.
fn line(done: usize, all: usize, what: &str, width: Option<usize>) -> String {
    let full = done * BAR / all.max(1);
    let counts = format!("{done} of {all} {what}");
    let line = format!("{}{} {counts}", "█".repeat(full), "·".repeat(BAR - full));
    match width {
        Some(w) if line.chars().count() < w => line,
        Some(w) => counts.chars().take(w.saturating_sub(1)).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits() {
        assert_eq!(line(5, 10, "done", Some(80)), "██████████·········· 5 of 10 done");
        assert_eq!(line(0, 10, "done", Some(20)), "0 of 10 done");
        assert_eq!(line(9, 10, "done", Some(6)), "9 of ");
        assert_eq!(line(0, 0, "done", None), "···················· 0 of 0 done");
    }
}
