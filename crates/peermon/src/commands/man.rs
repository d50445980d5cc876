use crate::Failure;
use crate::cli::Cli;
use crate::output::Output;
use clap::CommandFactory;
use std::fs;
use std::path::PathBuf;

/// Write the manual pages
///
/// Without DIR the page peermon(1) goes to the standard output; with it, one file a command is written there.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon man | man -l -
  peermon man /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// An existing or new directory for peermon.1, peermon-nodes.1 and so on
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: &mut Output<'_>) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return Ok(output.out.write_all(&page)?);
    };
    let failed =
        |e| Failure::new(format!("cannot write the manual to {}: {e}; name a directory you may write to", dir.display()));
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)
}
