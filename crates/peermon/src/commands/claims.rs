use crate::Failure;
use crate::output::{Cell, Column, Output, Table, bytes, clean, short_number};
use owo_colors::Style;
use peermon_api::{ClaimView, Service};

/// List what is claimed of nodes, or take a claim back
///
/// A claim says that somebody has chosen a node for a job that does not show in its values yet. `best` and all that choose nodes
/// count it as taken, the less of it the more the job shows by itself. `peermon ssh`, `run` and `hostfile` claim by
/// themselves, `peermon best` with --claim. A claim ends after its time, or when the node through which it was made is down.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  peermon claims
  peermon claims cancel 7
  peermon claims --json | jq -r '.[] | select(.own).number'"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print a JSON array: number, node, node_id, by, by_id, own, cpus, mem, gpus, age_seconds, left_seconds
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    Cancel(Cancel),
}

/// Take claims back that were made through this daemon
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon claims cancel 7
  peermon claims cancel 7 8 9")]
struct Cancel {
    /// Their numbers
    #[arg(required = true, value_name = "NUMBER")]
    numbers: Vec<u16>,
    /// Print what they were as a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    if let Some(Action::Cancel(cancel)) = &args.action {
        let mut all = Vec::new();
        for number in &cancel.numbers {
            let was = service.cancel_claim(*number)?;
            if cancel.json {
                all.push(was);
                continue;
            }
            output.line(&format!("{number}: {} of {} are no longer claimed", amounts(&was), clean(&was.node)))?;
        }
        return if cancel.json { output.json(&all) } else { Ok(()) };
    }
    let claims = service.claims()?;
    if args.json {
        return output.json(&claims);
    }
    if claims.is_empty() {
        return output.hint("Nothing is claimed.");
    }
    let mut table = Table::new(&[
        Column::text("NODE", 255).shrinks_to(14),
        Column::number("CPUS", 240),
        Column::number("MEMORY", 230),
        Column::number("GPUS", 220),
        Column::number("LEFT", 235),
        Column::text("BY", 200).shrinks_to(14),
        Column::number("NUMBER", 210),
    ]);
    let some = |n: f64, text: fn(f64) -> String| Cell::known((n > 0.0).then_some(n), text);
    for c in &claims {
        let style = if c.own { Style::new().bold() } else { Style::new() };
        table.row(vec![
            Cell::new(&c.node),
            some(c.cpus, number),
            some(c.mem, bytes),
            some(c.gpus, number),
            Cell::new(format!("{:.0} s", c.left_seconds)),
            Cell::known(c.by.as_ref(), Clone::clone).styled(style),
            Cell::new(c.number.to_string()),
        ]);
    }
    table.print(output.out, output.screen)
}

/// Whole ones, or eighths.
fn number(n: f64) -> String {
    if n.fract() == 0.0 { format!("{n:.0}") } else { short_number(n) }
}

/// What was claimed, in words.
fn amounts(c: &ClaimView) -> String {
    let parts = [
        (c.cpus, format!("{} processors", number(c.cpus))),
        (c.mem, format!("{} of memory", bytes(c.mem))),
        (c.gpus, format!("{} GPUs", number(c.gpus))),
    ];
    parts.into_iter().filter(|p| p.0 > 0.0).map(|p| p.1).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, terminal};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn claims(line: &[&str], service: &Fake, screen: Screen) -> (String, String, Result<(), Failure>) {
        let line = Line::try_parse_from([&["claims"], line].concat()).unwrap_or_else(|e| panic!("{e}"));
        collected(screen, |o| run(&line.args, service, o))
    }

    #[test]
    fn claims_are_listed_and_taken_back() {
        let fake = Fake::five();
        assert_eq!(claims(&[], &fake, Screen::PIPE).1, "Nothing is claimed.\n");
        assert_eq!(claims(&["--json"], &fake, Screen::PIPE).0, "[]\n");
        for cpus in [1, 8] {
            let query = peermon_api::BestQuery { cpus: Some(cpus), ..peermon_api::BestQuery::default() };
            fake.choose(&crate::claiming::request(query, None, None)).expect("claimed");
        }
        let (out, _, _) = claims(&[], &fake, terminal(80));
        assert!(out.contains("NODE") && out.contains("here-2") && out.contains("60 s"), "{out}");
        let (out, _, result) = claims(&["cancel", "2"], &fake, Screen::PIPE);
        assert_eq!((out.as_str(), result.is_ok()), ("2: 8 processors of here-2 are no longer claimed\n", true));
        let json: serde_json::Value = serde_json::from_str(&claims(&["--json"], &fake, Screen::PIPE).0).expect("JSON");
        assert_eq!((json.as_array().map(Vec::len), &json[0]["number"]), (Some(1), &1.into()));
        let said = claims(&["cancel", "2"], &fake, Screen::PIPE).2.expect_err("it is gone").to_string();
        assert!(said.contains("no claim"), "{said}");
        assert!(Line::try_parse_from(["claims", "cancel"]).is_err());
        assert!(Line::try_parse_from(["claims", "cancel", "70000"]).is_err());
    }
}
