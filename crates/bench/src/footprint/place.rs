//! Where programs run: on hosts of a test bed, whose wires can be read, or all on this machine where none can be made.

use super::{PERIOD, fetch};
use anyhow::{Context, Result, anyhow};
use peermon_testbed::{Family, Host, Testbed};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// As many hosts as there are programs.
pub(super) struct Places {
    bed: Result<Testbed, String>,
}

impl Places {
    /// Hosts, or why there are none.
    pub(super) fn make(count: usize) -> Result<Places> {
        let bed = match Testbed::available() {
            Ok(()) => Ok(Testbed::new(count, Family::Both)?),
            Err(why) => Err(why),
        };
        Ok(Places { bed })
    }

    /// What is to know about them.
    pub(super) fn said(&self) -> String {
        match &self.bed {
            Ok(_) => {
                "each is on a host of its own (a network namespace); bytes are those of its Ethernet interface, headers included"
                    .into()
            }
            Err(why) => format!("all on this machine, so bytes cannot be told apart: {why}"),
        }
    }

    pub(super) fn host(&self, i: usize) -> Option<&Host> {
        self.bed.as_ref().ok()?.hosts().get(i)
    }

    pub(super) fn address(&self, i: usize) -> IpAddr {
        self.host(i).map_or(Ipv4Addr::LOCALHOST.into(), Host::address)
    }

    /// A command that runs a program there.
    pub(super) fn command(&self, i: usize, program: &std::path::Path) -> Command {
        self.host(i).map_or_else(|| Command::new(program), |h| h.command(program))
    }

    /// Bytes sent and received by a host since it was made; `None` if they cannot be told.
    pub(super) fn wire(&self, i: usize) -> Option<[u64; 2]> {
        let host = self.host(i)?;
        let file = |name: &str| format!("/sys/class/net/eth0/statistics/{name}_bytes");
        let text = host.run(&["cat", &file("tx"), &file("rx")]).ok()?;
        let mut numbers = text.lines().map(|l| l.trim().parse().ok());
        Some([numbers.next()??, numbers.next()??])
    }

    /// Reads a page once a second from now on, as a program on that host does.
    pub(super) fn reader(&self, i: usize, page: SocketAddr) -> Result<Reader> {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let work = move || -> Result<u64> {
            let (mut next, mut times) = (Instant::now(), 0);
            while !until.load(Ordering::Relaxed) {
                fetch(page)?;
                times += 1;
                next += PERIOD;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(times)
        };
        let thread = match self.host(i) {
            Some(host) => host.thread(work)?,
            None => std::thread::Builder::new().spawn(move || Ok(work())).context("starting a thread")?,
        };
        Ok(Reader { ended, thread })
    }
}

/// Somebody who reads a page once a second.
pub(super) struct Reader {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<u64>>>,
}

impl Reader {
    /// Ends it.
    ///
    /// # Errors
    /// If the page could not be read at some time.
    pub(super) fn end(self) -> Result<()> {
        self.ended.store(true, Ordering::Relaxed);
        let times = self.thread.join().map_err(|_| anyhow!("a reader panicked"))???;
        anyhow::ensure!(times > 0, "nothing was read");
        Ok(())
    }
}
