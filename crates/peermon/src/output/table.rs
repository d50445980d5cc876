//! Aligned tables that fold to a width: the least important columns go first, then texts are shortened, the least important first.

use super::text::{clean, fold, shorten, width};
use super::{Screen, WIDTH_MIN};
use crate::Failure;
use owo_colors::Style;
use std::io::Write;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its head.
    pub(crate) head: &'static str,
    /// Numbers stand at the right, texts at the left.
    pub(crate) right: bool,
    /// How much it matters: when the table is too wide, columns go in rising order of this. 255 stays; from
    /// [`CORE_WORTH`] on, texts elsewhere are shortened as far as they can be before it goes.
    pub(crate) worth: u8,
    /// It may be cut to this many columns when there is nothing left to drop.
    pub(crate) shrinks_to: Option<usize>,
    /// As the last column it goes on below itself instead of being cut.
    folds: bool,
}

impl Column {
    /// A column of texts.
    pub(crate) const fn text(head: &'static str, worth: u8) -> Self {
        Column { head, right: false, worth, shrinks_to: None, folds: false }
    }

    /// A column of numbers.
    pub(crate) const fn number(head: &'static str, worth: u8) -> Self {
        Column { head, right: true, worth, shrinks_to: None, folds: false }
    }

    /// May be cut to `least` columns.
    pub(crate) const fn shrinks_to(mut self, least: usize) -> Self {
        self.shrinks_to = Some(least);
        self
    }

    /// May be folded to `least` columns, if it is the last one.
    pub(crate) const fn folds_to(mut self, least: usize) -> Self {
        self.folds = true;
        self.shrinks_to(least)
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell; control characters are taken out.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Cell { text: clean(text.as_ref()), style: Style::new() }
    }

    /// What is not known.
    pub(crate) fn unknown() -> Self {
        Cell::new("-").styled(Style::new().dimmed())
    }

    /// A value, or that it is not known.
    pub(crate) fn known<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> Self {
        value.map_or_else(Cell::unknown, |v| Cell::new(show(v)))
    }

