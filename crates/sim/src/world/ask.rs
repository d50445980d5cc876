//! What can be asked of a world.

use super::{World, offset};
use crate::Ages;
use peermon_gossip::Version;
use peermon_model::{Instant, MemberState};
use std::time::Duration;

/// The age counted for a node whose row is not known at all.
const NO_ROW: Duration = Duration::from_secs(3600);

impl World {
    /// Runs until every running node has a row of every running node and counts it as alive; how long it took.
    pub fn run_until_all_know_all(&mut self, most: Duration) -> Duration {
        let took = self.run_until(most, "all know all", World::all_know_all);
        self.check_all();
        took
    }

    /// Whether every running node has a row of every running node and counts it as alive.
    pub fn all_know_all(&self) -> bool {
        let running = self.running().count();
        // whoever did not know all when last asked is the one to ask first
        let first = self.ignorant.get();
        let n = self.hosts.len();
        let ignorant = (0..n).map(|k| (first + k) % n).find(|i| !self.knows_all(*i, running));
        self.ignorant.set(ignorant.unwrap_or(0));
        ignorant.is_none()
    }

    fn knows_all(&self, i: usize, running: usize) -> bool {
        let Some(node) = &self.hosts[i].node else { return true };
        let engine = node.engine();
        // the cheap question first
        engine.members_up() >= running && {
            let fine = engine.states().filter(|held| {
                held.state == MemberState::Alive
                    && held.version != Version::NONE
                    && self.hosts[self.model.host(held.nid)].node.is_some()
            });
            fine.count() == running
        }
    }

    /// Machines whose daemon runs.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.hosts.iter().enumerate().filter(|(_, h)| h.node.is_some()).map(|(i, _)| i)
    }

    /// How all other running nodes that know a host see it, in order.
    pub fn views_of(&self, i: usize) -> Vec<MemberState> {
        let nid = self.hosts[i].id.nid();
        let others = self.hosts.iter().enumerate().filter(|(j, _)| *j != i);
        others.filter_map(|(_, h)| Some(h.node.as_ref()?.engine().state_of(nid)?.0)).collect()
    }

    /// What was told of members in trouble since `since`, by state: how often suspect, down, left.
    pub fn told_since(&self, since: Instant) -> [usize; 3] {
        let told = self.hosts.iter().flat_map(|h| &h.told).filter(|t| t.0 >= since);
        told.fold([0; 3], |mut n, (_, _, state)| {
            match state {
                MemberState::Alive | MemberState::Stale => {}
                MemberState::Suspect => n[0] += 1,
                MemberState::Down => n[1] += 1,
                MemberState::Left => n[2] += 1,
            }
            n
        })
    }

    /// The ages of the rows that `observers` running nodes hold of running nodes, except their own.
    pub fn ages(&mut self, observers: usize) -> Vec<Duration> {
        let mut running: Vec<usize> = self.running().collect();
        // the first so many of a shuffle
        for k in 0..observers.min(running.len()) {
            let other = k + self.looker.below(running.len() - k);
            running.swap(k, other);
        }
        running.truncate(observers);
        let mut ages = Vec::new();
        for i in running {
            let engine = self.hosts[i].node.as_ref().expect("it runs").engine();
            let clock = engine.cluster_time(self.local(i));
            for held in engine.states() {
                let j = self.model.host(held.nid);
                if j != i && self.hosts[j].node.is_some() {
                    ages.push(if held.version == Version::NONE { NO_ROW } else { held.version.age(clock) });
                }
            }
        }
        ages
    }

    /// Whose rows are more than a period and a half old with whom: for whoever asks why.
    pub fn oldest(&self) -> String {
        let mut found = Vec::new();
        for (i, host) in self.hosts.iter().enumerate() {
            let Some(node) = &host.node else { continue };
            for n in node.snapshot(self.local(i)).nodes.iter().filter(|n| n.age.is_none_or(|a| a > self.template.period * 3 / 2))
            {
                let j = self.model.host(n.record.id.nid());
                if self.hosts[j].node.is_some() {
                    found.push(format!("{i} has of {j} {:?} ({}, every {:?})", n.age, n.state, n.period));
                }
            }
        }
        found.join("\n")
    }

    /// The distribution of ages over whole periods, sampled at uneven moments.
    pub fn measure_ages(&mut self, periods: u32, observers: usize) -> Ages {
        let mut all = Ages::default();
        let step = self.template.period.mul_f64(0.018_034);
        let end = self.now + self.template.period * periods;
        while self.now < end {
            self.run_for(step);
            all.extend(self.ages(observers));
        }
        all
    }

    /// How far the cluster clocks of the running nodes are apart.
    pub fn clock_spread(&self) -> Duration {
        let offsets = || self.hosts.iter().filter_map(|h| Some(offset(h.node.as_ref()?, h.clock.at(self.now), self.now)));
        let (least, most) = (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0));
        Duration::from_micros(most.abs_diff(least))
    }

    /// A machine's own clock.
    pub fn local(&self, i: usize) -> Instant {
        self.hosts[i].clock.at(self.now)
    }
}
