//! Parts of memory that are nearer to some processors than to others (NUMA): how full each is, and who missed its own.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, by_prometheus, put, put_of};
use crate::hot_file::read_value;
use crate::limits::NUMA_NODES_MAX;
use crate::root::Root;
use crate::sysfs::numbered;
use crate::text::{Text, name, words};
use peermon_model::Unit::{Bytes, Count};
use peermon_model::{Attribute, Sample};
use std::path::Path;
use std::sync::Arc;

attributes! {
    NODES = &Attribute::gauge("numa.nodes", Count, "Parts of memory with processors of their own; 1 on a small machine.");
    TOTAL = &memory("numa.{}.mem.total", "Memory of one part.", "node_memory_numa_MemTotal");
    FREE = &memory("numa.{}.mem.free", "Memory of one part that nothing uses.", "node_memory_numa_MemFree");
    USED = &memory("numa.{}.mem.used", "Memory of one part in use.", "node_memory_numa_MemUsed");
    FILES = &memory("numa.{}.mem.files", "Memory of one part that holds contents of files.", "node_memory_numa_FilePages");
    HIT = &count("numa.{}.hits", "Pages given from one part to who wanted them there.", "node_memory_numa_numa_hit_total");
    MISS = &count("numa.{}.misses", "Pages given from one part to who wanted them elsewhere.", "node_memory_numa_numa_miss_total");
    FOREIGN = &count("numa.{}.foreign", "Pages wanted from one part and given from another.", "node_memory_numa_numa_foreign_total");
    LOCAL = &count("numa.{}.local", "Pages given from one part to a program on its own processors.", "node_memory_numa_local_node_total");
    OTHER = &count("numa.{}.other", "Pages given from one part to a program on other processors.", "node_memory_numa_other_node_total");
}

const fn memory(name: &'static str, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::gauge(name, Bytes, help).prom(prometheus, "node", &[])
}

const fn count(name: &'static str, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::counter(name, Count, help).prom(prometheus, "node", &[])
}

struct Numa(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Numa(setup.root.clone()))
}

impl Collector for Numa {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let nodes = numbered(&self.0.path("sys/devices/system/node"), "node", NUMA_NODES_MAX);
        if !nodes.is_empty() {
            put(out, NODES, nodes.len() as u64);
        }
        nodes.iter().try_for_each(|(number, dir)| read(&number.to_string().into(), dir, out))
    }
}

fn read(node: &Arc<str>, dir: &Path, out: &mut Vec<Sample>) -> Result<(), CollectError> {
    let path = dir.join("meminfo");
    if let Some(bytes) = read_value(&path)? {
        let text = Text { file: &path, bytes: &bytes };
        // Node 0 MemTotal: 65536 kB
        for line in text.lines() {
            let mut words = words(line).skip(2);
            let key = name(words.next().unwrap_or_default());
            let Some(attribute) = attribute(key.trim_end_matches(':')) else { continue };
            let kilobytes = text.number(words.next(), &*key)?;
            put_of(out, attribute, node, kilobytes.saturating_mul(1024));
        }
    }
    let path = dir.join("numastat");
    if let Some(bytes) = read_value(&path)? {
        let text = Text { file: &path, bytes: &bytes };
        for line in text.lines() {
            let mut words = words(line);
            let key = name(words.next().unwrap_or_default());
            let Some(attribute) = attribute(&format!("{key}_total")) else { continue };
            put_of(out, attribute, node, text.number(words.next(), &*key)?);
        }
    }
    Ok(())
}

fn attribute(key: &str) -> Option<&'static Attribute> {
    by_prometheus(ATTRIBUTES, "node_memory_numa_").find(|(k, _)| *k == key).map(|(_, a)| a)
}
