//! From a configuration to a loop that is ready to run.

use super::{Logs, Loop, Tally, Times, house};
use crate::budget::Budget;
use crate::clock::{self, SleepWatch};
use crate::collect::{self, Answer, Collecting, SourceError};
use crate::config::Config;
use crate::letter::{LETTERS_MAX, Letter};
use crate::log::Rarely;
use crate::mailbox::{Post, mailbox};
use crate::net::resolve::{self, Resolver};
use crate::net::{AddressWatch, SocketError, Sockets, interfaces};
use crate::shared::{Fanout, Health, Shared};
use crate::signals::Signals;
use crate::state::{self, State, StateError};
use crate::supervisor::Supervisor;
use crate::{kernel, own};
use arc_swap::{ArcSwap, ArcSwapOption};
use peermon_collector::{Demand, Source};
use peermon_memory::Memory;
use peermon_model::{Catalogue, Facts, Incarnation, Instant, Snapshot};
use peermon_node::{Identity, Node};
use peermon_trust::{Keyring, NodeKey};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// How long a start waits for the machine's facts, so that the first record is whole. They usually come within milliseconds.
const FACTS_WAIT: Duration = Duration::from_millis(300);
/// Between two log lines of one kind that peers or a broken disk can cause.
const LOG_EVERY: Duration = Duration::from_mins(1);
/// The same for news of members: a person follows them, and a mass join must not flood.
const MEMBER_LOG_EVERY: Duration = Duration::from_millis(200);

