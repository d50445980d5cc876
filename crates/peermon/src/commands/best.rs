use crate::Failure;
use crate::choice::{Choice, count, nobody, tell_short};
use crate::claiming::{request, seconds};
use crate::output::{Cell, Column, Output, Screen, Table, age, bytes, clean, fold, short_number};
use owo_colors::Style;
use peermon_api::{BestAnswer, BestNode, BestQuery, By, Service};
use peermon_placement::lsf::Lsf;
use std::io::Write;

/// Name the best nodes for a job, the best first
///
/// Nodes are ordered by their available memory / (1 + load per core with a job of 4 processes); memory beyond what most nodes have
/// does not count, and nodes without an idle processor count for a third. Nodes that hardly differ count as equal and are shuffled, so that many who ask at once spread; a low load
/// counts the less the older it is. A node is never offered if it is not alive, if
/// its kernel used above 95 % of its processors in the last 3 minutes, or if its values are missing or old.
///
/// On a terminal a small table is printed, otherwise names only, one a line. If no node can be offered, the exit code is 1.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  ssh $(peermon best)
  peermon best -n 4 --by mem --mem-delta 500MB
  peermon best --cpus 8 --mem 16G --label gpu-type=a100
  peermon best --where 'cpu.busy < 20%' --order 'mem.available / cpu.threads'
  peermon best --select 'select[mem>4G && gpus_free>=1] order[r1m] span[n=4]'
  peermon best --claim --cpus 4     and let others look elsewhere for a minute
  peermon best --explain            why these, and why not the others
  peermon best -n 3 --json | jq -r '.[].name'")]
pub(crate) struct Args {
    /// How many nodes at most [default: 1, or what --select says in its span]
    #[arg(short, long = "count", value_name = "N", value_parser = count)]
    n: Option<usize>,
    #[command(flatten)]
    choice: Choice,
    /// Claim them for so many seconds [default: 60], so that others look elsewhere until the job shows: what --cpus, --mem and --gpus
    /// ask for, or one processor
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60", value_parser = seconds)]
    claim: Option<f64>,
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

/// What the score is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ranked {
    By(By),
    Order,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let query = BestQuery { explain: args.explain, ..args.choice.query(args.n) };
    let own_order =
        !query.order.is_empty() || query.select.as_ref().is_some_and(|s| Lsf::parse(s).is_ok_and(|l| !l.order.is_empty()));
    let ranked = if own_order { Ranked::Order } else { Ranked::By(query.by) };
    let answer = match args.claim {
        Some(_) => service.choose(&request(query.clone(), args.claim, None))?,
        None => service.best(&query)?,
    };
    match (args.json, args.explain) {
        (true, true) => output.json(&answer)?,
        (true, false) => output.json(&answer.best)?,
        (false, true) => explain(&answer, ranked, output)?,
        (false, false) if output.screen.terminal && !args.addresses => table(&answer.best, ranked, output.out, output.screen)?,
        (false, false) => {
            for node in &answer.best {
                output.line(&clean(if args.addresses { &node.address } else { &node.name }))?;
            }
        }
    }
    if answer.best.is_empty() {
        return Err(nobody(service, &query)?);
    }
    if args.json || args.explain { Ok(()) } else { tell_short(args.n, answer.best.len(), output) }
}

/// What a node was ranked by, as people read it.
fn score(ranked: Ranked, score: f64) -> String {
    match ranked {
        Ranked::By(By::Cpu) => short_number(-score + 0.0),
        Ranked::By(By::Mem | By::Both) => bytes(score),
        Ranked::Order => short_number(score),
    }
}

/// Prints the chosen as a small table.
pub(crate) fn table(best: &[BestNode], ranked: Ranked, out: &mut dyn Write, screen: Screen) -> Result<(), Failure> {
    if best.is_empty() {
        return Ok(());
    }
    let head = match ranked {
        Ranked::By(By::Cpu) => "LOAD/CORE",
        Ranked::By(By::Mem) => "AVAILABLE",
        Ranked::By(By::Both) => "MEM/(1+LOAD)",
        Ranked::Order => "SCORE",
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
            Cell::new(score(ranked, b.score)),
            Cell::new(age(b.age_seconds)),
            Cell::new(&b.address),
            Cell::known(b.reasons.first(), Clone::clone),
        ]);
    }
    table.print(out, screen)
}

