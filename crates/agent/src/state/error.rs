use std::io;
use std::path::PathBuf;

/// Why something of the state directory cannot be used. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or the directory cannot be read, made or written.
    #[error("cannot {operation} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A secret lies open.
    #[error("{} is open to other users (mode {mode:04o}), so its secret may be known; run: chmod {} {}", path.display(), fix, path.display())]
    Open {
        /// Which file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have, for chmod.
        fix: &'static str,
    },
    /// A file does not hold what it should.
    #[error("{} is not {what}; {then}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        what: String,
        /// What to do.
        then: &'static str,
    },
    /// A file that was named is not there.
    #[error("there is no cluster key file {}; copy it from another node, or leave the option out and use `peermon join TOKEN`", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// Another daemon uses the directory.
    #[error("another daemon{} uses the state directory {}; stop it, or give this one its own with --state-dir DIR", by(pid), path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other daemon, if it says.
        pid: Option<u32>,
    },
}

fn by(pid: &Option<u32>) -> String {
    pid.map_or(String::new(), |p| format!(" (process {p})"))
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "; run it as the user who owns it, or give another place with --state-dir DIR",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on that file system",
        io::ErrorKind::ReadOnlyFilesystem => "; that file system is read-only: give another place with --state-dir DIR",
        _ => "",
    }
}
