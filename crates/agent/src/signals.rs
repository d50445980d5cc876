//! The process's signals as something the loop can wait for. No thread: the handler sets a flag and rings a socket.

use rustix::fd::{AsFd, BorrowedFd};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT: leave and stop.
    Stop,
    /// SIGHUP: read configuration and keys again.
    Reload,
}

const SIGNALS: &[(i32, Signal)] = &[(SIGTERM, Signal::Stop), (SIGINT, Signal::Stop), (SIGHUP, Signal::Reload)];

/// Hears signals until dropped.
#[derive(Debug)]
pub(crate) struct Signals {
    bell: UnixStream,
    raised: Vec<(Arc<AtomicBool>, Signal)>,
    ids: Vec<SigId>,
}

impl Signals {
    pub(crate) fn hear() -> io::Result<Self> {
        let (bell, ring) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ring.set_nonblocking(true)?;
        let mut signals = Signals { bell, raised: Vec::new(), ids: Vec::new() };
        for (number, signal) in SIGNALS {
            let flag = Arc::new(AtomicBool::new(false));
            // In this order: once the bell rings the flag is set.
            signals.ids.push(signal_hook::flag::register(*number, Arc::clone(&flag))?);
            signals.ids.push(signal_hook::low_level::pipe::register(*number, ring.try_clone()?)?);
            signals.raised.push((flag, *signal));
        }
        Ok(signals)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// A signal that came since the last look, stop before reload.
    pub(crate) fn take(&mut self) -> Option<Signal> {
        while matches!(self.bell.read(&mut [0; 64]), Ok(n) if n > 0) {}
        self.raised.iter().find(|(flag, _)| flag.swap(false, Ordering::SeqCst)).map(|(_, s)| *s)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_taken_once() {
        let mut signals = Signals::hear().expect("signals");
        assert_eq!(signals.take(), None);
        signal_hook::low_level::raise(SIGHUP).expect("raised");
        assert_eq!((signals.take(), signals.take()), (Some(Signal::Reload), None));
        signal_hook::low_level::raise(SIGTERM).expect("raised");
        signal_hook::low_level::raise(SIGHUP).expect("raised");
        assert_eq!((signals.take(), signals.take(), signals.take()), (Some(Signal::Stop), Some(Signal::Reload), None));
    }
}
