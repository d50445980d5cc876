use crate::Failure;
use crate::output::{self, Cell, Column, Output, Screen, Table, attribute, seconds};
use owo_colors::Style;
use peermon_api::{Fold, Series, SeriesAnswer, SeriesQuery, Service};
use peermon_model::Unit;

/// Show the past of nodes' vitals
///
/// What the daemon of this machine remembers of the last hour (option memory.keep), of every node. Each line is one vital of one node:
/// its least, mean, greatest and last value, and a chart of all of them, the newest at the right. A chart of shares goes from 0 to
/// 100 %, others from 0 to their greatest value; a gap is a time of which nothing is known.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = "\
Examples:
  peermon series node-1                     its usual vitals, the last 5 minutes
  peermon series node-1 --last 1h --of load.1,pressure.io
  peermon series --last 10m                 of all nodes, how busy they were
  peermon series node-1 --json | jq '.series[0].values[-1]'")]
pub(crate) struct Args {
    /// Of these nodes, by name or id; of all if none is named
    node: Vec<String>,
    /// Which vitals, with commas between
    #[arg(long, value_name = "VITALS", value_delimiter = ',')]
    of: Vec<String>,
    /// How far back, e.g. 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    last: f64,
    /// What each value stands for of those in its time: mean, min, max or last
    #[arg(long, value_name = "FOLD", default_value = "mean", value_parser = fold)]
    fold: Fold,
    /// Print a JSON object: step_seconds, series with their values... in base units, null where nothing is known
    #[arg(long)]
    json: bool,
    /// Values of each series in JSON; by default one for each period, 300 at most
    #[arg(long, value_name = "N", requires = "json")]
    points: Option<usize>,
}

/// Of nodes that are named.
const USUAL: &[&str] = &["cpu.busy", "mem.available", "load.1", "net.rx.rate", "net.tx.rate"];
/// Of all nodes: a line each.
const USUAL_OF_ALL: &[&str] = &["cpu.busy"];
/// Cells of a chart in a pipe, and the most in a terminal.
const CELLS: usize = 60;
const CELLS_MAX: usize = 120;
/// The least: a narrower terminal has the numbers cut before.
const CELLS_MIN: usize = 10;
/// Columns of everything but the chart.
const AROUND: usize = 64;
/// The shortest time that the daemon tells apart, in seconds.
const STEP_MIN: f64 = 0.1;

fn time(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].trim() {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = digits.trim().parse::<f64>().unwrap_or(f64::NAN) * unit;
    let read = (seconds.is_finite() && seconds > 0.0).then_some(seconds);
    read.ok_or_else(|| format!("{text:?} is not a time; write e.g. 90s, 10m or 1h"))
}

fn fold(text: &str) -> Result<Fold, String> {
    let names = Fold::ALL.map(Fold::name).join(", ");
    Fold::ALL.into_iter().find(|f| f.name() == text).ok_or_else(|| format!("there are {names}"))
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let usual = if args.node.is_empty() { USUAL_OF_ALL } else { USUAL };
    let cells = cells(output.screen).min((args.last / STEP_MIN) as usize).max(1);
    let query = SeriesQuery {
        node: args.node.clone(),
        attribute: if args.of.is_empty() { usual.iter().map(ToString::to_string).collect() } else { args.of.clone() },
        seconds: args.last,
        points: if args.json { args.points } else { Some(cells) },
        fold: args.fold,
    };
    let answer = service.series(&query)?;
    if args.json {
        return output.json(&answer);
    }
    if answer.series.is_empty() {
        return output.hint("No node is known, so there is no past of any.");
    }
    table(&answer, args, output)
}

fn cells(screen: Screen) -> usize {
    screen.width.map_or(CELLS, |w| w.saturating_sub(AROUND).clamp(CELLS_MIN, CELLS_MAX))
}

