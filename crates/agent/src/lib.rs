//! The daemon around the pure node: sockets, clock, collectors, configuration, state, and one loop over one closed set of events.
//!
//! What it is not: it knows no protocol (the node does), reads nothing of the machine itself (collectors do) and shows nothing
//! (faces do, through [`peermon_api::Service`]).
//!
//! ```no_run
//! use peermon_agent::{Config, Daemon, Overrides};
//! use peermon_api::NodesQuery;
//!
//! let mut flags = Overrides::default();
//! flags.set("name", "node-1").set("state_dir", "/tmp/node-1").list("gossip.listen", ["127.0.0.1:0"]);
//! let daemon = Daemon::start(Config::load(&flags)?)?;
//! for node in daemon.service().nodes(&NodesQuery::default())? {
//!     println!("{} is {:?}", node.name, node.state);
//! }
//! daemon.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Threads: the loop (`peermon`), the collectors (`collect` and those of [`peermon_collector`]), one that reads the kernel's
//! programs (`peermon-kernel`) if that is asked for, and one that looks up seeds (`resolve`) if any is a host name. The loop never waits for another thread, a disk (but for the small files of [`state`])
//! or the network.

mod budget;
mod clock;
mod collect;
pub mod config;
mod daemon;
mod event;
mod kernel;
mod letter;
mod log;
mod mailbox;
mod net;
mod own;
mod realtime;
mod run;
mod service;
mod shared;
mod signals;
mod stand_in;
pub mod state;
mod supervisor;
#[cfg(test)]
mod testing;

pub use collect::SourceError;
pub use config::{Config, ConfigError, Overrides};
pub use daemon::{Daemon, Stopper};
pub use kernel::ATTRIBUTES as KERNEL_ATTRIBUTES;
pub use letter::ReloadError;
pub use log::init as init_log;
pub use net::SocketError;
pub use run::StartError;
pub use stand_in::StandIn;
pub use state::{StateError, store_invitation};
