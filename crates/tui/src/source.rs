//! The daemon, asked on a thread of its own, so that one that stops stops nothing here.

use crate::app::{Input, Spent};
use crate::history::{ATTRIBUTES, HOLD_MAX, Past, PastSeries, Remembered};
use crate::processes::{Details, OwnAnswer};
use crate::table::{Answer, Ready};
use peermon_api::{BestQuery, Error, NodesQuery, SeriesQuery, Service};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// Nodes that are marked as the ones to use now.
const BEST: usize = 3;
/// The first wait after a failure; each further one is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// The longest: whoever restarts a daemon does not want to wait longer for the screen to notice.
const RETRY_MAX: Duration = Duration::from_secs(8);
/// Of the time, at most this share is spent on asking: with many nodes on a slow machine the table comes less often rather
/// than keep a core busy.
const SHARE_MAX: f64 = 0.2;
/// How much of the past is asked for at most, in seconds, a value for each.
const PAST_SECONDS: usize = 120;

/// What the thread is told.
enum Wish {
    Every(Duration),
    Pause(bool),
    Own(bool),
    /// It is forgotten with the wish.
    Forget(#[expect(dead_code, reason = "it is only dropped")] Spent),
}

/// Looks at a process of this machine; `None` if it is not there, or is not the one that has been there for so many seconds.
pub type Look = Arc<dyn Fn(u32, Option<u64>) -> Option<Details> + Send + Sync>;

/// The threads that ask and look. They end when this is dropped, as soon as the daemon and the kernel let them.
pub(crate) struct Source {
    wishes: Sender<Wish>,
    /// One look at a time: files of a process may hang with it, and the thread then does, and nothing else.
    looks: Option<SyncSender<(u32, Option<u64>)>>,
    pub(crate) inputs: Receiver<Input>,
}

impl Source {
    pub(crate) fn start(service: Arc<dyn Service>, every: Duration, look: Option<Look>) -> Result<Source, String> {
        let (wishes, told) = channel();
        let (tell, inputs) = channel();
        let failed = |e| format!("cannot start a thread to ask the daemon: {e}; check the limit on processes");
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let looks = match look {
            None => None,
            Some(look) => {
                let (looks, told) = sync_channel::<(u32, Option<u64>)>(1);
                let tell = tell.clone();
                let run = move || {
                    for (pid, since) in told {
                        let details = look(pid, since).unwrap_or_default();
                        if tell.send(Input::Process(pid, Box::new(details))).is_err() {
                            return;
                        }
                    }
                };
                thread("look").spawn(run).map_err(failed)?;
                Some(looks)
            }
        };
        thread("ask").spawn(move || run(&*service, every, &told, &tell)).map_err(failed)?;
        Ok(Source { wishes, looks, inputs })
    }

    pub(crate) fn own(&self, wanted: bool) {
        self.wishes.send(Wish::Own(wanted)).ok();
    }

    pub(crate) fn look(&self, pid: u32, since: Option<u64>) {
        // While one look hangs, the next ones are left out.
        self.looks.as_ref().map(|l| l.try_send((pid, since)));
    }

    pub(crate) fn every(&self, every: Duration) {
        // A thread that has ended has said why.
        self.wishes.send(Wish::Every(every)).ok();
    }

