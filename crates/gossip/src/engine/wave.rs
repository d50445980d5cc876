//! The wave: all nodes sample at the same moment of the cluster clock, so that a period's rows travel together in few, full
//! packets. Then the checks that follow it.

use super::members::{Handle, ME, Member};
use super::zones::HERE;
use super::{Engine, Event, Version, c};
use crate::time::ClusterTime;
use crate::wire::packet::{self, section};
use peermon_model::vitals::SLOTS;
use peermon_model::{Instant, MemberState, Vitals, vitals::Slot};
use std::time::Duration;

/// Checks for missing rows: so many thousandths of a period (of a second at most) after the wave began; all of them later if
/// the first would come before the wave has passed.
pub(super) const STAGES: [u32; 3] = [150, 250, 450];

impl Engine {
    /// Plans the next wave: `pause` from now at the earliest.
    pub(super) fn schedule_wave(&mut self, now: Instant, pause: Duration) {
        let (t, offset) = (self.config.period.as_micros() as u64, c::WAVE_OFFSET.as_micros() as u64);
        let earliest = self.clock.at(now).0 + pause.as_micros() as u64;
        let next = (earliest.saturating_sub(offset) / t + 1) * t + offset;
        self.publish_at = self.clock.local(ClusterTime(next));
    }

    /// When the present wave began.
    fn wave_start(&self, now: Instant) -> Instant {
        let t = self.period().as_micros() as u64;
        self.clock.local(ClusterTime(self.clock.at(now).0 / t * t))
    }

    /// A wave begins: follow the clock, ask for a sample.
    pub(super) fn wave(&mut self, now: Instant) {
        let recent = now.before(3 * self.period());
        let heard = self.links.iter().flatten().filter(|l| l.last_heard >= recent);
        let mut offsets: Vec<i64> = heard.filter_map(super::Link::offset).collect();
        let lead = self.lead(recent);
        let by = self.clock.follow(&mut offsets, lead);
        for link in self.links.iter_mut().flatten() {
            link.offsets.iter_mut().for_each(|o| o.1 -= by);
        }
        let is_turn = self.take_turn(now);
        if is_turn {
            self.check_stage = 0;
            self.gaps.begin_wave(self.members.len());
            self.check_at = self.wave_start(now) + self.stage(0);
        }
        // the clock may have been slewed back a little since this wave
        self.schedule_wave(now, self.config.period / 4);
        if self.config.listen_only || self.leaving {
            self.keep_listening(now);
            return;
        }
        self.events.push_back(Event::SampleDue);
        if is_turn {
            // a quarter of a period is enough for any collector; after it the old row goes out again, as a sign of life
            self.republish_at = now + self.config.period / 4;
        }
    }

    fn stage(&self, n: usize) -> Duration {
        let period = self.period().min(Duration::from_secs(1));
        let first = (period * STAGES[0] / 1000).max(c::WAVE_PASSED.min(period / 2));
        first + period * (STAGES[n] - STAGES[0]) / 1000
    }

    /// Takes this node's row, whenever there is one, at the latest when [`Event::SampleDue`] asks for it. It is published if
    /// it is the turn's, or says something that should not wait.
    pub fn publish(&mut self, now: Instant, row: &Vitals) {
        self.own.measured = *row.codes();
        if self.pace.take_due() {
            self.republish(now);
        } else if self.is_notable() {
            if self.pace.take_note(now, self.overlay.len()) {
                self.counters.out_of_turn += 1;
                self.republish(now);
            } else {
                self.counters.notes_waited += 1;
            }
        }
    }

    /// Publishes what was last measured, with the present time.
    pub(super) fn republish(&mut self, now: Instant) {
        let version = self.now_version(now);
        self.publish_as(now, version);
    }

    /// As [`Self::republish`], newer than `than` in any case.
    pub(super) fn republish_after(&mut self, now: Instant, than: Version) {
        let version = self.now_version(now);
        self.publish_as(now, if version.newer_than(than) { version } else { Version(than.0.wrapping_add(1)) });
    }

