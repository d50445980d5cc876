//! Requirements, orders by expressions, and LSF's shape of both.

use super::{GB, Machine, TAKEN, all, machine, table};
use crate::lsf::Lsf;
use crate::{By, Label, Order, Query, Requirements, Sight, Wanted, bytes};
use peermon_expr::Expression;
use peermon_model::{Snapshot, Value};
use proptest::prelude::*;
use std::sync::Arc;

/// Four nodes: `n0` small and idle, `n1` large and busy, `n2` with GPUs and labels, `n3` of which little is known.
fn four() -> Snapshot {
    let unknown = Machine { load: None, memory: None, ..machine(0.0, 4.0, 0.0) };
    let mut t = table(&[machine(0.0, 4.0, 20.0 * GB), machine(32.0, 64.0, 150.0 * GB), machine(4.0, 16.0, 80.0 * GB), unknown]);
    let record = Arc::make_mut(&mut t.nodes[2].record);
    record.zone = "rack-7".parse().expect("a zone");
    record.facts.put("gpu.count", None, Value::Number(4.0));
    record.facts.put("gpu.mem.total", None, Value::Number(160.0 * GB));
    record.facts.put("label.{}", Some("gpu-type"), Value::text("a\"100\\"));
    record.facts.put("label.{}", Some("big"), Value::text("yes"));
    let used = peermon_model::vitals::find("gpu.mem.used").expect("a vital");
    t.nodes[2].vitals.put(used.slot, used.quantiser.encode(0.5, None));
    t
}

fn usable(t: &Snapshot, wanted: &Wanted) -> Vec<usize> {
    (0..t.nodes.len()).filter(|i| Sight::new(t, TAKEN).met(wanted, &t.nodes[*i]).is_ok()).collect()
}

#[test]
fn requirements_are_met_or_not() {
    let t = four();
    let check = |r: Requirements, expected: &[usize]| {
        let wanted = r.compile(&t).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(usable(&t, &wanted), expected, "{r:?}");
    };
    let r = Requirements::default;
    let labels = |l: &[&str]| l.iter().map(|l| l.parse().expect("a label")).collect::<Vec<Label>>();
    let condition = |c: &str| vec![c.parse::<Expression>().expect("an expression")];
    check(r(), &[0, 1, 2, 3]);
    check(Requirements { cpus: Some(4), ..r() }, &[0, 1, 2]);
    check(Requirements { cpus: Some(12), ..r() }, &[1, 2]);
    check(Requirements { cpus: Some(13), ..r() }, &[1]);
    check(Requirements { mem: Some(20.0 * GB), ..r() }, &[0, 1, 2]);
    check(Requirements { mem: Some(100.0 * GB), ..r() }, &[1]);
    check(Requirements { mem: Some(f64::INFINITY), ..r() }, &[]);
    check(Requirements { mem: Some(-1.0), ..r() }, &[0, 1, 2]);
    check(Requirements { gpus: Some(4), ..r() }, &[2]);
    check(Requirements { gpus: Some(5), ..r() }, &[]);
    check(Requirements { gpu_mem: Some(80.0 * GB), ..r() }, &[2]);
    check(Requirements { gpu_mem: Some(81.0 * GB), ..r() }, &[]);
    check(Requirements { labels: labels(&["big"]), ..r() }, &[2]);
    check(Requirements { labels: labels(&["big=yes", "gpu-type=a\"100\\"]), ..r() }, &[2]);
    check(Requirements { labels: labels(&["big=no"]), ..r() }, &[]);
    check(Requirements { zone: Some("rack-7".parse().expect("a zone")), ..r() }, &[2]);
    check(Requirements { zone: Some("default".parse().expect("a zone")), ..r() }, &[0, 1, 3]);
    check(Requirements { conditions: condition("name ~ 'n?' && load.1 < 5"), ..r() }, &[0, 2]);
    check(Requirements { cpus: Some(8), conditions: condition("mem.available < 100GB"), ..r() }, &[2]);
    let wrong = Requirements { conditions: condition("mem.free > 1GB"), ..r() };
    assert!(wrong.compile(&t).is_err_and(|e| e.message() == "no attribute is named mem.free"));
}

#[test]
fn amounts_and_labels_are_read() {
    let check = |text: &str, expected: Option<f64>| assert_eq!(bytes(text).ok(), expected, "{text}");
    check("8G", Some(8.0 * 1024.0 * 1024.0 * 1024.0));
    check("500 MB", Some(5e8));
    check("2 * 1GB", Some(2e9));
    for wrong in ["8", "8s", "-1GB", "mem.total", "", "8X"] {
        check(wrong, None);
    }
    assert!(bytes("8s").is_err_and(|e| e.to_string().ends_with("write e.g. 8GiB, 8G or 500MB")));
    assert!("=x".parse::<Label>().is_err_and(|e| e.to_string().contains("KEY=VALUE")));
    assert!("a\nb".parse::<Label>().is_err());
}

