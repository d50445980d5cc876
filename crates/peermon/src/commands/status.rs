use crate::Failure;
use crate::output::{Cell, Column, Output, Table, age, bytes, rate, seconds};
use owo_colors::Style;
use peermon_api::{Service, Status};

/// Show this daemon's health, cost and peers
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon status
  peermon status --all              also every counter and every collector
  peermon status --json | jq .counters")]
pub(crate) struct Args {
    /// Also counters that are zero and collectors that are well
    #[arg(long, short)]
    all: bool,
    /// Print a JSON object, with numbers in base units
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let status = service.status()?;
    if args.json {
        return output.json(&status);
    }
    summary(&status, output)?;
    links(&status, output)?;
    collectors(&status, args.all, output)?;
    counters(&status, args.all, output)
}

fn summary(s: &Status, output: &mut Output<'_>) -> Result<(), Failure> {
    let name = output.screen.paint(&crate::output::clean(&s.name), Style::new().bold());
    output.line(&format!(
        "{name}: peermon {}, up for {}, incarnation {}",
        s.version,
        seconds(s.uptime_seconds),
        s.incarnation
    ))?;
    let or_none = |list: &[String]| if list.is_empty() { "nowhere".to_string() } else { list.join(", ") };
    // In the order of states, not of names.
    let known = ["alive", "suspect", "stale", "down", "left"];
    let others = s.nodes.keys().map(String::as_str).filter(|k| !known.contains(k));
    let states = known.into_iter().chain(others).filter_map(|k| Some((k, *s.nodes.get(k)?))).filter(|(_, n)| *n > 0);
    let nodes: Vec<_> = states.map(|(k, n)| format!("{n} {k}")).collect();
    let ages = match (s.age_mean_seconds, s.age_max_seconds) {
        (Some(mean), Some(most)) => format!("{} on average, {} at most", age(mean), age(most)),
        _ => "no values yet".to_string(),
    };
    let cpu = s.cpu_share.map_or("not known yet".to_string(), |c| format!("{:.2} % of one core", c * 100.0));
    let memory = s.resident_bytes.map_or(String::new(), |b| format!(", {} of memory", bytes(b as f64)));
    let clock = if s.clock_locked { "in step" } else { "not in step yet" };
    output.entry("id", &s.id)?;
    output.entry("gossip", &format!("at {}, every {}", or_none(&s.listen), seconds(s.period_seconds)))?;
    let of = s.pace.budget_bytes.map_or("no limit".to_string(), |b| format!("a budget of {}", rate(b)));
    output.entry("traffic", &format!("about {} to keep the table, of {of}", rate(s.pace.cost_bytes)))?;
    let (mean, most) = (age(s.pace.age_mean_seconds), age(s.pace.age_most_seconds));
    output.entry("promised", &format!("values {mean} old on average, {most} at most, as long as nothing is lost"))?;
    output.entry("api", &or_none(&s.api))?;
    output.entry("nodes", &if nodes.is_empty() { "none".to_string() } else { nodes.join(", ") })?;
    output.entry("ages", &ages)?;
    output.entry("cost", &format!("{cpu}{memory}"))?;
    let budget = s.budget.cpu_share.map_or("no limit".to_string(), |b| format!("{} % of one core", (b * 1e4).round() / 100.0));
    let held = match &s.budget.why {
        Some(why) => format!("; collectors that can wait look {:.1} times less often, as {why}", s.budget.stretch),
        None => String::new(),
    };
    output.entry("budget", &format!("{budget}{held}"))?;
    output.entry("clock", &format!("{clock}, {} off the peers", seconds(s.clock_error_seconds)))?;
    if !s.seeds_waiting.is_empty() {
        output.entry("waiting for", &format!("{} (no answer yet; tried for ever)", s.seeds_waiting.join(", ")))?;
    }
    Ok(())
}

fn links(s: &Status, output: &mut Output<'_>) -> Result<(), Failure> {
    if s.links.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("  PEER", 255).shrinks_to(10),
        Column::text("ADDRESS", 200),
        Column::number("ROUND TRIP", 210),
        Column::text("ROLE", 100),
    ]);
    for l in &s.links {
        table.row(vec![
            Cell::new(format!("  {}", l.name)),
            Cell::new(&l.address),
            Cell::known(l.rtt_seconds, seconds),
            Cell::new(&l.role),
        ]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

fn collectors(s: &Status, all: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    let shown: Vec<_> = s.collectors.iter().filter(|c| all || c.failure.is_some()).collect();
    if shown.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("  COLLECTOR", 255),
        Column::number("TOOK", 200),
        Column::number("EVERY", 190),
        Column::text("FAILURE", 255).folds_to(20),
    ]);
    for c in shown {
        let failure = match &c.failure {
            Some(f) => Cell::new(f).styled(Style::new().red()),
            None => Cell::new("none"),
        };
        let every = if c.every_seconds > 0.0 { Cell::new(seconds(c.every_seconds)) } else { Cell::new("round") };
        table.row(vec![Cell::new(format!("  {}", c.name)), Cell::new(seconds(c.seconds)), every, failure]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

fn counters(s: &Status, all: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    // Without --all only what went wrong is worth a line.
    // Who asks for a node that is not there has been told so.
    let asked_wrong = "http.refused.not_found";
    let wrong = |name: &str| {
        name != asked_wrong && ["drop", "lost", "fail", "reject", "refused", "error"].iter().any(|w| name.contains(w))
    };
    let shown: Vec<_> = s.counters.iter().filter(|(name, n)| all || (**n > 0 && wrong(name))).collect();
    if shown.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[Column::text("  COUNTER", 255), Column::number("SINCE START", 255)]);
    for (name, n) in shown {
        table.row(vec![Cell::new(format!("  {name}")), Cell::new(n.to_string())]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    #[test]
    fn pages() {
        let check = |args: Args, screen, file| {
            let (out, hints, result) = collected(screen, |o| run(&args, &Fake::five(), o));
            result.expect("it has a status");
            assert_eq!(hints, "");
            check_text(file, &out);
        };
        check(Args { all: false, json: false }, Screen::PIPE, "status_pipe.txt");
        check(Args { all: true, json: false }, terminal(60), "status_all_60.txt");
    }

    #[test]
    fn json_is_one_object() {
        let (out, _, _) = collected(Screen::PIPE, |o| run(&Args { all: false, json: true }, &Fake::five(), o));
        let v: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(v["nodes"]["alive"], 3);
        assert_eq!(v["counters"]["gossip.dropped.replayed"], 2);
    }
}
