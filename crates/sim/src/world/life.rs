//! What befalls machines and their daemons.

use super::{Step, World};
use peermon_model::Instant;
use peermon_node::{Command, Node};
use std::ops::Range;
use std::time::Duration;

impl World {
    /// Kills a daemon: it says nothing.
    pub fn crash(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        host.node = None;
        host.waiting.clear();
        host.wake_at = Instant::NEVER;
        host.stopped_until = Instant::ZERO;
        self.model.note_end(self.now, i);
    }

    /// Ends a daemon as SIGTERM does.
    pub fn leave(&mut self, i: usize) {
        self.model.note_leave(i, self.hosts[i].incarnation);
        self.command(i, Command::Leave);
        self.crash(i);
    }

    /// Kills a daemon and starts it again at once, with another running host as its seed.
    pub fn restart(&mut self, i: usize) {
        self.crash(i);
        let seed = self.running().next().map(|j| self.hosts[j].address);
        self.start(i, seed.into_iter().collect());
    }

    /// Tells a node to do something; a stopped process goes on first, as with a signal.
    pub fn command(&mut self, i: usize, command: Command) {
        self.go_on(i);
        let now = self.local(i);
        if let Some(node) = &mut self.hosts[i].node {
            node.handle_command(now, command).expect("the command is possible");
            self.drain(i);
        }
    }

    /// Lets a node do something, and sends what that asks for.
    pub fn act<T>(&mut self, i: usize, what: impl FnOnce(&mut Node, Instant) -> T) -> Option<T> {
        self.go_on(i);
        let now = self.local(i);
        let done = self.hosts[i].node.as_mut().map(|node| what(node, now));
        self.drain(i);
        done
    }

    /// Stops a process for a while (SIGSTOP); what arrives waits in its socket's buffer.
    pub fn stop_for(&mut self, i: usize, d: Duration) {
        self.halt(i, d, false);
    }

    /// Suspends a machine for a while: nothing reaches it, and when it wakes its clock has gone on (CLOCK_BOOTTIME counts
    /// sleep), so that time leaps for its node.
    pub fn suspend_for(&mut self, i: usize, d: Duration) {
        self.hosts[i].waiting.clear();
        self.halt(i, d, true);
    }

    fn halt(&mut self, i: usize, d: Duration, asleep: bool) {
        let until = self.now + d;
        let host = &mut self.hosts[i];
        if until <= host.stopped_until {
            return;
        }
        (host.stopped_until, host.asleep, host.was_stopped) = (until, asleep, true);
        self.model.note_trouble(until, i);
        self.queue.push(until, Step::Wake { host: i });
    }

    /// Lets a stopped process go on now.
    pub fn go_on(&mut self, i: usize) {
        if self.hosts[i].stopped_until > self.now {
            self.hosts[i].stopped_until = self.now;
            self.wake(i);
        }
    }

    /// From now on a machine's clock runs fast by so many parts per million; slow if negative.
    pub fn set_drift(&mut self, i: usize, ppm: f64) {
        self.hosts[i].clock.set_rate(self.now, ppm * 1e-6);
        // what was due by the old rate may be due earlier now
        self.hosts[i].wake_at = Instant::NEVER;
        self.drain(i);
    }

    /// Starts `n` more machines at one moment, with a running host as their seed.
    pub fn mass_join(&mut self, n: usize, via: usize) -> Range<usize> {
        let first = self.hosts.len();
        let seed = self.hosts[via].address;
        for _ in 0..n {
            self.add_host(vec![seed]);
        }
        first..first + n
    }

    /// Restarts these one after the other, as an upgrade does: each leaves, is away for `away`, and the next one's turn is
    /// `pause` after it came back.
    pub fn rolling_restart(&mut self, hosts: impl IntoIterator<Item = usize>, away: Duration, pause: Duration) {
        for i in hosts {
            self.leave(i);
            self.run_for(away);
            let seed = self.running().next().map(|j| self.hosts[j].address);
            self.start(i, seed.into_iter().collect());
            self.run_for(pause);
        }
    }
}
