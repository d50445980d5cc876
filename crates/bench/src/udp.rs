//! What this network namespace's sockets have sent and lost, as the kernel counts it. Where receive buffers overflow the machine is
//! too busy, and what was measured meanwhile is the machine.

use anyhow::{Context, Result};

/// UDP datagrams since the namespace was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Sent.
    pub sent: u64,
    /// Lost because the receiver's buffer was full.
    pub lost: u64,
}

impl Udp {
    /// The counts now.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn now() -> Result<Udp> {
        let path = "/proc/self/net/snmp";
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        parse(&text).with_context(|| format!("{path} does not count UDP's datagrams"))
    }

    /// The share of what was sent since then that was lost.
    pub fn lost_since(&self, before: &Udp) -> f64 {
        let sent = self.sent.saturating_sub(before.sent).max(1);
        self.lost.saturating_sub(before.lost) as f64 / sent as f64
    }
}

/// A line of names, then one of numbers.
fn parse(text: &str) -> Option<Udp> {
    let mut lines = text.lines().filter_map(|l| l.strip_prefix("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |name| names.split_whitespace().zip(values.split_whitespace()).find(|(n, _)| *n == name)?.1.parse().ok();
    Some(Udp { sent: value("OutDatagrams")?, lost: value("RcvbufErrors")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counts_are_read() {
        let text =
            "Tcp: A OutDatagrams\nTcp: 1 2\nUdp: InDatagrams OutDatagrams RcvbufErrors\nUdp: 7 40 3\nUdpLite: RcvbufErrors\n";
        let counts = Udp { sent: 40, lost: 3 };
        assert_eq!(parse(text), Some(counts));
        assert!((counts.lost_since(&Udp { sent: 20, lost: 2 }) - 0.05).abs() < 1e-9);
        assert_eq!(parse("Udp: OutDatagrams\nUdp: 7\n"), None);
        assert!(Udp::now().is_ok());
    }
}
