//! Words to the service manager (sd_notify(3)). Without one, nothing happens.

use peermon_model::Instant;
use sd_notify::NotifyState;
use std::time::Duration;

/// Tells the service manager how the daemon is, if the daemon is the process's own.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// Half of the time after which the manager gives the daemon up.
    watchdog: Option<Duration>,
    next: Instant,
    on: bool,
}

impl Supervisor {
    pub(crate) fn new(on: bool) -> Self {
        let watchdog = if on { sd_notify::watchdog_enabled().map(|w| w / 2) } else { None };
        Supervisor { watchdog, next: Instant::ZERO, on }
    }

    fn tell(&self, words: &[NotifyState<'_>]) {
        if self.on
            && let Err(e) = sd_notify::notify(words)
        {
            tracing::debug!(error = %e, "cannot reach the service manager");
        }
    }

    pub(crate) fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// To be followed by [`Supervisor::ready`].
    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    pub(crate) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("leaving the cluster")]);
    }

    /// Says that the loop goes round, and what the daemon sees.
    pub(crate) fn alive(&mut self, now: Instant, status: impl FnOnce() -> String) {
        match self.watchdog {
            Some(every) if now >= self.next => {
                self.next = now + every;
                self.tell(&[NotifyState::Watchdog, NotifyState::Status(&status())]);
            }
            _ => {}
        }
    }
}
