use crate::Failure;
use crate::output::{Cell, Column, Output, Screen, Table, age, bytes, clean, fold, parse_bytes, short_number};
use clap::ValueEnum;
use owo_colors::Style;
use peermon_api::{BestAnswer, BestNode, BestQuery, By, Service};
use std::io::Write;

/// Name the best nodes for a job, the best first
///
/// Nodes are ordered by their available memory / (1 + load per core). Nodes that hardly differ count as equal and are shuffled,
/// so that quick successive calls spread. A node is never offered if it is not alive, if its kernel used above 95 % of its
/// processors in the last 3 minutes, or if its values are missing or old.
///
/// On a terminal a small table is printed, otherwise names only, one a line. If no node can be offered, the exit code is 1.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  ssh $(peermon best)
  peermon best -n 4 --by mem --mem-delta 500MB
  peermon best --explain            why these, and why not the others
  peermon best -n 3 --json | jq -r '.[].name'")]
pub(crate) struct Args {
    /// How many nodes at most
    #[arg(short, value_name = "N", default_value_t = 1, value_parser = count)]
    n: usize,
    /// What counts: the least load per core, the most available memory, or both
    #[arg(long, value_enum, default_value = "both", value_name = "WHAT")]
    by: What,
    /// Load per core that counts as no difference
    #[arg(long, value_name = "LOAD", default_value_t = BestQuery::default().cpu_delta, value_parser = load)]
    cpu_delta: f64,
    /// Available memory that counts as no difference, such as 1GB, 500MB or 2GiB
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = parse_bytes)]
    mem_delta: f64,
    /// Print addresses instead of names
    #[arg(long, short = 'I')]
    addresses: bool,
    /// Say for each node why it stands where it stands, and why others were left out
    #[arg(long)]
    explain: bool,
    /// Print a JSON array, best first: name, id, address, score, reasons, age_seconds. With --explain an object: best is that
    /// array, left_out the others with their reason
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum What {
    Cpu,
    Mem,
    Both,
}

fn count(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|n| (1..=BestQuery::N_MAX).contains(n));
    n.ok_or_else(|| format!("it must be a whole number from 1 to {}", BestQuery::N_MAX))
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|l: &f64| l.is_finite() && *l >= 0.0);
    load.ok_or_else(|| "it must be a number of 0 or more, such as 0.1".to_string())
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let by = match args.by {
        What::Cpu => By::Cpu,
        What::Mem => By::Mem,
        What::Both => By::Both,
    };
    // Nobody chosen is explained in any case, so it is asked for at once.
    let query = BestQuery { n: args.n, by, cpu_delta: args.cpu_delta, mem_delta: args.mem_delta, explain: true };
    let answer = service.best(&query)?;
    match (args.json, args.explain) {
        (true, true) => output.json(&answer)?,
        (true, false) => output.json(&answer.best)?,
        (false, true) => explain(&answer, by, output)?,
        (false, false) if output.screen.terminal && !args.addresses => table(&answer.best, by, output.out, output.screen)?,
        (false, false) => {
            for node in &answer.best {
                output.line(&clean(if args.addresses { &node.address } else { &node.name }))?;
            }
        }
    }
    if answer.best.is_empty() { Err(Failure::new(nobody(&answer))) } else { Ok(()) }
}

/// Why nobody was chosen, with the reason of each node while they are few.
fn nobody(answer: &BestAnswer) -> String {
    const SHOWN_MAX: usize = 8;
    if answer.left_out.is_empty() {
        return "no node can be offered: the table is empty; `peermon status` says whether this daemon has met others"
            .to_string();
    }
    let mut lines = vec![format!("no node can be offered; of {} in the table:", answer.left_out.len())];
    lines.extend(answer.left_out.iter().take(SHOWN_MAX).map(|l| format!("  {}: {}", l.name, l.reason)));
    if answer.left_out.len() > SHOWN_MAX {
        lines.push(format!("  ... and {} more; `peermon best --explain` names all", answer.left_out.len() - SHOWN_MAX));
    }
    lines.join("\n")
}

/// What a node was ranked by, as people read it.
fn score(by: By, score: f64) -> String {
    match by {
        By::Cpu => short_number(-score + 0.0),
        By::Mem | By::Both => bytes(score),
    }
}

