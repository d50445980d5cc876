use crate::Failure;
use crate::cli::Place;
use crate::connect::connect;
use crate::output::Output;
use crate::process;
use clap::ValueEnum;
use peermon_api::Service;
use peermon_client::Target;
use peermon_tui::{Depth, Options, Problem, REFRESHES, Theme};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

/// Watch the whole cluster in the terminal
///
/// All nodes with what they do, as the daemon of this machine knows them. Press ? for the keys. When the output is no terminal, or
/// with --once, the list is printed once instead.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = "\
Examples:
  peermon top
  peermon top --sort cpu
  peermon top --where 'cpu.busy > 90%' --group zone
  peermon top --map mem             a cell for each node
  peermon top --once | head -20
  peermon top --json | jq .totals")]
pub(crate) struct Args {
    /// Sort by this column; with a leading - the other way round
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Only nodes for which this condition holds (docs/expressions.md), or with this in their names
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
    /// Group by zone, or by this label
    #[arg(long, value_name = "zone|LABEL")]
    group: Option<String>,
    /// Begin with the map, coloured by this column
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, default_missing_value = "cpu")]
    map: Option<String>,
    /// The columns to show, e.g. cpu,mem,zone; docs/top.md lists them
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Colours for a dark or a light background, or none
    #[arg(long, value_enum, default_value = "dark", value_name = "THEME")]
    theme: Colours,
    /// Seconds from one question to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = refresh)]
    refresh: f64,
    /// Leave the mouse to the terminal, which can select text then
    #[arg(long)]
    no_mouse: bool,
    /// Print the list once, as plain text
    #[arg(long)]
    once: bool,
    /// Print a JSON object once: totals, best, nodes, zones, in base units
    #[arg(long, conflicts_with = "once")]
    json: bool,
}

/// Columns of the text that goes into a pipe or a file.
const PIPE_COLUMNS: u16 = 120;

#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum Colours {
    #[default]
    Dark,
    Light,
    Plain,
}

fn refresh(text: &str) -> Result<f64, String> {
    let (least, most) = (REFRESHES[0], REFRESHES[REFRESHES.len() - 1]);
    let seconds = text.parse().ok().filter(|s| (least..=most).contains(s));
    seconds.ok_or_else(|| format!("write seconds from {least} to {most}"))
}

pub(crate) fn run(args: &Args, place: &Place, output: &mut Output<'_>) -> Result<(), Failure> {
    let client = connect(place)?;
    let options = Options {
        asked: format!("the daemon at {}", client.target()),
        depth: Depth::detect(|name| std::env::var(name).ok()),
        ..options(args)
    };
    if args.once || args.json || !output.screen.terminal {
        return print(args, &options, &client, output);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            "the keys of `peermon top` come from the terminal, but its input is none; `peermon top --once` needs none",
        ));
    }
    output.out.flush()?;
    // The daemon behind a socket file is of this machine, if nobody forwards it; the look itself makes sure.
    let look = matches!(client.target(), Target::Unix(_))
        .then(|| -> peermon_tui::Look { Arc::new(|pid, seconds| process::look(Path::new("/proc"), pid, seconds)) });
    peermon_tui::run(Arc::new(client), &options, !args.no_mouse, look).map_err(Failure::new)
}

fn options(args: &Args) -> Options {
    Options {
        theme: match args.theme {
            Colours::Dark => Theme::Dark,
            Colours::Light => Theme::Light,
            Colours::Plain => Theme::Plain,
        },
        refresh: args.refresh,
        sort: args.sort.clone(),
        filter: args.condition.clone(),
        group: args.group.clone(),
        map: args.map.clone(),
        columns: args.columns.clone(),
        ..Options::default()
    }
}

fn print(args: &Args, options: &Options, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let failed = |p: Problem| match p {
        Problem::Daemon(e) => e.into(),
        Problem::Option(said) => Failure::new(said),
        Problem::Filter(e) => Failure::new(format!("--where: {e}")),
    };
    if args.json {
        return output.json(&peermon_tui::picture(service, options).map_err(failed)?);
    }
    let columns = output.screen.width.map_or(PIPE_COLUMNS, |w| w.min(500) as u16);
    let text = peermon_tui::text(service, options, columns).map_err(failed)?;
    Ok(output.out.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    fn once(args: &Args, screen: Screen) -> (String, Result<(), Failure>) {
        let (out, hints, result) = collected(screen, |o| print(args, &options(args), &Fake::five(), o));
        assert_eq!(hints, "");
        (out, result)
    }

    #[test]
    fn once_is_plain_text() {
        check_text("top_pipe.txt", &once(&Args::default(), Screen::PIPE).0);
        check_text("top_60.txt", &once(&Args::default(), terminal(60)).0);
        let zones = Args { group: Some("room".into()), sort: Some("-mem".into()), ..Args::default() };
        check_text("top_group_80.txt", &once(&zones, terminal(80)).0);
    }

    #[test]
    fn json_is_one_object() {
        let busy = Args { condition: Some("cpu.busy > 0.5%".into()), sort: Some("cpu".into()), json: true, ..Args::default() };
        let (out, result) = once(&busy, Screen::PIPE);
        result.expect("it can be shown");
        let v: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let names: Vec<_> = v["nodes"].as_array().expect("nodes").iter().filter_map(|n| n["name"].as_str()).collect();
        assert_eq!(names, ["replay-busy-with-a-long-name", "here-2", "here-1"]);
        assert_eq!((&v["totals"]["up"], &v["totals"]["down"]), (&3.into(), &1.into()));
        assert_eq!(v["best"][0], "02".repeat(32));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, parts) in [
            (Args { sort: Some("speed".into()), ..Args::default() }, &["\"speed\"", "cpu, mem"][..]),
            (Args { map: Some("name".into()), ..Args::default() }, &["\"name\"", "no scale"]),
            (Args { columns: vec!["cpu".into(), "x".into()], ..Args::default() }, &["\"x\""]),
            (Args { condition: Some("cpu.bsuy > 1".into()), ..Args::default() }, &["--where: column 1", "^^^^^^^^", "cpu.busy"]),
        ] {
            let said = once(&args, Screen::PIPE).1.map_or_else(|e| e.to_string(), |()| String::new());
            assert!(parts.iter().all(|p| said.contains(p)), "{args:?}: {said}");
        }
    }
}
