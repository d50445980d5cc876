//! One round of all collectors, whatever each of them does.

use crate::attributes::attributes;
use crate::collect::custom::{CustomValue, check_count};
use crate::collect::{COLLECTORS, Collector, Entry, Need, ProcessPrivacy, Round, Setup, Turn};
use crate::error::ConfigError;
use crate::facts;
use crate::lane::{Lane, NotRun, Outcome, Patience};
use crate::limits::{
    COLLECTOR_TIME_MAX, FACTS_TIME_MAX, HUNG_COLLECTORS_MAX, HUNG_PAUSE_ROUNDS_MAX, ROUND_TIME_MAX, SYSTEM_WINDOW_MAX,
};
use crate::pace::{Demand, Pace};
use crate::root::Root;
use peermon_model::Unit::{Count, None as NoUnit, Seconds};
use peermon_model::{Attribute, CollectorReport, Facts, Instant, Sample, Samples};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

attributes! {
    DURATION = &Attribute::gauge("collector.{}.seconds", Seconds, "How long the collector's last run took.").prom("node_scrape_collector_duration_seconds", "collector", &[]);
    SUCCESS = &Attribute::gauge("collector.{}.success", NoUnit, "Whether the collector's last run succeeded: 1 or 0.").prom("node_scrape_collector_success", "collector", &[]);
    FAILURES = &Attribute::counter("collector.{}.failures", Count, "Runs of the collector that failed.");
}

/// How often rounds come as a rule.
const ROUND_EVERY: Duration = Duration::from_secs(1);

/// Where rounds of samples come from: this host, or a recorded machine.
pub trait Source: Send {
    /// Everything it measures now. Rates are over the time since the former round.
    fn round(&mut self, now: Instant) -> Samples;
    /// What is wanted from the next round on. A source that costs nothing need not heed it.
    fn demand(&mut self, _: Demand) {}
    /// What rarely changes. Takes longer than a round; ask every few minutes at most.
    fn facts(&mut self) -> Facts;
}

/// What may be chosen about the collectors.
#[derive(Clone, Default, Debug)]
pub struct Config {
    /// Values that configuration adds. Default: none; at most [`crate::limits::CUSTOM_VALUES_MAX`].
    pub custom: Vec<CustomValue>,
    /// Names of collectors that do not run. Default: none. What they would give is absent, vitals among it.
    pub without: Vec<String>,
    /// How often rounds come. Default: every second.
    pub round: Option<Duration>,
    /// How often collectors look that are named here, rather than as often as usual; at most [`crate::period_max`].
    pub periods: BTreeMap<String, Duration>,
    /// Full names of further attributes that all nodes are told: whoever gives them is read every round.
    pub published: Vec<String>,
    /// How long the kernel's highest share of the processors is remembered. Default: [`SYSTEM_WINDOW_MAX`].
    pub system_window: Option<Duration>,
    /// What is told of single processes. Default: names of programs and users.
    pub processes: ProcessPrivacy,
}

/// All collectors of a host.
///
/// They run on one worker thread. One that does not return in time is abandoned with that thread and reported; the others go
/// on, with their state, on a new one. When it returns it is tried again, after a pause that doubles each time.
pub struct Runner {
    setup: Setup,
    demand: Demand,
    places: Vec<Place>,
    lane: Lane<usize, Work, Round, Result<(), String>>,
    rounds: u64,
    samples_expected: usize,
    facts_lane: Lane<(), (), Root, Facts>,
    facts: Facts,
}

/// One collector's place in the list.
struct Place {
    entry: Entry,
    label: Arc<str>,
    /// Away while it hangs.
    work: Option<Work>,
    pace: Pace,
    /// When it last had its turn.
    looked: Option<Instant>,
    took: Duration,
    /// Why its last look failed.
    failure: Option<String>,
    failures: u64,
    hung_in_a_row: u32,
    rest_until: u64,
}

/// A collector with the samples it gave.
struct Work {
    entry: Entry,
    setup: Setup,
    collector: Box<dyn Collector>,
    every: Duration,
    out: Vec<Sample>,
}

