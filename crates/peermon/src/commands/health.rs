use crate::Failure;
use crate::output::{Cell, Column, Output, Table, clean, seconds};
use owo_colors::Style;
use peermon_api::{HealthAnswer, Service};

/// Show what this node's self-probes found, and how its peers answer it
///
/// A node tries what counters do not show: sockets, names, programs, files, network mounts, its ssh server and more. What fails
/// is told to all, and such a node is offered to nobody until it has worked for a while again. Peers are probed in turn;
/// one that does not answer this node is offered to nobody here. `peermon show NODE` says what another node found.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon health
  peermon health --json | jq -r '.reasons[].text'
  peermon health --json | jq '.peers[] | select(.viable == false)'")]
pub(crate) struct Args {
    /// Print a JSON object: trust, reasons, probes, sees, seen_by, peers
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let health = service.health()?;
    if args.json {
        return output.json(&health);
    }
    verdict(&health, output)?;
    probes(&health, output)?;
    peers(&health, output)
}

fn verdict(h: &HealthAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
    let s = output.screen;
    let (word, style) = match h.trust {
        t if t <= 0.0 => ("must not be used", Style::new().red()),
        t if t < 1.0 && h.reasons.is_empty() => ("recovers", Style::new().yellow()),
        t if t < 1.0 => ("is weak", Style::new().yellow()),
        _ => ("is well", Style::new().green()),
    };
    let name = s.paint(&clean(&h.name), Style::new().bold());
    output.line(&format!("{name} {}; trusted to {:.0} %", s.paint(word, style), h.trust * 100.0))?;
    for r in &h.reasons {
        output.entry(&r.severity, &format!("{}, for {}", r.text, seconds(r.seconds)))?;
    }
    output.entry("sees", &format!("{} of {} peers as viable", h.sees.viable, h.sees.of))?;
    output.entry("seen", &format!("as viable by {} of {} peers", h.seen_by.viable, h.seen_by.of))
}

fn probes(h: &HealthAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
    if h.probes.is_empty() {
        output.line("")?;
        return output.hint("No self-probes run here.");
    }
    let mut table = Table::new(&[
        Column::text("  PROBE", 255),
        Column::text("OF", 230).shrinks_to(12),
        Column::text("LAST 32", 240),
        Column::number("MEAN", 220),
        Column::text("FINDING", 250).folds_to(20),
    ]);
    for p in &h.probes {
        let style = if p.reason.is_some() { Style::new().red() } else { Style::new() };
        table.row(vec![
            Cell::new(format!("  {}", p.probe)),
            Cell::new(p.instance.as_deref().unwrap_or_default()),
            Cell::new(&p.history).styled(style),
            Cell::known(p.mean_seconds, time),
            Cell::new(p.reason.as_ref().map_or("", |r| &r.text)).styled(style),
        ]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

fn peers(h: &HealthAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
    if h.peers.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("  PEER", 255).shrinks_to(12),
        Column::text("LAST 32", 240),
        Column::number("RTT", 235),
        Column::number("VIABLE", 220),
        Column::text("SEES US", 225),
        Column::text("FINDING", 250).folds_to(20),
    ]);
    for p in &h.peers {
        let bad = p.viable == Some(false);
        let style = if bad { Style::new().red() } else { Style::new() };
        let finding = p.why.as_ref().map_or_else(String::new, |why| format!("avoided for {}: {why}", seconds(p.seconds)));
        let sees = |viable: bool| if viable { "viable" } else { "avoided" };
        table.row(vec![
            Cell::new(format!("  {}", clean(&p.name))),
            Cell::new(&p.history).styled(style),
            Cell::known(p.rtt_seconds, time),
            Cell::new(format!("{:.0} %", p.viable_share * 100.0)),
            Cell::known(p.sees_me.map(sees), ToString::to_string),
            Cell::new(finding).styled(style),
        ]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

/// A short time.
fn time(seconds: f64) -> String {
    if seconds >= 1.0 {
        format!("{seconds:.1} s")
    } else if seconds >= 0.001 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} us", seconds * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    fn health(json: bool, screen: Screen) -> String {
        let (out, _, result) = collected(screen, |o| run(&Args { json }, &Fake::five(), o));
        result.expect("it answers");
        out
    }

    #[test]
    fn pages() {
        check_text("health_pipe.txt", &health(false, Screen::PIPE));
        check_text("health_80.txt", &health(false, terminal(80)));
    }

    #[test]
    fn json_is_one_object() {
        let v: serde_json::Value = serde_json::from_str(&health(true, Screen::PIPE)).expect("JSON");
        assert_eq!(v["reasons"][0]["severity"], "avoid");
    }
}
