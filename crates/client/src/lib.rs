//! Asks a running daemon: [`peermon_api::Service`] over its unix socket or HTTP, without an asynchronous runtime.
//!
//! What it is not: it starts no daemon and keeps no state; each call is one connection. The HTTP/1.1 client is our own and
//! small, since the libraries either bring a runtime or treat unix sockets as an afterthought, and we speak to one server
//! whose answers we know; what comes back is still read as from a stranger, with limits on size and time.
//!
//! ```no_run
//! use peermon_api::{NodesQuery, Service};
//! use peermon_client::{Client, Target};
//!
//! # fn main() -> Result<(), peermon_api::Error> {
//! let target = Target::find(None, std::env::var("PEERMON_API").ok().as_deref(), &Target::default_places())?;
//! let client = Client::new(target, None)?;
//! for node in client.nodes(&NodesQuery::default())? {
//!     println!("{} {:?}", node.name, node.state);
//! }
//! # Ok(()) }
//! ```

mod client;
mod events;
mod http;
mod target;

pub use client::{Client, Times};
pub use target::Target;

/// Every limit of the client, by name, with its reason.
pub mod limits {
    use std::time::Duration;

    /// Time to connect. The daemon is on this machine.
    pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
    /// Time for a whole answer: longer than the daemon gives itself, so that its own word comes first.
    pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
    /// Time an event stream may be silent: the daemon says that it lives every 15 s.
    pub const SILENCE_TIME_MAX: Duration = Duration::from_secs(45);
    /// Bytes of an answer's head.
    pub const HEAD_BYTES_MAX: usize = 32 * 1024;
    /// Bytes of an answer's body: 20,000 nodes with all their facts are about 60 MB.
    pub const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
    /// Bytes of one line of an event stream.
    pub const LINE_BYTES_MAX: usize = 64 * 1024;
}
