//! The goals, and the reference simulation's figures: what was to be reached, and whether it was.

use super::cells::{PEERMON_FAST, PEERMON_SLOW, PUSH, WAVE};
use super::figures::Figures;
use super::page::{Table, Unit};

/// Sizes with goals of their own, in the order of [`Gate::limits`].
pub(crate) const GATED: [usize; 3] = [500, 2_200, 10_000];

/// A ratio above which a figure is marked as worse than the reference's.
const WORSE: f64 = 1.15;

/// A goal: a figure of this project that must not be above a limit.
struct Gate {
    what: &'static str,
    condition: &'static str,
    quantity: &'static str,
    unit: Unit,
    /// By size; none where there is no goal.
    limits: [Option<f64>; 3],
}

const fn gate(what: &'static str, from: (&'static str, &'static str), unit: Unit, limits: (f64, f64)) -> Gate {
    Gate { what, condition: from.0, quantity: from.1, unit, limits: [Some(limits.0), Some(limits.1), None] }
}

const fn with_10_000(mut gate: Gate, limit: f64) -> Gate {
    gate.limits[2] = Some(limit);
    gate
}

/// The extra bytes at a loss, in proportion to none, have no figure of their own.
const EXTRA: &str = "extra";

/// All goals that a simulator can show.
const GATES: &[Gate] = &[
    with_10_000(gate("sent, realistic rows", ("loss-0", "sent"), Unit::Kilobytes, (6e3, 18e3)), 70e3),
    with_10_000(gate("age, mean", ("loss-0", "age_mean"), Unit::Seconds, (0.53, 0.54)), 0.545),
    with_10_000(gate("age, p99", ("loss-0", "age_p99"), Unit::Seconds, (1.05, 1.05)), 1.055),
    with_10_000(gate("age, max", ("loss-0", "age_max"), Unit::Seconds, (1.3, 1.3)), 1.305),
    gate("at PeerMon's bandwidth (T = 0.25 / 0.9 s): age, mean", ("budget", "age_mean"), Unit::Seconds, (0.16, 0.50)),
    gate("the same: sent", ("budget", "sent"), Unit::Kilobytes, (21.25e3, 18.75e3)),
    gate("sent, full rows (12 B)", ("full-rows", "sent"), Unit::Kilobytes, (9.5e3, 32e3)),
    gate("datagrams sent per second", ("loss-0", "datagrams"), Unit::Number, (40.0, 60.0)),
    gate("rows received per new one", ("loss-0", "rows_per_new"), Unit::Ratio, (1.02, 1.02)),
    gate("5 % loss: age, mean", ("loss-5", "age_mean"), Unit::Seconds, (0.55, 0.56)),
    gate("5 % loss: age, p99", ("loss-5", "age_p99"), Unit::Seconds, (1.05, 1.06)),
    gate("5 % loss: sent more", ("loss-5", EXTRA), Unit::Percent, (0.40, 0.25)),
    gate("20 % loss: age, mean", ("loss-20", "age_mean"), Unit::Seconds, (0.60, 0.62)),
    gate("20 % loss: age, p99", ("loss-20", "age_p99"), Unit::Seconds, (1.15, 1.15)),
    gate("10 % crash: suspect everywhere, mean", ("crash", "suspect_mean"), Unit::Seconds, (0.85, 0.85)),
    gate("10 % crash: suspect everywhere, worst", ("crash", "suspect_worst"), Unit::Seconds, (1.4, 1.4)),
    gate("10 % crash: dead everywhere, mean", ("crash", "dead_mean"), Unit::Seconds, (1.85, 1.85)),
    gate("10 % crash: dead everywhere, worst", ("crash", "dead_worst"), Unit::Seconds, (2.5, 2.5)),
    gate("the same at 20 % loss: dead everywhere, mean", ("crash-20", "dead_mean"), Unit::Seconds, (1.85, 1.85)),
    gate("the same at 20 % loss: dead everywhere, worst", ("crash-20", "dead_worst"), Unit::Seconds, (2.5, 2.5)),
    gate("20 % loss: nodes called dead falsely", ("watch-20", "false_down"), Unit::Count, (0.0, 0.0)),
    gate("stalls of 0.1 to 0.9 s: called dead", ("stalls", "dead"), Unit::Count, (0.0, 0.0)),
    gate("10 % crash: live rows' p99 age, worst moment", ("crash", "age_p99"), Unit::Seconds, (1.3, 1.3)),
    gate("partition healed: all fresh within", ("partition", "fresh"), Unit::Seconds, (1.0, 1.0)),
    gate("10 % join: all know all within", ("join", "complete"), Unit::Seconds, (2.0, 2.0)),
    gate("busiest node / mean", ("loss-0", "busiest"), Unit::Ratio, (1.5, 1.6)),
];

