//! The command line: what is common to all commands, and how the program ends.

use crate::Failure;
use crate::commands::Command;
use crate::commands::classic::{AutoMpiGen, SmarterSsh};
use crate::output::{Output, Screen, clean, fold};
use clap::Parser;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Which machine should I use now, what is going on everywhere, and why?
///
/// Every machine runs `peermon daemon`. The daemons tell each other how they are, so each of them knows every machine, about
/// a second old. All other commands ask the daemon of this machine.
#[derive(Parser, Debug)]
#[command(name = "peermon", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  peermon demo                      a small cluster on this machine, to look at
  peermon daemon                    run a node
  peermon nodes                     every node there is
  peermon top                       the same, to watch and to look into
  peermon ssh                       log in to the best one
  peermon run -n 4 -- uptime        run a command on the best four")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which daemon is asked.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// The daemon to ask: http://HOST:PORT or the path of its socket. Otherwise PEERMON_API names it, or the default places
    /// are tried
    #[arg(long, global = true, value_name = "URL|SOCKET", help_heading = "Daemon")]
    pub(crate) api: Option<String>,
    /// A file with the daemon's API token, needed where it asks for one over HTTP
    #[arg(long, global = true, value_name = "FILE", help_heading = "Daemon")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Under which name the program was called.
enum Called {
    Peermon(Cli),
    SmarterSsh(SmarterSsh),
    AutoMpiGen(AutoMpiGen),
}

impl Called {
    fn parse() -> Called {
        let name = std::env::args_os().next().map(PathBuf::from);
        match name.as_ref().and_then(|n| n.file_name()).and_then(|n| n.to_str()) {
            Some("smarterssh") => Called::SmarterSsh(SmarterSsh::parse()),
            Some("autompigen") => Called::AutoMpiGen(AutoMpiGen::parse()),
            _ => Called::Peermon(Cli::parse()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Called::Peermon(_) => "peermon",
            Called::SmarterSsh(_) => "smarterssh",
            Called::AutoMpiGen(_) => "autompigen",
        }
    }

    fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Called::Peermon(cli) => cli.command.run(&cli.place, output),
            Called::SmarterSsh(args) => args.run(output),
            Called::AutoMpiGen(args) => args.run(output),
        }
    }
}

/// Runs the command line: 0 only if it succeeded, 1 if it failed, 2 if it could not be understood.
pub(crate) fn main() -> ExitCode {
    let called = Called::parse();
    let name = called.name();
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let screen = Screen::of(&stdout);
    let mut out = BufWriter::new(stdout);
    // Not locked: the daemon logs to it from several threads while a command runs.
    let mut hints = stderr;
    let mut output = Output { out: &mut out, hints: &mut hints, screen };
    let result = called.run(&mut output);
    let result = result.and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(e) => {
            // If not even this can be said, the exit code has to.
            out.flush().ok();
            let width = Screen::of(&hints).width;
            let text = format!("{name}: {e}");
            let lines: Vec<_> = text.lines().map(|line| fold(&clean(line), width, 2)).collect();
            writeln!(hints, "{}", lines.join("\n")).ok();
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
        SmarterSsh::command().debug_assert();
        AutoMpiGen::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_a_sentence_for_every_option() {
        fn check(command: &clap::Command, path: &str) {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{path} --help has no example");
            assert!(command.get_about().is_some(), "{path} says nothing about itself");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // clap would break an example that people copy.
            assert!(examples.lines().all(|l| l.len() <= 80), "{path} has an example wider than 80 columns");
            for a in command.get_arguments().filter(|a| !a.is_hide_set()) {
                assert!(
                    a.get_help().is_some() || ["help", "version"].contains(&a.get_id().as_str()),
                    "{path} {} has no help",
                    a.get_id()
                );
            }
            command
                .get_subcommands()
                .filter(|c| c.get_name() != "help")
                .for_each(|c| check(c, &format!("{path} {}", c.get_name())));
        }
        let mut all = Cli::command();
        all.build();
        check(&all, "peermon");
    }

    #[test]
    fn every_command_that_prints_data_has_json() {
        // ssh becomes another program, a daemon has log.format, and the others print what is no data.
        const WITHOUT: &[&str] = &["ssh", "daemon", "completions", "man", "help"];
        fn check(command: &clap::Command, path: &str) {
            let has = command.get_arguments().any(|a| a.get_long() == Some("json"));
            assert!(has, "{path} has no --json");
            command
                .get_subcommands()
                .filter(|c| c.get_name() != "help")
                .for_each(|c| check(c, &format!("{path} {}", c.get_name())));
        }
        let all = Cli::command();
        let commands = all.get_subcommands().filter(|c| !WITHOUT.contains(&c.get_name()));
        commands.for_each(|c| check(c, c.get_name()));
    }
}
