//! How the kernel keeps the clock of day, through the one system call that tells it.

use std::time::Duration;

/// What is known of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClockState {
    /// Something keeps it in step with others.
    pub(crate) synchronised: bool,
    /// How far it is off, as far as whoever keeps it has told the kernel.
    pub(crate) offset: Duration,
}

/// Asks the kernel; `None` where that is forbidden.
pub(crate) fn read() -> Option<ClockState> {
    let (_, asked) = ask()?;
    let unit = if asked.status & libc::STA_NANO != 0 { 1 } else { 1_000 };
    Some(ClockState {
        synchronised: asked.status & libc::STA_UNSYNC == 0,
        offset: Duration::from_nanos(asked.offset.unsigned_abs().saturating_mul(unit)),
    })
}

/// The state that the call returns and all its figures; `None` where it is forbidden.
#[allow(unsafe_code)]
pub(crate) fn ask() -> Option<(i32, libc::timex)> {
    // SAFETY: `timex` is plain numbers, of which all zeros are a valid one; `modes` 0 asks for the state and changes nothing;
    // the kernel writes no more than the structure, which lives across the call.
    let (state, asked) = unsafe {
        let mut asked: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut asked), asked)
    };
    (state >= 0).then_some((state, asked))
}
