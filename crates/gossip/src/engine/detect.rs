//! Failure detection: ring neighbours watch each other wave by wave, and a quorum of them decides.

use super::link::Link;
use super::members::{Handle, ME};
use super::zones::{HERE, ZoneIndex};
use super::{Engine, Version, c};
use crate::wire::packet::{Alarm, Kind};
use peermon_model::{Instant, MemberState};

impl Engine {
    /// Probes the neighbours that were not heard in this wave.
    pub(super) fn ask_the_silent(&mut self, now: Instant, wave: Instant) {
        let (period, locked) = (self.period(), self.clock.is_locked());
        for l in self.link_indices() {
            let slower = self.peer_period(l).saturating_sub(period);
            let since =
                if locked { wave.before(c::SILENT_SLACK + slower) } else { now.before(period * 5 / 4 + slower + c::LATE) };
            let link = self.link(l);
            if link.ring
                && !link.is_border()
                && link.member.is_some()
                && link.last_heard < since
                && link.ping_at == Instant::NEVER
            {
                link.pings = 0;
                link.ping_at = now;
            }
        }
    }

    /// What a link has due: its flush, its acknowledgement, packets given up, the next probe.
    pub(super) fn link_timers(&mut self, now: Instant, l: usize) {
        if self.links.get(l).and_then(Option::as_ref).is_none_or(|x| now < x.deadline()) {
            return;
        }
        if self.link(l).lost_at <= now {
            self.give_up_lost(now, l);
        }
        if self.links.get(l).and_then(Option::as_ref).is_some_and(|x| now >= x.ack_at || (now >= x.flush_at && !x.is_stalled())) {
            self.flush(now, l);
        }
        if self.links.get(l).and_then(Option::as_ref).is_some_and(|x| now >= x.ping_at) {
            self.ping(now, l);
        }
    }

    fn ping(&mut self, now: Instant, l: usize) {
        let most = c::PINGS + if self.is_cut_off(now) { c::PINGS_CUT_OFF } else { 0 };
        let link = self.link(l);
        if link.pings < most {
            link.pings += 1;
            link.ping_at = now + c::PING_INTERVAL;
            self.counters.pings += 1;
            self.try_other_address(l);
            self.send_on(now, l, Kind::Ping, &[], &[]);
            return;
        }
        link.pings = 0;
        link.ping_at = Instant::NEVER;
        let Some(h) = link.member else { return };
        if now < self.stalled_until || self.is_cut_off(now) || self.config.listen_only {
            return;
        }
        if !self.link(l).ever_heard {
            // it may not know of this node, whose packets it then cannot open: its table is still on its way, or it is of another
            // cluster that this one has just met. A first contact it can answer.
            let addr = self.link(l).addr;
            self.ask(now, addr, true);
            let m = self.members.at(h);
            let patience = if m.version == Version::NONE { c::NEWCOMER.1 } else { c::NEWCOMER.0 };
            if now - m.heard < patience * self.period() {
                return;
            }
        }
        let link = self.link(l);
        link.silent_waves = (link.silent_waves + 1).min(3);
        let mut phase = link.silent_waves.min(2);
        if self.overlay.len() == 2 && self.link(l).silent_waves < 3 {
            // nobody else can bear this witness out
            phase = 1;
        }
        self.counters.accusations += 1;
        let alarm = Alarm { nid: self.members.at(h).nid, at: self.now_version(now), phase, by: self.me.id.nid() as u32 };
        self.alarm(now, None, alarm);
    }

    /// A peer that was never heard may have moved: ask at its other addresses too.
    fn try_other_address(&mut self, l: usize) {
        let link = self.links[l].as_ref().expect("the index of a link");
        let Some(m) = link.member.and_then(|h| self.members.get(h)) else { return };
        let usable: Vec<_> = m.record().addresses.iter().copied().filter(|a| self.is_usable(a)).collect();
        if usable.len() > 1 {
            let at = usable.iter().position(|a| *a == link.addr).map_or(0, |i| (i + 1) % usable.len());
            self.link(l).addr = usable[at];
        }
    }

    /// More than half of the neighbours silent at once whom nobody else accuses: then it is rather this node that is cut off.
    fn is_cut_off(&self, now: Instant) -> bool {
        let lately = now.before(self.period() + c::LATE * 3);
        let by = self.me.id.nid() as u32;
        let ring = self.links.iter().flatten().filter(|l| l.ring && !l.is_border());
        let is_alone = |l: &Link| l.last_heard < lately && l.member.is_none_or(|h| !self.members.at(h).is_accused_beside(by));
        let (all, silent) = ring.fold((0, 0), |(a, s), l| (a + 1, s + usize::from(is_alone(l))));
        all > 2 && silent * 2 > all
    }

