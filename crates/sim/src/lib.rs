//! Many whole nodes on a made-up network and made-up machines, in made-up time, checked against a reference model.
//!
//! The nodes are [`peermon_node::Node`], the very code the daemon runs, sealing and all. A run is a pure function of its
//! seed, so a failure is a commit and a seed.
//!
//! ```
//! use peermon_sim::World;
//! use std::time::Duration;
//! let mut world = World::new(1);
//! world.start_cluster(5);
//! world.run_until_all_know_all(Duration::from_secs(3));
//! world.crash(2);
//! world.run_for(Duration::from_secs(3));
//! assert_eq!(world.views_of(2), [peermon_model::MemberState::Down; 4]);
//! ```

mod ages;
pub mod baseline;
mod clock;
mod hostile;
pub mod jobs;
mod machine;
mod model;
mod network;
mod queue;
mod rng;
mod shared;
pub mod traces;
mod world;

pub use ages::Ages;
pub use hostile::Attack;
pub use machine::Workload;
pub use network::{Burst, DropReason, Drops, Line, Network, Path, Scope};
pub use rng::Rng;
pub use traces::Series;
pub use world::{Host, World};