/// Why the daemon did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// A socket cannot be opened.
    #[error("{0}")]
    Socket(#[from] SocketError),
    /// Values cannot be had from where the configuration says.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The system refuses something every daemon needs.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// Everything a daemon needs, opened and checked.
pub(crate) fn start(config: Config) -> Result<(Loop, Arc<Shared>), StartError> {
    let source = collect::source(&config)?;
    start_with(config, source)
}

/// As [`start`], with values from this source.
pub(crate) fn start_with(config: Config, source: Box<dyn Source>) -> Result<(Loop, Arc<Shared>), StartError> {
    for warning in config.origin.iter().flat_map(|o| &o.warnings) {
        tracing::warn!("{warning}");
    }
    let state = State::open(&config.state_dir, config.cluster_key_file.as_deref())?;
    let key = state.node_key()?;
    let keyring = state.keyring()?;
    let mut sockets = Sockets::open(&config.gossip.listen)?;
    let signals = if config.process { Some(Signals::hear().map_err(system("handle signals"))?) } else { None };
    let (post, mailbox) = mailbox::<Letter>(LETTERS_MAX).map_err(system("make a mailbox"))?;

    let collecting = Collecting::start(source, config.period, config.realtime, answers(&post))
        .map_err(system("start the collectors' thread"))?;
    collecting.ask_facts();
    collecting.look(Demand::default());
    let mut host_facts = Facts::default();
    // Nothing else writes letters yet.
    if let Some(Letter::Facts(facts)) = mailbox.wait(FACTS_WAIT) {
        host_facts = facts;
    }

    let interfaces = interfaces::read();
    let addresses = house::own_addresses(&config, &sockets.bound(), &interfaces);
    if config.discovery.enabled
        && let Err(error) = sockets.discover(config.discovery.group, &interfaces)
    {
        tracing::info!(%error, "no discovery on the LAN; seeds work without");
    }
    // The last thing before the node speaks: a start that failed above does not use up a life.
    let life = state.begin_life(clock::unix_seconds());
    let now = clock::now();
    let seeds = seeds(&config, &state);
    let for_node = node_config(&config, &host_facts, addresses.clone(), seeds, sockets.families());
    let id = key.id();
    let node = node(for_node, key, life.incarnation, keyring.clone(), now);
    let counted = node.engine().counters().iter().map(|(name, help, _)| (name, help));
    let lists = peermon_collector::attribute_lists()
        .chain([kernel::ATTRIBUTES, own::attributes(counted)])
        .chain(super::probes::attribute_lists());
    let shared = Arc::new(Shared {
        snapshot: ArcSwap::from_pointee(Snapshot::empty(id)),
        samples: ArcSwapOption::empty(),
        asked: AtomicU64::new(now.as_micros()),
        health: ArcSwap::from_pointee(Health::unknown(id)),
        api: ArcSwap::default(),
        fanout: Fanout::default(),
        post,
        catalogue: Catalogue::new(lists),
        started: now,
        ended: AtomicBool::new(false),
        counting: std::sync::Mutex::default(),
        choosing: std::sync::Mutex::default(),
        memory: std::sync::Mutex::new(Memory::new(config.memory)),
        refused: AtomicU64::new(0),
    });
    let budget = Budget::new(config.cpu_budget);
    let probing = super::probes::Probing::start(&config, &shared.post, now);
    let resolver = Resolver::start(&config.join, found(&shared));
    let supervisor = Supervisor::new(config.process);
    let mut the_loop = Loop {
        node,
        id,
        incarnation: life.incarnation,
        keyring,
        config,
        host_facts,
        state,
        sockets,
        addresses,
        watch: AddressWatch::open(),
        signals,
        mailbox,
        collecting,
        budget,
        probing,
        fetching: super::fetch::Fetching::new(now),
        resolver,
        shared: Arc::clone(&shared),
        supervisor,
        sleep: SleepWatch::new(),
        times: Times::from(now),
        tally: Tally::default(),
        logs: Logs {
            state: Rarely::new(LOG_EVERY),
            send: Rarely::new(LOG_EVERY),
            discovery: Rarely::new(LOG_EVERY),
            members: Rarely::new(MEMBER_LOG_EVERY),
            budget: Rarely::new(LOG_EVERY),
        },
        announced: Vec::new(),
        news: Vec::new(),
        ending: None,
    };
    if let Some(error) = &life.problem {
        the_loop.state_failed(error);
    }
    the_loop.publish(now);
    the_loop.publish_health(now);
    Ok((the_loop, shared))
}

impl Times {
    fn from(now: Instant) -> Self {
        Times {
            tick: now + super::TICK,
            addresses: now + super::TICK,
            addresses_last: now,
            look: now,
            facts: now + Duration::from_mins(1),
            // The first members are remembered soon, in case this life is short.
            peers: now + Duration::from_secs(30),
            snapshot: Some(now),
            snapshot_last: now,
            snapshot_every: Duration::ZERO,
            cpu_from: (now, clock::process_time()),
        }
    }
}

/// The node's share of the configuration.
pub(super) fn node_config(
    config: &Config,
    host_facts: &Facts,
    addresses: Vec<SocketAddr>,
    seeds: Vec<SocketAddr>,
    families: (bool, bool),
) -> peermon_node::Config {
    let g = &config.gossip;
    peermon_node::Config {
        name: config.node_name(),
        addresses,
        period: config.period,
        budget: config.budget,
        zone: config.zone.clone(),
        seeds,
        allow: g.allow.clone(),
        listen_only: config.listen_only,
        discovery: config.discovery.enabled,
        families,
        rate_max: g.rate_max,
        members_full: g.members_full,
        members_max: g.members_max,
        hide_after: g.hide_after,
        remove_after: g.remove_after,
        key_overlap: g.key_overlap,
        key_patience: g.key_patience,
        custom: config.vitals.iter().map(|v| v.published.clone()).collect(),
        facts: facts(config, host_facts),
        notices: config.notices.clone(),
    }
}

/// The machine's facts with those of the configuration.
pub(super) fn facts(config: &Config, host: &Facts) -> Facts {
    let mut facts = host.clone();
    config.facts().iter().for_each(|f| facts.insert(f.clone()));
    facts
}

/// A node at the beginning of a life.
pub(super) fn node(config: peermon_node::Config, key: NodeKey, incarnation: Incarnation, keyring: Keyring, now: Instant) -> Node {
    Node::new(config, Identity { key, incarnation }, keyring, state::random(), now)
}

/// Whom to contact first: the seeds given, and members that answered in a former life.
pub(super) fn seeds(config: &Config, state: &State) -> Vec<SocketAddr> {
    let mut seeds = resolve::addresses(&config.join);
    for peer in state.peers() {
        if !seeds.contains(&peer) {
            seeds.push(peer);
        }
    }
    seeds
}

/// What the collectors' thread does with its answers.
pub(super) fn answers(post: &Post<Letter>) -> impl Fn(Answer) -> bool + Send + use<> {
    let post = post.clone();
    move |answer| {
        post.send(match answer {
            Answer::Samples(s) => Letter::Samples(s),
            Answer::Facts(f) => Letter::Facts(f),
        })
    }
}

/// What the resolver does with addresses.
pub(super) fn found(shared: &Shared) -> impl Fn(Vec<SocketAddr>) -> bool + Send + use<> {
    let post = shared.post.clone();
    move |addresses| addresses.is_empty() || post.send(Letter::Found(addresses))
}
