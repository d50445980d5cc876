use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Between two looks: short beside everything that is waited for, long enough not to disturb it on two cores.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` finds what it looks for, and says how long that took.
///
/// # Errors
/// After `timeout`, with what `look` last said was missing.
pub fn wait_for(what: &str, timeout: Duration, mut look: impl FnMut() -> Result<(), String>) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let Err(missing) = look() else { return Ok(start.elapsed()) };
        if start.elapsed() >= timeout {
            bail!("waited {:.1} s for {what}: {missing}", timeout.as_secs_f64());
        }
        std::thread::sleep(PAUSE);
    }
}

/// How many times a bound a busy machine may need before a test fails: a bound is printed beside what was measured, and only
/// this many times the bound is an error.
pub const MARGIN: u32 = 4;

/// Waits for a state and prints how long that took beside how long it may take.
///
/// # Errors
/// After [`MARGIN`] times the bound.
pub fn within(bound: Duration, what: &str, look: impl FnMut() -> Result<(), String>) -> Result<()> {
    within_since(Instant::now(), bound, what, look)
}

/// As [`within`], counted from a moment that has passed.
///
/// # Errors
/// As [`within`], but the margin counts from now.
pub fn within_since(start: Instant, bound: Duration, what: &str, look: impl FnMut() -> Result<(), String>) -> Result<()> {
    wait_for(what, bound * MARGIN, look)?;
    let took = start.elapsed();
    say(&format!("measured: {what}: {:.2} s (bound {:.1} s)", took.as_secs_f64(), bound.as_secs_f64()));
    Ok(())
}

/// A directory for one test. It is removed when dropped, but kept and named if the test fails.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// A new, empty one.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> Result<Directory> {
        let path = std::env::temp_dir().join(unique_name());
        // Paths of unix sockets must be shorter than 108 bytes, so the name is short.
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Directory { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("kept for a look: {}", self.path.display()));
        } else if let Err(e) = std::fs::remove_dir_all(&self.path) {
            say(&format!("cannot remove {}: {e}", self.path.display()));
        }
    }
}

/// What all names start with that this crate gives to things outside of the process.
pub(crate) const PREFIX: &str = "pmt";

/// A name that no other process on this machine uses, and from which the process can be told.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a name is one of ours whose process has ended.
pub(crate) fn owner_is_gone(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// One line for whoever reads the test's output: what was skipped and why, or what was measured. Unlike `println!`, it is shown
/// of tests that pass, too.
pub fn say(line: &str) {
    // Nobody to say it to is no reason to fail.
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_state_or_says_what_is_missing() {
        let mut looks = 0;
        let found = wait_for("three looks", Duration::from_secs(60), || {
            looks += 1;
            if looks == 3 { Ok(()) } else { Err(format!("{looks}")) }
        });
        assert!(found.is_ok());
        let late = wait_for("the moon", Duration::ZERO, || Err("too far".into())).expect_err("cannot come");
        assert_eq!(late.to_string(), "waited 0.0 s for the moon: too far");
    }
}
