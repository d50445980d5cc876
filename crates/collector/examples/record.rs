//! Records this host as a trace: `cargo run -p peermon-collector --example record -- SECONDS FILE COMMENT`.
#![allow(clippy::print_stderr)]

use peermon_collector::{Config, Root, Runner, replay};
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: record SECONDS FILE COMMENT";
    let mut args = std::env::args().skip(1);
    let (seconds, file, comment) = (args.next().ok_or(usage)?, args.next().ok_or(usage)?, args.next().ok_or(usage)?);
    let mut host = Runner::new(&Root::host(), Config::default())?;
    replay::record(&mut host, seconds.parse()?, &comment, &mut File::create(&file)?)?;
    eprintln!("recorded {seconds} s to {file}");
    Ok(())
}