/// Prints every node with its reasons.
pub(crate) fn explain(answer: &BestAnswer, ranked: Ranked, output: &mut Output<'_>) -> Result<(), Failure> {
    let screen = output.screen;
    for (i, b) in answer.best.iter().enumerate() {
        let name = screen.paint(&clean(&b.name), Style::new().bold());
        output.line(&format!(
            "{}. {name}: {}, values {} old, at {}",
            i + 1,
            score(ranked, b.score),
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
        assert_eq!(best("-n 2", &Fake::five(), Screen::PIPE).0, "here-2\nhere-1\n");
        assert_eq!(best("-I", &Fake::five(), Screen::PIPE).0, "127.0.0.1\n");
    }

    #[test]
    fn fewer_than_asked_for_are_told() {
        let hints = |line: &str| {
            let (out, hints, result) = collected(Screen::PIPE, |o| run(&args(line), &Fake::five(), o));
            result.expect("some are offered");
            assert!(out.contains("here-1"), "{out}");
            hints
        };
        assert_eq!(hints("-n 9"), "Only 2 of 9 nodes could be offered; `peermon best -n 9 --explain` says why.\n");
        // these say it themselves
        assert_eq!(hints("-n 9 --json"), "");
        assert_eq!(hints("-n 9 --explain"), "");
    }

    #[test]
    fn all_that_is_asked_for_reaches_the_daemon() {
        let asked = |line: &str| {
            let args = args(line);
            args.choice.query(args.n)
        };
        assert_eq!(asked(""), BestQuery::default());
        let expected = BestQuery {
            n: 3,
            by: By::Cpu,
            cpus: Some(8),
            mem: Some(16.0 * 1024.0 * 1024.0 * 1024.0),
            gpus: Some(1),
            gpu_mem: Some(5e8),
            label: vec!["a".into(), "b=c".into()],
            zone: Some("z".into()),
            conditions: vec!["me".into()],
            ..BestQuery::default()
        };
        let line = "--count 3 --by cpu --cpus 8 --mem 16G --gpus 1 --gpu-mem 500MB --label a --label b=c --zone z --where me";
        assert_eq!(asked(line), expected);
        assert_eq!(asked("--order -load.1 --order age").order, ["-load.1", "age"]);
        // How many is then for the daemon to read.
        assert_eq!((asked("--select span[n=4]").n, asked("-n 2 --select span[n=4]").n), (0, 2));
    }

    #[test]
    fn people_get_a_table_and_reasons() {
        check_text("best_100.txt", &best("-n 2", &Fake::five(), terminal(100)).0);
        check_text("best_40.txt", &best("-n 2", &Fake::five(), terminal(40)).0);
        check_text("best_explain_pipe.txt", &best("-n 2 --explain", &Fake::five(), Screen::PIPE).0);
        check_text("best_explain_50.txt", &best("-n 2 --explain", &Fake::five(), terminal(50)).0);
    }

    #[test]
    fn claims_are_made_if_asked_for() {
        let fake = Fake::five();
        let made = || fake.claims().expect("claims").iter().map(|c| (c.cpus, c.gpus, c.left_seconds)).collect::<Vec<_>>();
        best("-n 2", &fake, Screen::PIPE).1.expect("two");
        assert_eq!(made(), []);
        assert_eq!(best("-n 2 --claim", &fake, Screen::PIPE).0, "here-2\nhere-1\n");
        best("--claim=90 --cpus 4 --gpus 2", &fake, Screen::PIPE).1.expect("one");
        assert_eq!(made(), [(1.0, 0.0, 60.0), (1.0, 0.0, 60.0), (4.0, 2.0, 90.0)]);
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
            ("--mem-delta much", "write e.g. 8GiB"),
            ("--mem 8s", "is not an amount of memory"),
            ("--cpus -1", "unexpected argument"),
            ("--claim=0", "1 to 600 seconds, not 0"),
            ("--claim=x", "write seconds"),
            ("--gpus x", "invalid digit"),
            ("--by cpu --order load.1", "cannot be used with"),
            ("--by disk", "possible values: cpu, mem, both"),
        ] {
            let said = Line::try_parse_from(format!("best {line}").split_whitespace()).err().expect(line).to_string();
            assert!(said.contains(message), "{line}: {said}");
        }
    }
}
