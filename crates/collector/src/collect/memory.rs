//! Memory, swap and paging.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, by_prometheus, put, put_some, vital};
use crate::hot_file::HotFile;
use crate::rate::{Former, per_second};
use crate::text::words;
use peermon_model::Unit::{Bytes, BytesPerSecond, Count};
use peermon_model::{Attribute, Instant, Sample};

attributes! {
    AVAILABLE = vital("mem.available");
    SWAP_USED = vital("swap.used");
    SWAP_IN_RATE = &Attribute::gauge("swap.in.rate", BytesPerSecond, "Bytes read from swap space per second.");
    SWAP_OUT_RATE = &Attribute::gauge("swap.out.rate", BytesPerSecond, "Bytes written to swap space per second.");
    TOTAL = &Attribute::gauge("mem.info.total", Bytes, "All memory the kernel manages.").prom("node_memory_MemTotal_bytes", "", &[]);
    FREE = &Attribute::gauge("mem.free", Bytes, "Memory nobody uses, not even as cache.").prom("node_memory_MemFree_bytes", "", &[]);
    BUFFERS = &Attribute::gauge("mem.buffers", Bytes, "Cached blocks of disks.").prom("node_memory_Buffers_bytes", "", &[]);
    CACHED = &Attribute::gauge("mem.cached", Bytes, "Cached files, shared memory included.").prom("node_memory_Cached_bytes", "", &[]);
    SWAP_CACHED = &Attribute::gauge("swap.cached", Bytes, "Memory that is also in swap space.").prom("node_memory_SwapCached_bytes", "", &[]);
    ACTIVE = &Attribute::gauge("mem.active", Bytes, "Memory used lately.").prom("node_memory_Active_bytes", "", &[]);
    INACTIVE = &Attribute::gauge("mem.inactive", Bytes, "Memory not used lately.").prom("node_memory_Inactive_bytes", "", &[]);
    ACTIVE_ANON = &Attribute::gauge("mem.active_anon", Bytes, "Memory of programs used lately.").prom("node_memory_Active_anon_bytes", "", &[]);
    INACTIVE_ANON = &Attribute::gauge("mem.inactive_anon", Bytes, "Memory of programs not used lately.").prom("node_memory_Inactive_anon_bytes", "", &[]);
    ACTIVE_FILE = &Attribute::gauge("mem.active_file", Bytes, "Cached files used lately.").prom("node_memory_Active_file_bytes", "", &[]);
    INACTIVE_FILE = &Attribute::gauge("mem.inactive_file", Bytes, "Cached files not used lately.").prom("node_memory_Inactive_file_bytes", "", &[]);
    UNEVICTABLE = &Attribute::gauge("mem.unevictable", Bytes, "Memory that cannot be swapped out.").prom("node_memory_Unevictable_bytes", "", &[]);
    MLOCKED = &Attribute::gauge("mem.locked", Bytes, "Memory that programs locked.").prom("node_memory_Mlocked_bytes", "", &[]);
    SWAP_TOTAL = &Attribute::gauge("swap.info.total", Bytes, "All swap space.").prom("node_memory_SwapTotal_bytes", "", &[]);
    SWAP_FREE = &Attribute::gauge("swap.free", Bytes, "Swap space not in use.").prom("node_memory_SwapFree_bytes", "", &[]);
    ZSWAP = &Attribute::gauge("mem.zswap", Bytes, "Memory that holds compressed swap.").prom("node_memory_Zswap_bytes", "", &[]);
    ZSWAPPED = &Attribute::gauge("mem.zswapped", Bytes, "What compressed swap holds, uncompressed.").prom("node_memory_Zswapped_bytes", "", &[]);
    DIRTY = &Attribute::gauge("mem.dirty", Bytes, "File contents that are yet to be written to disks.").prom("node_memory_Dirty_bytes", "", &[]);
    WRITEBACK = &Attribute::gauge("mem.writeback", Bytes, "File contents being written to disks.").prom("node_memory_Writeback_bytes", "", &[]);
    ANON = &Attribute::gauge("mem.anon", Bytes, "Memory of programs that no file backs.").prom("node_memory_AnonPages_bytes", "", &[]);
    MAPPED = &Attribute::gauge("mem.mapped", Bytes, "Files mapped into programs.").prom("node_memory_Mapped_bytes", "", &[]);
    SHARED = &Attribute::gauge("mem.shared", Bytes, "Shared memory and tmpfs.").prom("node_memory_Shmem_bytes", "", &[]);
    K_RECLAIMABLE = &Attribute::gauge("mem.kernel_reclaimable", Bytes, "Memory the kernel can give back under pressure.").prom("node_memory_KReclaimable_bytes", "", &[]);
    SLAB = &Attribute::gauge("mem.slab", Bytes, "The kernel's own data structures.").prom("node_memory_Slab_bytes", "", &[]);
    S_RECLAIMABLE = &Attribute::gauge("mem.slab_reclaimable", Bytes, "The kernel's own data structures that it can give back.").prom("node_memory_SReclaimable_bytes", "", &[]);
    S_UNRECLAIM = &Attribute::gauge("mem.slab_unreclaimable", Bytes, "The kernel's own data structures that it cannot give back.").prom("node_memory_SUnreclaim_bytes", "", &[]);
    KERNEL_STACK = &Attribute::gauge("mem.kernel_stack", Bytes, "Stacks of the kernel's threads.").prom("node_memory_KernelStack_bytes", "", &[]);
    PAGE_TABLES = &Attribute::gauge("mem.page_tables", Bytes, "Tables that say where memory lies.").prom("node_memory_PageTables_bytes", "", &[]);
    NFS_UNSTABLE = &Attribute::gauge("mem.nfs_unstable", Bytes, "Written to an NFS server that has not yet put it on disk.").prom("node_memory_NFS_Unstable_bytes", "", &[]);
    BOUNCE = &Attribute::gauge("mem.bounce", Bytes, "Buffers for devices that reach only part of the memory.").prom("node_memory_Bounce_bytes", "", &[]);
    WRITEBACK_TMP = &Attribute::gauge("mem.writeback_fuse", Bytes, "FUSE's buffers for writing.").prom("node_memory_WritebackTmp_bytes", "", &[]);
    COMMIT_LIMIT = &Attribute::gauge("mem.commit_limit", Bytes, "Memory that may be promised to programs under strict accounting.").prom("node_memory_CommitLimit_bytes", "", &[]);
    COMMITTED = &Attribute::gauge("mem.committed", Bytes, "Memory promised to programs.").prom("node_memory_Committed_AS_bytes", "", &[]);
    VMALLOC_TOTAL = &Attribute::gauge("mem.vmalloc_total", Bytes, "Address space for the kernel's large allocations.").prom("node_memory_VmallocTotal_bytes", "", &[]);
    VMALLOC_USED = &Attribute::gauge("mem.vmalloc_used", Bytes, "The kernel's large allocations.").prom("node_memory_VmallocUsed_bytes", "", &[]);
    PER_CPU = &Attribute::gauge("mem.percpu", Bytes, "The kernel's memory of single processors.").prom("node_memory_Percpu_bytes", "", &[]);
    CORRUPTED = &Attribute::gauge("mem.corrupted", Bytes, "Memory found faulty and taken out of use.").prom("node_memory_HardwareCorrupted_bytes", "", &[]);
    ANON_HUGE = &Attribute::gauge("mem.anon_huge", Bytes, "Memory of programs in huge pages.").prom("node_memory_AnonHugePages_bytes", "", &[]);
    SHMEM_HUGE = &Attribute::gauge("mem.shared_huge", Bytes, "Shared memory in huge pages.").prom("node_memory_ShmemHugePages_bytes", "", &[]);
    FILE_HUGE = &Attribute::gauge("mem.file_huge", Bytes, "Cached files in huge pages.").prom("node_memory_FileHugePages_bytes", "", &[]);
    HUGE_TOTAL = &Attribute::gauge("mem.huge.total", Count, "Huge pages set aside.").prom("node_memory_HugePages_Total", "", &[]);
    HUGE_FREE = &Attribute::gauge("mem.huge.free", Count, "Huge pages set aside and not in use.").prom("node_memory_HugePages_Free", "", &[]);
    HUGE_RESERVED = &Attribute::gauge("mem.huge.reserved", Count, "Huge pages promised to programs.").prom("node_memory_HugePages_Rsvd", "", &[]);
    HUGE_SURPLUS = &Attribute::gauge("mem.huge.surplus", Count, "Huge pages beyond those set aside.").prom("node_memory_HugePages_Surp", "", &[]);
    HUGE_SIZE = &Attribute::gauge("mem.huge.size", Bytes, "Size of a huge page.").prom("node_memory_Hugepagesize_bytes", "", &[]);
    HUGE_BYTES = &Attribute::gauge("mem.huge.bytes", Bytes, "Memory in huge pages of all sizes.").prom("node_memory_Hugetlb_bytes", "", &[]);
    DIRECT_4K = &Attribute::gauge("mem.direct_4k", Bytes, "Memory the kernel maps in pages of 4 KiB.").prom("node_memory_DirectMap4k_bytes", "", &[]);
    DIRECT_2M = &Attribute::gauge("mem.direct_2m", Bytes, "Memory the kernel maps in pages of 2 MiB.").prom("node_memory_DirectMap2M_bytes", "", &[]);
    DIRECT_1G = &Attribute::gauge("mem.direct_1g", Bytes, "Memory the kernel maps in pages of 1 GiB.").prom("node_memory_DirectMap1G_bytes", "", &[]);
    OOM_KILL = &Attribute::counter("mem.oom_kills", Count, "Processes killed because memory ran out.").prom_untyped("node_vmstat_oom_kill");
    FAULTS = &Attribute::counter("mem.faults", Count, "Page faults.").prom_untyped("node_vmstat_pgfault");
    MAJOR_FAULTS = &Attribute::counter("mem.major_faults", Count, "Page faults that had to read a disk.").prom_untyped("node_vmstat_pgmajfault");
    PAGED_IN = &Attribute::counter("mem.paged_in", Count, "KiB read from disks.").prom_untyped("node_vmstat_pgpgin");
    PAGED_OUT = &Attribute::counter("mem.paged_out", Count, "KiB written to disks.").prom_untyped("node_vmstat_pgpgout");
    SWAPPED_IN = &Attribute::counter("swap.in.pages", Count, "Pages read from swap space.").prom_untyped("node_vmstat_pswpin");
    SWAPPED_OUT = &Attribute::counter("swap.out.pages", Count, "Pages written to swap space.").prom_untyped("node_vmstat_pswpout");
}

