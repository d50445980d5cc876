//! Keeping the whole daemon's processor time within a budget: what is measured over a while becomes a factor by which collectors
//! that can wait look less often.
//!
//! The rule cannot swing: it gives back in steps of [`STEP_DOWN`], and only while the cost is so far below the budget that one
//! step, which makes at most as many times the cost, stays within it.

use peermon_model::Instant;
use std::time::Duration;

/// Cost is judged over so long: the kernel's own ticks, a burst of questions, or one look at something slow shall not decide.
const WINDOW: Duration = Duration::from_secs(10);
/// No collector waits more times longer than this on account of the budget; beyond it there is next to nothing to save.
const STRETCH_MAX: f64 = 16.0;
/// The least and the most that one window above the budget adds: what is far above comes down fast, a doubtful figure cannot
/// throw everything.
const STEP_UP: std::ops::RangeInclusive<f64> = 1.1..=2.0;
/// What one window well below the budget gives back.
const STEP_DOWN: f64 = 1.25;
/// Well below: see above.
const WELL_BELOW: f64 = 1.0 / STEP_DOWN;
/// Windows well below before the first step back: a lull is no change.
const CALM_WINDOWS: u32 = 3;
/// A factor this close to 1 is 1.
const NEAR_ONE: f64 = 1.05;

/// The budget and how it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// Share of one core; `None`: no limit.
    share: Option<f64>,
    /// The beginning of the window, and the processor time used by then.
    from: Option<(Instant, Duration)>,
    /// Share used in the last whole window.
    used: Option<f64>,
    stretch: f64,
    calm: u32,
}

/// What a window has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Collectors wait from now on.
    Begins,
    /// They wait no more.
    Ends,
    /// They wait as long as they may, and it is still too much.
    Fails,
}

impl Budget {
    /// Nothing is measured yet.
    pub(crate) fn new(share: Option<f64>) -> Self {
        Budget { share, from: None, used: None, stretch: 1.0, calm: 0 }
    }

    /// Another share; what is known of the cost stays.
    pub(crate) fn set(&mut self, share: Option<f64>) {
        self.share = share;
        self.calm = 0;
        if share.is_none() {
            self.stretch = 1.0;
        }
    }

    /// The budget, as a share of one core; `None`: no limit.
    pub(crate) fn share(&self) -> Option<f64> {
        self.share
    }

    /// What was used in the last window, as a share of one core.
    pub(crate) fn used(&self) -> Option<f64> {
        self.used
    }

    /// How many times as long as usual collectors that can wait shall wait.
    pub(crate) fn stretch(&self) -> f64 {
        self.stretch
    }

    /// Looks at the processor time used since the start; to be called about once a second.
    pub(crate) fn look(&mut self, now: Instant, total: Duration) -> Option<Change> {
        let (from, before) = *self.from.get_or_insert((now, total));
        let passed = now - from;
        if passed < WINDOW {
            return None;
        }
        self.from = Some((now, total));
        let used = total.saturating_sub(before).as_secs_f64() / passed.as_secs_f64();
        self.used = Some(used);
        self.judge(used)
    }

    /// One window's share of a core.
    fn judge(&mut self, used: f64) -> Option<Change> {
        let over = used / self.share?;
        let before = self.stretch;
        self.calm = if over < WELL_BELOW { self.calm.saturating_add(1) } else { 0 };
        if over > 1.0 {
            self.stretch = (before * over.clamp(*STEP_UP.start(), *STEP_UP.end())).min(STRETCH_MAX);
            return match before {
                1.0 => Some(Change::Begins),
                STRETCH_MAX => Some(Change::Fails),
                _ => None,
            };
        }
        if self.calm >= CALM_WINDOWS && before > 1.0 {
            let less = before / STEP_DOWN;
            self.stretch = if less < NEAR_ONE { 1.0 } else { less };
        }
        (self.stretch == 1.0 && before > 1.0).then_some(Change::Ends)
    }

