use crate::net::Host;
use anyhow::Result;
use std::fmt::Write;

/// What is wrong with the network on its way to one host. Rules at the receiver can make every kind of bad network: a cut of
/// one direction is a host that is deaf to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// How many of 100 packets get lost, chosen at random.
    pub loss_percent: u8,
    /// Numbers of the hosts from which nothing arrives.
    pub deaf_to: Vec<usize>,
    /// Most bits per second that the host can send; `None` for no limit.
    pub rate_bits: Option<u64>,
    /// Bytes that wait at that limit before further ones are lost; `None`: what leaves within 50 ms, as in a small switch.
    pub queue_bytes: Option<u32>,
}

/// The whole ruleset of a host, in nftables' language. Loading it replaces the former one at once.
pub(crate) fn rules(what: &Impairment, deaf_to: &[String]) -> String {
    // `table` before `delete` makes the deletion work the first time too.
    let mut text = "table inet testbed\ndelete table inet testbed\n".to_string();
    let mut drops = String::new();
    // By Ethernet address, so that neighbour discovery, multicast and every address family are cut as well.
    if !deaf_to.is_empty() {
        let _ = writeln!(drops, "iifname \"eth0\" ether saddr {{ {} }} drop", deaf_to.join(", "));
    }
    if what.loss_percent > 0 {
        let _ = writeln!(drops, "iifname \"eth0\" numgen random mod 100 < {} drop", what.loss_percent);
    }
    if !drops.is_empty() {
        let _ = writeln!(
            text,
            "table inet testbed {{\nchain in {{\ntype filter hook input priority 0; policy accept;\n{drops}}}\n}}"
        );
    }
    text
}

/// Limits what a host sends.
pub(crate) fn limit_rate(host: &Host, what: &Impairment) -> Result<()> {
    let Some(bits) = what.rate_bits else {
        return host.run(&["tc", "qdisc", "delete", "dev", "eth0", "root"]).map(drop);
    };
    let rate = format!("{bits}bit");
    let (bound, amount) = what.queue_bytes.map_or(("latency", "50ms".into()), |bytes| ("limit", bytes.to_string()));
    // A burst of some full packets.
    let limit = ["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", &rate, "burst", "16kb", bound, &amount];
    host.run(&limit).map(drop)
}