impl Runner {
    /// All collectors of the machine at `root`. Nothing is read yet.
    ///
    /// # Errors
    /// If the configuration names a collector that does not exist or adds too many values.
    pub fn new(root: &Root, config: Config) -> Result<Self, ConfigError> {
        let Config { custom, without, round, periods, published, system_window, processes } = config;
        let names = || COLLECTORS.iter().map(|e| e.name);
        if let Some(given) = without.iter().chain(periods.keys()).find(|w| !names().any(|n| n == **w)) {
            return Err(ConfigError::NoSuchCollector { given: given.clone(), known: names().collect::<Vec<_>>().join(", ") });
        }
        check_count(&custom)?;
        let entries = COLLECTORS.iter().filter(|e| !without.iter().any(|w| w == e.name)).copied();
        let patience = Patience { piece: COLLECTOR_TIME_MAX, call: ROUND_TIME_MAX, stuck_max: HUNG_COLLECTORS_MAX };
        let setup = Setup::new(root, custom).with_processes(processes);
        let setup = setup.with_system_window(system_window.unwrap_or(SYSTEM_WINDOW_MAX));
        let mut runner = Runner::with(setup, entries, patience);
        let round = round.unwrap_or(ROUND_EVERY);
        for p in &mut runner.places {
            let own = peermon_model::Catalogue::new([p.entry.attributes]);
            let need = if published.iter().any(|name| own.find(name).is_some()) { Need::Published } else { p.entry.need };
            p.pace = Pace::new(&p.entry, need, periods.get(p.entry.name).copied(), round);
        }
        Ok(runner)
    }

    fn with(setup: Setup, entries: impl Iterator<Item = Entry>, patience: Patience) -> Self {
        let place = |entry: Entry| Place {
            entry,
            label: entry.name.into(),
            work: Some(Work::new(entry, &setup)),
            pace: Pace::new(&entry, entry.need, None, ROUND_EVERY),
            looked: None,
            took: Duration::ZERO,
            failure: None,
            failures: 0,
            hung_in_a_row: 0,
            rest_until: 0,
        };
        let facts_patience = Patience { piece: FACTS_TIME_MAX, call: FACTS_TIME_MAX, stuck_max: 1 };
        Runner {
            places: entries.map(place).collect(),
            lane: Lane::new("peermon-collect", Work::run, patience),
            rounds: 0,
            samples_expected: 0,
            facts_lane: Lane::new("peermon-facts", |(), root| facts::gather(root), facts_patience),
            facts: Facts::default(),
            demand: Demand::default(),
            setup,
        }
    }

    /// The report of a collector's last look.
    fn told(&self, place: usize) -> CollectorReport {
        let p = &self.places[place];
        let every = p.pace.every(self.demand);
        CollectorReport { collector: p.entry.name, duration: p.took, every, failure: p.failure.clone() }
    }

    /// What kept a collector from running or finishing, for its report.
    fn fail(&mut self, place: usize, took: Duration, why: String) -> CollectorReport {
        let p = &mut self.places[place];
        p.failures += 1;
        p.took = took;
        p.failure = Some(why);
        self.told(place)
    }

    /// A collector whose turn it is not: what it gave last is told again.
    fn hold(&mut self, place: usize, round: &mut Samples) -> CollectorReport {
        if let Some(work) = &self.places[place].work {
            round.list.extend_from_slice(&work.out);
            work.collector.tell(round);
        }
        self.told(place)
    }

    /// Those whose turn it is, with what they need.
    fn pieces(&mut self, now: Instant) -> Vec<(usize, Work)> {
        let (rounds, demand) = (self.rounds, self.demand);
        let due = |p: &Place| {
            let rested = p.entry.turn == Turn::Own || p.looked.is_none_or(|at| p.pace.is_due(demand, now.since(at)));
            rested && p.rest_until <= rounds
        };
        let turns = self.places.iter_mut().enumerate().filter(|(_, p)| due(p));
        turns
            .filter_map(|(i, p)| {
                let mut work = p.work.take()?;
                p.looked = Some(now);
                work.every = p.pace.every(demand);
                Some((i, work))
            })
            .collect()
    }

