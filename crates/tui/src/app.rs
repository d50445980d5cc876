//! The state of the screen: tables, keys and time in, orders and drawings out. It touches nothing.

use crate::column::{self, COLUMNS, NAME, Which};
use crate::filter::Filter;
use crate::history::{History, Remembered};
use crate::menu::Menu;
use crate::processes::{Details, Own, OwnAnswer};
use crate::prompt::Prompt;
use crate::table::{Id, Ready, Table, Totals, natural};
use crate::theme::{Depth, Palette, Theme};
use peermon_expr::Error;
use peermon_model::Instant;
use ratatui::crossterm::event::{KeyEvent, MouseEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Seconds between two questions that + and - go through. Below half a second nothing new is known, above a minute it is no
/// longer a view of now.
pub const REFRESHES: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];
/// A daemon that has not answered for so long is said not to answer: it does in milliseconds when it is well.
const SLOW: Duration = Duration::from_secs(3);
/// Columns a name gets at most.
const NAME_MAX: usize = 32;

/// How it begins.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which daemon is asked, in words.
    pub asked: String,
    /// Colours.
    pub theme: Theme,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// Seconds between two questions, the next of [`REFRESHES`].
    pub refresh: f64,
    /// The column to sort by; a leading `-` turns it round.
    pub sort: Option<String>,
    /// Which nodes to show; see [`App::filter`].
    pub filter: Option<String>,
    /// What to group by: `zone` or the key of a label.
    pub group: Option<String>,
    /// Begin with the heat map, coloured by this column.
    pub map: Option<String>,
    /// Columns to show instead of the usual ones.
    pub columns: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            asked: String::new(),
            theme: Theme::Dark,
            depth: Depth::Mono,
            refresh: 1.0,
            sort: None,
            filter: None,
            group: None,
            map: None,
            columns: Vec::new(),
        }
    }
}

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has so many columns and rows.
    Resize(u16, u16),
    /// The daemon is being asked.
    Asked,
    /// The daemon answered.
    Answer(Box<Ready>),
    /// What the daemon remembers.
    Past(Box<Remembered>),
    /// What the node that answers tells of itself.
    Own(Box<OwnAnswer>),
    /// What this machine tells of a process.
    Process(u32, Box<Details>),
    /// The daemon could not be asked; it will be again after so long.
    Failed(String, Duration),
    /// Time has passed.
    Tick,
}

/// What the shell has to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    /// End.
    Quit,
    /// Go to the background.
    Suspend,
    /// Draw everything afresh: something else wrote to the terminal.
    Redraw,
    /// Ask so often.
    Every(Duration),
    /// Ask no more, or again.
    Pause(bool),
    /// Ask also for what the node that answers tells of itself, or no more.
    Own(bool),
    /// Look at a process of this machine; if the daemon says for how many seconds it has been there, only if it has.
    Look(u32, Option<u64>),
}

/// What nodes are put together by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    None,
    Zone,
    Label(String),
}

/// A line of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// A group's title, by its place.
    Group(usize),
    /// A node, by its place in the table.
    Node(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct GroupLine {
    pub(crate) name: String,
    pub(crate) totals: Totals,
    pub(crate) folded: bool,
}

/// What the cursor is on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Spot {
    Group(String),
    Node(Id),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    List,
    Map,
    /// One node, scrolled so far.
    Node(Id, usize),
    /// Its processes.
    Processes(Id),
    /// One of them, scrolled so far.
    Process(Id, usize),
}

