//! CoDeeN's guard: a kernel that uses nearly all of the processors is thrashing or drowning in interrupts, however low the load.
//! It is read from the rounds of samples; nothing is tried here.

use super::{Kind, Plan, Told, attributes_of};
use peermon_model::{Outcome, ProbeResult, Samples, Severity};
use std::time::Duration;

/// Of the highest share within three minutes, or less if so configured (CoDeeN's figures).
const SYSTEM_CPU_MAX: f64 = 0.95;

attributes_of!("cpu", "judging how much of the processors the kernel uses");
pub(super) const KIND: Kind = Kind { name: "cpu", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    Vec::new()
}

/// What a round says of the kernel's use of the processors; `None` if it says nothing.
pub fn system_cpu(samples: &Samples) -> Option<ProbeResult> {
    let most = samples.value("cpu.system.max3m")?;
    let (outcome, words) = if most > SYSTEM_CPU_MAX {
        (Outcome::Failed, "the kernel itself used over 95 % of the processors within 3 minutes")
    } else {
        (Outcome::Good, "")
    };
    Some(ProbeResult {
        probe: KIND.name,
        instance: None,
        outcome,
        severity: Severity::Avoid,
        took: Duration::ZERO,
        words: words.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::{Sample, vitals};

    #[test]
    fn above_the_limit_is_a_failure() {
        let attribute = &vitals::find("cpu.system.max3m").expect("a vital").attribute;
        for (share, want) in [(0.5, Outcome::Good), (0.96, Outcome::Failed)] {
            let list = vec![Sample { attribute, instance: None, labels: None, value: share }];
            let result = system_cpu(&Samples { list, ..Samples::default() }).expect("a value");
            assert_eq!((result.outcome, result.words.is_empty()), (want, want == Outcome::Good));
        }
        assert_eq!(system_cpu(&Samples::default()), None);
    }
}
