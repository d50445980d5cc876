use std::fmt;

/// Why a datagram did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropReason {
    /// Lost by itself.
    Loss,
    /// Lost in a bad time of its way.
    Burst,
    /// Nothing passes between these two.
    Cut,
    /// Larger than the way carries.
    TooBig,
    /// A host's line was busy and the queue before it full.
    LineFull,
    /// The host slept.
    Asleep,
    /// The process was stopped and its socket's buffer full.
    BufferFull,
    /// No daemon runs there.
    NoDaemon,
    /// No machine has that address.
    NoHost,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 9] = [
        DropReason::Loss,
        DropReason::Burst,
        DropReason::Cut,
        DropReason::TooBig,
        DropReason::LineFull,
        DropReason::Asleep,
        DropReason::BufferFull,
        DropReason::NoDaemon,
        DropReason::NoHost,
    ];
}

/// Datagrams that did not arrive, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// How many for this reason.
    pub fn of(&self, why: DropReason) -> u64 {
        self.0[why as usize]
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn count(&mut self, why: DropReason) {
        self.0[why as usize] += 1;
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(DropReason::ALL.iter().map(|d| (d, self.of(*d))).filter(|d| d.1 > 0)).finish()
    }
}