    fn take_back(&mut self) {
        for (place, work) in self.lane.returned() {
            let p = &mut self.places[place];
            p.hung_in_a_row += 1;
            let pause = (1_u64 << (p.hung_in_a_row - 1).min(32)) - 1;
            p.rest_until = self.rounds + pause.min(HUNG_PAUSE_ROUNDS_MAX);
            p.work = Some(work);
        }
    }

    fn report(&mut self, place: usize, outcome: Outcome<Work, Result<(), String>>, round: &mut Samples) -> CollectorReport {
        match outcome {
            Outcome::Done { state, result, took } => {
                let p = &mut self.places[place];
                round.list.extend_from_slice(&state.out);
                state.collector.tell(round);
                p.work = Some(state);
                p.took = took;
                p.failure = None;
                p.hung_in_a_row = 0;
                match result {
                    Ok(()) => self.told(place),
                    Err(why) => self.fail(place, took, why),
                }
            }
            Outcome::Hung => {
                let most = COLLECTOR_TIME_MAX.as_millis();
                self.fail(place, COLLECTOR_TIME_MAX, format!("it has not returned within {most} ms and was abandoned"))
            }
            Outcome::NotRun { state, reason } => {
                let p = &mut self.places[place];
                (p.work, p.looked) = (Some(state), None);
                let why = match reason {
                    NotRun::NoTime => "not run: other collectors took all the time of the round".into(),
                    NotRun::TooManyStuck => format!("not run: {HUNG_COLLECTORS_MAX} collectors hang already"),
                    NotRun::NoThread(e) => format!("not run: the system gives no thread: {e}"),
                };
                self.fail(place, Duration::ZERO, why)
            }
        }
    }

    /// The report of a collector that had no turn.
    fn report_absent(&mut self, place: usize) -> CollectorReport {
        let since = self.lane.hung().find(|(p, _)| **p == place).map(|(_, since)| since);
        let why = match since {
            Some(since) => format!("it has not returned for {} s; it is tried again when it does", since.as_secs()),
            None => "it hung and rests for some rounds".into(),
        };
        self.fail(place, since.unwrap_or_default(), why)
    }
}

impl Source for Runner {
    fn round(&mut self, now: Instant) -> Samples {
        self.rounds += 1;
        self.take_back();
        let pieces = self.pieces(now);
        let mut round = Samples { list: Vec::with_capacity(self.samples_expected), ..Samples::default() };
        let mut reports: Vec<Option<CollectorReport>> = self.places.iter().map(|_| None).collect();
        for (place, outcome) in self.lane.run(pieces, &Round::new(now, &self.setup)) {
            reports[place] = Some(self.report(place, outcome, &mut round));
        }
        let rest = |(i, report): (usize, Option<CollectorReport>)| match report {
            Some(report) => report,
            None if self.places[i].work.is_some() && self.places[i].rest_until <= self.rounds => self.hold(i, &mut round),
            None => self.report_absent(i),
        };
        round.reports = reports.into_iter().enumerate().map(rest).collect();
        for (p, r) in self.places.iter().zip(&round.reports) {
            let own = [
                (DURATION, p.took.as_secs_f64()),
                (SUCCESS, f64::from(u8::from(r.failure.is_none()))),
                (FAILURES, p.failures as f64),
            ];
            let sample = |(attribute, value)| Sample { attribute, instance: Some(Arc::clone(&p.label)), labels: None, value };
            round.list.extend(own.map(sample));
        }
        self.samples_expected = round.list.len();
        round
    }

    fn demand(&mut self, demand: Demand) {
        self.demand = demand;
    }

    fn facts(&mut self) -> Facts {
        self.facts_lane.returned();
        let outcome = self.facts_lane.run(vec![((), ())], &self.setup.root);
        if let Some(((), Outcome::Done { result, .. })) = outcome.into_iter().next() {
            self.facts = result;
        }
        let mut facts = self.facts.clone();
        self.setup.gpus.put(&mut facts);
        facts
    }
}

