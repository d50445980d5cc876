use super::{StateError, file};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

const PID: &str = "pid";

/// The directory held for one daemon, until dropped or the process ends however it ends. The lock is on the directory itself:
/// that also works where nothing can be written.
#[derive(Debug)]
pub(super) struct Lock {
    _dir: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, StateError> {
        let handle = File::open(dir).map_err(file::io_error("open", dir))?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Only for the other daemon's message.
                drop(file::write(&dir.join(PID), &format!("{}\n", std::process::id())));
                Ok(Lock { _dir: handle })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let pid = file::read_secret(&dir.join(PID)).ok().flatten().and_then(|t| t.trim().parse().ok());
                Err(StateError::Locked { path: dir.to_path_buf(), pid })
            }
            Err(e) => Err(file::io_error("lock", dir)(e.into())),
        }
    }
}
