//! Self-probes: what they report goes to the node, what they need to know of the cluster comes from it.

use super::Loop;
use crate::config::{Config, ValueSource};
use crate::letter::Letter;
use crate::mailbox::Post;
use peermon_api::{HealthAnswer, PeerHealthView, ProbeView, ReasonView, Visibility};
use peermon_collector::probe::{self, KINDS, Probes, Report, Told};
use peermon_model::{Attribute, Instant, MemberState, Notice, Sample, Samples, Unit};
use peermon_node::{Opinion, Reason, Test};
use std::time::Duration;

/// Between two times that probes are told of the cluster.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The first time: as soon as somebody may have been met.
const TELL_FIRST: Duration = Duration::from_secs(2);
/// Peers whose names are looked up.
const PEERS_TOLD: usize = 16;

static TRUST: Attribute = Attribute::gauge("health.trust", Unit::Ratio, "How far this node trusts itself by its self-probes.");
static VIABLE: Attribute = Attribute::gauge("peers.viable", Unit::Count, "Peers that answer this node well.");
static KNOWN: Attribute = Attribute::gauge("peers.known", Unit::Count, "Peers of which this node knows whether they answer it.");
static VIABLE_BY: Attribute = Attribute::gauge("peers.viable_by", Unit::Count, "Peers that this node answers well, as they say.");
static KNOWN_BY: Attribute =
    Attribute::gauge("peers.known_by", Unit::Count, "Peers that have lately said whether this node answers them.");

/// The attributes that this file makes.
pub(crate) static ATTRIBUTES: &[&Attribute] = &[&TRUST, &VIABLE, &KNOWN, &VIABLE_BY, &KNOWN_BY];

/// The loop's side of the probes.
#[derive(Debug)]
pub(crate) struct Probing {
    probes: Option<Probes>,
    tell: Instant,
}

impl Probing {
    /// Starts them if this node shows its own machine.
    pub(crate) fn start(config: &Config, post: &Post<Letter>, now: Instant) -> Self {
        let told = Told { write: config.probes.write.clone(), ..Told::default() };
        let post = post.clone();
        let start = || Probes::start(&config.probes.without, told, move |report| post.send(Letter::Probe(report)));
        let probes = match config.source {
            ValueSource::Host if !config.probes.without.iter().any(|w| w == "all") => match start() {
                Ok(probes) => Some(probes),
                Err(error) => {
                    tracing::error!(%error, "cannot start the self-probes; going on without");
                    None
                }
            },
            _ => None,
        };
        Probing { probes, tell: now + TELL_FIRST }
    }
}

impl Loop {
    /// Probes as another configuration has them; what was found by those that are no more is forgotten.
    pub(super) fn probe_anew(&mut self, now: Instant) {
        self.probing = Probing::start(&self.config, &self.shared.post, now);
        let gone: Vec<_> = self.node.tests().map(|(probe, instance, _)| (probe, instance.cloned())).collect();
        gone.iter().for_each(|(probe, instance)| self.node.handle_probe_gone(now, probe, instance.as_ref()));
    }

    pub(super) fn take_report(&mut self, now: Instant, report: Report) {
        match report {
            Report::Tried(result) => self.node.handle_probe(now, &result),
            Report::Gone(probe, instance) => self.node.handle_probe_gone(now, probe, instance.as_ref()),
        }
        self.changed(now);
    }

    /// CoDeeN's guard needs no try: it is in the samples.
    pub(super) fn judge_samples(&mut self, now: Instant, samples: &Samples) {
        if self.probing.probes.is_some()
            && !self.config.probes.without.iter().any(|w| w == "cpu")
            && let Some(result) = probe::system_cpu(samples)
        {
            self.node.handle_probe(now, &result);
        }
    }

