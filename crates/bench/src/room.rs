//! Whether this machine has room for so many programs: asked before the first is started, because a machine that runs out in
//! the middle says so in a hundred odd ways.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit};
use std::fs::read_to_string;
use std::net::{Ipv4Addr, UdpSocket};

/// What a number of programs needs, each by itself.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// How many programs.
    pub programs: usize,
    /// Threads of each.
    pub threads: u64,
    /// Descriptors of each.
    pub files: u64,
    /// Descriptors that the bench itself holds for each.
    pub own_files: u64,
    /// Memory of each, in bytes.
    pub memory: u64,
    /// The first of their UDP ports on 127.0.0.1; they take the next ones.
    pub port: u16,
}

/// Threads and descriptors that the bench needs besides.
const SPARE: u64 = 64;
/// Memory that stays for everything else.
const SPARE_MEMORY: u64 = 256 << 20;

/// What this machine has left.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Descriptors that one process may have; none if there is no limit.
    files_each: Option<u64>,
    /// Descriptors that all together may still open.
    files_all: Option<u64>,
    /// Threads that may still start.
    threads: Option<u64>,
    /// Bytes.
    memory: Option<u64>,
}

/// Looks whether there is room.
///
/// # Errors
/// If there is not; with what is short and what to do.
pub fn check(need: &Need) -> Result<()> {
    enough(need, &Room::here())?;
    ensure!(
        usize::from(u16::MAX - need.port) >= need.programs,
        "{} programs do not fit between port {} and {}: ask for fewer",
        need.programs,
        need.port,
        u16::MAX
    );
    for port in (need.port..).take(need.programs) {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
            format!("UDP port {port} of 127.0.0.1 cannot be had: `ss -ulpn sport = {port}` says who has it; end that, and run this again")
        })?;
    }
    Ok(())
}

fn enough(need: &Need, room: &Room) -> Result<()> {
    let n = need.programs as u64;
    let short = |has: Option<u64>, needs: u64| has.filter(|has| *has < needs);
    let files = (n * need.own_files + SPARE).max(need.files);
    if let Some(has) = short(room.files_each, files) {
        anyhow::bail!("a process may open {has} files, and {n} programs need {files}: run `ulimit -n {files}` first");
    }
    if let Some(has) = short(room.files_all, n * (need.files + need.own_files) + SPARE) {
        let needs = n * (need.files + need.own_files) + SPARE;
        anyhow::bail!("this machine may open {has} more files, and {n} programs need {needs}: raise /proc/sys/fs/file-max");
    }
    if let Some(has) = short(room.threads, n * need.threads + SPARE) {
        let needs = n * need.threads + SPARE;
        anyhow::bail!(
            "{has} more threads may start, and {n} programs need {needs}: raise `ulimit -u`, the cgroup's pids.max or \
             /proc/sys/kernel/pid_max, or ask for fewer"
        );
    }
    if let Some(has) = short(room.memory, n * need.memory + SPARE_MEMORY) {
        let (has, needs) = (has >> 20, (n * need.memory + SPARE_MEMORY) >> 20);
        anyhow::bail!("{has} MiB of memory are available, and {n} programs need {needs} MiB: ask for fewer");
    }
    Ok(())
}

impl Room {
    /// What the kernel says. What it does not say is no limit: the programs themselves will tell.
    fn here() -> Room {
        let file = |path: &str| read_to_string(path).unwrap_or_default();
        let number = |path: &str| file(path).split_whitespace().next()?.parse::<u64>().ok();
        let running = file("/proc/loadavg").split_once('/').and_then(|(_, r)| r.split(' ').next()?.parse::<u64>().ok());
        let file_nr: Vec<u64> = file("/proc/sys/fs/file-nr").split_whitespace().filter_map(|w| w.parse().ok()).collect();
        let kernel =
            [number("/proc/sys/kernel/pid_max"), number("/proc/sys/kernel/threads-max"), getrlimit(Resource::Nproc).current];
        let kernel = kernel.into_iter().flatten().min().map(|max| max.saturating_sub(running.unwrap_or(0)));
        let groups = ["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"].into_iter().filter_map(number);
        Room {
            files_each: getrlimit(Resource::Nofile).current,
            files_all: file_nr.first().zip(file_nr.get(2)).map(|(open, max)| max.saturating_sub(*open)),
            threads: kernel.into_iter().chain(groups).min(),
            memory: file("/proc/meminfo")
                .lines()
                .find_map(|l| l.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse::<u64>().ok())
                .map(|kib| kib << 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_named() {
        let need = Need { programs: 100, threads: 5, files: 30, own_files: 2, memory: 10 << 20, port: 1 };
        let plenty = Room { files_each: Some(1000), files_all: Some(10_000), threads: Some(1000), memory: Some(4 << 30) };
        /// Changes the room, and part of the complaint.
        type Case = (fn(&mut Room), &'static str);
        const CASES: &[Case] = &[
            (|_| (), ""),
            (|r| *r = Room { files_each: None, files_all: None, threads: None, memory: None }, ""),
            (|r| r.files_each = Some(200), "ulimit -n 264"),
            (|r| r.files_all = Some(3000), "file-max"),
            (|r| r.threads = Some(563), "563 more threads"),
            (|r| r.memory = Some(1 << 30), "1024 MiB of memory"),
        ];
        for (change, complaint) in CASES {
            let mut room = plenty;
            change(&mut room);
            let said = enough(&need, &room).err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(complaint.is_empty(), said.is_empty(), "{room:?}: {said}");
            assert!(said.contains(complaint), "{room:?}: {said}");
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("its address").port();
        let need = Need { programs: 1, threads: 1, files: 1, own_files: 1, memory: 1, port };
        let said = check(&need).expect_err("it is taken").to_string();
        assert!(said.contains(&format!("UDP port {port}")), "{said}");
        let said = check(&Need { port: u16::MAX, programs: 2, ..need }).expect_err("no more ports").to_string();
        assert!(said.contains("do not fit"), "{said}");
    }
}
