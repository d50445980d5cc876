//! The HTTP face over real sockets, in front of a made-up daemon.
#![allow(clippy::unwrap_used)]

mod fake;
mod talk;

mod abuse;
mod access;
mod events;
mod login;
mod metrics;
mod openapi;
mod routes;
mod start;
