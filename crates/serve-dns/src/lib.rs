//! The DNS face: an authoritative answerer for one small zone, and a keeper that holds a name of another server at the best nodes.
//!
//! | name | what it holds |
//! | --- | --- |
//! | `ZONE` | SOA, NS, and TXT with the numbers of nodes |
//! | `best.ZONE`, `best-cpu.ZONE`, `best-mem.ZONE` | A, AAAA and TXT of the best nodes, by lot among equals, drawn anew |
//! | `NODE.ZONE`, `ID.ZONE` | A, AAAA and TXT of one node, by name or by the first 8 or more digits of its id |
//! | `_peermon._udp.ZONE`, `_peermon._tcp.ZONE` | SRV of the best nodes, with their addresses beside |
//! | `ns.ZONE` | A and AAAA of this server, if no other name servers are named |
//!
//! What it is not: a resolver, a secondary server or a signer. It holds no state of the cluster and decides nothing: every answer
//! comes from [`peermon_api::Service`]. It runs on a thread of its own, so that nothing a client does delays the daemon.
//!
//! [`Responder`] turns one request's bytes into one answer's bytes and touches nothing; [`Server`] gives it sockets, within the
//! [`limits`]. [`keep`] is the other half: [`keep::Keeper`] decides who updates and what, [`keep::exchange`] speaks RFC 2136 with TSIG.
//!
//! ```
//! use peermon_serve_dns::Zone;
//!
//! let zone = Zone::new("cluster.example.org")?;
//! assert_eq!(zone.origin().to_string(), "cluster.example.org.");
//! assert!(Zone::new("a..b").is_err());
//! # Ok::<(), peermon_serve_dns::StartError>(())
//! ```

mod answer;
mod counters;
pub mod keep;
pub mod limits;
mod names;
mod rate;
mod request;
mod server;
mod table;
mod zone;

pub use answer::{Responder, Via};
pub use counters::Counters;
pub use server::{Config, Server, StartError};
pub use zone::Zone;
