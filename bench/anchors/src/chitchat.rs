//! chitchat: Scuttlebutt reconciliation over UDP, many nodes in one process. Each publishes every second what peermon's node
//! of the same number does.

use crate::contest::{DEATH_MAX, JOIN_MAX, SETTLE};
use crate::network::Loopback;
use crate::records::Records;
use anyhow::{Context, Result, bail};
use chitchat::transport::UdpTransport;
use chitchat::{
    Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, Version, spawn_chitchat,
};
use peermon_bench::figures::{Figures, put_ages};
use peermon_bench::fleet::{BETWEEN_DEATHS, name, victims};
use peermon_bench::process::Watch;
use peermon_bench::room::{self, Need};
use peermon_bench::times::{Death, put_deaths};
use peermon_bench::udp::Udp;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first UDP port; the nodes take the next ones.
const PORT: u16 = 22000;
/// How often each node publishes.
const PERIOD: Duration = Duration::from_secs(1);
/// What one node's publications are later in the period than the former one's, beside its gossip: the golden ratio spreads evenly.
const SPREAD: f64 = 0.618_033_988_75;
/// Between two looks at ages: no divisor of the period. The same as peermon's daemons are asked at.
const ASK: Duration = Duration::from_millis(97);
/// Between two looks for a death or for all to be there.
const LOOK: Duration = Duration::from_millis(10);
/// Publications remembered of each node: more than any other may lag.
const HISTORY: usize = 600;

/// When each version of a node's state was complete: its last version, and the moment of sampling. Oldest first.
type History = Arc<Mutex<VecDeque<(Version, Instant)>>>;

/// A cluster in this process.
struct Cluster {
    nodes: Vec<ChitchatHandle>,
    ids: BTreeMap<ChitchatId, usize>,
    histories: Vec<History>,
}