/// Prints the chosen as a small table.
pub(crate) fn table(best: &[BestNode], by: By, out: &mut dyn Write, screen: Screen) -> Result<(), Failure> {
    if best.is_empty() {
        return Ok(());
    }
    let head = match by {
        By::Cpu => "LOAD/CORE",
        By::Mem => "AVAILABLE",
        By::Both => "MEM/(1+LOAD)",
    };
    let mut table = Table::new(&[
        Column::number("#", 160),
        Column::text("NAME", 255).shrinks_to(14),
        Column::number(head, 240),
        Column::number("AGE", 230),
        Column::text("ADDRESS", 150),
        Column::text("WHY", 120),
    ]);
    for (i, b) in best.iter().enumerate() {
        table.row(vec![
            Cell::new((i + 1).to_string()),
            Cell::new(&b.name).styled(Style::new().bold()),
            Cell::new(score(by, b.score)),
            Cell::new(age(b.age_seconds)),
            Cell::new(&b.address),
            Cell::known(b.reasons.first(), Clone::clone),
        ]);
    }
    table.print(out, screen)
}

/// Prints every node with its reasons.
pub(crate) fn explain(answer: &BestAnswer, by: By, output: &mut Output<'_>) -> Result<(), Failure> {
    let screen = output.screen;
    for (i, b) in answer.best.iter().enumerate() {
        let name = screen.paint(&clean(&b.name), Style::new().bold());
        output.line(&format!(
            "{}. {name}: {}, values {} old, at {}",
            i + 1,
            score(by, b.score),
            age(b.age_seconds),
            clean(&b.address)
        ))?;
        for reason in &b.reasons {
            output.line(&fold(&format!("     {}", clean(reason)), screen.width, 5))?;
        }
    }
    if !answer.left_out.is_empty() {
        output.line(if answer.best.is_empty() { "Left out:" } else { "\nLeft out:" })?;
        for l in &answer.left_out {
            output.line(&fold(&format!("   {}: {}", clean(&l.name), clean(&l.reason)), screen.width, 5))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::collected;
    use crate::testing::{Fake, check_text, terminal};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::try_parse_from(format!("best {line}").split_whitespace()).map(|l| l.args).expect(line)
    }

    fn best(line: &str, service: &Fake, screen: Screen) -> (String, Result<(), Failure>) {
        let (out, hints, result) = collected(screen, |o| run(&args(line), service, o));
        assert_eq!(hints, "");
        (out, result)
    }

    #[test]
    fn a_pipe_gets_names_only() {
        assert_eq!(best("", &Fake::five(), Screen::PIPE).0, "here-2\n");
        assert_eq!(best("-n 9", &Fake::five(), Screen::PIPE).0, "here-2\nhere-1\n");
        assert_eq!(best("-I", &Fake::five(), Screen::PIPE).0, "127.0.0.1\n");
    }

    #[test]
    fn people_get_a_table_and_reasons() {
        check_text("best_100.txt", &best("-n 2", &Fake::five(), terminal(100)).0);
        check_text("best_40.txt", &best("-n 2", &Fake::five(), terminal(40)).0);
        check_text("best_explain_pipe.txt", &best("-n 2 --explain", &Fake::five(), Screen::PIPE).0);
        check_text("best_explain_50.txt", &best("-n 2 --explain", &Fake::five(), terminal(50)).0);
    }

    #[test]
    fn json_is_an_array_unless_explained() {
        let parse = |line| serde_json::from_str::<serde_json::Value>(&best(line, &Fake::five(), Screen::PIPE).0).expect("JSON");
        let list = parse("-n 2 --json");
        assert_eq!(list.as_array().map(Vec::len), Some(2));
        assert_eq!(list[0]["name"], "here-2");
        assert_eq!(list[0]["score"], 25.85e9);
        assert_eq!(list[0]["reasons"][1], "no usable node is better");
        assert_eq!(parse("-n 2 --json --explain")["left_out"][1]["reason"], "no values have come from it yet");
    }

    #[test]
    fn nobody_to_offer_is_a_failure_with_reasons() {
        let (out, result) = best("--json", &Fake::empty(), Screen::PIPE);
        assert_eq!(out, "[]\n");
        assert!(result.expect_err("nobody").to_string().starts_with("no node can be offered: the table is empty"));
        let (out, result) = best("", &Fake::nobody_usable(), terminal(80));
        assert_eq!(out, "");
        let expected = "no node can be offered; of 2 in the table:\n  replay-idle: down: it answers nobody (for 75 s)\n  \
                        機械: no values have come from it yet";
        assert_eq!(result.expect_err("nobody").to_string(), expected);
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for (line, message) in [
            ("-n 0", "from 1 to 100000"),
            ("-n x", "from 1 to 100000"),
            ("--cpu-delta -1", "unexpected argument"),
            ("--cpu-delta=-1", "0 or more"),
            ("--mem-delta much", "write for example 1GB"),
            ("--by disk", "possible values: cpu, mem, both"),
        ] {
            let said = Line::try_parse_from(format!("best {line}").split_whitespace()).err().expect(line).to_string();
            assert!(said.contains(message), "{line}: {said}");
        }
    }
}
