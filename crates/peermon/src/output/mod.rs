//! What every command prints with: streams, the terminal's properties, tables and pretty units.

mod progress;
mod table;
mod text;
mod units;

pub(crate) use progress::Progress;
pub(crate) use table::{Cell, Column, Table};
pub(crate) use text::{clean, fold};
pub(crate) use units::{age, amount, attribute, bytes, percent, rate, seconds, short_number, value};

use crate::Failure;
use owo_colors::Style;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// Columns of a terminal that does not tell its width.
const WIDTH_DEFAULT: usize = 80;
/// Narrower terminals are treated as this wide: below it a table says nothing.
const WIDTH_MIN: usize = 20;

/// Where the text of an entry begins: names up to 11 letters fit.
const ENTRY_INDENT: usize = 15;

/// What the standard output is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Somebody looks at it; else a program or a file gets it.
    pub(crate) terminal: bool,
    /// Columns to fold to; `None`: print lines as long as they are.
    pub(crate) width: Option<usize>,
    /// Colours are wanted.
    pub(crate) colour: bool,
}

impl Screen {
    /// A pipe or a file.
    pub(crate) const PIPE: Screen = Screen { terminal: false, width: None, colour: false };

    /// What one of this process's standard streams is. `NO_COLOR` (no-color.org) and `TERM=dumb` turn colours off.
    pub(crate) fn of(stream: &(impl IsTerminal + AsFd)) -> Screen {
        if !stream.is_terminal() {
            return Screen::PIPE;
        }
        let told = rustix::termios::tcgetwinsize(stream).ok().map(|w| usize::from(w.ws_col)).filter(|w| *w > 0);
        let asked = || std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let width = told.or_else(asked).unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN);
        let plain =
            std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Screen { terminal: true, width: Some(width), colour: !plain }
    }

    /// The text in a style, where colours are wanted.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        if self.colour { style.style(text).to_string() } else { text.to_string() }
    }
}

/// Where a command prints.
pub(crate) struct Output<'a> {
    /// What was asked for.
    pub(crate) out: &'a mut dyn Write,
    /// Hints to people, which no program should have to skip: standard error.
    pub(crate) hints: &'a mut dyn Write,
    /// What `out` is.
    pub(crate) screen: Screen,
}

impl Output<'_> {
    /// Prints a line of what was asked for.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Prints sentences of what was asked for, folded to the width.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.line(&fold(text, self.screen.width, 0))
    }

    /// Prints `what  text`, the text folded beside its name and without control characters.
    pub(crate) fn entry(&mut self, what: &str, text: &str) -> Result<(), Failure> {
        let folded = fold(&clean(text), self.screen.width.map(|w| w.saturating_sub(ENTRY_INDENT).max(WIDTH_MIN)), 0);
        let mut lines = folded.lines();
        self.line(format!("  {what:<w$}{}", lines.next().unwrap_or_default(), w = ENTRY_INDENT - 2).trim_end())?;
        lines.try_for_each(|l| self.line(&format!("{:ENTRY_INDENT$}{l}", "")))
    }

    /// Prints a hint, folded to the width if somebody looks.
    pub(crate) fn hint(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines() {
            writeln!(self.hints, "{}", fold(line, self.screen.width, 0))?;
        }
        Ok(())
    }

    /// Prints a value as JSON, indented.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, value).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// Prints a value as one line of JSON, at once: something that happened.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(value).map_err(io::Error::from)?;
        self.line(&line)?;
        Ok(self.out.flush()?)
    }
}

/// Runs `f` on an output that is collected: what it printed and what it hinted.
#[cfg(test)]
pub(crate) fn collected(
    screen: Screen,
    f: impl FnOnce(&mut Output<'_>) -> Result<(), Failure>,
) -> (String, String, Result<(), Failure>) {
    let (mut out, mut hints) = (Vec::new(), Vec::new());
    let result = f(&mut Output { out: &mut out, hints: &mut hints, screen });
    let text = |v| String::from_utf8(v).expect("commands print UTF-8");
    (text(out), text(hints), result)
}
