//! The commands: one file each, and this list.

mod best;
mod claims;
pub(crate) mod classic;
mod completions;
mod daemon;
mod demo;
mod dns;
mod events;
mod groups;
mod health;
mod hostfile;
mod invite;
mod join;
mod key;
mod man;
mod nodes;
mod ps;
mod run;
mod series;
mod show;
mod ssh;
mod status;
mod top;
mod zones;

use crate::Failure;
use crate::cli::Place;
use crate::connect::connect;
use crate::output::Output;
use clap::Subcommand;

/// What can be asked for.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Daemon(Box<daemon::Args>),
    Demo(demo::Args),
    Invite(invite::Args),
    Join(join::Args),
    Nodes(nodes::Args),
    Top(Box<top::Args>),
    Show(show::Args),
    Series(series::Args),
    Groups(groups::Args),
    Best(Box<best::Args>),
    Ssh(Box<ssh::Args>),
    Run(Box<run::Args>),
    Hostfile(Box<hostfile::Args>),
    Claims(claims::Args),
    Health(health::Args),
    Ps(ps::Args),
    Dns(dns::Args),
    Status(status::Args),
    Zones(zones::Args),
    Key(key::Args),
    Events(events::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Runs it.
    pub(crate) fn run(self, place: &Place, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Daemon(args) => daemon::run(&args, place, output),
            Command::Demo(args) => demo::run(&args, output),
            Command::Invite(args) => invite::run(&args, &connect(place)?, output),
            Command::Join(args) => join::run(&args, place, output),
            Command::Nodes(args) => nodes::run(&args, &connect(place)?, output),
            Command::Top(args) => top::run(&args, place, output),
            Command::Show(args) => show::run(&args, &connect(place)?, output),
            Command::Series(args) => series::run(&args, &connect(place)?, output),
            Command::Groups(args) => groups::run(&args, &connect(place)?, output),
            Command::Ssh(args) => ssh::run(&args, &connect(place)?, output),
            Command::Run(args) => run::run(&args, &connect(place)?, output),
            Command::Hostfile(args) => hostfile::run(&args, &connect(place)?, output),
            Command::Best(args) => best::run(&args, &connect(place)?, output),
            Command::Ps(args) => ps::run(&args, &connect(place)?, output),
            Command::Health(args) => health::run(&args, &connect(place)?, output),
            Command::Claims(args) => claims::run(&args, &connect(place)?, output),
            Command::Dns(args) => dns::run(&args, &connect(place)?, output),
            Command::Status(args) => status::run(&args, &connect(place)?, output),
            Command::Zones(args) => zones::run(&args, &connect(place)?, output),
            Command::Key(args) => key::run(&args, &connect(place)?, output),
            Command::Events(args) => events::run(&args, &connect(place)?, output),
            Command::Completions(args) => completions::run(&args, output),
            Command::Man(args) => man::run(&args, output),
        }
    }
}