    /// While most neighbours are silent: asks members at random. Of a small part that was cut off most have few neighbours left in
    /// it, or none, and would call each other down before the rings are closed again.
    pub(super) fn look_around(&mut self, now: Instant) {
        if self.config.listen_only || !self.is_cut_off(now) {
            return;
        }
        let others = self.members.iter().filter(|(h, m)| *h != ME && m.zone == HERE && m.is_up());
        let mut apart: Vec<Handle> = others.map(|(h, _)| h).filter(|h| self.link_of(*h).is_none()).collect();
        for _ in 0..c::LOOK_AROUND.min(apart.len()) {
            let h = apart.swap_remove(self.rng.below(apart.len()));
            let usable = self.members.at(h).record().addresses.iter().copied().find(|a| self.is_usable(a));
            if let Some(to) = usable {
                self.ask(now, to, true);
            }
        }
    }

    /// Takes an accusation, this node's own (`from` is `None`) or one that came over a link.
    pub(super) fn alarm(&mut self, now: Instant, from: Option<usize>, alarm: Alarm) {
        let Some(o) = self.members.handle(alarm.nid) else { return };
        if o == ME {
            return self.refute(now, alarm.at);
        }
        let m = self.members.at(o);
        if !m.is_up() || (m.version != Version::NONE && m.version.newer_than(alarm.at)) {
            return;
        }
        if alarm.at.ticks_since(self.now_version(now)) > c::FUTURE_TICKS {
            self.counters.dropped_future += 1;
            return;
        }
        let (state, zone) = (m.state, m.zone);
        if alarm.phase == 3 || zone != HERE {
            return self.alarm_there(now, from, alarm, o);
        }
        if let Some(link) = from.and_then(|l| self.link_if(l)) {
            // it knows
            link.alarms.retain(|a| (a.nid, a.phase, a.by) != (alarm.nid, alarm.phase, alarm.by));
        }
        let Some(accusers) = self.members.at_mut(o).accuse(&alarm) else { return };
        // enough accusers are enough: more are not passed on
        if accusers <= c::QUORUM {
            self.tell_alarm(now, from, alarm, |link| !link.is_border());
        }
        // everybody has two neighbours at least, if there are so many
        let monitors = self.overlay.len().saturating_sub(1);
        if accusers < c::QUORUM.min(monitors.max(1)) {
            return;
        }
        if alarm.phase == 2 {
            self.declare_down(now, o);
        } else if state == MemberState::Alive {
            let m = self.members.at_mut(o);
            m.state = MemberState::Suspect;
            m.since = now;
            self.member_event(o);
        }
    }

    /// A zone tells the others who is down there: they have no part in finding it out.
    fn alarm_there(&mut self, now: Instant, from: Option<usize>, alarm: Alarm, o: Handle) {
        let zone = self.members.at(o).zone;
        if alarm.phase != 3 || zone == HERE {
            return;
        }
        self.declare_down(now, o);
        self.pass_alarm(now, from, alarm, zone);
    }

    fn pass_alarm(&mut self, now: Instant, from: Option<usize>, alarm: Alarm, zone: ZoneIndex) {
        self.tell_alarm(now, from, alarm, |link| link.zone != zone || zone != HERE && !link.is_border());
    }

    /// Over all links to such peers, but not back where it came from.
    fn tell_alarm(&mut self, now: Instant, from: Option<usize>, alarm: Alarm, to: impl Fn(&Link) -> bool) {
        for i in self.link_indices() {
            let hold = self.drawn(c::HOLD_ALARM);
            let link = self.link(i);
            if Some(i) != from && to(link) {
                link.alarms.push(alarm);
                link.flush_by(now + hold);
            }
        }
    }

    /// Over a link into another zone that is new, perhaps since the relay before this one died: who died with it.
    fn tell_losses(&mut self, now: Instant, l: usize) {
        let lately =
            |m: &super::members::Member| m.zone == HERE && m.state == MemberState::Down && now - m.since < c::LOSSES_TOLD;
        let by = self.me.id.nid() as u32;
        let lost: Vec<Alarm> = self
            .members
            .iter()
            .filter(|(_, m)| lately(m))
            .map(|(_, m)| Alarm { nid: m.nid, at: m.rare().down_at, phase: 3, by })
            .take(c::LOSSES_MOST)
            .collect();
        self.link(l).alarms.extend(lost);
    }