impl Work {
    fn new(entry: Entry, setup: &Setup) -> Self {
        Work { collector: (entry.make)(setup), every: Duration::ZERO, out: Vec::new(), setup: setup.clone(), entry }
    }

    fn run(&mut self, round: &Round) -> Result<(), String> {
        self.out.clear();
        let round = round.every(self.every);
        match catch_unwind(AssertUnwindSafe(|| self.collector.collect(&round, &mut self.out))) {
            Ok(result) => result.map_err(|e| e.to_string()),
            Err(_) => {
                // What it was in the middle of is not known: it begins anew.
                self.out.clear();
                self.collector = (self.entry.make)(&self.setup);
                Err("it panicked, which is a mistake in the program; please report what the log says".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CollectError;
    use std::sync::{Condvar, Mutex};

    /// Whether the collector below hangs; the tests that use it share this process, so there is one test.
    static CLOSED: Mutex<bool> = Mutex::new(false);
    static OPENED: Condvar = Condvar::new();

    fn set_closed(closed: bool) {
        *CLOSED.lock().expect("sound") = closed;
        OPENED.notify_all();
    }

    struct Gated;
    impl Collector for Gated {
        fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
            let closed = CLOSED.lock().expect("sound");
            drop(OPENED.wait_while(closed, |c| *c).expect("sound"));
            out.push(Sample { attribute: SUCCESS, instance: Some("gated".into()), labels: None, value: 7.0 });
            Ok(())
        }
    }

    /// Says how many rounds it has seen: its state must outlive its neighbour's hanging.
    struct Counting(f64);
    impl Collector for Counting {
        fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
            self.0 += 1.0;
            out.push(Sample { attribute: FAILURES, instance: Some("rounds".into()), labels: None, value: self.0 });
            Ok(())
        }
    }

    struct Panicking;
    impl Collector for Panicking {
        fn collect(&mut self, _: &Round, _: &mut Vec<Sample>) -> Result<(), CollectError> {
            panic!("a mistake made on purpose")
        }
    }

    fn runner(entries: &[Entry]) -> Runner {
        let root = Root::at("/nonexistent", |_| Err(std::io::ErrorKind::NotFound.into()));
        // Long enough for the others on a slow machine.
        let patience = Patience { piece: Duration::from_millis(800), call: Duration::from_secs(60), stuck_max: 2 };
        Runner::with(Setup::new(&root, []), entries.iter().copied(), patience)
    }

    fn entry(name: &'static str, make: fn(&Setup) -> Box<dyn Collector>) -> Entry {
        Entry { name, attributes: &[], make, every: Duration::ZERO, need: Need::Published, turn: Turn::Runner }
    }

    #[test]
    fn a_hung_collector_is_abandoned_reported_and_comes_back() {
        let mut r = runner(&[entry("gated", |_| Box::new(Gated)), entry("counting", |_| Box::new(Counting(0.0)))]);
        let mut seconds = 0;
        let mut round = |r: &mut Runner| {
            seconds += 1;
            r.round(Instant::from_millis(seconds * 1000))
        };
        let (gated, rounds) = ("collector.gated.success", "collector.rounds.failures");
        let s = round(&mut r);
        assert_eq!((s.value(gated), s.value(rounds)), (Some(7.0), Some(1.0)));

        set_closed(true);
        for n in 2..5 {
            let s = round(&mut r);
            assert_eq!(s.value(rounds), Some(f64::from(n)), "the other goes on with its state");
            assert_eq!(s.value(gated), Some(0.0));
            let why = s.reports[0].failure.as_deref().unwrap_or_default();
            assert!(why.starts_with("it has not returned"), "{why}");
            assert_eq!(s.value("collector.gated.failures"), Some(f64::from(n - 1)));
            assert_eq!(r.lane.hung().count(), 1, "one thread, however many rounds");
        }

        set_closed(false);
        let back = (0..1_000_000).map(|_| round(&mut r)).find(|s| s.reports[0].failure.is_none()).expect("it comes back");
        assert_eq!(back.value(gated), Some(7.0));
        assert_eq!(r.lane.hung().count(), 0);
    }

    #[test]
    fn what_nobody_waits_for_is_told_again_and_read_rarely() {
        let asked = |e: Entry| Entry { need: Need::Asked, ..e };
        let counting = entry("counting", |_| Box::new(Counting(0.0)));
        let mut r = runner(&[asked(counting)]);
        let mut seen = |demand: Demand, seconds: std::ops::Range<u64>| {
            r.demand(demand);
            let rounds = seconds.map(|s| r.round(Instant::from_millis(s * 1000)));
            rounds.map(|s| s.value("collector.rounds.failures").expect("told in every round") as u64).collect::<Vec<_>>()
        };
        let (at_rest, stretched) = (Demand { asked: false, stretch: 1.0 }, Demand { asked: true, stretch: 3.0 });
        assert_eq!(seen(Demand::default(), 0..4), [1, 2, 3, 4]);
        let rest = seen(at_rest, 4..64);
        assert_eq!((rest[0], rest[59]), (4, 6), "once in thirty seconds: {rest:?}");
        assert_eq!(seen(Demand::default(), 64..67), [7, 8, 9], "at once when somebody asks");
        assert_eq!(seen(stretched, 67..73), [9, 9, 10, 10, 10, 11]);

        let mut r = runner(&[counting]);
        r.demand(Demand { asked: false, stretch: 16.0 });
        let rounds = (0..5).map(|s| r.round(Instant::from_millis(s * 1000)).value("collector.rounds.failures"));
        assert_eq!(rounds.last(), Some(Some(5.0)), "what all nodes see is read every round");
    }

    #[test]
    fn periods_are_as_configured() {
        let host = |config| Runner::new(&Root::host(), config).expect("fine");
        let every = |r: &mut Runner, name: &str| {
            let report = r.round(Instant::ZERO).reports.into_iter().find(|r| r.collector == name);
            report.expect("it runs").every.as_secs_f64()
        };
        let mut usual = host(Config::default());
        assert_eq!((every(&mut usual, "cpu"), every(&mut usual, "rings")), (1.0, 60.0));
        usual.demand(Demand { asked: false, stretch: 1.0 });
        assert_eq!((every(&mut usual, "cpu"), every(&mut usual, "sockets")), (1.0, 30.0));

        let periods = [("rings", 5), ("cpu", 2)].map(|(n, s)| (n.to_string(), Duration::from_secs(s)));
        let mut own = host(Config {
            periods: periods.into(),
            published: vec!["tcp.established".into()],
            round: Some(Duration::from_secs(4)),
            ..Config::default()
        });
        assert_eq!((every(&mut own, "cpu"), every(&mut own, "rings")), (4.0, 5.0), "no more often than rounds come");
        own.demand(Demand { asked: false, stretch: 16.0 });
        assert_eq!((every(&mut own, "tcp"), every(&mut own, "sockets")), (4.0, 64.0), "one is told to all nodes");
    }

    #[test]
    fn a_panic_is_a_failure_of_its_collector() {
        let mut r = runner(&[entry("panicking", |_| Box::new(Panicking)), entry("counting", |_| Box::new(Counting(0.0)))]);
        for n in 1..3 {
            let s = r.round(Instant::from_millis(n * 1000));
            assert!(s.reports[0].failure.as_deref().is_some_and(|f| f.contains("panicked")));
            assert_eq!(s.value("collector.rounds.failures"), Some(n as f64));
            assert_eq!(s.value("collector.panicking.failures"), Some(n as f64));
        }
    }

    #[test]
    fn configuration_is_checked() {
        let without = |name: &str| Runner::new(&Root::host(), Config { without: vec![name.into()], ..Config::default() });
        let error = without("cpux").map(|_| ()).expect_err("no such collector").to_string();
        assert!(error.starts_with("no collector is named \"cpux\"; there are cpu, load,"), "{error}");
        let s = without("cpu").expect("fine").round(Instant::ZERO);
        assert!(s.reports.iter().all(|r| r.collector != "cpu") && s.value("load.1").is_some());
    }
}
