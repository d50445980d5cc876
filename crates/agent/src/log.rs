//! Logs to standard error, as text or JSON, and a guard for messages that others can cause.

use crate::config::{Log, LogFormat, LogLevel};
use peermon_model::Instant;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging for this process; false if something logs already, which then stays.
pub fn init(log: Log) -> bool {
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    let begun = match log.format {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    begun.is_ok() && LEVEL.set(handle).is_ok()
}

/// Logs at another level from now on, if [`init`] was called.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        // Fails only when the subscriber is gone, and the process with it.
        handle.modify(|f| *f = filter(level)).ok();
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Lets a message through now and then: what a peer can cause must not fill a disk.
#[derive(Debug)]
pub(crate) struct Rarely {
    every: Duration,
    next: Instant,
    held_back: u64,
}

impl Rarely {
    pub(crate) const fn new(every: Duration) -> Self {
        Rarely { every, next: Instant::ZERO, held_back: 0 }
    }

    /// How many were held back since the last one that came through (`None`, which no log line shows, if none were), if this
    /// one may come through.
    pub(crate) fn may(&mut self, now: Instant) -> Option<Option<u64>> {
        if now < self.next {
            self.held_back += 1;
            return None;
        }
        self.next = now + self.every;
        Some(Some(std::mem::take(&mut self.held_back)).filter(|n| *n > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_messages_becomes_few() {
        let mut r = Rarely::new(Duration::from_secs(10));
        let at = |s: u64| Instant::from_millis(s * 1000);
        assert_eq!(r.may(at(0)), Some(None));
        assert_eq!((r.may(at(1)), r.may(at(9))), (None, None));
        assert_eq!(r.may(at(10)), Some(Some(2)));
        assert_eq!(r.may(at(25)), Some(None));
    }
}