    fn publish_as(&mut self, now: Instant, version: Version) {
        self.republish_at = Instant::NEVER;
        if self.config.listen_only || self.leaving {
            return;
        }
        let (own, me) = (&mut self.own, self.members.at_mut(ME));
        // At most one row a tick, and never an older one than was told of this node before. Much older is none at all: this
        // node slept for half a year.
        if me.version != Version::NONE && (-(1 << 20)..=0).contains(&version.ticks_since(me.version)) {
            return;
        }
        let mut fields = 0;
        for i in 0..SLOTS {
            let (was, is) = (me.codes[i], own.measured[i]);
            let moved = if was == peermon_model::quantity::ABSENT || is == peermon_model::quantity::ABSENT {
                was != is
            } else {
                was.abs_diff(is) >= own.bands.dead[i].max(1)
            };
            own.periods[i] += 1;
            if moved || (own.periods[i] >= c::KEYFRAME && was != is) {
                me.codes[i] = is;
                fields |= 1 << i;
                own.periods[i] = 0;
            }
        }
        if std::mem::take(&mut own.whole) {
            me.changes.restart(version);
        } else {
            me.changes.note(version, fields);
        }
        me.version = version;
        me.heard = now;
        if let Some(summary) = own.summary.take() {
            self.take_summary(ME, version, summary);
        }
        self.note_published(now, version);
        let own = &mut self.own;
        own.published += 1;
        let explores = own.published >= own.explore_at;
        if explores {
            // spread, so that a cluster started at once does not explore at once
            let most = c::EXPLORE.2.max((c::EXPLORE_TIME.as_micros() / self.config.period.as_micros()) as u32);
            let next = own.published.saturating_mul(c::EXPLORE.1).min(own.published.saturating_add(most));
            own.explore_at = next + self.rng.below((next - own.published) as usize / 2) as u32;
        }
        let mut hash = self.fingerprint().to_le_bytes().to_vec();
        hash.extend(self.pace_told());
        let (passes, exported) = (self.passes(self.members.at(ME), ME, version), self.zones.is_exported(HERE, ME));
        for link in self.links.iter_mut().flatten() {
            if link.is_border() && !(exported && (passes || link.known(ME) == Version::NONE)) {
                continue;
            }
            if link.ring || link.peer_ring {
                link.eager.set(ME);
                if explores {
                    link.explore.set(ME);
                }
            }
            if link.eager.get(ME) {
                link.mark(ME);
                link.flush_by(now);
                if !link.once.iter().any(|s| s.0 == section::HASH) {
                    link.once.push((section::HASH, hash.clone()));
                }
            }
        }
        for l in self.link_indices() {
            if self.link(l).flush_at <= now {
                if self.link(l).is_stalled() {
                    // the peer may be back, and its link to this node is stalled as well
                    self.counters.pings += 1;
                    self.send_on(now, l, packet::Kind::Ping, &[], &[]);
                }
                self.flush(now, l);
            }
        }
    }

    /// What follows a wave: missing rows, silent neighbours, nodes long unheard.
    pub(super) fn check(&mut self, now: Instant) {
        let wave = self.wave_start(now);
        let stage = self.check_stage as usize;
        self.check_stage += 1;
        self.check_at = match self.check_stage as usize {
            n if n < STAGES.len() => wave + self.stage(n),
            _ => Instant::NEVER,
        };
        self.ask_for_gaps(now, wave, stage);
        if stage == 0 && now >= self.stalled_until {
            self.ask_the_silent(now, wave);
            self.look_around(now);
        }
        if stage == STAGES.len() - 1 {
            self.declare_unheard(now);
        }
    }

    fn declare_unheard(&mut self, now: Instant) {
        let patience = |m: &Member| if m.version == Version::NONE { c::BACKSTOP_NEWCOMER } else { c::BACKSTOP };
        let period = self.period();
        let is_unheard = |m: &Member| {
            let silent = now - m.heard;
            // nobody's period is shorter than this node's, and few are silent that long: their records are looked at last
            m.zone == HERE && m.is_up() && silent > period && silent > patience(m) * self.member_period(m)
        };
        let unheard: Vec<Handle> = self.members.iter().filter(|(h, m)| *h != ME && is_unheard(m)).map(|(h, _)| h).collect();
        for o in unheard {
            self.declare_down(now, o);
        }
        self.declare_unheard_there(now);
    }

