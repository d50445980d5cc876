//! The map: a cell for each node, as large as lets all of them be seen.

use crate::app::{App, Line, Spot};
use crate::draw;
use ratatui::layout::Position;

/// Columns a cell may take, the gap included.
const WIDTHS: [usize; 6] = [16, 12, 8, 5, 2, 1];

/// A row of the map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// A group's title.
    Title(usize),
    /// Lines of the list, from and to.
    Cells(usize, usize),
}

/// How the map is laid out.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) cell: usize,
    pub(crate) rows: Vec<Row>,
}

impl Grid {
    /// Of the lines there are, in so many columns and rows.
    pub(crate) fn of(lines: &[Line], columns: usize, height: usize) -> Grid {
        let mut best = Grid { cell: 1, rows: Vec::new() };
        for cell in WIDTHS {
            let per_row = (columns / cell).max(1);
            best = Grid { cell, rows: rows(lines, per_row) };
            if best.rows.len() <= height {
                break;
            }
        }
        best
    }

    /// Row and cell of a line.
    fn place(&self, line: usize) -> Option<(usize, usize)> {
        self.rows.iter().enumerate().find_map(|(i, r)| match r {
            Row::Cells(from, to) if (*from..*to).contains(&line) => Some((i, line - from)),
            _ => None,
        })
    }
}

fn rows(lines: &[Line], per_row: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        match (line, rows.last_mut()) {
            (Line::Group(g), _) => rows.push(Row::Title(*g)),
            (Line::Node(_), Some(Row::Cells(from, to))) if i - *from < per_row => *to = i + 1,
            (Line::Node(_), _) => rows.push(Row::Cells(i, i + 1)),
        }
    }
    rows
}

impl App {
    pub(crate) fn grid(&self) -> Grid {
        let body = draw::areas(self).body;
        Grid::of(&self.lines, body.width as usize, body.height as usize)
    }

    /// The first row that is seen.
    pub(crate) fn map_top(&self, grid: &Grid) -> usize {
        self.top.min(grid.rows.len().saturating_sub(draw::areas(self).body.height as usize))
    }

    pub(crate) fn map_at(&self, at: Position) -> Option<Spot> {
        let (grid, body) = (self.grid(), draw::areas(self).body);
        let row = grid.rows.get(self.map_top(&grid) + (at.y - body.y) as usize)?;
        let Row::Cells(from, to) = row else { return None };
        let line = from + (at.x - body.x) as usize / grid.cell;
        if line < *to { self.spot(line) } else { None }
    }

    /// Moves the cursor to the cell before or after.
    pub(crate) fn map_cells(&mut self, by: isize) {
        let nodes: Vec<usize> = (0..self.lines.len()).filter(|i| matches!(self.lines[*i], Line::Node(_))).collect();
        let at = self.cursor_line().and_then(|l| nodes.iter().position(|n| *n == l));
        let to = at.map_or(0, |at| at.saturating_add_signed(by)).min(nodes.len().saturating_sub(1));
        if let Some(line) = nodes.get(to) {
            self.cursor = self.spot(*line);
            self.show_cursor();
        }
    }

    /// Moves the cursor up or down, over titles.
    pub(crate) fn map_rows(&mut self, by: isize) {
        let grid = self.grid();
        let Some((row, cell)) = self.cursor_line().and_then(|l| grid.place(l)) else { return self.map_cells(0) };
        let cells: Vec<usize> = (0..grid.rows.len()).filter(|r| matches!(grid.rows[*r], Row::Cells(..))).collect();
        let at = cells.iter().position(|r| *r == row).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(cells.len().saturating_sub(1));
        if let Some(Row::Cells(from, end)) = cells.get(to).map(|r| &grid.rows[*r]) {
            self.cursor = self.spot((from + cell).min(end - 1));
            self.show_cursor();
        }
    }

    pub(crate) fn show_cursor_on_map(&mut self) {
        let (grid, rows) = (self.grid(), draw::areas(self).body.height as usize);
        if let Some((row, _)) = self.cursor_line().and_then(|l| grid.place(l)) {
            if row < self.top {
                self.top = row;
            } else if row >= self.top + rows {
                self.top = row + 1 - rows.max(1);
            }
        }
        self.top = self.map_top(&grid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_large_as_fits() {
        for (nodes, columns, height, cell, rows) in [
            (5, 80, 20, 16, 1),
            (100, 80, 20, 16, 20),
            (101, 80, 20, 12, 17),
            (2200, 120, 40, 2, 37),
            (2200, 80, 20, 1, 28),
            (3, 0, 0, 1, 3),
        ] {
            let lines: Vec<Line> = (0..nodes).map(Line::Node).collect();
            let grid = Grid::of(&lines, columns, height);
            assert_eq!((grid.cell, grid.rows.len()), (cell, rows), "{nodes} in {columns} x {height}");
        }
        let lines = [Line::Group(0), Line::Node(0), Line::Node(1), Line::Group(1), Line::Node(2)];
        let grid = Grid::of(&lines, 16, 9);
        assert_eq!(grid.rows, [Row::Title(0), Row::Cells(1, 2), Row::Cells(2, 3), Row::Title(1), Row::Cells(4, 5)]);
        assert_eq!((grid.place(2), grid.place(0)), (Some((2, 0)), None));
    }
}
