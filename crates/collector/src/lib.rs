//! Reads this host: `/proc`, `/sys` and a few system calls, into samples and facts.
//!
//! What it is not: it keeps no history, sends nothing and decides nothing. One collector is one file under `collect/` and
//! one line in [`COLLECTORS`]; the [`Runner`] asks them once a round, or less often where that is enough, abandons one that
//! hangs, and says what each cost. A [`replay`] of a recorded machine is the second [`Source`] of rounds.
//!
//! ```
//! use peermon_collector::{Config, Root, Runner, Source};
//! use peermon_model::Instant;
//!
//! let mut host = Runner::new(&Root::host(), Config::default())?;
//! let round = host.round(Instant::from_millis(1000));
//! if let Some(load) = round.value("load.1") {
//!     println!("{load} processes run or wait, on average over a minute");
//! }
//! assert!(host.facts().number("cpu.threads").is_some());
//! # Ok::<(), peermon_collector::ConfigError>(())
//! ```

mod addresses;
mod adjtimex;
mod attributes;
mod collect;
mod error;
mod ethtool;
pub mod facts;
mod hot_file;
mod lane;
pub mod limits;
mod pace;
pub mod probe;
mod rate;
pub mod replay;
mod root;
mod runner;
mod sysfs;
mod text;
mod user_names;

pub use addresses::interface_addresses;
pub use collect::custom::CustomValue;
pub use collect::{COLLECTORS, Collector, Entry, Need, ProcessPrivacy, Round, Setup, Turn, attribute_lists};
pub use error::{CollectError, ConfigError};
pub use pace::{Demand, period_max};
pub use root::{FileSystemSize, Root};
pub use runner::{Config, Runner, Source};
