//! When each thing is tried, and what is said while a try does not end.

use super::pool::{Message, Number, Out, Pool};
use super::{KINDS, Kind, Plan, Probe, Report, Told, Tried};
use crate::limits::{PROBED_THINGS_MAX, THREAD_STACK_BYTES};
use peermon_model::{Outcome, ProbeResult};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Between two looks at what there is to try: mounts and name servers come and go.
const LIST_EVERY: Duration = Duration::from_secs(2);
/// Between two tries of a thing that fails or has failed, so that its end is seen soon.
const FAILING_EVERY: Duration = Duration::from_secs(1);
/// Tries in a row that are made so after the last one that failed: as many good ones as `peermon-health` wants to see.
const RECOVERY: u32 = 12;

/// The thread that has things tried. It ends when this is dropped; tries that are stuck end when they return.
#[derive(Debug)]
pub struct Probes(Sender<Message>);

impl Probes {
    /// Starts trying everything that is not among `without`. `report` hands on what comes of it, and says whether to go on.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(without: &[String], told: Told, report: impl Fn(Report) -> bool + Send + 'static) -> io::Result<Self> {
        let kinds = KINDS.iter().filter(|k| !without.iter().any(|w| w == k.name)).collect();
        Self::start_these(kinds, told, Box::new(report))
    }

    fn start_these(kinds: Vec<&'static Kind>, told: Told, report: Out) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let results = sender.clone();
        let work = move || {
            let schedule =
                Schedule { kinds, told: Arc::new(told), things: Vec::new(), next_number: 0, pool: Pool::new(results), report };
            schedule.run(&receiver);
        };
        std::thread::Builder::new().name("probes".into()).stack_size(THREAD_STACK_BYTES).spawn(work)?;
        Ok(Probes(sender))
    }

    /// Tells the probes of the cluster as it is now.
    pub fn tell(&self, told: Told) {
        // who has ended needs to know nothing
        self.0.send(Message::Told(told)).ok();
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.0.send(Message::End).ok();
    }
}

/// One thing that is tried.
struct Thing {
    number: Number,
    kind: &'static Kind,
    plan: Plan,
    due: Instant,
    /// Not here while it is tried.
    probe: Option<Box<dyn Probe>>,
    begun: Instant,
    /// What has been said of the try under way, and when more must be said.
    said: Outcome,
    say: Instant,
    /// Tries that are still made sooner than usual.
    soon: u32,
    /// A try has been good.
    worked: bool,
}

struct Schedule {
    kinds: Vec<&'static Kind>,
    told: Arc<Told>,
    things: Vec<Thing>,
    next_number: Number,
    pool: Pool,
    report: Out,
}

impl Schedule {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut list = Instant::now();
        loop {
            let now = Instant::now();
            if list <= now {
                list = now + LIST_EVERY;
                if !self.list(now) {
                    return;
                }
            }
            if !self.turn(now) {
                return;
            }
            let things = self.things.iter().map(|t| if t.probe.is_some() { t.due } else { t.say });
            let mut next = things.chain([list]).min().unwrap_or(list).saturating_duration_since(now);
            if let Some(wait) = self.pool.look(now) {
                next = next.min(wait);
            }
            let going_on = match messages.recv_timeout(next) {
                Ok(Message::Done { number, probe, tried, took }) => self.done(Instant::now(), number, probe, tried, took),
                Ok(Message::Told(told)) => {
                    self.told = Arc::new(told);
                    true
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => false,
                Err(RecvTimeoutError::Timeout) => true,
            };
            if !going_on {
                return;
            }
        }
    }

    /// Looks what there is.
    fn list(&mut self, now: Instant) -> bool {
        let mut kept = Vec::new();
        for kind in &self.kinds {
            for plan in (kind.list)(&self.told) {
                let same = |t: &Thing| t.kind.name == kind.name && t.plan.instance == plan.instance;
                if let Some(i) = self.things.iter().position(same) {
                    let mut thing = self.things.swap_remove(i);
                    thing.plan = plan;
                    kept.push(thing);
                } else if kept.len() < PROBED_THINGS_MAX {
                    self.next_number += 1;
                    let probe = Some((plan.make)());
                    kept.push(Thing {
                        number: self.next_number,
                        kind,
                        plan,
                        due: now,
                        probe,
                        begun: now,
                        said: Outcome::Good,
                        say: now,
                        soon: 0,
                        worked: false,
                    });
                }
            }
        }
        let gone = std::mem::replace(&mut self.things, kept);
        gone.into_iter().all(|t| (self.report)(Report::Gone(t.kind.name, t.plan.instance)))
    }

    /// Starts what is due, and says what is late.
    fn turn(&mut self, now: Instant) -> bool {
        let mut going_on = true;
        for thing in &mut self.things {
            if thing.probe.is_some() && thing.due <= now {
                thing.begun = now;
                thing.said = Outcome::Good;
                thing.say = now + thing.plan.late;
                if let Some(probe) = thing.probe.take() {
                    self.pool.start(thing.number, probe, &self.told);
                }
            } else if thing.probe.is_none() && thing.say <= now {
                let took = now - thing.begun;
                let outcome = if took >= thing.plan.fails { Outcome::Failed } else { Outcome::Late };
                thing.said = outcome;
                thing.soon = RECOVERY;
                // at the moment it fails, and then as often as it would have been tried
                let again = if outcome == Outcome::Late { thing.begun + thing.plan.fails } else { now + thing.plan.every };
                thing.say = again;
                if thing.is_unknown() {
                    continue;
                }
                going_on &= (self.report)(Report::Tried(thing.result(outcome, took, None)));
            }
        }
        going_on
    }

