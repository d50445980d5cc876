//! Processors: what their time goes to.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, put_some, vital};
use crate::rate::Former;
use crate::text::{Text, name, words};
use peermon_model::Unit::{Ratio, Seconds};
use peermon_model::{Attribute, Instant, Sample};
use std::sync::Arc;
use std::time::Duration;

attributes! {
    BUSY = vital("cpu.busy");
    IOWAIT = vital("cpu.iowait");
    STEAL = vital("cpu.steal");
    SYSTEM_MAX = vital("cpu.system.max3m");
    USER = &Attribute::gauge("cpu.user", Ratio, "Share of processor time that programs used, over the last period.");
    SYSTEM = &Attribute::gauge("cpu.system", Ratio, "Share of processor time the kernel and its interrupts used, over the last period.");
    ONE_BUSY = &Attribute::gauge("cpu.{}.busy", Ratio, "Share of one processor's time that was not idle, over the last period.");
    ONE_SYSTEM_SHARE = &Attribute::gauge("cpu.{}.system", Ratio, "Share of one processor's time the kernel and its interrupts used, over the last period.");
    ONE_IOWAIT_SHARE = &Attribute::gauge("cpu.{}.iowait", Ratio, "Share of one processor's time in which it had nothing to do but wait for disks, over the last period.");
    ONE_USER = &mode("cpu.{}.user.seconds", "Time one processor spent in programs.", &[("mode", "user")]);
    ONE_NICE = &mode("cpu.{}.nice.seconds", "Time one processor spent in programs of low priority.", &[("mode", "nice")]);
    ONE_SYSTEM = &mode("cpu.{}.system.seconds", "Time one processor spent in the kernel.", &[("mode", "system")]);
    ONE_IDLE = &mode("cpu.{}.idle.seconds", "Time one processor had nothing to do.", &[("mode", "idle")]);
    ONE_IOWAIT = &mode("cpu.{}.iowait.seconds", "Time one processor had nothing to do but wait for disks.", &[("mode", "iowait")]);
    ONE_IRQ = &mode("cpu.{}.irq.seconds", "Time one processor spent in interrupts.", &[("mode", "irq")]);
    ONE_SOFTIRQ = &mode("cpu.{}.softirq.seconds", "Time one processor spent in the later part of interrupts.", &[("mode", "softirq")]);
    ONE_STEAL = &mode("cpu.{}.steal.seconds", "Time other virtual machines took of one processor.", &[("mode", "steal")]);
    ONE_GUEST = &guest("cpu.{}.guest.seconds", "Time one processor spent in virtual machines; part of its user time.", &[("mode", "user")]);
    ONE_GUEST_NICE = &guest("cpu.{}.guest_nice.seconds", "Time one processor spent in virtual machines of low priority; part of its nice time.", &[("mode", "nice")]);
}

const fn mode(name: &'static str, help: &'static str, labels: &'static [(&'static str, &'static str)]) -> Attribute {
    Attribute::counter(name, Seconds, help).prom("node_cpu_seconds_total", "cpu", labels)
}

const fn guest(name: &'static str, help: &'static str, labels: &'static [(&'static str, &'static str)]) -> Attribute {
    Attribute::counter(name, Seconds, help).prom("node_cpu_guest_seconds_total", "cpu", labels)
}

/// The counters of a line of `/proc/stat`, in its order.
const MODES: [&&Attribute; 10] =
    [&ONE_USER, &ONE_NICE, &ONE_SYSTEM, &ONE_IDLE, &ONE_IOWAIT, &ONE_IRQ, &ONE_SOFTIRQ, &ONE_STEAL, &ONE_GUEST, &ONE_GUEST_NICE];
/// Counters every kernel has had for twenty years; steal and guest came later.
const MODES_MIN: usize = 7;

/// The steps in which the highest share of the kernel is remembered.
const MAX_STEP: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Times {
    ticks: [u64; 10],
    count: usize,
}

/// Shares of one interval.
struct Shares {
    user: f64,
    system: f64,
    iowait: f64,
    steal: f64,
    busy: f64,
}

struct Cpu {
    ticks_per_second: f64,
    former: Former<Times>,
    processors: Vec<(Arc<str>, Times)>,
    highest: Highest,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Cpu {
        ticks_per_second: setup.root.ticks_per_second(),
        former: Former::default(),
        processors: Vec::new(),
        highest: Highest::new(setup.system_window),
    })
}