    pub(crate) fn forget(&self, spent: Spent) {
        self.wishes.send(Wish::Forget(spent)).ok();
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.wishes.send(Wish::Pause(paused)).ok();
    }
}

fn run(service: &dyn Service, mut every: Duration, told: &Receiver<Wish>, tell: &Sender<Input>) {
    let mut retry = RETRY_MIN;
    let (mut paused, mut own) = (false, false);
    let mut heard: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        if tell.send(Input::Asked).is_err() {
            return;
        }
        let answer = ask(service);
        if own && answer.is_ok() && tell.send(ask_own(service)).is_err() {
            return;
        }
        let took = asked.elapsed();
        let failed = answer.is_err();
        let wait = if failed {
            let wait = retry;
            retry = (retry * 2).min(RETRY_MAX);
            wait
        } else {
            retry = RETRY_MIN;
            every.max(took.div_f64(SHARE_MAX)).saturating_sub(took)
        };
        let told_all = match answer {
            Ok(answer) => show(service, answer, &mut heard, tell),
            Err(e) => tell.send(Input::Failed(e.to_string(), wait)).is_ok(),
        };
        if !told_all {
            return;
        }
        let mut next = Instant::now() + wait;
        while paused || Instant::now() < next {
            let wish = if paused {
                told.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                told.recv_timeout(next.saturating_duration_since(Instant::now()))
            };
            match wish {
                Ok(Wish::Every(e)) => {
                    if !failed {
                        next = next.min(asked + e);
                    }
                    every = e;
                }
                Ok(Wish::Own(wanted)) => {
                    // Who opens a page does not want to wait for the next round.
                    if wanted && !own && !paused && !failed && tell.send(ask_own(service)).is_err() {
                        return;
                    }
                    own = wanted;
                }
                Ok(Wish::Pause(p)) => {
                    paused = p;
                    next = Instant::now();
                }
                Ok(Wish::Forget(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Tells an answer, and then what the daemon remembers of the time of which nothing was heard, if that is so long that it would be a gap:
/// before the first answer, while the daemon was away or the screen held still, and between answers that come seldom. False if nobody listens.
fn show(service: &dyn Service, answer: Answer, heard: &mut Option<Instant>, tell: &Sender<Input>) -> bool {
    let now = Instant::now();
    let silent = heard.replace(now).map_or(PAST_SECONDS, |h| (now - h).as_secs_f64().ceil() as usize);
    let nodes = answer.nodes.len();
    let ready = Ready::from(answer);
    let scales = (silent as u64 > HOLD_MAX).then(|| ready.scales());
    if tell.send(Input::Answer(Box::new(ready))).is_err() {
        return false;
    }
    // A daemon that remembers nothing leaves the traces to fill by themselves.
    let past = scales.and_then(|scales| Some(Remembered::of(&past(service, nodes, silent.min(PAST_SECONDS))?, &scales)));
    past.is_none_or(|past| tell.send(Input::Past(Box::new(past))).is_ok())
}

/// What the daemon remembers of the last seconds, as much of it as one answer holds.
fn past(service: &dyn Service, nodes: usize, seconds: usize) -> Option<Past> {
    let most = SeriesQuery::VALUES_MAX / (nodes.max(1) * ATTRIBUTES.len());
    let query = SeriesQuery {
        attribute: ATTRIBUTES.iter().map(|a| (*a).to_string()).collect(),
        seconds: seconds as f64,
        points: Some(seconds.min(most).max(1)),
        ..SeriesQuery::default()
    };
    let told = service.series(&query).ok()?;
    let series = told.series.into_iter().map(|s| PastSeries { node: s.id, attribute: s.attribute, values: s.values });
    Some(Past { step: told.step_seconds, ago: told.to_seconds_ago, series: series.collect() })
}

/// What the node that answers tells of itself.
fn ask_own(service: &dyn Service) -> Input {
    let words = |e: Error| e.to_string();
    Input::Own(Box::new(OwnAnswer {
        usage: service.usage().map_err(words),
        health: service.health().map_err(words),
        parts: service.parts().map_err(words),
    }))
}

/// One round of questions.
pub(crate) fn ask(service: &dyn Service) -> Result<Answer, Error> {
    let nodes = service.nodes(&NodesQuery::default())?;
    let best = service.best(&BestQuery { n: BEST, ..BestQuery::default() })?;
    let zones = service.zones()?;
    Ok(Answer { nodes, best: best.best.into_iter().map(|b| b.id).collect(), zones })
}
