//! The HTTP face: the JSON API with its OpenAPI document, server-sent events and Prometheus text, on a unix socket and TCP.
//!
//! What it is not: it holds no state of the cluster and decides nothing. Every answer comes from
//! [`peermon_api::Local`], and every attribute's name, unit and sentence from its catalogue. It runs on a thread of its own, so
//! that nothing a client does (or fails to do) delays the daemon.
//!
//! Who may do what: whoever can open the unix socket (mode 0660) may do everything. Over TCP on a loopback address without a
//! token, everybody may read, but calls that change something or reveal a secret are refused. With a token, every TCP request but
//! `/healthz` and `/login` needs it, or the cookie of a session that was opened with it. An address that other machines reach is
//! served only with a token. What pages of other origins make browsers ask is refused everywhere.
//!
//! The page for people is part of the program if `web/dist` was there when it was built ([`page_is_built_in`]): browsers get it
//! at `/`, where all others get a list of addresses.
//!
//! ```no_run
//! use peermon_serve_http::{Config, Server};
//! # fn with(service: std::sync::Arc<dyn peermon_api::Local>) -> Result<(), peermon_serve_http::StartError> {
//! let tcp = vec![([127, 0, 0, 1], 0).into()];
//! let server = Server::start(Config { tcp, unix: None, token: None }, service)?;
//! assert!(server.urls()[0].starts_with("http://127.0.0.1:"));
//! server.stop();
//! # Ok(()) }
//! ```

mod access;
mod connection;
mod events;
mod gzip;
pub mod limits;
mod listen;
mod live;
mod login;
pub mod metrics;
mod origin;
mod page;
mod query;
mod refusal;
mod routes;
mod server;
mod sessions;
mod wire;

pub use listen::StartError;
pub use page::page_is_built_in;
pub use routes::openapi;
pub use server::{Config, Server};
