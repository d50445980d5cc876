//! Several hosts on one machine, and real daemons on them, for tests and benches. Never part of the product.
//!
//! A [`Testbed`] is a switch with hosts, each a network namespace; [`Testbed::available`] says why there cannot be one here.
//! A [`Daemon`] is a real `peermon daemon`, on a host or on this machine's loopback, in a directory of its own that is kept
//! if the test fails; a [`Cluster`] is a daemon on each host. [`wait_for`] polls for a state, so that no test sleeps for luck. What is bad about a network (loss,
//! cuts, a slow link) is set with [`Testbed::impair`], the one place for it.
//!
//! It is not a simulator: time here is real, so runs differ. What must replay belongs into `peermon-sim`.
//!
//! ```
//! use std::time::Duration;
//! let took = peermon_testbed::wait_for("the sum", Duration::from_secs(5), || (1 + 1 == 2).then_some(()).ok_or("not yet".into()));
//! assert!(took.is_ok());
//! ```

mod cluster;
mod daemon;
mod disk;
mod impair;
mod net;
mod wait;

pub use cluster::{Cluster, PORT, WITHOUT_PROBES};
pub use daemon::{Daemon, Spec};
pub use disk::SmallDisk;
pub use impair::Impairment;
pub use net::{Family, Host, Testbed, find};
pub use rustix::process::Signal;
pub use wait::{Directory, MARGIN, say, wait_for, within, within_since};