struct Memory {
    meminfo: HotFile,
    vmstat: HotFile,
    /// Which attribute a line of meminfo is, by the line's place: the order of lines is fixed while a kernel runs.
    lines: Vec<(Vec<u8>, Option<&'static Attribute>)>,
    page_bytes: u64,
    paging: Vec<(&'static str, &'static Attribute)>,
    swapped: Former<[Option<u64>; 2]>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Memory {
        meminfo: setup.hot("proc/meminfo"),
        vmstat: setup.hot("proc/vmstat"),
        lines: Vec::new(),
        page_bytes: setup.root.page_bytes(),
        paging: by_prometheus(ATTRIBUTES, "node_vmstat_").collect(),
        swapped: Former::default(),
    })
}

impl Collector for Memory {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        self.put_memory(out)?;
        self.put_paging(round.now, out)
    }
}

impl Memory {
    fn put_memory(&mut self, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let text = self.meminfo.read()?;
        let (mut swap_total, mut swap_free) = (None, None);
        for (place, line) in text.lines().enumerate() {
            let mut words = words(line);
            let key = words.next().unwrap_or_default();
            if self.lines.get(place).is_none_or(|(k, _)| k != key) {
                self.lines.truncate(place);
                self.lines.push((key.to_vec(), attribute(key)));
            }
            let Some(attribute) = self.lines[place].1 else { continue };
            let value = text.number(words.next(), crate::text::name(key))?;
            let value = match words.next() {
                Some(b"kB") => value.saturating_mul(1024),
                _ => value,
            };
            put(out, attribute, value);
            if std::ptr::eq(attribute, SWAP_TOTAL) {
                swap_total = Some(value);
            } else if std::ptr::eq(attribute, SWAP_FREE) {
                swap_free = Some(value);
            }
        }
        put_some(out, SWAP_USED, swap_total.zip(swap_free).map(|(total, free)| total.saturating_sub(free)));
        Ok(())
    }