fn measured(figures: &Figures, nodes: usize, gate: &Gate) -> Option<f64> {
    if gate.quantity == EXTRA {
        let sent = |condition| figures.at(nodes, WAVE.key, condition, "sent");
        return Some(sent(gate.condition)? / sent("loss-0")? - 1.0);
    }
    figures.at(nodes, WAVE.key, gate.condition, gate.quantity)
}

fn verdict(value: f64, limit: f64) -> String {
    match value {
        v if v <= limit => "holds".into(),
        v if limit == 0.0 || v.is_infinite() => "**fails**".into(),
        v if v < 1.01 * limit => format!("**fails by {:.2} %**", 100.0 * (v / limit - 1.0)),
        v => format!("**fails by {:.1} %**", 100.0 * (v / limit - 1.0)),
    }
}

/// Goal, measured, verdict; for each size that has goals.
pub(crate) fn gates(figures: &Figures) -> Table {
    let mut table = Table::new("Goals", &["goal"]);
    // the largest size is measured on request only
    let shown = |nodes: &usize| *nodes < GATED[2] || figures.sizes().contains(nodes);
    for nodes in GATED.into_iter().filter(shown) {
        table.heads.extend([format!("{} nodes: at most", super::page::thousands(nodes)), "measured".into(), "verdict".into()]);
    }
    for gate in GATES {
        let mut row = vec![gate.what.to_string()];
        for (nodes, limit) in GATED.into_iter().zip(gate.limits).filter(|(nodes, _)| shown(nodes)) {
            let value = measured(figures, nodes, gate);
            row.extend(match (limit, value) {
                (None, _) => [String::new(), String::new(), String::new()],
                (Some(limit), None) => [gate.unit.show(limit), "not measured".into(), String::new()],
                (Some(limit), Some(value)) => [gate.unit.show(limit), gate.unit.show(value), verdict(value, limit)],
            });
        }
        table.rows.push(row);
    }
    table
}

/// Which goals fail, and by how much: a line each.
#[cfg(test)]
fn failing(figures: &Figures, nodes: usize) -> usize {
    let limits = GATES.iter().filter_map(|g| {
        let place = GATED.iter().position(|n| *n == nodes)?;
        Some((measured(figures, nodes, g)?, g.limits[place]?))
    });
    limits.filter(|(value, limit)| value > limit).count()
}

/// A figure of the reference simulation.
struct Reference {
    nodes: usize,
    protocol: &'static str,
    condition: &'static str,
    quantity: &'static str,
    value: f64,
}

