//! What only the kernel sees: how long tasks waited for a processor and requests for their disk, the round trips of TCP
//! connections, and retransmits. Small programs of ours (`bpf/capture.bpf.c`) run at trace points in the kernel and count
//! events in histograms; once a period they are read.
//!
//! What it is not: it decides nothing and logs nothing. Where the kernel takes no programs, or not all of them, it says why,
//! and what they would measure is absent. `docs/internals/kernel.md` tells how it works and what it costs.
//!
//! ```
//! use peermon_kernel::Capture;
//! use peermon_model::Instant;
//!
//! match Capture::load() {
//!     Ok(mut capture) => {
//!         let mut samples = Vec::new();
//!         capture.read(Instant::from_millis(1000), &mut samples)?;
//!     }
//!     Err(why) => println!("no kernel capture: {why}"),
//! }
//! # Ok::<(), peermon_kernel::ReadError>(())
//! ```

mod attributes;
mod capture;
mod error;
mod histogram;
mod reader;

pub use attributes::ATTRIBUTES;
pub use capture::{Capture, Cost, OBJECT_FROM, Part, measure_costs};
pub use error::{LoadError, ReadError};
pub use reader::{Loaded, Reader};
