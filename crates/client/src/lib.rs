//! Asks a running daemon: api::Service over a unix socket or HTTP.