    /// A listener publishes nothing; it keeps its links open by asking.
    fn keep_listening(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        for l in self.link_indices() {
            self.send_on(now, l, packet::Kind::Ping, &[], &[]);
        }
        self.recompute(now);
    }

    /// Once a second: links nobody wants, members to forget, keys to pass on.
    pub(super) fn housekeep(&mut self, now: Instant) {
        self.housekeep_at = now + Duration::from_secs(1);
        self.tend_keys(now);
        self.tend_zones(now);
        self.tend_claims(now);
        if !self.config.listen_only && now >= self.settling.0 {
            self.recompute(now);
        }
        let idle = c::IDLE_PERIODS * self.period().max(Duration::from_millis(500));
        let listening = self.config.listen_only;
        for l in self.link_indices() {
            let link = self.link(l);
            let wanted = link.ring || link.peer_ring;
            if wanted {
                link.retiring = Instant::NEVER;
            }
            let unheard = now - link.last_heard > idle;
            if link.listener || link.member.is_none() || wanted {
                let patience = if link.ever_heard { idle * 2 } else { idle };
                if (!link.ring || listening) && now - link.last_heard > patience {
                    self.drop_link(now, l);
                }
            } else if now - link.opened > c::RETIRE_AFTER {
                if unheard && (link.is_stalled() || !link.has_work()) {
                    self.drop_link(now, l);
                } else {
                    self.retire(now, l);
                }
            }
        }
        let gone: Vec<Handle> = self
            .members
            .iter()
            .filter(|(_, m)| matches!(m.state, MemberState::Down | MemberState::Left) && now - m.since > self.config.remove_after)
            .map(|(h, _)| h)
            .collect();
        for h in gone {
            self.forget(now, h);
        }
    }

    /// Moves what still comes over a link to others: it is asked for there, and told off here once it comes there; or after a while in
    /// any case, since those others may be waiting for it from here. The link then falls idle by itself.
    fn retire(&mut self, now: Instant, l: usize) {
        let since = self.link(l).retiring;
        let begins = since == Instant::NEVER;
        if !begins && now - since < c::RETIRE_PERIODS * self.period() {
            return;
        }
        let others: Vec<usize> = self
            .link_indices()
            .filter(|x| *x != l && self.links[*x].as_ref().is_some_and(|k| k.ring && !k.is_border() && !k.is_stalled()))
            .collect();
        if others.is_empty() {
            return;
        }
        let comes_here = |(h, m): &(Handle, &Member)| *h != ME && m.parent == l as u8 && m.is_up();
        let here: Vec<Handle> = self.members.iter().filter(comes_here).map(|(h, _)| h).collect();
        let is_over = !begins && (here.is_empty() || now - since >= c::RETIRE_PERIODS_MOST * self.period());
        for o in here {
            // whoever wants them from here would wait for them in vain, as this node would
            let apart: Vec<usize> = others.iter().copied().filter(|l| !self.link(*l).eager.get(o)).collect();
            let from = if apart.is_empty() { &others } else { &apart };
            let to = from[self.rng.below(from.len())];
            let version = self.members.at(o).version;
            self.link(to).grafts.push((o, version));
            self.link(to).flush_by(now + c::HOLD_URGENT);
            if is_over {
                self.link(l).prunes.push(o);
                self.set_parent(o, to as u8);
            }
        }
        let link = self.link(l);
        if begins {
            link.retiring = now;
            return;
        }
        if !is_over {
            return;
        }
        link.eager.clear(ME);
        link.flush_by(now + c::HOLD_PRUNE);
    }

    /// The row as last published, for the table's own entry.
    pub(super) fn row_of(&self, h: Handle) -> Vitals {
        let mut v = Vitals::default();
        let m = self.members.at(h);
        for (i, code) in m.codes.iter().enumerate() {
            if let Some(slot) = Slot::new(i) {
                v.put(slot, *code);
            }
        }
        v
    }
}