impl Page {
    /// The node of which it is.
    pub(crate) fn node(self) -> Option<Id> {
        match self {
            Page::Node(id, _) | Page::Processes(id) | Page::Process(id, _) => Some(id),
            Page::List | Page::Map => None,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Overlay {
    None,
    Menu(Menu),
    Prompt(Prompt),
    /// Help, scrolled so far.
    Help(usize),
}

/// How it stands with the daemon.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Link {
    /// When the first question was asked, or the last answer came.
    pub(crate) heard: Instant,
    /// A question that waits for its answer.
    pub(crate) waiting: Option<Instant>,
    /// Why the last one failed, and when the next is asked.
    pub(crate) failed: Option<(String, Instant)>,
}

/// The whole screen.
#[derive(Debug)]
pub struct App {
    pub(crate) asked: String,
    pub(crate) palette: Palette,
    pub(crate) now: Instant,
    pub(crate) size: (u16, u16),
    pub(crate) link: Link,
    pub(crate) table: Option<Table>,
    pub(crate) history: History,
    /// Whether each of [`COLUMNS`] is wanted, and whether it says anything.
    pub(crate) wanted: Vec<bool>,
    pub(crate) useful: Vec<bool>,
    /// Columns of the longest name so far, so that nothing jumps when it goes.
    pub(crate) name_width: usize,
    pub(crate) sort: Which,
    pub(crate) reversed: bool,
    pub(crate) group: Group,
    pub(crate) folded: BTreeSet<String>,
    pub(crate) filter: Option<Filter>,
    /// What colours the map.
    pub(crate) colour: Which,
    pub(crate) lines: Vec<Line>,
    pub(crate) groups: Vec<GroupLine>,
    pub(crate) cursor: Option<Spot>,
    /// The first line that is seen.
    pub(crate) top: usize,
    pub(crate) page: Page,
    /// Where Esc leads from a node.
    pub(crate) back: Page,
    pub(crate) overlay: Overlay,
    /// What the node that answers tells of itself.
    pub(crate) own: Own,
    pub(crate) refresh: usize,
    pub(crate) paused: bool,
    /// The line of the last click, for double clicks.
    pub(crate) clicked: Option<(Spot, Instant)>,
    /// Nobody can press keys: no line that tells them.
    pub(crate) keyless: bool,
    orders: VecDeque<Order>,
    spent: Option<Spent>,
}

/// A table that is no longer shown.
#[derive(Debug)]
pub struct Spent(#[expect(dead_code, reason = "it is only dropped")] Table);

impl App {
    /// A screen of this size that waits for its first table.
    ///
    /// # Errors
    /// A sentence on the option that means nothing.
    pub fn new(options: &Options, size: (u16, u16), now: Instant) -> Result<App, String> {
        let column = |name: &str| {
            let all = || COLUMNS.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
            column::find(name).ok_or_else(|| format!("no column is named {name:?}; there are {}", all()))
        };
        let (sort, reversed) = match options.sort.as_deref() {
            None => (NAME, false),
            Some(s) => (column(s.strip_prefix('-').unwrap_or(s))?, s.starts_with('-')),
        };
        let mut wanted: Vec<bool> = COLUMNS.iter().map(|c| c.usual && options.columns.is_empty()).collect();
        wanted[NAME] = true;
        for name in &options.columns {
            wanted[column(name)?] = true;
        }
        let map = options.map.as_deref().map(|name| match column(name)? {
            which if has_level(which) => Ok(which),
            _ => Err(format!("the column {name:?} has no scale to colour by; take cpu, mem or net")),
        });
        let map = map.transpose()?;
        Ok(App {
            asked: options.asked.clone(),
            palette: Palette { theme: options.theme, depth: options.depth },
            now,
            size,
            link: Link { heard: now, waiting: None, failed: None },
            table: None,
            history: History::default(),
            wanted,
            useful: COLUMNS.iter().map(|c| c.usual).collect(),
            name_width: 0,
            sort,
            reversed,
            group: match options.group.as_deref() {
                None => Group::None,
                Some("zone") => Group::Zone,
                Some(key) => Group::Label(key.strip_prefix("label.").unwrap_or(key).to_string()),
            },
            folded: BTreeSet::new(),
            filter: None,
            colour: map.or_else(|| column::find("cpu")).unwrap_or(NAME),
            lines: Vec::new(),
            groups: Vec::new(),
            cursor: None,
            top: 0,
            page: if map.is_some() { Page::Map } else { Page::List },
            back: Page::List,
            overlay: Overlay::None,
            own: Own::new(),
            refresh: REFRESHES.iter().position(|r| *r >= options.refresh).unwrap_or(REFRESHES.len() - 1),
            paused: false,
            clicked: None,
            keyless: false,
            orders: VecDeque::new(),
            spent: None,
        })
    }

    /// Takes what happened at `now`. True if the screen looks different now.
    pub fn handle(&mut self, input: Input, now: Instant) -> bool {
        let before = self.now;
        self.now = now.max(before);
        match input {
            Input::Key(key) => return self.handle_key(key),
            Input::Mouse(mouse) => return self.handle_mouse(mouse),
            Input::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.show_cursor();
                self.show_process();
            }
            Input::Asked => {
                self.link.waiting = Some(self.now);
                return false;
            }
            Input::Answer(answer) => self.take(*answer),
            Input::Past(past) => self.history.fill(&past),
            Input::Own(told) => self.take_own(*told),
            Input::Process(pid, details) => self.own.take_details(pid, *details),
            Input::Failed(why, retry) => {
                self.link.waiting = None;
                self.link.failed = Some((why, self.now + retry));
            }
            // Ages and waiting times are told in seconds.
            Input::Tick => return self.now.as_nanos() / 1_000_000_000 != before.as_nanos() / 1_000_000_000,
        }
        true
    }

    /// What the shell has to do next, until there is nothing.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push_back(order);
    }

    /// Opens a page.
    pub(crate) fn go(&mut self, page: Page) {
        let own = page.node().is_some();
        if own != self.page.node().is_some() {
            self.order(Order::Own(own));
        }
        self.page = page;
    }

    /// Shows only the nodes for which an expression holds, or whose names have this in them; all for an empty text.
    ///
    /// # Errors
    /// The expression's own error; the filter stays as it was.
    pub fn filter(&mut self, text: &str) -> Result<(), Error> {
        self.filter = Filter::read(text, self.table.as_ref())?;
        self.arrange();
        Ok(())
    }

    /// Seconds between two questions.
    pub fn every(&self) -> Duration {
        Duration::from_secs_f64(REFRESHES[self.refresh])
    }

    /// The table before this one, once. With thousands of nodes even forgetting it takes a while: on another thread, if there is one.
    pub fn spent(&mut self) -> Option<Spent> {
        self.spent.take()
    }

    fn take(&mut self, answer: Ready) {
        self.link = Link { heard: self.now, waiting: None, failed: None };
        // An answer that was under way when the screen was told to hold still; the first one is shown in any case.
        if self.paused && self.table.is_some() {
            self.spent = Some(Spent(answer.table));
            return;
        }
        let Ready { mut table, useful, name_width } = answer;
        table.at = self.now;
        self.history.take(&table.nodes, self.now);
        self.useful = useful;
        self.name_width = self.name_width.max(name_width.min(NAME_MAX));
        self.spent = self.table.replace(table).map(Spent);
        self.arrange();
    }

    /// Puts the lines in order, after a new table or another wish.
    pub(crate) fn arrange(&mut self) {
        let Some(table) = &self.table else { return };
        let waited = self.waited();
        let passes = |i: &usize| self.filter.as_ref().is_none_or(|f| f.passes(&table.nodes[*i], waited));
        let mut order: Vec<usize> = (0..table.nodes.len()).filter(passes).collect();
        column::sort(&mut order, &table.nodes, self.sort, self.reversed);
        self.groups.clear();
        if self.group == Group::None {
            self.lines = order.into_iter().map(Line::Node).collect();
        } else {
            let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for i in order {
                members.entry(self.group_of(i)).or_default().push(i);
            }
            let mut members: Vec<_> = members.into_iter().collect();
            // Those that have no such label come last.
            members.sort_by(|(a, _), (b, _)| a.is_empty().cmp(&b.is_empty()).then_with(|| natural(a, b)));
            let mut lines = Vec::new();
            for (name, nodes) in members {
                let totals = Totals::of(nodes.iter().map(|i| &table.nodes[*i]));
                let folded = self.folded.contains(&name);
                lines.push(Line::Group(self.groups.len()));
                self.groups.push(GroupLine { name, totals, folded });
                if !folded {
                    lines.extend(nodes.into_iter().map(Line::Node));
                }
            }
            self.lines = lines;
        }
        self.show_cursor();
    }

    fn group_of(&self, node: usize) -> String {
        let Some(node) = self.table.as_ref().and_then(|t| t.nodes.get(node)) else { return String::new() };
        match &self.group {
            Group::None => String::new(),
            Group::Zone => node.view.zone.clone(),
            Group::Label(key) => node.label(key).map(Into::into).unwrap_or_default(),
        }
    }

    /// What comes after the present way of grouping: zones, each label's key, none.
    pub(crate) fn next_group(&mut self) {
        let labels: Vec<&String> = self.table.iter().flat_map(|t| &t.labels).collect();
        let after = |key: Option<&String>| match key {
            None => labels.first().map(|l| (*l).clone()),
            Some(key) => labels.iter().find(|l| **l > key).map(|l| (*l).clone()),
        };
        self.group = match &self.group {
            Group::None => Group::Zone,
            Group::Zone => after(None).map_or(Group::None, Group::Label),
            Group::Label(key) => after(Some(key)).map_or(Group::None, Group::Label),
        };
        self.folded.clear();
        self.arrange();
    }

    /// Seconds since the table was told.
    pub(crate) fn waited(&self) -> f64 {
        self.table.as_ref().map_or(0.0, |t| (self.now - t.at).as_secs_f64())
    }

    /// How long the daemon has not answered, and what is known about it; `None` if all is well.
    pub(crate) fn silence(&self) -> Option<(f64, Option<(&str, f64)>)> {
        let since = (self.now - self.link.heard).as_secs_f64();
        match (&self.link.failed, self.link.waiting) {
            (Some((why, next)), _) => Some((since, Some((why, next.since(self.now).as_secs_f64())))),
            (None, Some(asked)) if self.now - asked >= SLOW => Some(((self.now - asked).as_secs_f64(), None)),
            _ => None,
        }
    }

    pub(crate) fn spot(&self, line: usize) -> Option<Spot> {
        Some(match *self.lines.get(line)? {
            Line::Group(g) => Spot::Group(self.groups.get(g)?.name.clone()),
            Line::Node(i) => Spot::Node(self.table.as_ref()?.nodes.get(i)?.id),
        })
    }

    /// The line that the cursor is on.
    pub(crate) fn cursor_line(&self) -> Option<usize> {
        let table = self.table.as_ref()?;
        match self.cursor.as_ref()? {
            Spot::Node(id) => self.lines.iter().position(|l| matches!(l, Line::Node(i) if table.nodes[*i].id == *id)),
            Spot::Group(name) => self.lines.iter().position(|l| matches!(l, Line::Group(g) if self.groups[*g].name == *name)),
        }
    }

    /// Scrolls so that the cursor is seen, and no further than needed.
    pub(crate) fn show_cursor(&mut self) {
        if self.page == Page::Map {
            return self.show_cursor_on_map();
        }
        let rows = crate::draw::areas(self).body.height as usize;
        if let Some(line) = self.cursor_line() {
            if line < self.top {
                self.top = line;
            } else if line >= self.top + rows {
                self.top = line + 1 - rows.max(1);
            }
        }
        self.top = self.top.min(self.lines.len().saturating_sub(rows));
    }
}

/// Whether a column can colour the map.
pub(crate) fn has_level(which: Which) -> bool {
    let c = &COLUMNS[which];
    c.trace.is_some() || matches!(c.shows, column::Shows::Level(..))
}