fn table(answer: &SeriesAnswer, args: &Args, output: &mut Output<'_>) -> Result<(), Failure> {
    let (last, step, fold) = (seconds(args.last), seconds(answer.step_seconds), args.fold.name());
    let mut table = Table::new(&[
        Column::text("NODE", 250).shrinks_to(8),
        Column::text("VITAL", 255),
        Column::number("LEAST", 210),
        Column::number("MEAN", 220),
        Column::number("MOST", 215),
        Column::number("LAST", 240),
        Column::text("CHART", 230),
    ]);
    for s in &answer.series {
        let known = || s.values.iter().copied().flatten();
        let value = |v: Option<f64>| Cell::known(v, |v| output::value(&s.attribute, v));
        let (count, sum) = known().fold((0, 0.0), |(n, sum), v| (n + 1, sum + v));
        table.row(vec![
            Cell::new(&s.node),
            Cell::new(&s.attribute),
            value(known().reduce(f64::min)),
            value((count > 0).then(|| sum / f64::from(count))),
            value(known().reduce(f64::max)),
            value(s.values.last().copied().flatten()),
            Cell::new(chart(s).trim_end()).styled(Style::new().cyan()),
        ]);
    }
    table.print(output.out, output.screen)?;
    let nothing = answer.series.iter().all(|s| s.values.iter().all(Option::is_none));
    match nothing {
        true => output.hint(&format!("Nothing is known of the last {last}: this daemon may have started just now.")),
        false => output.hint(&format!("The last {last}; each value is the {fold} of {step}.")),
    }
}

/// One character for each value.
fn chart(s: &Series) -> String {
    const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = match attribute(&s.attribute).map(|a| a.unit) {
        Some(Unit::Ratio) => 1.0,
        _ => s.values.iter().copied().flatten().fold(0.0, f64::max),
    };
    let cell = |v: &Option<f64>| match v {
        None => ' ',
        Some(v) if most > 0.0 => EIGHTHS[((v / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
        Some(_) => EIGHTHS[0],
    };
    s.values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::collected;
    use crate::testing::{Fake, check_text, terminal};

    fn args(words: &[&str]) -> Args {
        Args { node: words.iter().map(ToString::to_string).collect(), last: 300.0, ..Args::default() }
    }

    fn ask(args: &Args, screen: Screen) -> String {
        let (out, hints, result) = collected(screen, |o| run(args, &Fake::five(), o));
        result.expect("it remembers");
        format!("{out}--- hints\n{hints}")
    }

    #[test]
    fn tables() {
        check_text("series_pipe.txt", &ask(&args(&["here-1"]), Screen::PIPE));
        check_text("series_80.txt", &ask(&args(&["here-1", "機械"]), terminal(80)));
        check_text("series_40.txt", &ask(&Args { fold: Fold::Max, ..args(&[]) }, terminal(40)));
        check_text("series_nothing.txt", &ask(&args(&["機械"]), terminal(100)));
    }

    #[test]
    fn json_is_the_answer() {
        let args = Args { json: true, points: Some(4), of: vec!["load.1".into()], ..args(&["here-1"]) };
        let (out, _, _) = collected(Screen::PIPE, |o| run(&args, &Fake::five(), o));
        let v: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((&v["step_seconds"], v["series"][0]["values"].as_array().map(Vec::len)), (&75.0.into(), Some(4)));
        assert_eq!(v["series"][0]["attribute"], "load.1");
    }

    #[test]
    fn times_are_read() {
        for (text, seconds) in
            [("90", Some(90.0)), ("90s", Some(90.0)), ("1.5 h", Some(5400.0)), ("10m", Some(600.0)), ("2min", Some(120.0))]
                .into_iter()
                .chain(["", "0", "-5m", "m", "10 parsecs", "NaN", "infs", "1e999h"].map(|bad| (bad, None)))
        {
            assert_eq!(time(text).ok(), seconds, "{text:?}");
        }
        assert!(fold("sum").is_err_and(|e| e.contains("mean, min, max, last")));
    }

    #[test]
    fn charts_go_from_zero_to_the_most() {
        for (attribute, values, drawn) in [
            ("cpu.busy", &[Some(0.0), Some(0.5), Some(1.0), None, Some(2.0)][..], "▁▄█ █"),
            ("load.1", &[Some(0.0), Some(2.0), Some(16.0)], "▁▁█"),
            ("load.1", &[Some(0.0), None], "▁ "),
            ("my.own", &[], ""),
        ] {
            let s = Series { node: String::new(), id: String::new(), attribute: attribute.into(), values: values.to_vec() };
            assert_eq!(chart(&s), drawn, "{attribute} {values:?}");
        }
    }
}
