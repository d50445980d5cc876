use crate::Failure;
use crate::output::{Cell, Column, Output, Screen, Table, age, bytes, percent, rate, short_number};
use clap::ValueEnum;
use owo_colors::Style;
use peermon_api::{FactValue, NodeView, NodesQuery, Service, State};
use std::collections::BTreeSet;
use std::io::Write;

/// List the nodes of the cluster and how they are
///
/// One line a node, in order of name. A value is as old as AGE says; "-" is not known. On a narrow terminal the less important
/// columns are left out.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = "\
Examples:
  peermon nodes
  peermon nodes --state down
  peermon nodes --json | jq -r '.[] | select(.vitals[\"cpu.busy\"] < 0.1) | .name'")]
pub(crate) struct Args {
    /// Only nodes in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<OnlyState>,
    /// Also nodes that have been down or gone for long
    #[arg(long, short)]
    all: bool,
    /// Print a JSON array: name, id, addresses, state, age_seconds, facts, vitals... in base units
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum OnlyState {
    Alive,
    Suspect,
    Stale,
    Down,
    Left,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let state = args.state.map(|s| match s {
        OnlyState::Alive => State::Alive,
        OnlyState::Suspect => State::Suspect,
        OnlyState::Stale => State::Stale,
        OnlyState::Down => State::Down,
        OnlyState::Left => State::Left,
    });
    let nodes = service.nodes(&NodesQuery { state, all: args.all })?;
    if args.json {
        return output.json(&nodes);
    }
    if !nodes.is_empty() {
        print(&nodes, output.out, output.screen)?;
    }
    match (&nodes[..], args.state) {
        ([], Some(s)) => output.hint(&format!("No node is in the state {}. `peermon nodes` lists all.", format!("{s:?}").to_lowercase())),
        ([], None) => output.hint(
            "The table is empty: this daemon only listens, and no node has been heard yet. On another machine `peermon invite` \
             prints a token; here `peermon join TOKEN` uses it.",
        ),
        ([only], None) if only.this => output.hint(
            "This node is alone so far. `peermon invite` prints a token; on another machine install peermon and run `peermon join TOKEN` there.",
        ),
        _ => Ok(()),
    }
}

/// Prints the table of nodes.
pub(crate) fn print(nodes: &[NodeView], out: &mut dyn Write, screen: Screen) -> Result<(), Failure> {
    let foreign = nodes.iter().any(|n| source(n).is_some());
    let twice = namesakes(nodes);
    let mut columns = vec![
        Column::text("NAME", 255).shrinks_to(14),
        Column::text("STATE", 255),
        Column::number("AGE", 240),
        Column::number("LOAD", 230),
        Column::number("CORES", 210),
        Column::number("CPU", 225),
        Column::number("AVAILABLE", 235),
        Column::number("MEMORY", 150),
        Column::number("DISK", 120),
        Column::number("RX", 110),
        Column::number("TX", 109),
        Column::text("ADDRESS", 140),
        // The id is what tells nodes of one name apart.
        Column::text("ID", if twice.is_empty() { 100 } else { 239 }),
    ];
    let zoned = nodes.iter().any(|n| n.zone != nodes[0].zone);
    if zoned {
        columns.insert(2, Column::text("ZONE", 238).shrinks_to(8));
    }
    if foreign {
        columns.push(Column::text("SOURCE", 220).shrinks_to(10));
    }
    let mut table = Table::new(&columns);
    for n in nodes {
        let vital = |name: &str| n.vitals.get(name).copied();
        let number = |name: &str| match n.facts.get(name) {
            Some(FactValue::Number(v)) => Some(*v),
            _ => None,
        };
        let name = Cell::new(&n.name).styled(if n.this { Style::new().bold() } else { Style::new() });
        let mut row = vec![
            name,
            Cell::new(n.state.name()).styled(state_style(n.state)),
            Cell::known(n.age_seconds, age).styled(age_style(n)),
            Cell::known(vital("load.1"), short_number),
            Cell::known(number("cpu.threads"), |c| format!("{c:.0}")),
            Cell::known(vital("cpu.busy"), percent),
            Cell::known(vital("mem.available"), bytes),
            Cell::known(number("mem.total"), bytes),
            Cell::known(vital("disk.busy"), percent),
            Cell::known(vital("net.rx.rate"), rate),
            Cell::known(vital("net.tx.rate"), rate),
            Cell::known(n.addresses.first(), Clone::clone),
            Cell::new(n.id.get(..8).unwrap_or(&n.id)),
        ];
        if zoned {
            row.insert(2, Cell::new(&n.zone));
        }
        if foreign {
            row.push(Cell::new(source(n).unwrap_or("measured")));
        }
        table.row(row);
    }
    table.print(out, screen)?;
    if screen.terminal {
        writeln!(out, "{}", screen.paint(&summary(nodes), Style::new().dimmed()))?;
    }
    Ok(())
}

/// Where a node's values come from, if not from the machine itself.
fn source(n: &NodeView) -> Option<&str> {
    match n.facts.get("source") {
        Some(FactValue::Text(t)) => Some(t),
        _ => None,
    }
}

/// Names that more than one node has.
fn namesakes(nodes: &[NodeView]) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    nodes.iter().map(|n| n.name.as_str()).filter(|name| !seen.insert(*name)).collect()
}

