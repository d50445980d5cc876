use crate::Failure;
use crate::group;
use crate::output::{Cell, Column, Output, Screen, Table, age, bytes, clean, percent, rate, short_number};
use clap::ValueEnum;
use owo_colors::Style;
use peermon_api::{FactValue, NodeView, NodesQuery, Service, State};
use peermon_placement::nodeset;
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
  peermon nodes --where 'cpu.busy > 90%' --order -cpu.busy
  peermon nodes 'node[1-8]!node3'
  clush -w $(peermon nodes --fold --group idle) uptime
  peermon nodes --json | jq -r '.[] | select(.vitals[\"cpu.busy\"] < 0.1) | .name'")]
pub(crate) struct Args {
    /// Only these nodes, e.g. 'node[1-3,10]', '@idle!node7': groups are those of `peermon groups`
    #[arg(value_name = "NODESET")]
    names: Option<String>,
    /// Only nodes in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<OnlyState>,
    /// Also nodes that have been down or gone for long
    #[arg(long, short)]
    all: bool,
    /// Only nodes of a group: up, down, idle, gpufree, or the KEY or KEY=VALUE of a label; `peermon groups` lists them
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only nodes for which this condition holds, e.g. 'mem.available > 4GiB' (docs/expressions.md); may be given several times
    #[arg(long = "where", value_name = "EXPR")]
    conditions: Vec<String>,
    /// In the order of this expression, the highest first, instead of by name; a second one decides among equals
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    order: Vec<String>,
    /// Print the names alone, folded into one line as ClusterShell does: node[1-3,10]
    #[arg(long, conflicts_with = "json")]
    fold: bool,
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
    let mut conditions = args.conditions.clone();
    if let Some(name) = &args.group {
        let members = group::condition(name);
        conditions.push(members.clone());
        group::check(service, name, &members)?;
    }
    let mut nodes = service.nodes(&NodesQuery { state, all: args.all, conditions, order: args.order.clone() })?;
    if let Some(set) = &args.names {
        keep_named(&mut nodes, set, service)?;
    }
    if args.fold {
        return fold(&nodes, output);
    }
    if args.json {
        return output.json(&nodes);
    }
    if !nodes.is_empty() {
        print(&nodes, output.out, output.screen)?;
    }
    let narrowed = args.names.is_some() || args.group.is_some() || !args.conditions.is_empty();
    match (&nodes[..], args.state) {
        ([], _) if narrowed => output.hint("No node is like that. `peermon nodes` lists all."),
        ([], Some(s)) => output.hint(&format!("No node is in the state {}. `peermon nodes` lists all.", format!("{s:?}").to_lowercase())),
        ([], None) => output.hint(
            "The table is empty: this daemon only listens, and no node has been heard yet. On another machine `peermon invite` \
             prints a token; here `peermon join TOKEN` uses it.",
        ),
        ([only], None) if only.this && !narrowed => output.hint(
            "This node is alone so far. `peermon invite` prints a token; on another machine install peermon and run `peermon join TOKEN` there.",
        ),
        _ => Ok(()),
    }
}

/// Keeps the nodes of a set; a name that no node has is an error.
pub(super) fn keep_named(nodes: &mut Vec<NodeView>, set: &str, service: &dyn Service) -> Result<(), Failure> {
    let mut failed = None;
    let names = nodeset::unfold_with(set, |group| match group_members(group, service) {
        Ok(names) => Some(names),
        Err(e) => {
            failed.get_or_insert(e);
            None
        }
    });
    let names: BTreeSet<String> = match (failed, names) {
        // It says more than where in the set it is.
        (Some(e), _) => return Err(e),
        (None, names) => names.map_err(|e| Failure::new(format!("{set:?} names no nodes: {e}")))?.into_iter().collect(),
    };
    nodes.retain(|n| names.contains(&n.name));
    let found: BTreeSet<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
    if names.iter().all(|n| found.contains(n.as_str())) {
        return Ok(());
    }
    // Those that are there but were not asked for are no mistake.
    let all = service.nodes(&NodesQuery { all: true, ..NodesQuery::default() })?;
    let known: BTreeSet<&str> = all.iter().map(|n| n.name.as_str()).collect();
    let unknown = nodeset::fold(names.iter().map(String::as_str).filter(|n| !known.contains(n))).text;
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("no node is named {unknown}; `peermon nodes --all` lists them all")))
    }
}

/// Names of a group's members; `*` are all nodes, as in ClusterShell.
fn group_members(group: &str, service: &dyn Service) -> Result<Vec<String>, Failure> {
    let mut query = NodesQuery::default();
    if group != "*" {
        let members = group::condition(group);
        group::check(service, group, &members)?;
        query.conditions.push(members);
    }
    Ok(service.nodes(&query)?.into_iter().map(|n| n.name).collect())
}

/// Prints names in one line; nothing if there are none.
fn fold(nodes: &[NodeView], output: &mut Output<'_>) -> Result<(), Failure> {
    let folded = nodeset::fold(nodes.iter().map(|n| n.name.as_str()));
    if !folded.left_out.is_empty() {
        let names: Vec<_> = folded.left_out.iter().map(|n| clean(n)).collect();
        output.hint(&format!("Left out, since their names hold signs that mean something in sets: {}", names.join(" ")))?;
    }
    if folded.text.is_empty() { Ok(()) } else { output.line(&clean(&folded.text)) }
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
    fn names_are_folded_and_unfolded() {
        let five = Fake::five();
        let run = |args: &Args| {
            let (out, hints, result) = collected(Screen::PIPE, |o| run(args, &five, o));
            (out, hints, result.map_err(|e| e.to_string()))
        };
        let folded = Args { fold: true, ..Args::default() };
        assert_eq!(run(&folded).0, "here-[1-2],replay-busy-with-a-long-name,replay-idle,機械\n");
        let named = |set: &str| Args { fold: true, names: Some(set.into()), ..Args::default() };
        assert_eq!(run(&named("here-[1-2]!here-1")), ("here-2\n".into(), String::new(), Ok(())));
        assert_eq!(run(&Args { state: Some(OnlyState::Down), ..named("here-1") }), (String::new(), String::new(), Ok(())));
        let said = run(&named("here-[1-4],x")).2.expect_err("they are not there");
        assert_eq!(said, "no node is named here-[3-4],x; `peermon nodes --all` lists them all");
        let said = run(&named("here-[1-")).2.expect_err("no set");
        assert!(said.starts_with("\"here-[1-\" names no nodes: column 6: this bracket is not closed"), "{said}");
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
