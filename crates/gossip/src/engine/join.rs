//! First contacts: seeds, discovery, and members that were lost. One handshake serves all three: ask, get a cookie, greet.

use super::members::ME;
use super::zones::{HERE, ZoneIndex};
use super::{Destination, Engine, c};
use crate::config::Config;
use crate::wire::packet::{HELLO_HEADER, Hello, Introduction, Kind, OTHERS_MAX};
use peermon_model::{Instant, MemberState};
use peermon_trust::{HelloKey, NONCE_BYTES};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Questions whose answer is still awaited.
const ASKED_MAX: usize = 64;
/// Records for a peer that may be news; if more wait, it is being told the table.
const NEWS_MAX: usize = 8;
/// Who is sent from one to the next as often greets the last: all may be joiners.
const REDIRECTS_MAX: u8 = 3;
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Seed {
    addr: SocketAddr,
    next: Instant,
    wait: Duration,
    /// The member that answered there.
    nid: Option<u64>,
    /// The zone of whoever was last seen there.
    zone: Option<ZoneIndex>,
    /// Whether it has been reached.
    met: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    to: SocketAddr,
    at: Instant,
    /// Its answer repeats this.
    token: u64,
    /// After a cut: tell each other what is fresh.
    heal: bool,
    /// How many sent this node on to the next, this one last: each was busy, or a joiner.
    redirects: u8,
}

#[derive(Debug)]
pub(crate) struct Contacts {
    seeds: Vec<Seed>,
    asked: Vec<Asked>,
    pub(crate) next: Instant,
    announce_at: Instant,
    heal_at: Instant,
    /// Questions answered, and greetings taken, in the second that began then: a flood of questions must not shut out those
    /// whose question was answered.
    answered: (Instant, u32),
    greeted: u32,
    /// First contacts opened in that second, authentic or not.
    opened: u32,
}

impl Contacts {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let mut contacts = Contacts {
            seeds: Vec::new(),
            asked: Vec::new(),
            next: now,
            announce_at: now,
            heal_at: now,
            answered: (now, 0),
            greeted: 0,
            opened: 0,
        };
        contacts.add(&config.seeds, now);
        contacts
    }

    fn add(&mut self, addresses: &[SocketAddr], now: Instant) {
        for a in addresses {
            let addr = SocketAddr::new(a.ip().to_canonical(), a.port());
            if !self.seeds.iter().any(|s| s.addr == addr) {
                self.seeds.push(Seed { addr, next: now, wait: c::SEED_RETRY.0, nid: None, zone: None, met: false });
            }
        }
        self.next = self.next.min(now);
    }

    pub(crate) fn waiting(&self) -> Vec<SocketAddr> {
        self.seeds.iter().filter(|s| !s.met).map(|s| s.addr).collect()
    }
}

impl Engine {
    /// Contacts further addresses until one answers, as it does with the seeds.
    pub fn contact_addresses(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.contacts.add(addresses, now);
    }

    /// Whether there is a socket for this address, and it is allowed.
    pub(super) fn is_usable(&self, a: &SocketAddr) -> bool {
        let family = if a.ip().to_canonical().is_ipv4() { self.config.families.0 } else { self.config.families.1 };
        family && self.config.allow.allows(a.ip())
    }

    fn introduction(&self, now: Instant) -> Introduction {
        Introduction { half: self.me, incarnation: self.record().incarnation, time: self.clock.at(now) }
    }

    /// Asks whoever is at an address for a cookie.
    pub(super) fn ask(&mut self, now: Instant, to: SocketAddr, heal: bool) {
        self.ask_as(now, to, heal, 0);
    }

    fn ask_as(&mut self, now: Instant, to: SocketAddr, heal: bool, redirects: u8) {
        self.contacts.asked.retain(|a| now - a.at < ANSWER_TIME && a.to != to);
        if self.contacts.asked.len() >= ASKED_MAX {
            self.contacts.asked.remove(0);
        }
        self.secrets_used += 1;
        let mut token = [0; 8];
        token.copy_from_slice(&super::derived(&self.secret, b"token", self.secrets_used)[..8]);
        let token = u64::from_le_bytes(token);
        self.contacts.asked.push(Asked { to, at: now, token, heal, redirects });
        let from = self.introduction(now);
        // whoever was away while the key changed may know only an older one, or another one made in the other half of a cut
        let held: Vec<u8> = self.keyring.iter().map(|k| k.0).collect();
        let pick = self.rng.below(2 * held.len());
        let key = held.get(pick).copied().unwrap_or(self.keyring.sending());
        self.send_hello(Destination::Peer(to), key, &Hello::Ask { from, token });
    }