    fn put_paging(&mut self, now: Instant, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let Some(text) = self.vmstat.read_if_there()? else { return Ok(()) };
        let mut swapped = [None, None];
        for line in text.lines() {
            // Nearly two hundred lines, of which a few are wanted.
            if !matches!(line[0], b'p' | b'o') {
                continue;
            }
            let mut words = words(line);
            let key = words.next().unwrap_or_default();
            let Some((field, attribute)) = self.paging.iter().find(|(k, _)| k.as_bytes() == key) else { continue };
            let value = text.number(words.next(), field)?;
            put(out, attribute, value);
            match *field {
                "pswpin" => swapped[0] = Some(value),
                "pswpout" => swapped[1] = Some(value),
                _ => {}
            }
        }
        if let Some((seconds, old)) = self.swapped.replace(now, swapped) {
            for (i, rate) in [SWAP_IN_RATE, SWAP_OUT_RATE].into_iter().enumerate() {
                let pages = old[i].zip(swapped[i]).and_then(|(old, new)| per_second(old, new, seconds));
                put_some(out, rate, pages.map(|p| p * self.page_bytes as f64));
            }
        }
        Ok(())
    }
}

/// The attribute of a line that begins with `key`, e.g. `Active(anon):`.
fn attribute(key: &[u8]) -> Option<&'static Attribute> {
    let key = str::from_utf8(key).ok()?.strip_suffix(':')?.replace('(', "_").replace(')', "");
    by_prometheus(ATTRIBUTES, "node_memory_").find(|(k, _)| k.strip_suffix("_bytes").unwrap_or(k) == key).map(|(_, a)| a)
}
