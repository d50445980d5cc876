//! What a self-probe says of this host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What became of one try of a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// As it should be.
    Good,
    /// It worked, or may yet, but not in good time.
    Late,
    /// It did not work.
    Failed,
}

impl Outcome {
    /// Its name in JSON and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Late => "late",
            Outcome::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How bad it is for a job on the node that a probe fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The node can be used, but others are better.
    Weak,
    /// The node must not be offered.
    Avoid,
}

impl Severity {
    /// Its name in JSON and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Weak => "weak",
            Severity::Avoid => "avoid",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One try of one probe.
#[derive(Clone, PartialEq, Debug)]
pub struct ProbeResult {
    /// Which probe.
    pub probe: &'static str,
    /// Which mount, server...; `None` if the probe has one value a host.
    pub instance: Option<Arc<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// How bad that is, unless it is good.
    pub severity: Severity,
    /// How long it took so far.
    pub took: Duration,
    /// What is wrong, in words that name the thing; empty if it is good. Without numbers that change from try to try, since
    /// each change is told to everybody.
    pub words: Box<str>,
}

/// Why a node avoids a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Its last probe had no answer within 3 s.
    Missed,
    /// It answers again, but too few in a row so far.
    Recovering,
    /// Packets to it are lost.
    Loss,
    /// No socket could be made to fetch from it: this node's own fault.
    Socket,
    /// Its name could not be resolved.
    Resolve,
    /// Its API port could not be connected to.
    Connect,
    /// It accepted the connection but sent no answer, or a wrong one.
    Data,
}

impl Why {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Missed => "missed",
            Why::Recovering => "recovering",
            Why::Loss => "loss",
            Why::Socket => "socket",
            Why::Resolve => "resolve",
            Why::Connect => "connect",
            Why::Data => "data",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Missed => "it did not answer this node's last probe",
            Why::Recovering => "it missed probes of this node lately",
            Why::Loss => "packets from this node to it are lost",
            Why::Socket => "no socket was left here to fetch from it",
            Why::Resolve => "its name cannot be resolved here",
            Why::Connect => "its API port does not accept connections from here",
            Why::Data => "its API port accepts connections but does not answer",
        })
    }
}