    /// Contacts that are due: seeds, a lost member, an announcement.
    pub(super) fn contact(&mut self, now: Instant) {
        if now < self.contacts.next {
            return;
        }
        if !self.leaving {
            self.contact_seeds(now);
            self.contact_lost(now);
            if self.config.discovery && !self.config.listen_only && now >= self.contacts.announce_at {
                self.contacts.announce_at = now + c::ANNOUNCE_EVERY + self.jitter(c::ANNOUNCE_EVERY / 4);
                let hello = Hello::Announce { from: self.introduction(now), addresses: self.record().addresses.clone() };
                let key = self.keyring.sending();
                self.send_hello(Destination::Discovery, key, &hello);
            }
        }
        let seeds = self.contacts.seeds.iter().map(|s| s.next);
        let next = seeds.chain([self.contacts.heal_at, self.contacts.announce_at]).filter(|t| *t > now).min();
        self.contacts.next = next.unwrap_or(now + Duration::from_secs(1));
    }

    fn jitter(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.rng.below(most.as_micros() as usize) as u64)
    }

    fn contact_seeds(&mut self, now: Instant) {
        for i in 0..self.contacts.seeds.len() {
            let seed = &self.contacts.seeds[i];
            if now < seed.next {
                continue;
            }
            let (addr, by_nid) = (seed.addr, seed.nid.and_then(|n| self.members.handle(n)));
            let up_there = |h| {
                let m = self.members.at(h);
                m.is_up() && (h == ME || self.link_of(h).is_some() || m.version != super::Version::NONE)
            };
            let there = by_nid.filter(|h| up_there(*h)).or_else(|| {
                let mut all = self.members.iter();
                all.find(|(h, m)| m.record().addresses.contains(&addr) && up_there(*h)).map(|(h, _)| h)
            });
            let zone = there.map(|h| self.members.at(h).zone).or(seed.zone);
            // a zone that tells of some of its nodes only may not tell of this one
            let untold = || self.is_partial() && zone.is_some_and(|z| self.zones.is_heard(z));
            let met = there.is_some() || untold();
            // a table that comes is waited for, but the peer may have given this node up before any of it came, or have no bytes left to
            // tell it: it names others then
            let linked = self
                .links
                .iter()
                .flatten()
                .any(|l| l.addr == addr && l.ever_heard && (self.members.len() > 1 || now - l.opened < c::TABLE_PAUSE));
            let wait = self.contacts.seeds[i].wait;
            // those who started at once must not all ask at once again
            let pause = match () {
                () if linked && self.members.len() == 1 => c::TABLE_PAUSE,
                () if met || linked => c::SEED_RETRY.1,
                () => wait * 3 / 4 + self.jitter(wait / 2),
            };
            let seed = &mut self.contacts.seeds[i];
            seed.met = met || linked;
            seed.zone = zone;
            seed.next = now + pause;
            if seed.met {
                seed.wait = c::SEED_RETRY.0;
            } else {
                seed.wait = (wait * 2).min(c::SEED_RETRY.1);
                if self.is_usable(&addr) {
                    self.ask(now, addr, false);
                }
            }
        }
    }

    /// Tries to reach one member that is down: it may be back, or a cut may be over.
    fn contact_lost(&mut self, now: Instant) {
        if now < self.contacts.heal_at {
            return;
        }
        self.contacts.heal_at = now + c::HEAL_RETRY.0 / 2 + self.jitter(c::HEAL_RETRY.0);
        // other zones' lost members are for those to look for who pass their rows on
        let relay = self.is_relay();
        let is_ours = |m: &super::members::Member| m.zone == HERE || relay;
        let lost: Vec<_> = self
            .members
            .iter()
            .filter(|(_, m)| m.state == MemberState::Down && m.rare().heal_at <= now && is_ours(m))
            .map(|(h, _)| h)
            .collect();
        if lost.is_empty() {
            return;
        }
        let h = lost[self.rng.below(lost.len())];
        let m = self.members.at_mut(h);
        let minutes = ((now - m.since).as_secs() / 60).min(10) as u32;
        m.heal_at(now + (c::HEAL_RETRY.0 * (1 << minutes)).min(c::HEAL_RETRY.1));
        let addresses = self.members.at(h).record().addresses.clone();
        let usable: Vec<SocketAddr> = addresses.into_iter().filter(|a| self.is_usable(a)).collect();
        if !usable.is_empty() {
            let to = usable[self.rng.below(usable.len())];
            self.ask(now, to, true);
        }
    }

    /// Takes a datagram of a first contact.
    pub(super) fn first_contact(
        &mut self,
        now: Instant,
        from: SocketAddr,
        kind: Kind,
        key: u8,
        nonce: [u8; NONCE_BYTES],
        datagram: &mut [u8],
    ) {
        let second = Duration::from_secs(1);
        if now - self.contacts.answered.0 >= second {
            self.contacts.answered = (now, 0);
            self.contacts.greeted = 0;
            self.contacts.opened = 0;
        }
        // strangers without a key must not use up what members and joiners may ask
        self.contacts.opened += 1;
        if self.contacts.opened > c::STRANGE_PER_SECOND {
            self.counters.dropped_hello_rate += 1;
            return;
        }
        let Some(cluster) = self.keyring.key(key) else {
            self.counters.dropped_key += 1;
            return;
        };
        let Some(body) = HelloKey::derive(cluster).open(nonce, datagram, HELLO_HEADER) else {
            self.counters.dropped_forged += 1;
            return;
        };
        if matches!(kind, Kind::Probe | Kind::Answer) {
            let body = body.to_vec();
            return self.touched(now, from, kind, key, &body);
        }
        let Ok(hello) = Hello::read(kind, body) else {
            self.counters.dropped_malformed += 1;
            return;
        };
        if self.leaving {
            return;
        }
        let taken = match hello {
            Hello::Ask { .. } => Some(&mut self.contacts.answered.1),
            Hello::Greet { .. } => Some(&mut self.contacts.greeted),
            Hello::Cookie { .. } | Hello::Announce { .. } => None,
        };
        if let Some(taken) = taken {
            *taken += 1;
            if *taken > c::HELLOS_PER_SECOND {
                self.counters.dropped_hello_rate += 1;
                return;
            }
        }
        match hello {
            Hello::Ask { from: who, token } => self.answer(now, from, key, &who, token),
            Hello::Cookie { from: who, asker_salt, token, cookie, others } => {
                if asker_salt == self.me.salt && who.half.id != self.me.id {
                    self.answered(now, from, key, &who, token, cookie, &others);
                } else {
                    self.counters.dropped_cookie += 1;
                }
            }
            Hello::Greet { from: who, cookie, wants_table, signed } => {
                let slot = now.as_nanos() / c::COOKIE_SLOT.as_nanos() as u64;
                if self.cookies.is_valid(slot, &asker(from, &who), &cookie) {
                    self.welcome(now, from, key, &who, wants_table, signed);
                } else {
                    self.counters.dropped_cookie += 1;
                }
            }
            Hello::Announce { from: who, addresses } => self.announced(now, &who, &addresses),
        }
    }

    fn answer(&mut self, now: Instant, from: SocketAddr, key: u8, who: &Introduction, token: u64) {
        if who.half.salt == self.me.salt {
            // this node is among its own seeds; a reflected question must not rid it of another one
            if self.record().addresses.contains(&from) {
                self.contacts.seeds.retain(|s| s.addr != from);
            }
            return;
        }
        let slot = now.as_nanos() / c::COOKIE_SLOT.as_nanos() as u64;
        let cookie = self.cookies.cookie(slot, &asker(from, who));
        self.refill(now);
        // a joiner's table is not whole yet
        let others = match () {
            () if self.is_settling(now) => self.some_members_or_seeds(from),
            () if self.is_busy() => self.some_members(),
            () => Vec::new(),
        };
        let hello = Hello::Cookie { from: self.introduction(now), asker_salt: who.half.salt, token, cookie, others };
        self.send_hello(Destination::Peer(from), key, &hello);
    }

    /// Whether joiners should rather ask somebody else.
    fn is_busy(&self) -> bool {
        self.serving() >= c::SYNCS_MAX || self.guests() >= c::GUESTS_MAX || !self.affords_table()
    }

    /// Whether one more table can be told, with those that are being told, before the byte rate is spent; a single one may take its time.
    /// Whoever is half told would wait for the rest, and others for its record.
    fn affords_table(&self) -> bool {
        let (serving, left) = (self.serving(), self.tokens - c::ROWS_RESERVE * self.config.rate_max);
        let needed = if serving == 0 { 0 } else { (serving + 1) * self.members.len() };
        left > needed as f64 * c::RECORD_BYTES
    }

    /// Peers that are being told the whole table; a few records may be news.
    fn serving(&self) -> usize {
        self.links.iter().flatten().filter(|l| l.records.len() > NEWS_MAX && l.synced.is_some()).count()
    }

    /// Peers that this node's rings do not want.
    fn guests(&self) -> usize {
        self.links.iter().flatten().filter(|l| !l.ring && !l.listener).count()
    }

    /// Whether it has greeted somebody for the table, which is still coming.
    fn is_settling(&self, now: Instant) -> bool {
        now < self.settling.0
    }

    fn some_members_or_seeds(&mut self, but: SocketAddr) -> Vec<SocketAddr> {
        let members = self.some_members();
        if !members.is_empty() {
            return members;
        }
        self.contacts.seeds.iter().map(|s| s.addr).filter(|a| *a != but).take(OTHERS_MAX).collect()
    }

    fn some_members(&mut self) -> Vec<SocketAddr> {
        let up: Vec<SocketAddr> = self
            .members
            .iter()
            .filter(|(h, m)| *h != ME && m.is_up())
            .filter_map(|(_, m)| m.record().addresses.first().copied())
            .collect();
        let n = OTHERS_MAX.min(up.len());
        (0..n).map(|_| up[self.rng.below(up.len())]).collect()
    }

    /// Somebody answered: greet it, or ask another one whom it names.
    #[allow(clippy::too_many_arguments)] // the parts of one answer
    fn answered(
        &mut self,
        now: Instant,
        from: SocketAddr,
        key: u8,
        who: &Introduction,
        token: u64,
        cookie: [u8; 16],
        others: &[SocketAddr],
    ) {
        self.contacts.asked.retain(|a| now - a.at < ANSWER_TIME);
        // by token, not by address: a host with several addresses may answer from another one
        let Some(i) = self.contacts.asked.iter().position(|a| a.token == token) else {
            self.counters.dropped_cookie += 1;
            return;
        };
        let asked = self.contacts.asked.remove(i);
        let nid = who.half.id.nid();
        for s in self.contacts.seeds.iter_mut().filter(|s| s.addr == asked.to) {
            s.nid = Some(nid);
            // it is there: if the greeting finds it busy, ask again soon
            s.wait = c::SEED_RETRY.0;
            s.next = now + c::SEED_RETRY.0;
        }
        self.contacts.next = self.contacts.next.min(now + c::SEED_RETRY.0);
        self.step_clock(now, who.time);
        let usable: Vec<SocketAddr> = others.iter().copied().filter(|a| self.is_usable(a)).collect();
        if self.members.len() == 1 && !usable.is_empty() && asked.redirects < REDIRECTS_MAX {
            let to = usable[self.rng.below(usable.len())];
            self.ask_as(now, to, false, asked.redirects + 1);
            return;
        }
        if !asked.heal && self.is_told_table(now) {
            // a second one would be the same; if this peer is not in it, it is asked again
            return;
        }
        let member = self.members.handle(nid);
        let same_life = member.is_some_and(|h| self.members.at(h).half() == who.half);
        let member = if same_life { member } else { None };
        let l = match self.link_with(&who.half) {
            Some(l) => l,
            None => {
                let Some(l) = self.open_link(now, who.half, member, from, key) else { return };
                l
            }
        };
        self.link(l).addr = from;
        let wants_table = self.members.len() == 1;
        if wants_table {
            self.settling.0 = now + c::SETTLE.1;
        }
        let own = Arc::clone(&self.members.at(ME).published);
        let hello = Hello::Greet { from: self.introduction(now), cookie, wants_table, signed: &own.signed };
        self.send_hello(Destination::Peer(from), key, &hello);
        if asked.heal || !wants_table {
            self.start_sync(now, l, false);
        }
    }

    /// Whether a peer was greeted for its table, and either it is coming or the peer may still begin.
    fn is_told_table(&self, now: Instant) -> bool {
        // a time that has passed leaves nothing
        let left = self.settling.0 - now;
        left > Duration::ZERO && (self.members.len() > 1 || left > c::SETTLE.1 - c::SEED_RETRY.0)
    }

    fn welcome(&mut self, now: Instant, from: SocketAddr, key: u8, who: &Introduction, wants_table: bool, signed: &[u8]) {
        let told = match self.read_signed(signed) {
            Ok(t) if t.published.record.id == who.half.id && t.published.record.salt == who.half.salt => t,
            _ => {
                self.counters.dropped_record += 1;
                return;
            }
        };
        if who.half.id == self.me.id {
            return self.told_of_me(now, &told);
        }
        self.refill(now);
        // who greets again because nothing came is being told already, and its link may have to be woken
        let begun = self.link_with(&who.half).is_some_and(|l| self.link(l).synced.is_some());
        let busy = self.serving() >= c::SYNCS_MAX * 2 || self.guests() >= c::GUESTS_MAX * 2 || !self.affords_table();
        if wants_table && !begun && busy {
            self.counters.dropped_busy += 1;
            return;
        }
        if !self.config.allow.allows(from.ip()) {
            self.counters.dropped_address += 1;
            return;
        }
        let listener = told.published.record.listen_only;
        let member = if listener {
            if !self.is_signed(&told) {
                self.counters.dropped_record += 1;
                return;
            }
            None
        } else {
            match self.take_record(now, told, false, None) {
                Some(h) => Some(h),
                None => return,
            }
        };
        self.step_clock(now, who.time);
        // the table may hold a record that outranks this one: a later life, or another machine under the same key
        let outranked = member.filter(|h| self.members.at(*h).half() != who.half);
        let member = if outranked.is_some() { None } else { member };
        let l = match self.link_with(&who.half) {
            Some(l) => l,
            None => {
                let Some(l) = self.open_link(now, who.half, member, from, key) else { return };
                l
            }
        };
        let link = self.link(l);
        link.addr = from;
        link.peer_key = key;
        link.listener = listener;
        link.note_heard(now);
        if let Some(h) = member {
            let zone = self.members.at(h).zone;
            self.link(l).bind(h, zone);
        }
        let link = self.link(l);
        // a repeated greeting changes nothing
        if link.synced.is_some_and(|at| now - at < Duration::from_secs(5)) {
            return;
        }
        link.mark_record(ME);
        if let Some(h) = outranked {
            link.mark_record(h);
        }
        self.start_sync(now, l, wants_table);
        if let Some(h) = member {
            let wanted = self.overlay.neighbours().contains(&h);
            self.link(l).ring = wanted && !self.config.listen_only;
        }
    }

    /// Somebody announced itself on the discovery group.
    fn announced(&mut self, now: Instant, who: &Introduction, addresses: &[SocketAddr]) {
        let nid = who.half.id.nid();
        let known = self.members.handle(nid).is_some_and(|h| self.members.at(h).is_up());
        if who.half.id == self.me.id || known {
            return;
        }
        // a few of many who hear it are enough to bring it in
        let up = self.overlay.len();
        if up > 2 && self.rng.below(up) >= 2 {
            return;
        }
        let to = addresses.iter().copied().find(|a| self.is_usable(a));
        if let Some(to) = to
            && !self.contacts.asked.iter().any(|a| a.to == to)
        {
            self.ask(now, to, true);
        }
    }
}

/// What must be the same when a cookie comes back.
fn asker(from: SocketAddr, who: &Introduction) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80);
    crate::wire::put_address(&mut bytes, &from);
    bytes.extend_from_slice(&who.half.id.0);
    bytes.extend_from_slice(&who.half.salt);
    bytes
}
