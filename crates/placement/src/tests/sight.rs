//! What age and claims do to a ranking.

use super::{GB, Machine, TAKEN, all, machine, table};
use crate::{By, Claimed, Claims, Order, Query, Requirements, Sight, Wanted};
use peermon_expr::Expression;
use peermon_model::{NodeId, Snapshot, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn claims(of: &[(u8, Claimed)]) -> Claims {
    let mut claims = Claims::default();
    of.iter().for_each(|(n, c)| claims.add(NodeId([*n; 32]), *c));
    claims
}

const NOTHING: Claimed = Claimed { cpus: 0.0, mem: 0.0, gpus: 0.0 };

/// The indices of a ranking with no two equals.
fn exact(t: &Snapshot, by: By, claimed: &Claims) -> Vec<usize> {
    let query = Query { cpu_delta: 0.0, mem_delta: 0.0, ..all(by) };
    let sight = Sight::new(t, TAKEN).with_claims(claimed);
    sight.rank(&query, &Wanted::default(), 1).best.iter().map(|c| c.index).collect()
}

#[test]
fn a_low_load_counts_less_the_older_it_is() {
    let aged = |load: f64, age: u64| Machine { age: Some(age), ..machine(load, 4.0, 50.0 * GB) };
    let none = Claims::default();
    // Mean load per core 0.5. Idle 9 s ago is believed to be 0.07 now: a load of 0.02 that is fresh comes first.
    let t = table(&[aged(0.0, 9_000), aged(0.1, 0), aged(5.9, 0)]);
    assert_eq!(exact(&t, By::Cpu, &none), [1, 0, 2]);
    let ranking = Sight::new(&t, TAKEN).rank(&all(By::Cpu), &Wanted::default(), 1);
    let old = ranking.best.iter().find(|c| c.index == 0).expect("it is usable");
    assert!(old.load_told == 0.0 && (0.065..0.075).contains(&old.load_per_core), "{old:?}");
    let said = old.reasons(&all(By::Cpu));
    assert_eq!(said[1], "its load per core was 0.00, but that was 9.0 s ago: it counts as nearer to what is usual");
    // A high one is not lowered, and of equal ages the order is the one that was told.
    let busy = ranking.best.iter().find(|c| c.index == 2).expect("it is usable");
    assert_eq!(busy.load_per_core, busy.load_told);
    assert_eq!(exact(&table(&[aged(0.1, 9_000), aged(0.0, 9_000), aged(8.0, 9_000)]), By::Cpu, &none), [1, 0, 2]);
    // Where all are idle, age says nothing.
    let idle = Sight::new(&table(&[aged(0.0, 9_000), aged(0.0, 0)]), TAKEN).rank(&all(By::Cpu), &Wanted::default(), 1);
    assert!(idle.best.iter().all(|c| c.load_per_core == 0.0));
}

#[test]
fn what_others_have_claimed_is_taken() {
    let t = table(&[machine(0.0, 4.0, 100.0 * GB), machine(0.0, 4.0, 90.0 * GB)]);
    let check =
        |by, claimed: Claimed, expected: &[usize]| assert_eq!(exact(&t, by, &claims(&[(0, claimed)])), expected, "{by:?}");
    check(By::Both, NOTHING, &[0, 1]);
    check(By::Both, Claimed { cpus: 2.0, ..NOTHING }, &[1, 0]);
    check(By::Both, Claimed { mem: 20.0 * GB, ..NOTHING }, &[1, 0]);
    check(By::Both, Claimed { mem: 5.0 * GB, ..NOTHING }, &[0, 1]);
    check(By::Cpu, Claimed { cpus: 1.0, ..NOTHING }, &[1, 0]);
    // A quarter of what falls to a processor, 12.5 GB, is supposed to go with each, if no memory is named.
    check(By::Mem, Claimed { cpus: 0.7, ..NOTHING }, &[0, 1]);
    check(By::Mem, Claimed { cpus: 1.0, ..NOTHING }, &[1, 0]);
    check(By::Mem, Claimed { cpus: 1.0, mem: 1.0 * GB, ..NOTHING }, &[0, 1]);
    check(By::Mem, Claimed { mem: f64::INFINITY, ..NOTHING }, &[1, 0]);
    check(By::Both, Claimed { cpus: -5.0, mem: f64::NAN, gpus: f64::NAN }, &[0, 1]);

    let one = claims(&[(0, Claimed { cpus: 1.5, mem: 50.0 * GB, ..NOTHING }), (0, Claimed { cpus: 0.5, ..NOTHING })]);
    let sight = Sight::new(&t, TAKEN).with_claims(&one);
    let found = sight.rank(&all(By::Both), &Wanted::default(), 1);
    let said = found.best[1].reasons(&all(By::Both));
    assert_eq!(
        said[1],
        "claims take 2 processors, 46.6 GiB of memory of it, and those that name no memory are supposed to take 5.8 GiB"
    );
    // whoever asks for so much memory is told of what was named only
    let wanted = Requirements { mem: Some(49.9 * GB), ..Requirements::default() }.compile(&t).expect("an amount");
    assert_eq!(sight.met(&wanted, &t.nodes[0]), Ok(()));
    let order = Order::new(&["-load.1".parse().expect("an expression")], 0.0, &t).expect("an order");
    let placed = sight.rank_by(2, &order, &Wanted::default(), 1).best;
    assert_eq!(placed.iter().map(|p| p.index).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(
        order.reasons(&sight, &placed[1]),
        ["-load.1 = -2.00 (load.1 is 2)", "claims take 2 processors, 46.6 GiB of memory of it", "1 usable node is better"]
    );
}

#[test]
fn a_node_without_an_idle_processor_comes_after_idle_ones() {
    // With 3.5 processors claimed of the first, its score is 80 / 2.3; with 4.5 it is 80 / 2.4 / 3. That of the second is 20 / 1.5.
    let t = table(&[machine(3.0, 8.0, 80.0 * GB), machine(0.0, 8.0, 20.0 * GB), machine(0.0, 8.0, 80.0 * GB)]);
    let claimed = |cpus: f64| claims(&[(0, Claimed { cpus, mem: 1.0, ..NOTHING })]);
    assert_eq!(exact(&t, By::Both, &claimed(3.5)), [2, 0, 1]);
    assert_eq!(exact(&t, By::Both, &claimed(4.5)), [2, 1, 0]);
    let (query, claimed) = (all(By::Both), claimed(4.5));
    let full = &Sight::new(&t, TAKEN).with_claims(&claimed).rank(&query, &Wanted::default(), 1).best[2];
    assert!(full.full && full.index == 0);
    assert!(full.reasons(&query)[0].contains("4 processes more) / 3 as no processor is idle = "), "{:?}", full.reasons(&query));
    // a single processor is never quite idle
    let small = table(&[machine(0.1, 1.0, 80.0 * GB), machine(0.9, 1.0, 80.0 * GB)]);
    let ranking = Sight::new(&small, TAKEN).rank(&query, &Wanted::default(), 1);
    assert_eq!(ranking.best.iter().map(|c| (c.index, c.full)).collect::<Vec<_>>(), [(0, false), (1, true)]);
    // of full ones the better one is first
    assert_eq!(
        exact(&table(&[machine(9.0, 8.0, 80.0 * GB), machine(8.0, 8.0, 80.0 * GB)]), By::Both, &Claims::default()),
        [1, 0]
    );
}

#[test]
fn requirements_ask_for_what_is_left() {
    let mut t = table(&[machine(0.0, 8.0, 100.0 * GB)]);
    let record = Arc::make_mut(&mut t.nodes[0].record);
    record.facts.put("gpu.count", None, Value::Number(4.0));
    record.facts.put("gpu.mem.total", None, Value::Number(160.0 * GB));
    let used = peermon_model::vitals::find("gpu.mem.used").expect("a vital");
    t.nodes[0].vitals.put(used.slot, used.quantiser.encode(0.0, None));
    let check = |claimed: Claimed, wanted: Requirements, met: bool| {
        let claims = claims(&[(0, claimed)]);
        let compiled = wanted.compile(&t).expect("requirements");
        let answer = Sight::new(&t, TAKEN).with_claims(&claims).met(&compiled, &t.nodes[0]);
        assert_eq!(answer.is_ok(), met, "{wanted:?} with {claimed:?}: {answer:?}");
    };
    let r = Requirements::default;
    let where_ = |text: &str| vec![text.parse::<Expression>().expect("an expression")];
    check(Claimed { cpus: 2.0, ..NOTHING }, Requirements { cpus: Some(6), ..r() }, true);
    check(Claimed { cpus: 2.0, ..NOTHING }, Requirements { cpus: Some(7), ..r() }, false);
    check(Claimed { mem: 60.0 * GB, ..NOTHING }, Requirements { mem: Some(39.0 * GB), ..r() }, true);
    check(Claimed { mem: 60.0 * GB, ..NOTHING }, Requirements { mem: Some(41.0 * GB), ..r() }, false);
    check(Claimed { gpus: 1.0, ..NOTHING }, Requirements { gpus: Some(3), ..r() }, true);
    check(Claimed { gpus: 1.0, ..NOTHING }, Requirements { gpus: Some(4), ..r() }, false);
    check(Claimed { gpus: 1.0, ..NOTHING }, Requirements { gpu_mem: Some(119.0 * GB), ..r() }, true);
    check(Claimed { gpus: 1.0, ..NOTHING }, Requirements { gpu_mem: Some(121.0 * GB), ..r() }, false);
    check(Claimed { gpus: 9.0, ..NOTHING }, Requirements { gpu_mem: Some(1.0), ..r() }, false);
    check(Claimed { cpus: 4.0, ..NOTHING }, Requirements { conditions: where_("cpu.busy < 40%"), ..r() }, false);
    check(Claimed { cpus: 4.0, ..NOTHING }, Requirements { conditions: where_("procs.running < 4"), ..r() }, false);

    let claims = claims(&[(0, Claimed { cpus: 2.0, ..NOTHING })]);
    let wanted = Requirements { cpus: Some(8), ..r() }.compile(&t).expect("requirements");
    let said = Sight::new(&t, TAKEN).with_claims(&claims).met(&wanted, &t.nodes[0]).expect_err("two are taken").to_string();
    assert!(said.ends_with("load.1 is 2); claims take 2 processors of it"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whoever claims never gains a place, and everybody else never loses one by it.
    #[test]
    fn a_claim_never_helps(
        machines in prop::collection::vec((0.0..32.0f64, 1.0..64.0f64, 1.0..200.0f64, 0u64..10_000), 2..20),
        who in 0usize..20, cpus in 0.0..16.0f64, mem in 0.0..100.0f64, by in prop_oneof![Just(By::Cpu), Just(By::Mem), Just(By::Both)],
    ) {
        let machines: Vec<_> = machines
            .into_iter()
            .map(|(load, cores, memory, age)| Machine { age: Some(age), ..machine(load, cores.round(), memory * GB) })
            .collect();
        let who = who % machines.len();
        let t = table(&machines);
        // How many are better: among exact equals the lot decides, and a claim may take somebody out of it.
        let query = Query { cpu_delta: 0.0, mem_delta: 0.0, ..all(by) };
        let place = |claimed: &Claims, of: usize| {
            let best = Sight::new(&t, TAKEN).with_claims(claimed).rank(&query, &Wanted::default(), 1).best;
            best.iter().find(|c| c.index == of).map(|c| c.better)
        };
        let claimed = claims(&[(who as u8, Claimed { cpus, mem: mem * GB, gpus: 0.0 })]);
        prop_assert!(place(&claimed, who) >= place(&Claims::default(), who));
        for other in (0..machines.len()).filter(|i| *i != who) {
            prop_assert!(place(&claimed, other) <= place(&Claims::default(), other));
        }
    }
}
