//! The daemon: sockets, clock, collectors and configuration around the node.

pub mod config;
pub mod state;
#[cfg(test)]
mod testing;

pub use config::{Config, ConfigError, Overrides};
pub use state::{StateError, store_invitation};
