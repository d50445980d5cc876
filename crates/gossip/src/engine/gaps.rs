//! Rows that a wave did not bring are asked for on other links; the later, the oftener they came by themselves.
//!
//! Where machines or their network are slower than usual, rows are late and not lost. Asking for each of them at once makes several
//! of one, and all this makes the cluster slower still. So each node counts what it asked for in vain, and after some such waves leaves
//! the first checks of a wave out, until that is over.

use super::members::{Handle, ME, Member};
use super::wave::STAGES;
use super::zones::HERE;
use super::{Engine, Version, c};
use crate::time::ticks;
use peermon_model::Instant;
use std::collections::BTreeMap;

/// What was asked for in this wave, and how patient asking has become.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// By origin: the links it was asked for on. An origin whose row came over another one is taken out.
    asked: BTreeMap<Handle, Vec<u8>>,
    /// How many were asked for, and how many of them came over another link than those they were asked for on.
    count: usize,
    vain: usize,
    /// Checks of a wave that ask for nothing; the last one always asks, but only on one link each if it is the only one left.
    patience: u8,
    /// Waves in a row in which most of what was asked for came by itself; in which it did not.
    hasty: u8,
    calm: u8,
}

impl Gaps {
    /// A wave begins among so many members.
    pub(super) fn begin_wave(&mut self, members: usize) {
        let hasty = self.count >= c::GAPS_LEAST.max(members / 32) && self.vain * 2 > self.count;
        (self.hasty, self.calm) = if hasty { (self.hasty + 1, 0) } else { (0, self.calm + 1) };
        if self.hasty >= c::GAPS_HASTY {
            self.patience = (self.patience + 1).min(STAGES.len() as u8 - 1);
            self.hasty = 0;
        }
        if self.calm >= c::GAPS_CALM {
            self.patience = self.patience.saturating_sub(1);
            self.calm = 0;
        }
        self.asked.clear();
        (self.count, self.vain) = (0, 0);
    }

    fn ask(&mut self, o: Handle) {
        self.asked.entry(o).or_insert_with(|| {
            self.count += 1;
            Vec::new()
        });
    }

    /// An origin's rows are asked for on this link.
    pub(super) fn note_asked(&mut self, o: Handle, l: usize) {
        if let Some(links) = self.asked.get_mut(&o) {
            links.push(l as u8);
        }
    }

    /// An origin's newest row came over this link, for the first time or again.
    pub(super) fn note_came(&mut self, o: Handle, l: usize) {
        // nearly always nothing was asked for
        if !self.asked.is_empty() && self.asked.get(&o).is_some_and(|links| !links.contains(&(l as u8))) {
            self.asked.remove(&o);
            self.vain += 1;
        }
    }
}

impl Engine {
    /// Rows that should have come with the last wave and did not: ask for them.
    pub(super) fn ask_for_gaps(&mut self, now: Instant, wave: Instant, stage: usize) {
        let first = usize::from(self.gaps.patience);
        let (period, clock) = (self.period(), self.clock.at(now));
        let allowed =
            if self.clock.is_locked() { (now - wave) + period * 2 / 5 } else { period * 5 / 4 + 3 * c::HOLD_UNLOCKED + c::LATE };
        let late = |m: &Member| {
            // of whom no row ever came there is nothing to wait for
            if stage < first && m.version != Version::NONE {
                return false;
            }
            let beyond = |patience| m.version == Version::NONE || ticks(m.version.age(clock)) > ticks(patience);
            // few are, so their records, which lie elsewhere in memory, are looked at last
            m.is_up()
                && beyond(allowed)
                && !(m.zone != HERE && self.zones.is_stale(m.zone))
                && beyond(allowed + self.member_period(m).saturating_sub(period))
        };
        // Whom its zone no longer tells of nobody has rows of: while there are thousands of those, the questions were half of all that
        // was sent. Once a wave is enough; not at all would be too little after a cut, when all rows of a zone are old.
        let partial = self.is_partial();
        let hopeless = |m: &Member| {
            let patience = c::HOPELESS * self.member_period(m) + allowed;
            partial && m.zone != HERE && m.version != Version::NONE && ticks(m.version.age(clock)) > ticks(patience)
        };
        let most = if first == STAGES.len() - 1 { 1 } else { 2 };
        let tries = |m: &Member| match m.version {
            Version::NONE => 2,
            _ if hopeless(m) => usize::from(stage == first),
            _ => most,
        };
        let missing = self.members.iter().filter(|(h, m)| *h != ME && late(m));
        let missing: Vec<(Handle, usize)> = missing.map(|(h, m)| (h, tries(m))).filter(|(_, tries)| *tries > 0).collect();
        for (o, tries) in missing {
            if self.members.at(o).version != Version::NONE {
                self.gaps.ask(o);
            }
            self.graft(now, o, tries);
        }
    }
}