fn summary(nodes: &[NodeView]) -> String {
    let count = |s| nodes.iter().filter(|n| n.state == s).count();
    let states = [State::Alive, State::Suspect, State::Stale, State::Down, State::Left];
    let parts: Vec<_> = states.into_iter().filter(|s| count(*s) > 0).map(|s| format!("{} {}", count(s), s.name())).collect();
    let nodes = if nodes.len() == 1 { "1 node".to_string() } else { format!("{} nodes", nodes.len()) };
    format!("{nodes}: {}", parts.join(", "))
}

/// The state's colour.
pub(crate) fn state_style(state: State) -> Style {
    match state {
        State::Alive => Style::new().green(),
        State::Suspect => Style::new().yellow(),
        State::Down => Style::new().red(),
        State::Stale => Style::new().yellow().dimmed(),
        State::Left => Style::new().dimmed(),
    }
}

/// Ages stand out from 3 periods on, when a row has certainly been missed, and more from 10 on.
fn age_style(n: &NodeView) -> Style {
    match n.age_seconds.map(|a| a / n.period_seconds.max(0.1)) {
        Some(periods) if periods > 10.0 => Style::new().red(),
        Some(periods) if periods > 3.0 => Style::new().yellow(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::collected;
    use crate::testing::{Fake, check_text, terminal};

    fn check(service: &Fake, args: &Args, screen: Screen, file: &str) {
        let (out, hints, result) = collected(screen, |o| run(args, service, o));
        result.expect("it can be listed");
        check_text(file, &format!("{out}--- hints\n{hints}"));
    }

    #[test]
    fn tables() {
        let five = Fake::five();
        check(&five, &Args::default(), Screen::PIPE, "nodes_pipe.txt");
        check(&five, &Args::default(), terminal(100), "nodes_100.txt");
        check(&five, &Args::default(), terminal(60), "nodes_60.txt");
        check(&five, &Args::default(), terminal(30), "nodes_30.txt");
        check(&five, &Args::default(), Screen { colour: true, ..terminal(60) }, "nodes_colour.txt");
        check(&five, &Args { state: Some(OnlyState::Left), ..Args::default() }, Screen::PIPE, "nodes_none_left.txt");
        check(&Fake::alone(), &Args::default(), terminal(80), "nodes_alone.txt");
        check(&Fake::empty(), &Args::default(), terminal(80), "nodes_empty.txt");
        check(&Fake::namesakes(), &Args::default(), terminal(70), "nodes_namesakes.txt");
    }

    #[test]
    fn json_is_the_array_that_programs_expect() {
        let (out, hints, result) = collected(Screen::PIPE, |o| run(&Args { json: true, ..Args::default() }, &Fake::five(), o));
        result.expect("it can be listed");
        assert_eq!(hints, "");
        let list: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let first = &list[0];
        assert_eq!(first["name"], "here-1");
        assert_eq!(first["id"].as_str().map(str::len), Some(64));
        assert_eq!(first["addresses"][0], "127.0.0.1:40001");
        assert_eq!(first["state"], "alive");
        assert_eq!(first["age_seconds"], 0.42);
        assert_eq!(first["facts"]["cpu.threads"], 8.0);
        assert_eq!(first["facts"]["os.name"], "Debian GNU/Linux 12");
        assert_eq!(first["vitals"]["cpu.busy"], 0.12);
        assert_eq!(list[4]["age_seconds"], serde_json::Value::Null);

        let (out, _, _) = collected(Screen::PIPE, |o| run(&Args { json: true, ..Args::default() }, &Fake::empty(), o));
        assert_eq!(out, "[]\n");
    }
}
