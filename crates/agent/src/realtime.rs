//! Being on time on a machine that has none: real-time priority and locked memory, where the kernel permits it.

use rustix::process::{Resource, getrlimit};

/// The lowest real-time priority: above all ordinary programs, below whatever else is real-time.
const PRIORITY: i32 = 1;
/// `CAP_IPC_LOCK` among the effective capabilities.
const MAY_LOCK: u64 = 1 << 14;

/// Asks for real-time priority for the calling thread. Threads it starts later have none.
///
/// # Errors
/// If the kernel forbids it: it takes `CAP_SYS_NICE` or a limit `RTPRIO`.
#[allow(unsafe_code)]
pub(crate) fn raise_thread() -> std::io::Result<()> {
    // SAFETY: the structure lives across the call, which reads it; 0 is the calling thread.
    let done = unsafe {
        let parameters = libc::sched_param { sched_priority: PRIORITY };
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters)
    };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Keeps all memory of this process that is or will be in use from being swapped out.
///
/// # Errors
/// Why not, in words. With a limit it is not tried: beyond it, allocating would fail.
pub(crate) fn lock_memory() -> Result<(), String> {
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    if !unlimited && !may_lock(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        return Err("the limit of locked memory is not unlimited, and CAP_IPC_LOCK is missing".into());
    }
    use rustix::mm::MlockAllFlags;
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(flags).map_err(|e| std::io::Error::from(e).to_string())
}

fn may_lock(status: &str) -> bool {
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
    line.and_then(|l| u64::from_str_radix(l.trim(), 16).ok()).is_some_and(|caps| caps & MAY_LOCK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read() {
        assert!(may_lock("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_lock("CapEff:\t0000000000000000\n") && !may_lock("") && !may_lock("CapEff: xyz"));
    }
}
