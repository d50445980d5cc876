use crate::Failure;
use crate::output::{Cell, Column, Output, Table, age, bytes, clean, rate, short_number};
use peermon_api::{ProcessView, Service, UsageAnswer};

/// Show the processes and users that use most of this machine
///
/// The daemon looks at a few processes each second, in turn and the busiest ones always, so figures have ages. They stay on this
/// machine: no other node is told. The option `processes` hides names, or all of it.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon ps
  peermon ps --users
  peermon ps --json | jq '.processes[] | select(.mem > 1e9)'")]
pub(crate) struct Args {
    /// Users instead of processes
    #[arg(long)]
    users: bool,
    /// Print a JSON object: processes, users, gpus, watched
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let usage = service.usage()?;
    if args.json {
        return output.json(&usage);
    }
    if args.users { users(&usage, output) } else { processes(&usage, output) }
}

fn processes(usage: &UsageAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
    if usage.processes.is_empty() {
        return output.hint("No processes are known: none was looked at yet, or the option `processes` is off.");
    }
    let gpus = |p: &ProcessView| {
        let held: Vec<f64> = usage.gpus.iter().filter(|g| g.pid == p.pid).filter_map(|g| Some(g.mem? as f64)).collect();
        (!held.is_empty()).then(|| held.iter().sum::<f64>())
    };
    let mut columns = vec![
        Column::number("PID", 255),
        Column::text("USER", 230),
        Column::number("CPUS", 250),
        Column::number("MEMORY", 245),
        Column::number("READ", 220),
        Column::number("WRITTEN", 220),
    ];
    if !usage.gpus.is_empty() {
        columns.push(Column::number("GPU MEMORY", 240));
    }
    columns.extend([Column::number("AGE", 210), Column::text("COMMAND", 240)]);
    let mut table = Table::new(&columns);
    for p in &usage.processes {
        let mut cells = vec![
            Cell::new(p.pid.to_string()),
            Cell::known(p.user.as_deref(), clean),
            Cell::known(p.cpus, short_number),
            Cell::new(bytes(p.mem as f64)),
            Cell::known(p.read, rate),
            Cell::known(p.written, rate),
        ];
        if !usage.gpus.is_empty() {
            cells.push(Cell::known(gpus(p), bytes));
        }
        cells.extend([Cell::new(age(p.age_seconds)), Cell::known(p.command.as_deref(), clean)]);
        table.row(cells);
    }
    table.print(output.out, output.screen)
}

fn users(usage: &UsageAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
    if usage.users.is_empty() {
        return output.hint("No users are known: nothing was looked at yet, or the option `processes` hides them.");
    }
    let mut table = Table::new(&[
        Column::text("USER", 255),
        Column::number("PROCESSES", 230),
        Column::number("CPUS", 250),
        Column::number("MEMORY", 245),
        Column::number("READ", 220),
        Column::number("WRITTEN", 220),
    ]);
    for u in &usage.users {
        table.row(vec![
            Cell::new(clean(&u.user)),
            Cell::new(u.processes.to_string()),
            Cell::new(short_number(u.cpus)),
            Cell::new(bytes(u.mem as f64)),
            Cell::new(rate(u.read)),
            Cell::new(rate(u.written)),
        ]);
    }
    table.print(output.out, output.screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    fn ps(users: bool, json: bool, screen: Screen) -> String {
        let (out, _, result) = collected(screen, |o| run(&Args { users, json }, &Fake::five(), o));
        result.expect("it answers");
        out
    }

    #[test]
    fn pages() {
        check_text("ps_pipe.txt", &ps(false, false, Screen::PIPE));
        check_text("ps_60.txt", &ps(false, false, terminal(60)));
        check_text("ps_users.txt", &ps(true, false, Screen::PIPE));
    }

    #[test]
    fn json_is_one_object() {
        let v: serde_json::Value = serde_json::from_str(&ps(false, true, Screen::PIPE)).expect("JSON");
        assert_eq!(v["processes"][0]["pid"], 4711);
    }
}
