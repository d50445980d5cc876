//! Sockets and open files of the whole machine.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put};
use crate::hot_file::HotFile;
use crate::text::words;
use peermon_model::Unit::{Bytes, Count};
use peermon_model::{Attribute, Sample};

attributes! {
    USED = &Attribute::gauge("sockets.used", Count, "Sockets in use.").prom("node_sockstat_sockets_used", "", &[]);
    TCP_USED = &Attribute::gauge("sockets.tcp.used", Count, "TCP sockets in use, over IPv4.").prom("node_sockstat_TCP_inuse", "", &[]);
    TCP_ORPHANS = &Attribute::gauge("sockets.tcp.orphans", Count, "TCP connections that no program holds any more.").prom("node_sockstat_TCP_orphan", "", &[]);
    TCP_WAITING = &Attribute::gauge("sockets.tcp.time_wait", Count, "TCP connections that are closed and wait for stray packets.").prom("node_sockstat_TCP_tw", "", &[]);
    TCP_ALLOCATED = &Attribute::gauge("sockets.tcp.allocated", Count, "TCP sockets that exist.").prom("node_sockstat_TCP_alloc", "", &[]);
    TCP_PAGES = &Attribute::gauge("sockets.tcp.mem.pages", Count, "Pages of memory TCP uses for buffers.").prom("node_sockstat_TCP_mem", "", &[]);
    TCP_BYTES = &Attribute::gauge("sockets.tcp.mem", Bytes, "Memory TCP uses for buffers.").prom("node_sockstat_TCP_mem_bytes", "", &[]);
    UDP_USED = &Attribute::gauge("sockets.udp.used", Count, "UDP sockets in use, over IPv4.").prom("node_sockstat_UDP_inuse", "", &[]);
    TCP6_USED = &Attribute::gauge("sockets.tcp6.used", Count, "TCP sockets in use, over IPv6.").prom("node_sockstat_TCP6_inuse", "", &[]);
    UDP6_USED = &Attribute::gauge("sockets.udp6.used", Count, "UDP sockets in use, over IPv6.").prom("node_sockstat_UDP6_inuse", "", &[]);
    FILES = &Attribute::gauge("files.open", Count, "Open files of all processes.").prom("node_filefd_allocated", "", &[]);
    FILES_MAX = &Attribute::gauge("files.open.max", Count, "Open files the kernel allows.").prom("node_filefd_maximum", "", &[]);
}

/// The line, the word before the number, the attribute.
const FIELDS: [(&str, &str, &&Attribute); 9] = [
    ("sockets:", "used", &USED),
    ("TCP:", "inuse", &TCP_USED),
    ("TCP:", "orphan", &TCP_ORPHANS),
    ("TCP:", "tw", &TCP_WAITING),
    ("TCP:", "alloc", &TCP_ALLOCATED),
    ("TCP:", "mem", &TCP_PAGES),
    ("UDP:", "inuse", &UDP_USED),
    ("TCP6:", "inuse", &TCP6_USED),
    ("UDP6:", "inuse", &UDP6_USED),
];

struct Sockets {
    files: [HotFile; 2],
    file_nr: HotFile,
    page_bytes: u64,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Sockets {
        files: [setup.hot("proc/net/sockstat"), setup.hot("proc/net/sockstat6")],
        file_nr: setup.hot("proc/sys/fs/file-nr"),
        page_bytes: setup.root.page_bytes(),
    })
}

impl Collector for Sockets {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        for file in &mut self.files {
            let Some(text) = file.read_if_there()? else { continue };
            for line in text.lines() {
                let mut words = words(line);
                let title = words.next().unwrap_or_default();
                while let (Some(key), value) = (words.next(), words.next()) {
                    let wanted = FIELDS.iter().find(|(t, k, _)| t.as_bytes() == title && k.as_bytes() == key);
                    let Some((title, key, attribute)) = wanted else { continue };
                    let value = text.number(value, format_args!("{title} {key}"))?;
                    put(out, attribute, value);
                    if std::ptr::eq(**attribute, TCP_PAGES) {
                        put(out, TCP_BYTES, value.saturating_mul(self.page_bytes));
                    }
                }
            }
        }
        let Some(text) = self.file_nr.read_if_there()? else { return Ok(()) };
        let mut words = words(text.bytes);
        put(out, FILES, text.number(words.next(), "open files")?);
        put(out, FILES_MAX, text.number(words.nth(1), "the limit of open files")?);
        Ok(())
    }
}