/// Steady states: age mean, p99, max in seconds and kB/s sent, at 0, 1, 5 and 20 % loss; then datagrams a second and the
/// busiest node's share at no loss. This project's with rows of 6 bytes, the push's with 12.
type Steady = (usize, &'static str, [[f64; 4]; 4], f64, f64);

const STEADY: &[Steady] = &[
    (
        500,
        WAVE.key,
        [[0.52, 1.00, 1.07, 5.2], [0.52, 1.00, 1.1, 5.7], [0.52, 1.01, 1.2, 7.1], [0.55, 1.05, 1.2, 12.5]],
        33.0,
        1.25,
    ),
    (
        2_200,
        WAVE.key,
        [[0.52, 1.01, 1.08, 16.2], [0.52, 1.01, 1.1, 17.1], [0.53, 1.02, 1.2, 19.7], [0.56, 1.07, 1.2, 29.5]],
        45.0,
        1.38,
    ),
    (
        500,
        PEERMON_SLOW.key,
        [[22.49, 39.07, 62.44, 4.4], [22.74, 40.53, 67.1, 4.4], [23.67, 42.13, 76.4, 4.4], [27.81, 49.53, 85.8, 4.4]],
        8.0,
        1.0,
    ),
    (
        500,
        PEERMON_FAST.key,
        [[2.25, 3.96, 6.76, 44.4], [2.26, 3.96, 6.5, 44.4], [2.35, 4.12, 7.2, 44.4], [2.77, 4.88, 8.7, 44.4]],
        84.0,
        1.0,
    ),
    (
        2_200,
        PEERMON_SLOW.key,
        [[27.40, 44.54, 79.70, 19.5], [27.61, 44.52, 86.7, 19.5], [28.70, 46.30, 86.7, 19.5], [33.86, 54.91, 110.7, 19.5]],
        37.0,
        1.0,
    ),
    (
        2_200,
        PEERMON_FAST.key,
        [[2.75, 4.45, 7.58, 195.1], [2.77, 4.49, 7.5, 195.1], [2.88, 4.67, 8.2, 195.1], [3.40, 5.52, 10.8, 195.1]],
        369.0,
        1.0,
    ),
    (
        500,
        PUSH.key,
        [[0.80, 1.47, 4.31, 28.4], [0.80, 1.49, 4.5, 28.4], [0.82, 1.63, 4.4, 28.4], [0.90, 2.09, 5.4, 28.4]],
        20.0,
        1.0,
    ),
    (
        2_200,
        PUSH.key,
        [[1.39, 4.96, 17.14, 28.4], [1.40, 5.02, 17.4, 28.4], [1.46, 5.22, 18.2, 28.4], [1.74, 6.33, 23.4, 28.4]],
        20.0,
        1.0,
    ),
];

/// Everything else, of this project; bytes are those of 12-byte rows.
const EVENTS: &[(usize, &str, &str, f64)] = &[
    (500, "full-rows", "sent", 8.3e3),
    (500, "crash", "suspect_mean", 0.82),
    (500, "crash", "suspect_worst", 1.32),
    (500, "crash", "dead_mean", 1.82),
    (500, "crash", "dead_worst", 2.32),
    (500, "crash", "age_p99", 1.14),
    (500, "crash", "age_max", 2.3),
    (500, "crash", "sent_first_second", 22e3),
    (500, "partition", "down_mean", 3.5),
    (500, "partition", "down_worst", 5.0),
    (500, "partition", "sent_peak", 31e3),
    (500, "partition", "sent_per_heal_second", 85e3),
    (500, "partition", "fresh", 0.08),
    (500, "join", "complete", 0.3),
    (500, "join", "sent_per_second", 20e3),
    (500, "budget", "age_mean", 0.14),
    (500, "budget", "sent", 21e3),
    (2_200, "full-rows", "sent", 30e3),
    (2_200, "crash", "suspect_mean", 0.83),
    (2_200, "crash", "suspect_worst", 1.33),
    (2_200, "crash", "dead_mean", 1.83),
    (2_200, "crash", "dead_worst", 2.33),
    (2_200, "crash", "age_p99", 1.14),
    (2_200, "crash", "age_max", 2.1),
    (2_200, "crash", "sent_first_second", 78e3),
    (2_200, "partition", "down_mean", 5.0),
    (2_200, "partition", "down_worst", 5.3),
    (2_200, "partition", "sent_peak", 112e3),
    (2_200, "partition", "sent_per_heal_second", 349e3),
    (2_200, "partition", "fresh", 0.08),
    (2_200, "join", "complete", 1.1),
    (2_200, "join", "sent_per_second", 56e3),
    (2_200, "budget", "age_mean", 0.47),
    (2_200, "budget", "sent", 18e3),
    (10_000, "loss-0", "age_mean", 0.525),
    (10_000, "loss-0", "sent", 65.8e3),
    (10_000, "full-rows", "sent", 128.7e3),
    (10_000, "loss-0", "busiest", 1.4),
];

fn references() -> Vec<Reference> {
    let mut all = Vec::new();
    for (nodes, protocol, losses, datagrams, busiest) in STEADY {
        let mut add = |condition, quantity, value| all.push(Reference { nodes: *nodes, protocol, condition, quantity, value });
        for ((condition, _), [mean, p99, max, sent]) in super::cells::LOSSES.into_iter().zip(losses) {
            add(condition, "age_mean", *mean);
            add(condition, "age_p99", *p99);
            add(condition, "age_max", *max);
            add(condition, "sent", sent * 1e3);
        }
        add("loss-0", "datagrams", *datagrams);
        add("loss-0", "busiest", *busiest);
    }
    let event = |(nodes, condition, quantity, value): &(usize, &'static str, &'static str, f64)| Reference {
        nodes: *nodes,
        protocol: WAVE.key,
        condition,
        quantity,
        value: *value,
    };
    all.extend(EVENTS.iter().map(event));
    all
}

/// This run's figures beside the reference simulation's, with the ratio.
pub(crate) fn comparison(figures: &Figures) -> Table {
    let heads = ["protocol", "nodes", "condition", "quantity", "reference", "measured", "ratio", ""];
    let mut table = Table::new("Beside the reference simulation", &heads);
    let name = |key| super::cells::PROTOCOLS.iter().find(|p| p.key == key).map_or(key, |p| p.name);
    for r in references() {
        let Some(value) = figures.at(r.nodes, r.protocol, r.condition, r.quantity) else { continue };
        let (unit, ratio) = (Unit::of(r.quantity), value / r.value);
        table.rows.push(vec![
            name(r.protocol).into(),
            super::page::thousands(r.nodes),
            super::page::condition(r.condition).into(),
            super::page::quantity(r.quantity).into(),
            unit.show(r.value),
            unit.show(value),
            format!("{ratio:.2}"),
            if ratio > WORSE { "**worse**".into() } else { String::new() },
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::figures::Figure;
    use super::*;

    fn figures(sent: f64, sent_5: f64) -> Figures {
        let mut figures = Figures::default();
        let figure = |condition, value| Figure { condition, quantity: "sent", value };
        figures.put(500, "wave", vec![figure("loss-0", sent), figure("loss-5", sent_5)]);
        figures
    }

    #[test]
    fn a_goal_holds_at_its_limit_and_fails_by_a_share() {
        let table = gates(&figures(6_600.0, 9_240.0));
        let row = |what: &str| table.rows.iter().find(|r| r[0] == what).unwrap()[1..4].join(" | ");
        assert_eq!(row("sent, realistic rows"), "6.00 kB | 6.60 kB | **fails by 10.0 %**");
        assert_eq!(row("5 % loss: sent more"), "40.0 % | 40.0 % | holds");
        assert_eq!(row("age, max"), "1.300 s | not measured | ");
        assert_eq!(failing(&figures(6_600.0, 9_240.0), 500), 1);
        assert_eq!(failing(&figures(6_000.0, 9_240.0), 500), 1);
        assert_eq!((verdict(0.0, 0.0), verdict(1.0, 0.0)), ("holds".into(), "**fails**".into()));
        assert_eq!(verdict(0.530_12, 0.53), "**fails by 0.02 %**");
        assert_eq!(verdict(f64::INFINITY, 2.0), "**fails**");
    }

    #[test]
    fn the_reference_has_its_ratio_and_mark() {
        let table = comparison(&figures(6_500.0, 7_100.0));
        let ends: Vec<_> = table.rows.iter().map(|r| r[4..].join(" ")).collect();
        assert_eq!(ends, ["5.20 kB 6.50 kB 1.25 **worse**", "7.10 kB 7.10 kB 1.00 "]);
    }
}
