use crate::Failure;
use crate::output::{Cell, Column, Output, Table, age, bytes, percent, seconds};
use owo_colors::Style;
use peermon_api::{Service, ZoneView};

/// List the zones and how they are
///
/// One line a zone, the one of the daemon that answers first. A zone says itself how many nodes it has and what they have
/// left; a stale one is cut off from here, and what is shown of it is what was last heard.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon zones
  peermon zones --json | jq -r '.[] | select(.stale) | .name'")]
pub(crate) struct Args {
    /// Print a JSON array: name, stale, age_seconds, relays, totals... in base units
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let zones = service.zones()?;
    if args.json {
        return output.json(&zones);
    }
    let mut table = Table::new(&[
        Column::text("ZONE", 255).shrinks_to(14),
        Column::text("STATE", 255),
        Column::number("AGE", 240),
        Column::number("EVERY", 130),
        Column::number("UP", 250),
        Column::number("DOWN", 245),
        Column::number("CORES", 210),
        Column::number("CPU", 225),
        Column::number("AVAILABLE", 235),
        Column::number("MEMORY", 150),
        Column::number("GPUS", 140),
        Column::number("LISTED", 160),
        Column::text("RELAYS", 120).shrinks_to(12),
    ]);
    for z in &zones {
        let totals = |f: &dyn Fn(&peermon_api::ZoneTotals) -> String| Cell::known(z.totals.as_ref(), f);
        table.row(vec![
            Cell::new(&z.name).styled(if z.this { Style::new().bold() } else { Style::new() }),
            Cell::new(state(z)).styled(if z.stale { Style::new().yellow() } else { Style::new().green() }),
            Cell::known(z.age_seconds, age),
            Cell::new(seconds(z.period_seconds)),
            totals(&|t| t.up.to_string()),
            totals(&|t| t.down.to_string()),
            totals(&|t| t.threads.to_string()),
            totals(&|t| percent(t.cpu_busy)),
            totals(&|t| bytes(t.mem_available)),
            totals(&|t| bytes(t.mem_total)),
            totals(&|t| t.gpus.to_string()),
            Cell::new(if z.partial { format!("{} best", z.nodes) } else { z.nodes.to_string() }),
            Cell::new(z.relays.join(", ")),
        ]);
    }
    table.print(output.out, output.screen)?;
    match &zones[..] {
        [only] if only.relays.is_empty() => output.hint(
            "There is one zone. The option `zone` puts nodes into others: worth it where the line between them is slow, dear or \
             at times cut.",
        ),
        _ => Ok(()),
    }
}

fn state(z: &ZoneView) -> &'static str {
    match z {
        ZoneView { stale: true, .. } => "stale",
        ZoneView { age_seconds: None, .. } => "silent",
        _ => "fresh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    #[test]
    fn tables() {
        for (screen, file) in [(Screen::PIPE, "zones_pipe.txt"), (terminal(60), "zones_60.txt")] {
            let (out, hints, result) = collected(screen, |o| run(&Args { json: false }, &Fake::five(), o));
            result.expect("there are zones");
            check_text(file, &format!("{out}--- hints\n{hints}"));
        }
    }

    #[test]
    fn json_is_an_array() {
        let (out, _, _) = collected(Screen::PIPE, |o| run(&Args { json: true }, &Fake::five(), o));
        let v: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((v[1]["name"].as_str(), v[1]["totals"]["up"].as_u64()), (Some("rack-7"), Some(20)));
    }
}