    /// This node is accused and alive: a row newer than the accusation says so.
    pub(super) fn refute(&mut self, now: Instant, accused_at: Version) {
        let me = self.members.at_mut(ME);
        if me.version.newer_than(accused_at) || accused_at.ticks_since(self.clock.at(now).version()) > c::FUTURE_TICKS {
            return;
        }
        self.counters.refutations += 1;
        self.republish_after(now, accused_at);
    }

    /// A member is gone: the rings close, its links end, what came through it is asked for elsewhere.
    pub(super) fn declare_down(&mut self, now: Instant, o: Handle) {
        let version = self.now_version(now);
        let m = self.members.at_mut(o);
        m.rare_mut().down_at = version;
        m.heal_at(now + c::HEAL_RETRY.0);
        let (nid, zone) = (m.nid, m.zone);
        if zone == HERE && self.is_relay() {
            let alarm = Alarm { nid, at: version, phase: 3, by: self.me.id.nid() as u32 };
            self.pass_alarm(now, None, alarm, HERE);
        }
        self.leave_rings(now, o, MemberState::Down);
    }

    /// A member is no longer up.
    pub(super) fn leave_rings(&mut self, now: Instant, o: Handle, state: MemberState) {
        self.take_out(now, o, state);
        self.member_event(o);
    }

    /// As [`Self::leave_rings`], but nothing befell the member: it moves, or is no longer told of.
    pub(super) fn take_out(&mut self, now: Instant, o: Handle, state: MemberState) {
        let m = self.members.at_mut(o);
        let was_up = m.is_up();
        m.state = state;
        m.since = now;
        m.acquit();
        if was_up {
            let (nid, zone, fingerprint) = (m.nid, m.zone, m.fingerprint());
            self.toggle(zone, fingerprint);
            let up = || self.members.iter().filter(|(_, m)| m.is_up() && m.zone == zone).map(|(h, m)| (m.nid, h));
            self.zones.remove(zone, o, up());
            if zone == HERE {
                self.overlay.remove(nid, o, up());
            }
            if let Some(l) = self.link_of(o) {
                self.drop_link(now, l);
            }
            self.recompute(now);
        }
    }

    /// A member is up again, or for the first time.
    pub(super) fn revive(&mut self, now: Instant, o: Handle) {
        let m = self.members.at_mut(o);
        if m.is_up() {
            return;
        }
        m.state = MemberState::Alive;
        m.since = now;
        m.heard = now;
        m.acquit();
        let (nid, zone, fingerprint) = (m.nid, m.zone, m.fingerprint());
        self.toggle(zone, fingerprint);
        self.zones.insert(zone, nid, o);
        if zone == HERE {
            self.overlay.insert(nid, o);
        }
        self.all_eager(o);
        if now < self.settling.0 {
            self.settling.1 = self.settling.0.min(now + c::SETTLE.0);
        } else {
            self.recompute(now);
        }
        self.member_event(o);
    }

    /// A new origin's rows go to everybody until its tree is learned.
    pub(super) fn all_eager(&mut self, o: Handle) {
        for link in self.links.iter_mut().flatten() {
            link.eager.set(o);
        }
    }

    /// The rings have changed: open the links they want, mark those they do not.
    pub(super) fn recompute(&mut self, now: Instant) {
        let mut wanted = if self.leaving { Vec::new() } else { self.overlay.neighbours() };
        if !self.leaving && !self.config.listen_only {
            wanted.extend(self.zones.borders());
        }
        for link in self.links.iter_mut().flatten() {
            let wanted = link.member.is_some_and(|h| wanted.contains(&h));
            if std::mem::replace(&mut link.ring, wanted) && !wanted {
                link.end_flood();
            }
        }
        for h in wanted {
            if self.link_of(h).is_some() {
                continue;
            }
            let m = self.members.at(h);
            let Some(addr) = m.record().addresses.iter().copied().find(|a| self.is_usable(a)) else { continue };
            let half = m.half();
            if self.config.listen_only {
                // nobody has a listener's record: it introduces itself
                self.ask(now, addr, false);
                continue;
            }
            if let Some(l) = self.open_link(now, half, Some(h), addr, self.keyring.sending()) {
                let link = self.link(l);
                link.ring = true;
                link.eager.set(ME);
                link.mark(ME);
                link.flush_by(now + c::HOLD_URGENT);
                let crosses = link.is_border();
                if crosses {
                    self.tell_losses(now, l);
                }
                if crosses && self.is_partial() {
                    // who is told of whom has no fingerprint to compare
                    self.start_sync(now, l, true);
                }
            }
        }
    }
}
