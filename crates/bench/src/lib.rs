//! What the benches share: many real daemons on one machine, what a process uses, and the figures that are printed of both.
//! Run by `make bench`; `bench/anchors` puts other people's programs beside it. Never part of the product.

#![expect(clippy::print_stdout, reason = "tools whose output is read by people")]

pub mod figures;
pub mod fleet;
pub mod process;
pub mod room;
pub mod table;
pub mod times;
pub mod udp;
