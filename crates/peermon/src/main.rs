//! One binary: the daemon and every tool.
fn main() {}
