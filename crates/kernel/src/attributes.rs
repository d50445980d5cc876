//! The attributes, and which belong to which histogram.

use peermon_model::Attribute;
use peermon_model::Unit::{Count, PerSecond, Seconds};

macro_rules! attributes {
    ($($name:ident = $attribute:expr;)*) => {
        $(pub(crate) static $name: &Attribute = &$attribute;)*
        /// All attributes of this crate, for `peermon_model::Catalogue::new`.
        pub static ATTRIBUTES: &[&Attribute] = &[$($name),*];
    };
}

attributes! {
    RUNQ_P50 = Attribute::gauge("kernel.runq.p50", Seconds, "How long a task that was ready waited for a processor, median of the last period.");
    RUNQ_P99 = Attribute::gauge("kernel.runq.p99", Seconds, "How long a task that was ready waited for a processor, 99th percentile of the last period.");
    RUNQ_MAX = Attribute::gauge("kernel.runq.max", Seconds, "How long a task that was ready waited for a processor, longest of the last period.");
    RUNQ_BUCKET = Attribute::counter("kernel.runq.bucket.{}", Count, "Waits of ready tasks for a processor that took at most so many seconds.").prom("peermon_kernel_runq_seconds_bucket", "le", &[]);
    RUNQ_SUM = Attribute::counter("kernel.runq.seconds", Seconds, "Time that ready tasks waited for a processor, all together.").prom("peermon_kernel_runq_seconds_sum", "", &[]);
    RUNQ_COUNT = Attribute::counter("kernel.runq.count", Count, "Waits of ready tasks for a processor.").prom("peermon_kernel_runq_seconds_count", "", &[]);
    BLOCK_P50 = Attribute::gauge("kernel.block.p50", Seconds, "How long a request was with its disk, median of the last period.");
    BLOCK_P99 = Attribute::gauge("kernel.block.p99", Seconds, "How long a request was with its disk, 99th percentile of the last period.");
    BLOCK_MAX = Attribute::gauge("kernel.block.max", Seconds, "How long a request was with its disk, longest of the last period.");
    BLOCK_BUCKET = Attribute::counter("kernel.block.bucket.{}", Count, "Requests that were with their disk for at most so many seconds.").prom("peermon_kernel_block_seconds_bucket", "le", &[]);
    BLOCK_SUM = Attribute::counter("kernel.block.seconds", Seconds, "Time that requests were with their disks, all together.").prom("peermon_kernel_block_seconds_sum", "", &[]);
    BLOCK_COUNT = Attribute::counter("kernel.block.count", Count, "Requests that disks completed.").prom("peermon_kernel_block_seconds_count", "", &[]);
    RTT_P50 = Attribute::gauge("kernel.tcp.rtt.p50", Seconds, "Smoothed round trip of TCP connections with other hosts, median over the segments received in the last period.");
    RTT_P99 = Attribute::gauge("kernel.tcp.rtt.p99", Seconds, "Smoothed round trip of TCP connections with other hosts, 99th percentile over the segments received in the last period.");
    RTT_BUCKET = Attribute::counter("kernel.tcp.rtt.bucket.{}", Count, "TCP segments received from other hosts on connections whose smoothed round trip was at most so many seconds.").prom("peermon_kernel_tcp_rtt_seconds_bucket", "le", &[]);
    RTT_SUM = Attribute::counter("kernel.tcp.rtt.seconds", Seconds, "Smoothed round trips of connections with other hosts, added up over their segments received.").prom("peermon_kernel_tcp_rtt_seconds_sum", "", &[]);
    RTT_COUNT = Attribute::counter("kernel.tcp.rtt.count", Count, "TCP segments received from other hosts.").prom("peermon_kernel_tcp_rtt_seconds_count", "", &[]);
    LOCAL_P50 = Attribute::gauge("kernel.tcp.local.rtt.p50", Seconds, "Smoothed round trip of TCP connections within this host, median over the segments received in the last period.");
    LOCAL_P99 = Attribute::gauge("kernel.tcp.local.rtt.p99", Seconds, "Smoothed round trip of TCP connections within this host, 99th percentile over the segments received in the last period.");
    RETRANSMITS = Attribute::gauge("kernel.tcp.retransmits", PerSecond, "TCP segments sent again, per second, on connections of all kinds.");
    DROPPED = Attribute::counter("kernel.{}.dropped", Count, "Events that were not measured because the kernel's table of those under way was full.").prom("peermon_kernel_dropped_total", "part", &[]);
}

/// What is told of one histogram.
pub(crate) struct Shown {
    pub(crate) p50: &'static Attribute,
    pub(crate) p99: &'static Attribute,
    pub(crate) max: Option<&'static Attribute>,
    pub(crate) all: Option<Cumulated>,
}

/// The same since the programs were loaded, as Prometheus wants it.
pub(crate) struct Cumulated {
    pub(crate) bucket: &'static Attribute,
    pub(crate) sum: &'static Attribute,
    pub(crate) count: &'static Attribute,
}

/// By their place in the map `histograms` of `bpf/capture.bpf.c`.
pub(crate) fn shown() -> [Shown; 4] {
    let all = |bucket, sum, count| Some(Cumulated { bucket, sum, count });
    [
        Shown { p50: RUNQ_P50, p99: RUNQ_P99, max: Some(RUNQ_MAX), all: all(RUNQ_BUCKET, RUNQ_SUM, RUNQ_COUNT) },
        Shown { p50: BLOCK_P50, p99: BLOCK_P99, max: Some(BLOCK_MAX), all: all(BLOCK_BUCKET, BLOCK_SUM, BLOCK_COUNT) },
        Shown { p50: RTT_P50, p99: RTT_P99, max: None, all: all(RTT_BUCKET, RTT_SUM, RTT_COUNT) },
        Shown { p50: LOCAL_P50, p99: LOCAL_P99, max: None, all: None },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::limits::ATTRIBUTE_NAME_BYTES_MAX;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_well_formed_and_mean_one_thing() {
        let mut seen = BTreeSet::new();
        for a in ATTRIBUTES {
            assert!(a.name.len() <= ATTRIBUTE_NAME_BYTES_MAX && a.help.ends_with('.'), "{}: {}", a.name, a.help);
            assert!(a.name.starts_with("kernel.") && seen.insert(&*a.name), "{}", a.name);
            if let Some(p) = a.prometheus {
                assert!(p.name.starts_with("peermon_kernel_") && seen.insert(p.name), "{}", p.name);
                assert_eq!(p.instance_label.is_empty(), !a.name.contains("{}"), "{}", a.name);
            }
        }
    }
}
