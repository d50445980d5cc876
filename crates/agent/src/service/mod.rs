//! What the daemon answers, read from what the loop has published.

mod best;
mod claims;
mod nodes;
mod series;
mod status;

use crate::clock;
use crate::config::TOPIC_BYTES_MAX;
use crate::letter::{ANSWER_WAIT, Letter, Reply, reply};
use crate::shared::{SUBSCRIBERS_MAX, Shared};
use peermon_api::{
    Announcement, BestAnswer, BestQuery, ChooseRequest, ClaimRequest, ClaimView, Error, EventStream, HealthAnswer, Invitation,
    JoinAnswer, JoinRequest, KeyView, Live, LiveQuery, LiveReader, Local, NodeView, NodesQuery, NoticeView, PartsAnswer,
    SeriesAnswer, SeriesQuery, Service, Status, UsageAnswer, ZoneView,
};
use peermon_model::{Catalogue, MemberState, Notice, Samples, Snapshot, limits};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Addresses one join may name.
const JOIN_ADDRESSES_MAX: usize = 64;

/// [`Service`] and [`Local`] on the daemon's own snapshots.
#[derive(Clone, Debug)]
pub(crate) struct Answers(pub(crate) Arc<Shared>);

impl Answers {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Sends a letter to the loop and waits for its answer.
    fn ask<T>(&self, letter: impl FnOnce(Reply<Result<T, Error>>) -> Letter) -> Result<T, Error> {
        let (to, from) = reply();
        if self.0.ended.load(Ordering::Acquire) {
            return Err(Error::Unavailable("the daemon is stopping".into()));
        }
        if !self.0.post.send(letter(to)) {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::TooMany("too many requests are waiting already; try again in a second".into()));
        }
        from.recv_timeout(ANSWER_WAIT)
            .unwrap_or_else(|_| Err(Error::Unavailable("the daemon does not answer; is it stopping?".into())))
    }
}

impl Service for Answers {
    fn nodes(&self, query: &NodesQuery) -> Result<Vec<NodeView>, Error> {
        nodes::answer(&self.snapshot(), query, clock::now())
    }

    fn node(&self, name_or_id: &str) -> Result<NodeView, Error> {
        let snapshot = self.snapshot();
        peermon_api::one(&snapshot, name_or_id).map(|entry| NodeView::of(entry, &snapshot, clock::now()))
    }

    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error> {
        best::answer(&self.snapshot(), query, clock::now(), crate::state::random())
    }

    fn health(&self) -> Result<HealthAnswer, Error> {
        self.ask(Letter::Health)
    }

    fn usage(&self) -> Result<UsageAnswer, Error> {
        let latest = self.0.samples.load_full();
        let name = self.0.health.load().name.clone();
        Ok(latest.map_or_else(UsageAnswer::default, |latest| {
            let since = (clock::now() - latest.1).as_secs_f64();
            UsageAnswer::of(name, latest.0.usage.as_deref(), latest.0.gpu_usage.as_deref(), since)
        }))
    }

    fn parts(&self) -> Result<PartsAnswer, Error> {
        let latest = self.0.ask_samples();
        let name = self.0.health.load().name.clone();
        Ok(match latest {
            Some(latest) => PartsAnswer::of(name, &latest.0, (clock::now() - latest.1).as_secs_f64()),
            None => PartsAnswer { name, ..PartsAnswer::default() },
        })
    }

    fn zones(&self) -> Result<Vec<ZoneView>, Error> {
        Ok(peermon_api::zones(&self.snapshot(), clock::now()))
    }

    fn series(&self, query: &SeriesQuery) -> Result<SeriesAnswer, Error> {
        series::answer(&self.snapshot(), &self.0.memory, query, clock::now())
    }

    fn status(&self) -> Result<Status, Error> {
        Ok(status::of(&self.0, clock::now()))
    }

    fn events(&self) -> Result<EventStream, Error> {
        self.0
            .fanout
            .subscribe()
            .ok_or_else(|| Error::TooMany(format!("{SUBSCRIBERS_MAX} readers of events are the most; close one of them")))
    }

    fn invite(&self) -> Result<Invitation, Error> {
        self.ask(Letter::Invite)
    }

    fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Error> {
        if request.addresses.len() > JOIN_ADDRESSES_MAX {
            return Err(Error::BadRequest(format!("{JOIN_ADDRESSES_MAX} addresses are the most; one that answers is enough")));
        }
        let invitation = request.token.as_ref().map(|t| t.parse::<peermon_trust::Invitation>()).transpose();
        let invitation = invitation.map_err(|e| Error::BadRequest(e.to_string()))?;
        // Names would have to be looked up, and this must not wait for a resolver.
        let address = |text: &String| match text.parse() {
            Ok(crate::config::Seed::Address(a)) => Ok(a),
            _ => Err(Error::BadRequest(format!(
                "{text:?} is not ADDRESS or ADDRESS:PORT; host names belong into `join` of the configuration"
            ))),
        };
        let mut contact: Vec<SocketAddr> = request.addresses.iter().map(address).collect::<Result<_, _>>()?;
        contact.extend(invitation.iter().flat_map(|i| i.addresses.iter().copied()));
        if contact.is_empty() {
            return Err(Error::BadRequest("name an address, or give a token of `peermon invite`".into()));
        }
        let force = request.force;
        self.ask(|reply| Letter::Join { invitation, contact, force, reply })
    }

    fn keys(&self) -> Result<Vec<KeyView>, Error> {
        let health = self.0.health.load();
        let snapshot = self.snapshot();
        let alive = || snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive);
        let place = |id: u8| health.keys.iter().position(|k| k.id == id);
        // A node tells the newest key it holds; keys are installed in order, so it holds the older ones too.
        let holds = |newest: u8, id: u8| place(newest) >= place(id);
        let view = |k: &crate::shared::KeyHealth| KeyView {
            id: k.id,
            sending: k.sending,
            held_by: alive().filter(|n| holds(n.record.key_held, k.id)).count(),
            of: alive().count(),
            fingerprint: k.fingerprint.clone(),
        };
        Ok(health.keys.iter().map(view).collect())
    }

    fn rotate_key(&self) -> Result<Vec<KeyView>, Error> {
        self.ask(Letter::Rotate)?;
        self.keys()
    }

    fn announce(&self, a: &Announcement) -> Result<Vec<NoticeView>, Error> {
        let sayable = |what: &str, text: &str, most: usize| match text.trim() {
            t if t.is_empty() || t.len() > most || t.chars().any(char::is_control) => {
                Err(Error::BadRequest(format!("the {what} of an announcement has 1 to {most} bytes without control characters")))
            }
            t => Ok(t.into()),
        };
        let topic: Box<str> = sayable("topic", &a.topic, TOPIC_BYTES_MAX)?;
        if crate::run::probes::is_reserved(&topic) {
            return Err(Error::BadRequest(format!(
                "topics that begin with {:?} are for self-probes; take another one",
                Notice::HEALTH
            )));
        }
        let text = sayable("text", &a.text, limits::NOTICE_TEXT_BYTES_MAX)?;
        if !(0.0..=Announcement::SECONDS_MAX).contains(&a.seconds) {
            return Err(Error::BadRequest(format!(
                "an announcement holds for 0 to {} seconds, not {}",
                Announcement::SECONDS_MAX,
                a.seconds
            )));
        }
        let lease = Duration::from_secs_f64(a.seconds);
        self.ask(|reply| Letter::Announce { notice: Notice { topic, text, since: 0 }, lease, reply })
    }

    fn claims(&self) -> Result<Vec<ClaimView>, Error> {
        Ok(peermon_api::claims(&self.snapshot(), clock::now()))
    }

    fn claim(&self, request: &ClaimRequest) -> Result<ClaimView, Error> {
        self.make_claim(request)
    }

    fn cancel_claim(&self, number: u16) -> Result<ClaimView, Error> {
        self.end_claim(number)
    }

    fn choose(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        self.best_claimed(request)
    }
}

impl Local for Answers {
    fn samples(&self) -> Option<(Arc<Samples>, Duration)> {
        let latest = self.0.ask_samples()?;
        Some((Arc::clone(&latest.0), clock::now() - latest.1))
    }

    fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    fn live(&self, reader: &mut LiveReader, query: &LiveQuery) -> Result<Live, Error> {
        nodes::live(&self.snapshot(), reader, query, clock::now())
    }

    fn ready(&self) -> Result<(), String> {
        if self.0.ended.load(Ordering::Acquire) {
            return Err("the daemon is stopping".into());
        }
        match self.0.samples.load().as_ref() {
            None => Err("no round of samples has come yet".into()),
            Some(_) => Ok(()),
        }
    }
}
