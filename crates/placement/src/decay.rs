//! What still counts of a claim as time goes by: the job that it is for shows more and more in the node's own values, and must not
//! count twice.

use crate::Claimed;
use crate::claims::Held;
use peermon_model::Amounts;
use std::time::Duration;

/// The load average of one minute takes up a new load as 1 - exp(-t / 60 s) (`kernel/sched/loadavg.c`), so that much of a claimed
/// processor is seen in it.
const LOAD_SECONDS: f64 = 60.0;
/// A job is seen in the share of busy processors, and in the queue, as soon as it runs and the node has published: a second each,
/// and a third for logging in.
const BUSY_SECONDS: f64 = 3.0;

/// How much of a claim counts at an age.
///
/// - Processors count as load with exp(-t / 60 s): together with what the load average shows of the job by then, that is the whole of
///   it at any time.
/// - Among busy processors and in the queue they count in full for 3 s, and then no more.
/// - Nobody knows when a job takes its memory, so the claim of it goes evenly over its time.
/// - GPUs count in full to the end: no value says how many of them are in use.
pub(crate) fn left(amounts: &Amounts, age: Duration, lasts: Duration) -> Held {
    let (age, lasts) = (age.as_secs_f64(), lasts.as_secs_f64());
    if age >= lasts {
        return Held::default();
    }
    let rest = 1.0 - age / lasts;
    let cpus = amounts.cpus * (-age / LOAD_SECONDS).exp();
    let unseen = if age < BUSY_SECONDS { amounts.cpus } else { 0.0 };
    let bare = if amounts.mem > 0.0 { 0.0 } else { amounts.cpus * rest };
    Held { named: Claimed { cpus, mem: amounts.mem * rest, gpus: amounts.gpus }, unseen, bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_shows_and_what_is_left_of_its_claim_are_the_whole_job() {
        let amounts = Amounts { cpus: 4.0, mem: 8e9, gpus: 2.0 };
        let check = |age: f64, cpus: f64, unseen: f64, mem: f64, gpus: f64| {
            let Held { named: left, unseen: busy, .. } =
                super::left(&amounts, Duration::from_secs_f64(age), Duration::from_secs(60));
            assert!((left.cpus - cpus).abs() < 0.01 && (left.mem - mem).abs() < 1e6, "{age}: {left:?}");
            assert_eq!((left.gpus, busy), (gpus, unseen), "{age}");
        };
        check(0.0, 4.0, 4.0, 8e9, 2.0);
        check(2.9, 3.81, 4.0, 7.613e9, 2.0);
        check(3.0, 3.80, 0.0, 7.6e9, 2.0);
        check(30.0, 2.43, 0.0, 4e9, 2.0);
        check(59.9, 1.47, 0.0, 0.0133e9, 2.0);
        check(60.0, 0.0, 0.0, 0.0, 0.0);
        // The kernel's own reckoning, every 5 s: EXP_1 is 1884 of 2048.
        let mut load = 0.0;
        for step in 1..12 {
            load = (load * 1884.0 + 4.0 * (2048.0 - 1884.0)) / 2048.0;
            let left = super::left(&amounts, Duration::from_secs(5 * step), Duration::from_secs(60)).named;
            assert!((load + left.cpus - 4.0).abs() < 0.01, "after {} s: {load} and {}", 5 * step, left.cpus);
        }
    }
}