#[test]
fn nodes_left_out_are_told_what_they_lack() {
    let t = four();
    let condition = "cpu.threads - load.1 > 8".parse::<Expression>().expect("an expression");
    let wanted = Requirements { mem: Some(30.0 * GB), conditions: vec![condition], ..Requirements::default() };
    let wanted = wanted.compile(&t).expect("requirements");
    let ranking = Sight::new(&t, TAKEN).rank(&all(By::Cpu), &wanted, 1);
    assert_eq!(ranking.best.iter().map(|c| c.index).collect::<Vec<_>>(), [2, 1]);
    let said: Vec<_> = ranking.left_out.iter().map(|(i, r)| format!("{i} {r}")).collect();
    assert_eq!(
        said,
        [
            "0 it does not have what was asked for: 27.9 GiB of memory available (mem.available is 18.63 GiB)",
            "3 it does not publish a usable load.1",
        ]
    );
    let ranking = Sight::new(&t, TAKEN).rank(&Query { n: 9, by: By::Mem, ..Query::default() }, &wanted, 1);
    assert!(ranking.left_out[1].1.to_string().contains("does not publish a usable mem.available"));
    let gpus = Requirements { gpus: Some(1), ..Requirements::default() }.compile(&t).expect("requirements");
    let said = Sight::new(&t, TAKEN).met(&gpus, &t.nodes[0]).expect_err("it has none").to_string();
    assert_eq!(said, "it is not known to have what was asked for: 1 GPUs (gpu.count is not known)");
}

fn ordered(t: &Snapshot, order: &Order, seed: u64) -> Vec<usize> {
    Sight::new(t, TAKEN).rank_by(usize::MAX, order, &Wanted::default(), seed).best.iter().map(|p| p.index).collect()
}

#[test]
fn the_highest_comes_first_and_the_unknown_last() {
    let t = four();
    let check = |keys: &[&str], expected: &[usize]| {
        let keys: Vec<Expression> = keys.iter().map(|k| k.parse().expect("an expression")).collect();
        let order = Order::new(&keys, Order::DELTA, &t).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(ordered(&t, &order, 1), expected, "{keys:?}");
    };
    check(&["mem.available"], &[1, 2, 0]);
    check(&["-mem.available"], &[0, 2, 1]);
    check(&["mem.available / (1 + load.1 / cpu.threads)"], &[1, 2, 0]);
    check(&["cpu.threads", "load.1"], &[1, 2, 0, 3]);
    // All have the same zone or another: the second key decides, unknown last.
    check(&["if(zone == 'default', 1, 0)", "-load.1"], &[0, 1, 3, 2]);
    check(&["gpu.count"], &[2]);
    let gpu = Order::new(&["gpu.count".parse().expect("an expression")], 0.0, &t).expect("an order");
    let found = Sight::new(&t, TAKEN).rank_by(1, &gpu, &Wanted::default(), 1);
    assert!(found.left_out.iter().all(|(_, r)| r.to_string() == "nothing that it is to be ordered by is known of it"));
    let text = ["name".parse().expect("an expression")];
    assert!(Order::new(&text, 0.0, &t).is_err_and(|e| e.message() == "a number is wanted here, and this is a text"));
}

#[test]
fn equals_in_an_order_stand_by_lot() {
    // Loads that hardly differ, and one that does.
    let t = table(&[machine(0.0, 4.0, GB), machine(0.1, 4.0, GB), machine(0.05, 4.0, GB), machine(4.0, 4.0, GB)]);
    let order = Order::new(&["-load.1 / cpu.threads".parse().expect("an expression")], Order::DELTA, &t).expect("an order");
    let mut first = [0; 4];
    for seed in 0..300 {
        let list = ordered(&t, &order, seed);
        assert_eq!(list[3], 3, "the busy one is last");
        first[list[0]] += 1;
    }
    // 100 expected with a deviation of 8; the seeds are fixed, so this never flickers.
    assert!(first[..3].iter().all(|n| (70..130).contains(n)), "{first:?}");
    let placed = Sight::new(&t, TAKEN).rank_by(2, &order, &Wanted::default(), 5);
    assert!(placed.best.iter().all(|p| (p.equals, p.better) == (3, 0)));
    assert!(placed.left_out.iter().any(|(_, r)| r.to_string() == "usable, but number 4 of 4 and 2 asked for"));
}

