//! The words every other part of peermon speaks: nodes, attributes, values, records, the table and its snapshots.
//!
//! What it is not: it does no input or output, reads no clock and knows no wire format. Faces, cores and adapters share
//! these types and nothing else.
//!
//! ```
//! use peermon_model::{Instant, vitals};
//! use std::time::Duration;
//!
//! let busy = vitals::find("cpu.busy").expect("a built-in vital");
//! let code = busy.quantiser.encode(0.4213, None);
//! assert!((busy.quantiser.decode(code, None).unwrap() - 0.42).abs() < 0.005);
//!
//! let start = Instant::ZERO;
//! assert_eq!((start + Duration::from_millis(1500)) - start, Duration::from_millis(1500));
//! ```

pub mod attribute;
mod claim;
pub mod facts;
mod id;
pub mod limits;
mod prefix;
mod probe;
pub mod quantity;
mod record;
mod sample;
mod snapshot;
mod time;
mod usage;
pub mod vitals;
mod zone;

pub use attribute::{Attribute, Catalogue, Kind, Prometheus, Unit};
pub use claim::{Amounts, ClaimEntry};
pub use facts::{Fact, Facts, Value};
pub use id::{Incarnation, NodeId, NodeName, ParseNodeId, ParseNodeName};
pub use prefix::{AllowList, IpPrefix, ParsePrefix};
pub use probe::{Outcome, ProbeResult, Severity, Why};
pub use quantity::Quantiser;
pub use record::{CustomVital, Notice, Record, Sequence};
pub use sample::{CollectorReport, Sample, Samples};
pub use snapshot::{MemberState, NodeEntry, Snapshot};
pub use time::Instant;
pub use usage::{GpuUse, ProcessUse, Usage, UserUse};
pub use vitals::{Slot, Vital, Vitals};
pub use zone::{ParseZoneName, ZoneEntry, ZoneName, ZoneSummary};
