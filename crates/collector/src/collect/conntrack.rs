//! The firewall's table of connections: when it is full, new ones are dropped.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put};
use crate::hot_file::HotFile;
use crate::text::words;
use peermon_model::Unit::{Count, Ratio};
use peermon_model::{Attribute, Sample};

attributes! {
    ENTRIES = &Attribute::gauge("conntrack.entries", Count, "Connections in the firewall's table.").prom("node_nf_conntrack_entries", "", &[]);
    LIMIT = &Attribute::gauge("conntrack.entries.max", Count, "Connections the firewall's table can hold.").prom("node_nf_conntrack_entries_limit", "", &[]);
    USED = &Attribute::gauge("conntrack.used", Ratio, "Share of the firewall's table of connections in use.");
}

struct Conntrack {
    count: HotFile,
    most: HotFile,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let file = |name: &str| setup.hot(&format!("proc/sys/net/netfilter/{name}"));
    Box::new(Conntrack { count: file("nf_conntrack_count"), most: file("nf_conntrack_max") })
}

impl Collector for Conntrack {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let Some(text) = self.count.read_if_there()? else { return Ok(()) };
        let count = text.number(words(text.bytes).next(), "the count of connections")?;
        put(out, ENTRIES, count);
        let Some(text) = self.most.read_if_there()? else { return Ok(()) };
        let most = text.number(words(text.bytes).next(), "the limit of connections")?;
        put(out, LIMIT, most);
        if most > 0 {
            put(out, USED, (count as f64 / most as f64).min(1.0));
        }
        Ok(())
    }
}
