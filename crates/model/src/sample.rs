use crate::attribute::Attribute;
use crate::usage::{GpuUse, Usage};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One value of one attribute of this host.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which attribute.
    pub attribute: &'static Attribute,
    /// Which interface, disk, processor...; `None` if the attribute has one value a host.
    pub instance: Option<Arc<str>>,
    /// Further labels that Prometheus users expect, e.g. a file system's device and type.
    pub labels: Option<Arc<[(&'static str, String)]>>,
    /// In base units.
    pub value: f64,
}

impl Sample {
    /// Its full attribute name.
    pub fn name(&self) -> Cow<'static, str> {
        let a: &'static Attribute = self.attribute;
        a.full_name(self.instance.as_deref())
    }
}

/// How one collector fared in a round.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorReport {
    /// The collector's name.
    pub collector: &'static str,
    /// Processor and waiting time of its last run.
    pub duration: Duration,
    /// How long it is from one run to the next; zero: every round.
    pub every: Duration,
    /// Why it failed, if it did; its attributes are then absent.
    pub failure: Option<String>,
}

/// All samples of one round on this host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// The values.
    pub list: Vec<Sample>,
    /// One report per collector.
    pub reports: Vec<CollectorReport>,
    /// The processes and users that use most; `None` if that is not known or not to be told.
    pub usage: Option<Arc<Usage>>,
    /// The processes on GPUs; `None` as above, or if there is no GPU that tells.
    pub gpu_usage: Option<Arc<[GpuUse]>>,
}

impl Samples {
    /// The value of an attribute by its full name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.list.iter().find(|s| s.name() == name).map(|s| s.value)
    }
}
