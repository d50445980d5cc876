use super::nodes::state_style;
use crate::Failure;
use crate::output::{self, Cell, Column, Output, Table, age, attribute, clean, seconds};
use owo_colors::Style;
use peermon_api::{FactValue, NodeView, Service};

/// Show everything known about one node
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon show node-1
  peermon show 3f9a                 by the first digits of its id
  peermon show node-1 --json | jq '.vitals[\"load.1\"]'")]
pub(crate) struct Args {
    /// Its name, its id, or the first 4 or more digits of its id
    node: String,
    /// Print a JSON object, with numbers in base units
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let node = service.node(&args.node)?;
    if args.json {
        return output.json(&node);
    }
    head(&node, output)?;
    vitals(&node, output)?;
    facts(&node, output)
}

fn head(n: &NodeView, output: &mut Output<'_>) -> Result<(), Failure> {
    let s = output.screen;
    let this = if n.this { " (this node)" } else { "" };
    let state = s.paint(n.state.name(), state_style(n.state));
    output.line(&format!("{}{this}, {state} for {}", s.paint(&clean(&n.name), Style::new().bold()), seconds(n.state_seconds)))?;
    let addresses = if n.addresses.is_empty() { "none known".to_string() } else { n.addresses.join(", ") };
    let values = n.age_seconds.map_or("none have come yet".to_string(), |a| format!("{} old", age(a)));
    let mut lines = vec![
        ("id", n.id.clone()),
        ("zone", n.zone.clone()),
        ("addresses", addresses),
        ("values", format!("{values}, published every {}", seconds(n.period_seconds))),
        ("incarnation", n.incarnation.to_string()),
    ];
    if let Some(why) = &n.avoided {
        lines.push(("avoided", format!("from here: {why}")));
    }
    for notice in &n.notices {
        let shown = notice.seconds.map_or_else(String::new, |s| format!(", for {}", seconds(s)));
        match notice.topic.strip_prefix("health.") {
            Some(_) => lines.push(("unhealthy", format!("{}{shown}", notice.text))),
            None => lines.push(("notice", format!("{}: {}", notice.topic, notice.text))),
        }
    }
    for (what, text) in lines {
        output.entry(what, &text)?;
    }
    Ok(())
}

fn vitals(n: &NodeView, output: &mut Output<'_>) -> Result<(), Failure> {
    if n.vitals.is_empty() {
        return Ok(());
    }
    let mut table =
        Table::new(&[Column::text("  VITAL", 255), Column::number("VALUE", 255), Column::text("WHAT IT SAYS", 10).folds_to(20)]);
    for (name, value) in &n.vitals {
        table.row(vec![
            Cell::new(format!("  {name}")),
            Cell::new(output::value(name, *value)),
            Cell::new(attribute(name).map_or("This node's own.", |a| &a.help)).styled(Style::new().dimmed()),
        ]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

fn facts(n: &NodeView, output: &mut Output<'_>) -> Result<(), Failure> {
    if n.facts.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[Column::text("  FACT", 255), Column::text("VALUE", 255).folds_to(20)]);
    for (name, value) in &n.facts {
        let value = match value {
            FactValue::Text(t) => t.clone(),
            FactValue::Number(n) => output::value(name, *n),
        };
        table.row(vec![Cell::new(format!("  {name}")), Cell::new(value)]);
    }
    output.line("")?;
    table.print(output.out, output.screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, check_text, terminal};

    fn show(node: &str, json: bool, screen: Screen) -> (String, Result<(), Failure>) {
        let (out, _, result) = collected(screen, |o| run(&Args { node: node.to_string(), json }, &Fake::five(), o));
        (out, result)
    }

    #[test]
    fn pages() {
        check_text("show_pipe.txt", &show("here-1", false, Screen::PIPE).0);
        check_text("show_60.txt", &show("here-1", false, terminal(60)).0);
        check_text("show_unheard.txt", &show("0505", false, terminal(80)).0);
    }

    #[test]
    fn json_is_one_object() {
        let v: serde_json::Value = serde_json::from_str(&show("here-1", true, Screen::PIPE).0).expect("JSON");
        assert_eq!(v["notices"][0]["topic"], "maintenance");
    }

    #[test]
    fn an_unknown_node_is_named() {
        let (_, result) = show("nobody", false, Screen::PIPE);
        assert_eq!(result.expect_err("no such node").to_string(), "there is no node nobody; `peermon nodes` lists all");
    }
}
