//! What every command that chooses nodes can be told, and what it may call them afterwards.

use crate::Failure;
use crate::output::{Output, amount, clean};
use clap::ValueEnum;
use peermon_api::{BestAnswer, BestNode, BestQuery, By, Service};

/// What the nodes must have, and which of them come first.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Requirements")]
pub(crate) struct Choice {
    /// Idle processors
    #[arg(long, value_name = "N")]
    pub(crate) cpus: Option<u32>,
    /// Available memory, such as 8GiB, 8G or 500MB
    #[arg(long, value_name = "BYTES", value_parser = amount)]
    pub(crate) mem: Option<f64>,
    /// GPUs
    #[arg(long, value_name = "N")]
    pub(crate) gpus: Option<u32>,
    /// GPU memory not in use, on all GPUs together
    #[arg(long, value_name = "BYTES", value_parser = amount)]
    pub(crate) gpu_mem: Option<f64>,
    /// A label of the node; may be given several times
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// The zone
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// A condition, e.g. 'cpu.busy < 50%' (docs/expressions.md); may be given several times
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) conditions: Vec<String>,
    /// Requirements in LSF's shape, `select[...] order[...] span[...]`
    #[arg(long, value_name = "LSF", help = "Requirements in LSF's shape: 'select[mem>4G] order[r1m] span[n=4]'")]
    pub(crate) select: Option<String>,
    /// What counts: the least load per core, the most available memory, or both
    #[arg(long, value_enum, default_value = "both", value_name = "WHAT", help_heading = "Order")]
    pub(crate) by: What,
    /// An expression to order by instead, the highest first; a second one decides among those that hardly differ
    #[arg(long, value_name = "EXPR", conflicts_with = "by", allow_hyphen_values = true, help_heading = "Order")]
    pub(crate) order: Vec<String>,
    /// Load per core that counts as no difference
    #[arg(long, value_name = "LOAD", default_value_t = BestQuery::default().cpu_delta, value_parser = load, help_heading = "Order")]
    pub(crate) cpu_delta: f64,
    /// Available memory that counts as no difference, such as 1GB, 500MB or 2GiB
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = amount, help_heading = "Order")]
    pub(crate) mem_delta: f64,
}

/// What counts when ranking.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum What {
    Cpu,
    Mem,
    Both,
}

/// Reads how many nodes.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|n| (1..=BestQuery::N_MAX).contains(n));
    n.ok_or_else(|| format!("it must be a whole number from 1 to {}", BestQuery::N_MAX))
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|l: &f64| l.is_finite() && *l >= 0.0);
    load.ok_or_else(|| "it must be a number of 0 or more, such as 0.1".to_string())
}

impl Default for Choice {
    fn default() -> Self {
        let BestQuery { cpu_delta, mem_delta, .. } = BestQuery::default();
        Choice {
            cpus: None,
            mem: None,
            gpus: None,
            gpu_mem: None,
            label: Vec::new(),
            zone: None,
            conditions: Vec::new(),
            select: None,
            by: What::Both,
            order: Vec::new(),
            cpu_delta,
            mem_delta,
        }
    }
}

impl Choice {
    /// The question to the daemon for `n` nodes; `None` are as many as `--select` says, or one.
    pub(crate) fn query(&self, n: Option<usize>) -> BestQuery {
        let by = match self.by {
            What::Cpu => By::Cpu,
            What::Mem => By::Mem,
            What::Both => By::Both,
        };
        let n = n.unwrap_or(if self.select.is_some() { 0 } else { 1 });
        BestQuery {
            n,
            by,
            cpu_delta: self.cpu_delta,
            mem_delta: self.mem_delta,
            cpus: self.cpus,
            mem: self.mem,
            gpus: self.gpus,
            gpu_mem: self.gpu_mem,
            label: self.label.clone(),
            zone: self.zone.clone(),
            conditions: self.conditions.clone(),
            order: self.order.clone(),
            select: self.select.clone(),
            explain: false,
            whole: false,
        }
    }
}

/// Asks for the best nodes; that there is none is a failure with the reason of each.
pub(crate) fn choose(service: &dyn Service, query: &BestQuery) -> Result<BestAnswer, Failure> {
    let answer = service.best(query)?;
    if answer.best.is_empty() { Err(nobody(service, query)?) } else { Ok(answer) }
}

/// Says so if fewer were found than asked for.
pub(crate) fn tell_short(n: Option<usize>, found: usize, output: &mut Output<'_>) -> Result<(), Failure> {
    match n {
        Some(n) if found < n => {
            output.hint(&format!("Only {found} of {n} nodes could be offered; `peermon best -n {n} --explain` says why."))
        }
        _ => Ok(()),
    }
}

/// That nobody was chosen, and why not. It is asked for only then: the reasons of thousands of nodes take longer than the choice.
pub(crate) fn nobody(service: &dyn Service, query: &BestQuery) -> Result<Failure, Failure> {
    Ok(Failure::new(reasons(&service.best(&BestQuery { explain: true, ..query.clone() })?)))
}

/// Why nobody was chosen, with the reason of each node while they are few.
fn reasons(answer: &BestAnswer) -> String {
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

/// What other programs may call a node: its name, or its address if that is asked for or if the name is none that a host can have.
/// Names come from other machines: one that begins with a dash would be an option to ssh, one with `@` another user.
pub(crate) fn host(node: &BestNode, addresses: bool) -> Result<String, Failure> {
    let usable = |text: &str| {
        let first = text.chars().next();
        first.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'))
    };
    let wanted = if addresses || !usable(&node.name) { &node.address } else { &node.name };
    if usable(wanted) {
        return Ok(wanted.clone());
    }
    let name = clean(&node.name);
    Err(Failure::new(format!(
        "node {name} tells no address and no name that a host can have; `peermon show {name}` says what it tells"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_programs_would_misread_are_not_passed_on() {
        let check = |name: &str, address: &str, addresses: bool, expected: Option<&str>| {
            let node = BestNode {
                name: name.into(),
                id: "01".repeat(32),
                address: address.into(),
                score: 0.0,
                reasons: vec![],
                age_seconds: 0.0,
            };
            assert_eq!(host(&node, addresses).ok().as_deref(), expected, "{name} {address}");
        };
        check("node-1.lab", "10.0.0.1", false, Some("node-1.lab"));
        check("node-1.lab", "10.0.0.1", true, Some("10.0.0.1"));
        check("größe", "fd00::1", false, Some("größe"));
        check("-oProxyCommand=reboot", "10.0.0.1", false, Some("10.0.0.1"));
        check("root@node", "fe80::1%eth0", false, Some("fe80::1%eth0"));
        check("$(reboot)", "::1", false, Some("::1"));
        check("a|b", "", false, None);
        check("node", "", true, None);
    }
}
