//! The list as plain text, once.

use crate::app::{App, Input, Options, Page};
use crate::column::COLUMNS;
use crate::draw;
use crate::source;
use crate::table::{Answer, Totals};
use crate::theme::Theme;
use peermon_api::{NodeView, Service, ZoneView};
use peermon_expr::Error as NotAnExpression;
use peermon_model::Instant;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;

/// Rows that are drawn at a time.
const ROWS: u16 = 200;

/// Why there is no picture.
#[derive(Debug)]
pub enum Problem {
    /// The daemon could not be asked.
    Daemon(peermon_api::Error),
    /// An option means nothing; a sentence on it.
    Option(String),
    /// The filter is no expression.
    Filter(NotAnExpression),
}

/// The cluster at a moment, for programs.
#[derive(Serialize, Debug)]
pub struct Picture {
    /// Sums over the nodes that are up, in base units.
    pub totals: PictureTotals,
    /// The ids of the nodes to use now, the best first.
    pub best: Vec<String>,
    /// The nodes that the filter lets through, in the order asked for.
    pub nodes: Vec<NodeView>,
    /// All zones.
    pub zones: Vec<ZoneView>,
}

/// Sums over the cluster.
#[derive(Serialize, Debug)]
pub struct PictureTotals {
    /// Nodes that are up.
    pub up: usize,
    /// Nodes that were silent in the last period.
    pub suspect: usize,
    /// Nodes of zones that are cut off.
    pub stale: usize,
    /// Nodes that answer nobody.
    pub down: usize,
    /// Nodes that said that they leave.
    pub left: usize,
    /// Hardware threads.
    pub threads: f64,
    /// Share of processor time that is not idle, 0 to 1.
    pub cpu_busy: f64,
    /// Bytes.
    pub mem_total: f64,
    /// Bytes.
    pub mem_used: f64,
    /// Processes running or waiting.
    pub load: f64,
    /// Bytes per second.
    pub net_rx: f64,
    /// Bytes per second.
    pub net_tx: f64,
    /// GPUs.
    pub gpus: f64,
}

/// Asks once; the screen as text in so many columns, all nodes.
///
/// # Errors
/// See [`Problem`].
pub fn text(service: &dyn Service, options: &Options, columns: u16) -> Result<String, Problem> {
    let answer = source::ask(service).map_err(Problem::Daemon)?;
    let mut app = app(answer, &Options { theme: Theme::Plain, ..options.clone() }, columns)?;
    let mut text = String::new();
    let body = draw::areas(&app).body;
    loop {
        let mut buffer = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
        app.draw(&mut buffer);
        // The header and the titles once, then all lines.
        let from = if app.top == 0 { 0 } else { body.y };
        let to = if app.lines.is_empty() { body.bottom() } else { body.y + (app.lines.len() - app.top).min(ROWS.into()) as u16 };
        (from..to).for_each(|y| line(&buffer, y, &mut text));
        app.top += usize::from(body.height);
        if app.top >= app.lines.len() {
            text.truncate(text.trim_end().len());
            text.push('\n');
            return Ok(text);
        }
    }
}

/// Asks once; what programs get.
///
/// # Errors
/// See [`Problem`].
pub fn picture(service: &dyn Service, options: &Options) -> Result<Picture, Problem> {
    let answer = source::ask(service).map_err(Problem::Daemon)?;
    let (best, zones) = (answer.best.clone(), answer.zones.clone());
    let app = app(answer, options, 80)?;
    let Some(table) = &app.table else { return Err(Problem::Option("no table was kept".into())) };
    let t: &Totals = &table.totals;
    let shown = app.lines.iter().filter_map(|l| if let crate::app::Line::Node(i) = l { table.nodes.get(*i) } else { None });
    Ok(Picture {
        totals: PictureTotals {
            up: t.up,
            suspect: t.suspect,
            stale: t.stale,
            down: t.down,
            left: t.left,
            threads: t.threads,
            cpu_busy: t.cpu(),
            mem_total: t.mem_total,
            mem_used: t.mem_used,
            load: t.load,
            net_rx: t.rx,
            net_tx: t.tx,
            gpus: t.gpus,
        },
        best,
        nodes: shown.map(|n| n.view.clone()).collect(),
        zones,
    })
}

fn app(answer: Answer, options: &Options, columns: u16) -> Result<App, Problem> {
    let now = Instant::from_nanos(0);
    let mut app = App::new(options, (columns, ROWS), now).map_err(Problem::Option)?;
    app.keyless = true;
    app.page = Page::List;
    app.handle(Input::Answer(Box::new(answer.into())), now);
    app.filter(options.filter.as_deref().unwrap_or("")).map_err(Problem::Filter)?;
    let around = draw::areas(&app).body.y;
    app.size = (columns, ROWS + around);
    Ok(app)
}

/// Adds a row of a buffer, without the spaces at its end.
fn line(buffer: &Buffer, y: u16, text: &mut String) {
    let from = text.len();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, y)].symbol();
        text.push_str(symbol);
        // A wide character covers the next cell.
        x += (draw::width(symbol) as u16).max(1);
    }
    text.truncate(from + text[from..].trim_end().len());
    text.push('\n');
}

/// The names of all columns, for the help of options.
pub fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.iter().map(|c| (c.name, c.help))
}