#[test]
fn lsf_is_understood() {
    let t = four();
    let check = |text: &str, select: &str, order: &[&str], nodes, per_node| {
        let lsf = Lsf::parse(text).unwrap_or_else(|e| panic!("{e}"));
        let got: Vec<_> = lsf.order.iter().map(ToString::to_string).collect();
        let said = lsf.select.as_ref().map_or(String::new(), ToString::to_string);
        assert_eq!(
            (&*said, &got[..], lsf.nodes, lsf.per_node),
            (select, &order.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..], nodes, per_node)
        );
        let mut r = Requirements::default();
        lsf.add_to(&mut r);
        r.compile(&t).unwrap_or_else(|e| panic!("{e}"));
        lsf.order(0.05, &t).unwrap_or_else(|e| panic!("{e}"));
    };
    check(
        "select[mem>4G && gpus_free>=1 && tag(big)] order[-free_cpu:mem] span[n=4]",
        "mem.available > 4GiB && gpu.count * (1 - gpu.mem.used) >= 1 && tag(big)",
        &["-max(cpu.threads - load.1, 0)", "mem.available"],
        Some(4),
        None,
    );
    check("mem > 500 && defined(swp)", "mem.available > 500MiB && known(swap.total - swap.used)", &[], None, None);
    check("order[r1m:-ut:ls]", "", &["-(load.1 / cpu.threads)", "cpu.busy", "-users.logged_in"], None, None);
    check("order[ mem / ncpus ] span[ptile=2]", "", &["mem.available / cpu.threads"], None, Some(2));
    check(
        "span[hosts=1] select[hname == 'a]b' || type ~ \"x\\\"]*\"]",
        "name == \"a]b\" || os.arch ~ \"x\\\"]*\"",
        &[],
        Some(1),
        None,
    );
    check("order[if(hname == 'a:b', 1, 0):mem]", "", &["if(name == \"a:b\", 1, 0)", "mem.available"], None, None);

    let wrong = |text: &str, message: &str, marked: &str| {
        let e = Lsf::parse(text).expect_err(text);
        assert_eq!((e.message(), &text[e.range()]), (message, marked), "{e}");
        assert!(e.hint().is_some(), "{e}");
    };
    wrong("", "there is no requirement", "");
    wrong("select[pg < 5]", "pg is not in the table", "pg");
    wrong("select[mem > ] order[mem]", "the expression ends too early", "");
    wrong("select[mem > 1", "this bracket is not closed", "[");
    wrong("rusage[mem=4]", "there is no section \"rusage\" here", "rusage");
    wrong("order[mem] order[ut]", "there are two order sections", "order[ut]");
    wrong("order[]", "there is no expression", "");
    wrong("order[mem] mem > 1", "a section is wanted here", "mem > 1");
    wrong("span[n=0]", "the number must be 1 to 100000", "n=0");
    wrong("span[4]", "this is not KEY=NUMBER", "4");
    wrong("span[block=4]", "nodes can span n, hosts or ptile only", "block=4");
}

#[test]
fn every_lsf_word_means_something() {
    let t = four();
    for alias in crate::lsf::WORDS.aliases {
        let text = format!("select[defined({})]", alias.name);
        let mut r = Requirements::default();
        Lsf::parse(&text).unwrap_or_else(|e| panic!("{e}")).add_to(&mut r);
        r.compile(&t).unwrap_or_else(|e| panic!("{e}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_requirement_is_answered(pieces in prop::collection::vec(0usize..16, 0..24), junk in "\\PC{0,8}") {
        const PIECES: &[&str] = &[
            "select[", "order[", "span[", "]", "mem", ">", "4G", ":", "-", "r1m", "n=4", "\"", "'", "\\", " ", "&&",
        ];
        let text: String = pieces.iter().map(|i| PIECES[*i]).collect::<String>() + &junk;
        if let Err(e) = Lsf::parse(&text) {
            prop_assert!(text.get(e.range()).is_some());
            prop_assert!(e.to_string().len() < 2_000);
        }
    }

    #[test]
    fn an_order_does_not_depend_on_the_snapshots(loads in prop::collection::vec(0.0..64.0f64, 1..20), seed: u64, turn in 0usize..20) {
        let machines: Vec<_> = loads.iter().map(|l| machine(*l, 8.0, 10.0 * GB)).collect();
        let t = table(&machines);
        let mut turned = t.clone();
        turned.nodes.rotate_left(turn.min(machines.len()));
        let order = Order::new(&["-load.1".parse().expect("an expression")], 0.05, &t).expect("an order");
        let ids = |t: &Snapshot| ordered(t, &order, seed).iter().map(|i| t.nodes[*i].record.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&t), ids(&turned));
        prop_assert_eq!(ids(&t).len(), loads.len());
    }
}
