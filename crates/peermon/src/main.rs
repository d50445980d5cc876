//! One binary: the daemon and every tool.

mod choice;
mod claiming;
mod cli;
mod commands;
mod connect;
mod failure;
mod group;
mod output;
mod process;
#[cfg(test)]
mod testing;

use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
