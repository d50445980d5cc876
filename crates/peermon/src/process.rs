//! What this machine tells of one of its processes to whoever runs `peermon top`, with the rights of that user: what `ps` would tell.
//! Daemons tell numbers and names only, so that command lines, which may hold secrets, leave no machine.

use peermon_tui::Details;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Bytes of a command line that are shown.
const COMMAND_LINE_MAX: u64 = 4096;
/// Open files that are counted; a program with more is as badly off.
const FILES_MAX: usize = 100_000;
/// Seconds by which the time that a process has been there may differ from what the daemon said: figures have ages.
const SECONDS_OFF: u64 = 30;

/// What is known of the process `pid`, if it has been there for about `seconds`: the daemon may be of another machine, and a number
/// may have gone to another process. `proc` is where the kernel tells of processes.
pub(crate) fn look(proc: &Path, pid: u32, seconds: Option<u64>) -> Option<Details> {
    let at = proc.join(pid.to_string());
    let here = running(proc, &at)?;
    if here.abs_diff(seconds?) > SECONDS_OFF {
        return None;
    }
    let link = |name: &str| fs::read_link(at.join(name)).ok().map(|p| p.display().to_string());
    let files = fs::read_dir(at.join("fd")).ok().map(|all| all.take(FILES_MAX).count());
    let groups = text(&at.join("cgroup"), COMMAND_LINE_MAX);
    // One line for each hierarchy; that of version 2 is the last and has number 0.
    let group = groups.as_deref().and_then(|g| g.lines().last()?.splitn(3, ':').nth(2).map(str::to_string));
    let line = text(&at.join("cmdline"), COMMAND_LINE_MAX).map(|l| l.replace('\0', " ").trim().to_string());
    Some(Details {
        command_line: line.filter(|l| !l.is_empty()),
        program: link("exe"),
        folder: link("cwd"),
        open_files: files,
        group: group.filter(|g| g != "/"),
    })
}

/// The beginning of a file as text.
fn text(path: &Path, most: u64) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// For how many seconds a process has been there.
fn running(proc: &Path, at: &Path) -> Option<u64> {
    let stat = text(&at.join("stat"), COMMAND_LINE_MAX)?;
    // The name before the last parenthesis may hold anything; the start is the twentieth word after it.
    let started: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = text(&proc.join("uptime"), COMMAND_LINE_MAX)?.split_whitespace().next()?.parse().ok()?;
    Some((uptime as u64).saturating_sub(started / rustix::param::clock_ticks_per_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known_and_another_of_its_number_is_not_taken_for_it() {
        let proc = Path::new("/proc");
        let (pid, here) = (std::process::id(), running(proc, Path::new("/proc/self")).expect("it runs"));
        let known = look(proc, pid, Some(here)).expect("this process");
        assert!(known.command_line.is_some_and(|l| l.contains("peermon")));
        assert_eq!(known.folder, std::env::current_dir().ok().map(|d| d.display().to_string()));
        assert!(known.open_files >= Some(3) && known.program.is_some());
        assert_eq!(look(proc, pid, Some(here + 1000)), None);
        assert_eq!(look(proc, pid, None), None);
        assert_eq!(look(proc, u32::MAX, Some(here)), None);
    }
}
