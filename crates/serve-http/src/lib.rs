//! The HTTP face: the JSON API with its OpenAPI document, server-sent events and Prometheus text, on a unix socket and TCP.
//!
//! What it is not: it holds no state of the cluster and decides nothing. Every answer comes from
//! [`peermon_api::Local`], and every attribute's name, unit and sentence from its catalogue. It runs on a thread of its own, so
//! that nothing a client does (or fails to do) delays the daemon.
//!
//! Who may do what: whoever can open the unix socket (mode 0660) may do everything. Over TCP on a loopback address without a
//! token, everybody may read, but calls that change something or reveal a secret are refused. With a token, every TCP request but
//! `/healthz` needs it. An address that other machines reach is served only with a token.
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
pub mod limits;
mod listen;
pub mod metrics;
mod query;
mod refusal;
mod routes;
mod server;
mod wire;

pub use listen::StartError;
pub use routes::openapi;
pub use server::{Config, Server};