    /// About once a second: tells the probes who is there.
    pub(super) fn tell_probes(&mut self, now: Instant) {
        let Some(probes) = self.probing.probes.as_ref().filter(|_| self.probing.tell <= now) else { return };
        self.probing.tell = now + TELL_EVERY;
        let snapshot = self.shared.snapshot.load();
        let up = snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive);
        let peers = up.clone().filter(|n| n.record.id != self.id).take(PEERS_TOLD);
        let peers =
            peers.map(|n| (n.record.name.to_string(), n.record.addresses.iter().map(|a| a.ip().to_canonical()).collect()));
        probes.tell(Told { peers: peers.collect(), members: up.count(), write: self.config.probes.write.clone() });
    }

    /// What probes found, as samples of this host.
    pub(super) fn add_probes(&self, now: Instant, samples: &mut Samples) {
        let mut put = |attribute, instance: Option<&std::sync::Arc<str>>, value| {
            samples.list.push(Sample { attribute, instance: instance.cloned(), labels: None, value });
        };
        for (name, instance, test) in self.node.tests() {
            let Some(kind) = KINDS.iter().find(|k| k.name == name) else { continue };
            put(kind.failed, instance, f64::from(test.history.failed() + test.history.late()));
            if let Some(mean) = test.mean {
                put(kind.time, instance, mean);
            }
        }
        let (sees, by) = (self.node.sees(), self.node.seen_by(now));
        put(&TRUST, None, self.node.trust(now));
        for (attribute, n) in [(&VIABLE, sees.0), (&KNOWN, sees.1), (&VIABLE_BY, by.0), (&KNOWN_BY, by.1)] {
            put(attribute, None, n as f64);
        }
    }

    /// All that is known of this node's health and of how peers answer it.
    pub(super) fn health(&self, now: Instant) -> HealthAnswer {
        let reason = |r: &Reason| ReasonView {
            probe: r.probe.to_string(),
            text: r.words.to_string(),
            severity: r.severity.name().to_string(),
            seconds: (now - r.since).as_secs_f64(),
        };
        let probe = |(name, instance, test): (&'static str, Option<&std::sync::Arc<str>>, &Test)| ProbeView {
            probe: name.to_string(),
            instance: instance.map(ToString::to_string),
            history: test.history.to_string(),
            tries: test.tries,
            seconds: test.took.as_secs_f64(),
            mean_seconds: test.mean,
            reason: test.failing.as_ref().map(reason),
        };
        let visibility = |(viable, of)| Visibility { viable, of };
        let snapshot = self.shared.snapshot.load();
        let peer = |n: &peermon_model::NodeEntry| {
            let p = self.node.peer(now, &n.record.id)?;
            let (viable, why) = match p.opinion {
                Opinion::Unknown => (None, None),
                Opinion::Viable => (Some(true), None),
                Opinion::Avoided(why) => (Some(false), Some(why.to_string())),
            };
            Some(PeerHealthView {
                name: n.record.name.to_string(),
                id: n.record.id.to_string(),
                viable,
                why,
                seconds: (now - p.since).as_secs_f64(),
                history: p.history.to_string(),
                rtt_seconds: p.rtt.map(|r| r.as_secs_f64()),
                fetch: p.fetch.map(|why| why.to_string()),
                viable_share: p.viable_share,
                sees_me: p.sees_me,
            })
        };
        let mut peers: Vec<PeerHealthView> = snapshot.nodes.iter().filter_map(peer).collect();
        peers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        HealthAnswer {
            name: self.config.node_name().to_string(),
            trust: self.node.trust(now),
            reasons: self.node.reasons().into_iter().map(reason).collect(),
            probes: self.node.tests().map(probe).collect(),
            sees: visibility(self.node.sees()),
            seen_by: visibility(self.node.seen_by(now)),
            peers,
        }
    }
}

/// The probes whose names may be left out.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|k| k.name)
}

/// Whether a topic is for findings of probes only.
pub(crate) fn is_reserved(topic: &str) -> bool {
    topic.starts_with(Notice::HEALTH)
}

/// The daemon's own attributes and the probes'.
pub(super) fn attribute_lists() -> [&'static [&'static Attribute]; 2] {
    [ATTRIBUTES, probe::attributes()]
}

/// Where files are written to try it, unless the configuration says otherwise: where programs put theirs.
pub(crate) fn usual_places() -> Vec<std::path::PathBuf> {
    ["/tmp", "/var/tmp"].map(Into::into).to_vec()
}