    /// Why collectors wait, in words; `None` if they do not.
    pub(crate) fn why(&self) -> Option<String> {
        // To a millionth, which no user writes finer.
        let (share, used) = ((self.share? * 1e6).round() / 1e4, self.used? * 100.0);
        if self.stretch <= 1.0 {
            return None;
        }
        let words = match () {
            () if used <= share => {
                format!("it used {used:.2} % of a core lately, which is within its budget of {share} % only so")
            }
            () if self.stretch < STRETCH_MAX => format!("it used {used:.2} % of a core lately; its budget is {share} %"),
            () => format!(
                "it used {used:.2} % of a core lately though collectors wait as long as they may; its budget of {share} % is too small \
                 for what cannot wait: vitals, gossip, self-probes, answers"
            ),
        };
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A daemon whose collectors cost `waiting` if they do not wait, and the rest of it `fixed`, at a budget of 1 %; how far it
    /// is stretched after each window, and what happened.
    fn run(budget: &mut Budget, fixed: f64, waiting: f64, windows: usize) -> (Vec<f64>, Vec<Change>) {
        let (mut stretches, mut changes) = (Vec::new(), Vec::new());
        for _ in 0..windows {
            changes.extend(budget.judge(fixed + waiting / budget.stretch()));
            stretches.push(budget.stretch());
        }
        (stretches, changes)
    }

    fn at_one_percent() -> Budget {
        Budget::new(Some(0.01))
    }

    #[test]
    fn within_the_budget_nothing_waits() {
        assert_eq!(run(&mut at_one_percent(), 0.002, 0.006, 100), (vec![1.0; 100], vec![]));
        assert_eq!(run(&mut Budget::new(None), 0.5, 0.5, 100), (vec![1.0; 100], vec![]));
    }

    #[test]
    fn above_it_collectors_wait_until_the_cost_fits_and_then_stay() {
        for waiting in [0.009, 0.012, 0.02, 0.05, 0.1] {
            let mut b = at_one_percent();
            let (stretches, changes) = run(&mut b, 0.002, waiting, 200);
            assert_eq!(changes, [Change::Begins], "{waiting}");
            assert!(stretches.is_sorted() && stretches.windows(2).all(|w| w[1] <= w[0] * STEP_UP.end()), "{stretches:?}");
            let cost = 0.002 + waiting / b.stretch();
            assert!((0.007..=0.01).contains(&cost), "{waiting} cost {cost}: no more than the budget, and not much less");
            assert_eq!(stretches[20], stretches[199], "it stays: {stretches:?}");
        }
    }

    #[test]
    fn afterwards_they_wait_less_step_by_step_and_not_at_once() {
        let mut b = at_one_percent();
        run(&mut b, 0.002, 0.05, 50);
        let most = b.stretch();
        let (stretches, changes) = run(&mut b, 0.002, 0.002, 50);
        assert_eq!(stretches[..CALM_WINDOWS as usize - 1], [most; CALM_WINDOWS as usize - 1], "a lull is no change");
        assert!(stretches.windows(2).all(|w| w[1] >= w[0] / STEP_DOWN / NEAR_ONE), "{stretches:?}");
        assert_eq!((changes, b.stretch(), b.why()), (vec![Change::Ends], 1.0, None));
    }

    #[test]
    fn a_cost_near_the_budget_changes_nothing() {
        let mut b = at_one_percent();
        b.judge(0.015);
        let stretch = b.stretch();
        for used in [0.0079, 0.0079, 0.0081, 0.0099, 0.0079, 0.0079, 0.01].repeat(20) {
            assert_eq!(b.judge(used), None);
            assert_eq!(b.stretch(), stretch);
        }
    }

    #[test]
    fn what_cannot_wait_is_told() {
        let mut b = at_one_percent();
        b.used = Some(0.03);
        let (stretches, changes) = run(&mut b, 0.03, 0.01, 10);
        assert_eq!(stretches[9], STRETCH_MAX);
        assert!(
            changes[0] == Change::Begins && changes[1..].iter().all(|c| *c == Change::Fails) && changes.len() > 3,
            "{changes:?}"
        );
        assert!(b.why().expect("it waits").contains("too small"));
        b.set(None);
        assert_eq!((b.stretch(), b.why()), (1.0, None));
    }

    #[test]
    fn a_window_is_a_mean() {
        let mut b = at_one_percent();
        let at = |s: u64| Instant::from_millis(s * 1000);
        // A burst of 80 ms in one second, then nothing.
        let totals = (0..=10).map(|s| (at(s), Duration::from_millis(if s == 0 { 500 } else { 580 })));
        let changes: Vec<_> = totals.filter_map(|(now, total)| b.look(now, total)).collect();
        assert_eq!((changes, b.used()), (vec![], Some(0.008)));
        assert_eq!(b.look(at(20), Duration::from_millis(780)), Some(Change::Begins));
        assert_eq!(b.stretch(), 2.0);
        assert_eq!(b.why().as_deref(), Some("it used 2.00 % of a core lately; its budget is 1 %"));
    }
}