impl Collector for Cpu {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let stat = round.stat()?;
        let text = stat.text();
        let mut place = 0;
        for line in text.lines() {
            let Some(id) = line.strip_prefix(b"cpu") else { break };
            let times = times(&text, line)?;
            if id.first().is_some_and(u8::is_ascii_whitespace) {
                if let Some((_, old)) = self.former.replace(round.now, times) {
                    self.put_shares(round.now, shares(&old, &times), out);
                }
            } else {
                self.put_processor(place, words(id).next().unwrap_or_default(), times, out);
                place += 1;
            }
        }
        self.processors.truncate(place);
        Ok(())
    }
}

impl Cpu {
    fn put_shares(&mut self, now: Instant, shares: Option<Shares>, out: &mut Vec<Sample>) {
        if let Some(s) = shares {
            put(out, BUSY, s.busy);
            put(out, USER, s.user);
            put(out, SYSTEM, s.system);
            put(out, IOWAIT, s.iowait);
            put(out, STEAL, s.steal);
            self.highest.add(now, s.system);
        }
        put_some(out, SYSTEM_MAX, self.highest.value(now));
    }

    fn put_processor(&mut self, place: usize, id: &[u8], times: Times, out: &mut Vec<Sample>) {
        // Processors come and go in the middle of the list when they are switched on and off.
        if self.processors.get(place).is_none_or(|(known, _)| known.as_bytes() != id) {
            self.processors.truncate(place);
            self.processors.push((name(id).into(), times));
        }
        let (id, old) = &mut self.processors[place];
        if let Some(s) = shares(old, &times) {
            put_of(out, ONE_BUSY, id, s.busy);
            put_of(out, ONE_SYSTEM_SHARE, id, s.system);
            put_of(out, ONE_IOWAIT_SHARE, id, s.iowait);
        }
        *old = times;
        for (attribute, ticks) in MODES.iter().zip(&times.ticks[..times.count]) {
            put_of(out, attribute, id, *ticks as f64 / self.ticks_per_second);
        }
    }
}

fn times(text: &Text<'_>, line: &[u8]) -> Result<Times, CollectError> {
    let mut words = words(line);
    let who = words.next().unwrap_or_default();
    let mut t = Times::default();
    for (i, place) in t.ticks.iter_mut().enumerate() {
        let word = words.next();
        if word.is_none() && i >= MODES_MIN {
            break;
        }
        *place = text.number(word, format_args!("{} time {}", name(who), i + 1))?;
        t.count = i + 1;
    }
    Ok(t)
}

/// Shares between two readings; `None` if no time passed. Guest time is in user time already. The kernel lets idle and
/// iowait step back a little now and then; that counts as no growth.
fn shares(old: &Times, new: &Times) -> Option<Shares> {
    let grown = |i: usize| new.ticks[i].saturating_sub(old.ticks[i]) as f64;
    let total: f64 = (0..8).map(grown).sum();
    (total > 0.0).then(|| Shares {
        user: (grown(0) + grown(1)) / total,
        system: (grown(2) + grown(5) + grown(6)) / total,
        iowait: grown(4) / total,
        steal: grown(7) / total,
        busy: 1.0 - (grown(3) + grown(4)) / total,
    })
}

/// The highest value of the last minutes: one maximum per step of time, so that its size does not depend on the period.
struct Highest {
    window: Duration,
    steps: std::collections::VecDeque<(u64, f64)>,
}

impl Highest {
    fn new(window: Duration) -> Self {
        Highest { window, steps: std::collections::VecDeque::new() }
    }

    fn add(&mut self, now: Instant, value: f64) {
        let step = step(now);
        match self.steps.back_mut() {
            Some((s, most)) if *s == step => *most = most.max(value),
            _ => self.steps.push_back((step, value)),
        }
        self.drop_old(now);
    }

    fn value(&mut self, now: Instant) -> Option<f64> {
        self.drop_old(now);
        self.steps.iter().map(|(_, v)| *v).reduce(f64::max)
    }

    fn drop_old(&mut self, now: Instant) {
        let oldest = step(now.before(self.window));
        while self.steps.front().is_some_and(|(s, _)| *s < oldest) {
            self.steps.pop_front();
        }
    }
}

fn step(at: Instant) -> u64 {
    at.as_micros() / MAX_STEP.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SYSTEM_WINDOW_MAX;

    #[test]
    fn the_highest_share_is_kept_for_three_minutes() {
        let mut h = Highest::new(SYSTEM_WINDOW_MAX);
        let at = |s: u64| Instant::from_millis(s * 1000);
        assert_eq!(h.value(at(0)), None);
        for s in 0..600 {
            h.add(at(s), if s == 100 { 0.9 } else { 0.1 });
            let expected = if (100..=280).contains(&s) { 0.9 } else { 0.1 };
            // The window ends at the end of a step.
            if !(281..286).contains(&s) {
                assert_eq!(h.value(at(s)), Some(expected), "second {s}");
            }
        }
        assert!(h.steps.len() <= 38);
    }
}
