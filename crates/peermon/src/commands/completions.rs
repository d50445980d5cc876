use crate::Failure;
use crate::cli::Cli;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

/// Print a script that completes peermon's commands in a shell
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon completions bash > /etc/bash_completion.d/peermon
  peermon completions zsh > \"${fpath[1]}/_peermon\"
  peermon completions fish > ~/.config/fish/completions/peermon.fish")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, output: &mut Output<'_>) -> Result<(), Failure> {
    // Into memory first: the generator panics when its writer fails, as a closed pipe does.
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "peermon", &mut script);
    Ok(output.out.write_all(&script)?)
}
