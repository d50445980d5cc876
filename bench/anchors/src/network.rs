//! What went over this host's loopback, as the kernel counts it: every packet with its IP header, each part of a large datagram
//! by itself.

use anyhow::{Context, Result};
use peermon_bench::figures::Figures;
use std::time::{Duration, Instant};

/// What went over the loopback.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loopback {
    bytes: u64,
    packets: u64,
    seconds: f64,
}

impl Loopback {
    /// What goes over it in this time.
    pub(crate) fn over(length: Duration) -> Result<Loopback> {
        Loopback::during(|| std::thread::sleep(length))
    }

    fn during(work: impl FnOnce()) -> Result<Loopback> {
        let (start, before) = (Instant::now(), now()?);
        work();
        let after = now()?;
        let (bytes, packets) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        Ok(Loopback { bytes, packets, seconds: start.elapsed().as_secs_f64() })
    }

    /// Notes it per node.
    pub(crate) fn put(&self, figures: &mut Figures, nodes: usize) {
        let each = |n: u64| n as f64 / self.seconds / nodes as f64;
        figures.put("sent.bytes", each(self.bytes));
        figures.put("sent.packets", each(self.packets));
    }
}

/// Bytes and packets sent over the loopback so far.
fn now() -> Result<(u64, u64)> {
    let path = "/proc/self/net/dev";
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    parse(&text).with_context(|| format!("{path} tells nothing of lo"))
}

/// The ninth and tenth column are those of sending.
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut words = text.lines().find_map(|l| l.trim_start().strip_prefix("lo:"))?.split_whitespace().skip(8);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_line_is_read() {
        let text = "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n\
            eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo: 100 2 0 0 0 0 0 0 300 4 0 0 0 0 0 0\n";
        assert_eq!(parse(text), Some((300, 4)));
        assert_eq!(parse("eth0: 1 2 3"), None);
        assert!(now().is_ok());
    }

    #[test]
    fn a_datagram_is_counted_with_its_headers() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = socket.local_addr().expect("its address");
        let sent = Loopback::during(|| drop(socket.send_to(&[0; 100], to))).expect("counters");
        // other programs use this loopback as well, so this is a lower bound
        assert!(sent.bytes >= 128 && sent.packets >= 1, "{sent:?}");
    }
}
