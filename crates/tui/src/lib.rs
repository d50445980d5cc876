//! The terminal face: every node of the cluster on one screen, as `peermon top` shows it.
//!
//! [`App`] is the whole of it as a state machine: keys, the mouse, tables and time go in, [`Order`]s and drawings come out. It
//! touches nothing, so tests press keys and read screens. [`run`] is the thin shell around it: the terminal, and a thread that
//! asks the daemon, so that one that stops is told about rather than waited for. [`text`] and [`picture`] ask once.
//!
//! What it is not: it measures nothing, and it changes nothing in the cluster.
//!
//! ```
//! use peermon_model::Instant;
//! use peermon_tui::{Answer, App, Input, Options};
//! use ratatui::{buffer::Buffer, layout::Rect};
//!
//! let start = Instant::from_nanos(0);
//! let mut app = App::new(&Options::default(), (60, 8), start).expect("the usual options");
//! app.handle(Input::Answer(Box::new(Answer::default().into())), start);
//! let mut screen = Buffer::empty(Rect::new(0, 0, 60, 8));
//! app.draw(&mut screen);
//! assert!((0..60).any(|x| screen[(x, 2)].symbol() == "N"), "the title of the first column");
//! ```

mod app;
mod column;
mod draw;
mod filter;
mod history;
mod keys;
mod map;
mod menu;
mod once;
mod processes;
mod prompt;
mod source;
mod table;
mod terminal;
mod theme;
mod units;

pub use app::{App, Input, Options, Order, REFRESHES, Spent};
pub use history::{ATTRIBUTES, Past, PastSeries, Remembered};
pub use once::{Picture, PictureTotals, Problem, columns, picture, text};
pub use processes::{Details, OwnAnswer};
pub use source::Look;
pub use table::{Answer, Ready, Scales};
pub use terminal::run;
pub use theme::{Depth, Theme};
