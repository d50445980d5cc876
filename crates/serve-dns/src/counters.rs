use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted, by the names that `status` shows.
const NAMES: [&str; What::ALL] = [
    "dns.queries.udp",
    "dns.queries.tcp",
    "dns.answers",
    "dns.nxdomain",
    "dns.nodata",
    "dns.refused",
    "dns.failed",
    "dns.malformed",
    "dns.unsupported",
    "dns.truncated",
    "dns.dropped.rate",
    "dns.dropped.not_allowed",
    "dns.dropped.response",
    "dns.dropped.connections",
    "dns.dropped.idle",
    "dns.dropped.long",
    "dns.socket_errors",
];

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Udp,
    Tcp,
    Answers,
    NxDomain,
    NoData,
    Refused,
    Failed,
    Malformed,
    Unsupported,
    Truncated,
    Rate,
    NotAllowed,
    Response,
    Connections,
    Idle,
    Long,
    SocketErrors,
}

impl What {
    const ALL: usize = What::SocketErrors as usize + 1;
}

/// What this face has done and left undone since it started.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; What::ALL]);

impl Counters {
    /// Counts one, and says how many there were before.
    pub(crate) fn count(&self, what: What) -> u64 {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// All of them by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().zip(&self.0).map(|(name, n)| (*name, n.load(Ordering::Relaxed)))
    }

    #[cfg(test)]
    pub(crate) fn of(&self, what: What) -> u64 {
        self.0[what as usize].load(Ordering::Relaxed)
    }
}