    fn done(&mut self, now: Instant, number: Number, probe: Box<dyn Probe>, tried: Option<Tried>, took: Duration) -> bool {
        let Some(thing) = self.things.iter_mut().find(|t| t.number == number) else { return true };
        thing.probe = Some(probe);
        let waited = now - thing.begun;
        let in_time = if waited >= thing.plan.fails {
            Outcome::Failed
        } else if waited >= thing.plan.late {
            Outcome::Late
        } else {
            Outcome::Good
        };
        let (outcome, tried) = match tried {
            // nothing to say, unless it took too long to find that out
            None if in_time == Outcome::Good => {
                thing.due = now + thing.plan.every;
                thing.soon = thing.soon.saturating_sub(1);
                return true;
            }
            None => (in_time, None),
            Some(t) if t.outcome >= in_time => (t.outcome, Some(t)),
            Some(_) => (in_time, None),
        };
        let failed = outcome != Outcome::Good && !thing.is_unknown();
        thing.soon = if failed { RECOVERY } else { thing.soon.saturating_sub(1) };
        thing.worked |= outcome == Outcome::Good;
        let every = if thing.soon > 0 { thing.plan.every.min(FAILING_EVERY) } else { thing.plan.every };
        // what was due at one moment stays together: one wake-up for all
        thing.due = (thing.begun + every).max(now + every / 2);
        let said = outcome == thing.said && outcome != Outcome::Good;
        if said || thing.is_unknown() {
            return true;
        }
        (self.report)(Report::Tried(thing.result(outcome, took, tried)))
    }
}

impl Thing {
    /// Perhaps it is not there at all.
    fn is_unknown(&self) -> bool {
        self.plan.once_good && !self.worked
    }

    fn result(&self, outcome: Outcome, took: Duration, tried: Option<Tried>) -> ProbeResult {
        let (severity, words) = match tried {
            Some(t) => (t.severity, t.words),
            None => (self.plan.severity, self.plan.words.clone()),
        };
        let words = if outcome == Outcome::Good { String::new() } else { words };
        ProbeResult { probe: self.kind.name, instance: self.plan.instance.clone(), outcome, severity, took, words: words.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::{Attribute, Severity, Unit};
    use std::sync::Mutex;
    use std::sync::mpsc;

    static A: Attribute = Attribute::gauge("probe.test.failed", Unit::Count, "A test.");
    static GATE: Mutex<Option<Receiver<()>>> = Mutex::new(None);

    struct Gated;

    impl Probe for Gated {
        fn try_once(&mut self, told: &Told) -> Option<Tried> {
            let gate = GATE.lock().expect("no test panics with it").take();
            if let Some(gate) = gate {
                gate.recv().ok();
            }
            if told.members == 7 { Tried::failed(Severity::Avoid, "seven") } else { Tried::good() }
        }
    }

    fn list(told: &Told) -> Vec<Plan> {
        let plan = |name: &str| Plan {
            instance: Some(name.into()),
            every: Duration::from_millis(20),
            late: Duration::from_millis(300),
            fails: Duration::from_millis(500),
            words: "it hangs".into(),
            severity: Severity::Avoid,
            once_good: false,
            make: Box::new(|| Box::new(Gated)),
        };
        if told.members == 9 { Vec::new() } else { vec![plan("a"), plan("b")] }
    }

    static KIND: Kind = Kind { name: "test", failed: &A, time: &A, list };

    /// Reads on until the reports have told all that is wanted, in this order for each thing.
    fn wait_for(reports: &Receiver<Report>, mut wanted: Vec<(&str, &str)>) {
        while !wanted.is_empty() {
            let said = match reports.recv().expect("the probes go on") {
                Report::Tried(r) => (r.instance.unwrap_or_default().to_string(), format!("{} {}", r.outcome, r.words)),
                Report::Gone(_, instance) => (instance.unwrap_or_default().to_string(), "gone".into()),
            };
            let next = wanted.iter().position(|(who, _)| *who == said.0);
            if let Some(i) = next.filter(|i| said.1.trim() == wanted[*i].1) {
                wanted.remove(i);
            }
        }
    }

    #[test]
    fn a_try_that_hangs_is_late_then_failed_and_holds_nobody_up() {
        let (open, gate) = mpsc::channel();
        *GATE.lock().expect("nobody else has it") = Some(gate);
        let (out, reports) = mpsc::channel();
        let probes = Probes::start_these(vec![&KIND], Told::default(), Box::new(move |r| out.send(r).is_ok())).expect("a thread");
        // one of the two is stuck, the other is tried all the same
        let first = loop {
            if let Report::Tried(r) = reports.recv().expect("the probes go on")
                && r.outcome == Outcome::Good
            {
                break r.instance.unwrap_or_default();
            }
        };
        let stuck = if &*first == "a" { "b" } else { "a" };
        wait_for(&reports, vec![(stuck, "late it hangs"), (stuck, "failed it hangs"), (&first, "good")]);
        drop(open);
        wait_for(&reports, vec![(stuck, "good"), (&first, "good")]);
        probes.tell(Told { members: 7, ..Told::default() });
        wait_for(&reports, vec![("a", "failed seven"), ("b", "failed seven")]);
        probes.tell(Told { members: 9, ..Told::default() });
        wait_for(&reports, vec![("a", "gone"), ("b", "gone")]);
        drop(probes);
        while reports.recv().is_ok() {}
    }
}
