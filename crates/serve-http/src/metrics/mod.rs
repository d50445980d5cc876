//! Prometheus text: `/metrics` and `/metrics/cluster`.

mod cluster;
mod name;
mod node;
mod text;

pub(crate) use cluster::cluster;
pub use name::metric_name;
pub(crate) use node::node;
pub(crate) use text::{Families, Format, Type};