    /// The same cell in a style.
    pub(crate) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// Spaces between columns.
const GAP: usize = 2;
/// Columns worth less than this go before texts are cut below [`COMFORTABLE`].
const CORE_WORTH: u8 = 200;
/// Columns of a text that are still easy to read, for a name or an address.
const COMFORTABLE: usize = 20;

/// Rows under heads.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: one cell a column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Prints heads and rows.
    pub(crate) fn print(&self, out: &mut dyn Write, screen: Screen) -> Result<(), Failure> {
        let layout = self.layout(screen.width);
        let bold = Style::new().bold();
        let heads: Vec<_> = self.columns.iter().map(|c| Cell { text: c.head.to_string(), style: bold }).collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            let mut pending = 0;
            for (i, (column, most)) in layout.iter().enumerate() {
                let cell = &row[*column];
                let (folds, last) = (self.columns[*column].folds, i + 1 == layout.len());
                let text = if folds && last { fold(&cell.text, Some(*most), 0) } else { shorten(&cell.text, *most) };
                let mut parts = text.lines();
                let text = parts.next().unwrap_or_default();
                let pad = most.saturating_sub(width(text));
                let gap = if i > 0 { GAP } else { 0 };
                let (before, after) = if self.columns[*column].right { (pad, 0) } else { (0, pad) };
                pending += gap + before;
                if !text.is_empty() {
                    line.push_str(&" ".repeat(pending));
                    line.push_str(&screen.paint(text, cell.style));
                    pending = 0;
                }
                // Spaces wait for a text after them: none end a line.
                pending += after;
                let indent = layout[..i].iter().map(|(_, w)| w + GAP).sum::<usize>();
                for part in parts {
                    line.push_str(&format!("\n{:indent$}{}", "", screen.paint(part, cell.style)));
                }
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Which columns are shown, and how wide.
    fn layout(&self, most: Option<usize>) -> Vec<(usize, usize)> {
        let wide = |i: usize| self.rows.iter().map(|r| width(&r[i].text)).max().unwrap_or(0).max(width(self.columns[i].head));
        let mut shown: Vec<(usize, usize)> = (0..self.columns.len()).map(|i| (i, wide(i))).collect();
        let Some(most) = most.map(|m| m.max(WIDTH_MIN)) else { return shown };
        let total = |shown: &[(usize, usize)]| shown.iter().map(|(_, w)| w).sum::<usize>() + GAP * (shown.len() - 1);
        // What shrinking can give before a column of this worth goes.
        let slack = |shown: &[(usize, usize)], worth: u8| -> usize {
            let comfort = if worth < CORE_WORTH { COMFORTABLE } else { 0 };
            shown.iter().filter_map(|(i, w)| self.columns[*i].shrinks_to.map(|least| w.saturating_sub(least.max(comfort)))).sum()
        };
        while shown.len() > 1 {
            let least = shown.iter().enumerate().map(|(at, (i, _))| (self.columns[*i].worth, at));
            let Some((worth, at)) = least.min_by_key(|(worth, at)| (*worth, std::cmp::Reverse(*at))) else { break };
            if worth == u8::MAX || total(&shown) - slack(&shown, worth) <= most {
                break;
            }
            shown.remove(at);
        }
        // The least important first: a name that cannot be read whole cannot be typed either.
        let mut excess = total(&shown).saturating_sub(most);
        let mut order: Vec<usize> = (0..shown.len()).collect();
        order.sort_by_key(|at| self.columns[shown[*at].0].worth);
        for at in order {
            let (column, w) = &mut shown[at];
            let room = self.columns[*column].shrinks_to.map_or(0, |least| w.saturating_sub(least));
            *w -= room.min(excess);
            excess -= room.min(excess);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(most: Option<usize>, expected: &str) {
        let mut table = Table::new(&[
            Column::text("NAME", 255).shrinks_to(6),
            Column::text("STATE", 200),
            Column::number("MEM", 210),
            Column::text("NOTE", 10),
        ]);
        for (name, state, mem, note) in [
            ("a", "alive", "1 GiB", "first\u{1b}[2J"),
            ("機械-two", "down", "-", ""),
            ("a-long-name-that-goes-on", "alive", "24 GiB", "x"),
        ] {
            table.row([name, state, mem, note].into_iter().map(Cell::new).collect());
        }
        let mut out = Vec::new();
        table.print(&mut out, Screen { width: most, ..Screen::PIPE }).expect("a Vec takes all");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected, "width {most:?}");
    }

    #[test]
    fn columns_align_fold_and_shrink() {
        check(
            None,
            "\
NAME                      STATE     MEM  NOTE
a                         alive   1 GiB  first[2J
機械-two                  down        -
a-long-name-that-goes-on  alive  24 GiB  x
",
        );
        check(
            Some(45),
            "\
NAME                  STATE     MEM  NOTE
a                     alive   1 GiB  first[2J
機械-two              down        -
a-long-name-that-go…  alive  24 GiB  x
",
        );
        check(
            Some(40),
            "\
NAME                      STATE     MEM
a                         alive   1 GiB
機械-two                  down        -
a-long-name-that-goes-on  alive  24 GiB
",
        );
        check(
            Some(24),
            "\
NAME       STATE     MEM
a          alive   1 GiB
機械-two   down        -
a-long-n…  alive  24 GiB
",
        );
    }

    #[test]
    fn the_last_column_may_go_on_below_itself() {
        let mut table = Table::new(&[
            Column::text("NAME", 255).shrinks_to(3),
            Column::text("SOURCE", 220).shrinks_to(4),
            Column::text("HELP", 230).folds_to(10),
        ]);
        table.row(["node-1", "measured", "What it says to people."].map(Cell::new).to_vec());
        let mut out = Vec::new();
        table.print(&mut out, Screen { width: Some(25), ..Screen::PIPE }).expect("a Vec takes all");
        let expected = "\
NAME    SOU…  HELP
node-1  mea…  What it
              says to
              people.
";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn styles_do_not_disturb_the_alignment() {
        let mut table = Table::new(&[Column::text("A", 255), Column::number("B", 255)]);
        table.row(vec![Cell::new("x").styled(Style::new().red()), Cell::new("1")]);
        let mut out = Vec::new();
        table.print(&mut out, Screen { terminal: true, width: Some(80), colour: true }).expect("a Vec takes all");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "\u{1b}[1mA\u{1b}[0m  \u{1b}[1mB\u{1b}[0m\n\u{1b}[31mx\u{1b}[0m  1\n");
    }
}
