use peermon_sim::World;
use std::time::Duration;
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut world = World::new(1);
    world.start_cluster(n);
    for t in 0..40 {
        world.run_for(Duration::from_millis(250));
        let known: Vec<usize> = world.hosts.iter().map(|h| h.node.as_ref().unwrap().engine().members_up()).collect();
        let rows: usize = world.hosts.iter().map(|h| h.node.as_ref().unwrap().engine().rows().count()).sum();
        let mut c = std::collections::BTreeMap::new();
        for h in &world.hosts { for (k, v) in h.node.as_ref().unwrap().counters() { if k.contains("dropped") || k.contains("accus") || k.contains("resent") || k.contains("steps")|| k.contains("synch") { *c.entry(k).or_insert(0u64) += v; } } }
        c.retain(|_, v| *v > 0);
        println!("{:.2}: min known {} alone {} rows {}/{} {:?}", (t + 1) as f64 / 4.0, known.iter().min().unwrap(), known.iter().filter(|k| **k == 1).count(), rows, n * n, c);
        if world.all_know_all() { break; }
    }
}