/// Measures a cluster whose nodes gossip at this interval.
pub(crate) fn run(nodes: usize, interval: Duration, length: Duration) -> Result<Figures> {
    room::check(&Need { programs: nodes, threads: 0, files: 2, own_files: 1, memory: 4 << 20, port: PORT })?;
    let mut me = Watch::new(std::process::id());
    let before = me.memory()?.anonymous;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let mut figures = Figures::default();
    runtime.block_on(async {
        let mut cluster = Cluster::start(nodes, interval).await?;
        let started = Instant::now();
        while !cluster.complete().await {
            if started.elapsed() > JOIN_MAX {
                bail!("the nodes do not all know all after {} s", JOIN_MAX.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
        figures.put("joined", started.elapsed().as_secs_f64());
        tokio::time::sleep(SETTLE).await;

        // The counters are read by a thread that may block; the nodes run on others.
        let datagrams = Udp::now()?;
        let used = me.look()?;
        let sent = tokio::task::spawn_blocking(move || Loopback::over(length)).await??;
        figures.put("cpu", used.until(&me.look()?).cpu / nodes as f64);
        figures.put("memory", me.memory()?.anonymous.saturating_sub(before) as f64 / nodes as f64);
        sent.put(&mut figures, nodes);
        let (ages, wrong) = cluster.ages(length).await;
        put_ages(&mut figures, ages);
        figures.put("wrong", wrong);
        figures.put("lost", Udp::now()?.lost_since(&datagrams));

        let mut deaths = Vec::new();
        for v in victims(nodes) {
            deaths.push(cluster.death(v).await?);
            tokio::time::sleep(BETWEEN_DEATHS).await;
        }
        put_deaths(&mut figures, &deaths);
        Ok(())
    })?;
    Ok(figures)
}

impl Cluster {
    async fn start(nodes: usize, interval: Duration) -> Result<Cluster> {
        let mut cluster = Cluster { nodes: Vec::new(), ids: BTreeMap::new(), histories: Vec::new() };
        let address = |i: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + i as u16));
        for i in 0..nodes {
            let id = ChitchatId::new(name(i), 0, address(i));
            let config = ChitchatConfig {
                chitchat_id: id.clone(),
                cluster_id: "anchors".into(),
                gossip_interval: interval,
                listen_addr: address(i),
                // As for peermon: two seeds, so that the first node is not everybody's.
                seed_nodes: [0, 1].into_iter().filter(|s| *s != i).map(|s| address(s).to_string()).collect(),
                failure_detector_config: FailureDetectorConfig::default(),
                marked_for_deletion_grace_period: Duration::from_secs(3600),
                catchup_callback: None,
                extra_liveness_predicate: None,
                // the newer one, with compressed digests
                protocol_version: ProtocolVersion::V1,
            };
            let handle = spawn_chitchat(config, Vec::new(), &UdpTransport).await?;
            let history = History::default();
            let wait = PERIOD.mul_f64((i as f64 * SPREAD).fract());
            tokio::spawn(publish(handle.chitchat(), Records::of(i)?, history.clone(), wait));
            cluster.ids.insert(id, i);
            cluster.nodes.push(handle);
            cluster.histories.push(history);
            // Real nodes do not all tick at once.
            tokio::time::sleep(interval / u32::try_from(nodes).unwrap_or(u32::MAX)).await;
        }
        Ok(cluster)
    }

    /// Whether each node has something of each. Not whether it counts each as alive: in clusters of some size there is always one
    /// that it does not.
    async fn complete(&self) -> bool {
        for node in &self.nodes {
            let known = |c: &mut Chitchat| c.node_states().values().filter(|s| s.max_version() > 0).count();
            if node.with_chitchat(known).await < self.nodes.len() {
                return false;
            }
        }
        true
    }

    /// How old what each node has of each other is, asked of one node after the other; and how many of the looks, as a share,
    /// found one that is not counted as alive.
    async fn ages(&self, length: Duration) -> (Vec<f64>, f64) {
        let (mut ages, mut looks, mut wrong) = (Vec::new(), 0, 0);
        let mut ticks = tokio::time::interval(ASK);
        let start = Instant::now();
        for (i, node) in self.nodes.iter().enumerate().cycle() {
            ticks.tick().await;
            let now = Instant::now();
            if now - start >= length {
                break;
            }
            let (has, alive): (Vec<(usize, Version)>, usize) = node
                .with_chitchat(|c| {
                    let states = c.node_states().iter();
                    let has = states.filter_map(|(id, s)| Some((*self.ids.get(id)?, s.max_version())));
                    (has.collect(), c.live_nodes().count())
                })
                .await;
            looks += self.nodes.len() - 1;
            // it counts itself among the living
            wrong += self.nodes.len().saturating_sub(alive);
            for (of, version) in has.into_iter().filter(|(of, _)| *of != i) {
                ages.extend(sampled(&self.histories[of], version).map(|at| now.saturating_duration_since(at).as_secs_f64()));
            }
        }
        (ages, wrong as f64 / looks.max(1) as f64)
    }

    /// Ends one node's task, which closes its socket without a word, and waits until all others count it as dead. One that
    /// counted it so and took that back has not noticed yet.
    async fn death(&mut self, of: usize) -> Result<Death> {
        let victim = self.nodes.remove(of);
        let id = victim.chitchat_id().clone();
        let killed = Instant::now();
        victim.abort();
        let mut down = vec![None; self.nodes.len()];
        while down.iter().any(Option::is_none) {
            if killed.elapsed() > DEATH_MAX {
                bail!("not all know after {} s that a node is dead", DEATH_MAX.as_secs());
            }
            for (node, when) in self.nodes.iter().zip(&mut down) {
                let dead = node.with_chitchat(|c| c.dead_nodes().any(|d| *d == id)).await;
                *when = dead.then(|| when.unwrap_or_else(|| killed.elapsed().as_secs_f64()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Death { suspected: Vec::new(), down: down.into_iter().flatten().collect() })
    }
}

/// Publishes a node's records, after waiting a little, for as long as the process runs. (That of a dead node goes on, to nobody.)
async fn publish(chitchat: Arc<tokio::sync::Mutex<Chitchat>>, mut records: Records, history: History, wait: Duration) {
    tokio::time::sleep(wait).await;
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        let changes = records.changes();
        let at = Instant::now();
        let version = {
            let mut chitchat = chitchat.lock().await;
            let state = chitchat.self_node_state();
            for (key, value) in changes {
                state.set(key, value);
            }
            state.max_version()
        };
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push_back((version, at));
        while history.len() > HISTORY {
            history.pop_front();
        }
    }
}

/// When the newest state of which everything is there at `version` was sampled.
fn sampled(history: &History, version: Version) -> Option<Instant> {
    let history = history.lock().unwrap_or_else(PoisonError::into_inner);
    history.iter().rev().find(|(v, _)| *v <= version).map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_that_of_the_last_complete_state() {
        let t = Instant::now();
        let at = |s| t + Duration::from_secs(s);
        let history = History::new(Mutex::new([(3, at(1)), (5, at(2)), (9, at(4))].into()));
        for (version, want) in [(2, None), (3, Some(1)), (4, Some(1)), (5, Some(2)), (8, Some(2)), (9, Some(4)), (12, Some(4))] {
            assert_eq!(sampled(&history, version), want.map(at), "{version}");
        }
    }

    #[test]
    fn a_small_cluster_forms_publishes_and_notices_a_death() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        runtime.block_on(async {
            let mut cluster = Cluster::start(5, Duration::from_millis(50)).await.expect("five nodes");
            while !cluster.complete().await {
                tokio::time::sleep(LOOK).await;
            }
            let (ages, wrong) = cluster.ages(Duration::from_secs(1)).await;
            assert!((0.0..=1.0).contains(&wrong), "{wrong}");
            assert!(!ages.is_empty() && ages.iter().all(|a| *a >= 0.0));
            let death = cluster.death(2).await.expect("noticed");
            assert_eq!(death.down.len(), 4);
        });
    }
}
