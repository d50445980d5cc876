use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a `statfs` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileSystemSize {
    /// Bytes in all.
    pub size: u64,
    /// Bytes not used.
    pub free: u64,
    /// Bytes an ordinary user may still use.
    pub available: u64,
    /// Files (inodes) in all.
    pub files: u64,
    /// Files still possible.
    pub files_free: u64,
    /// It cannot be written to.
    pub read_only: bool,
}

type Statfs = dyn Fn(&Path) -> io::Result<FileSystemSize> + Send + Sync;

/// What stands for `/`: the host itself, or a directory that holds a machine's `proc`, `sys`, `etc` and `run`.
#[derive(Clone)]
pub struct Root {
    base: PathBuf,
    host: bool,
    page_bytes: u64,
    ticks_per_second: u64,
    statfs: Arc<Statfs>,
}

impl Root {
    /// The host this runs on.
    pub fn host() -> Self {
        Root {
            base: PathBuf::from("/"),
            host: true,
            page_bytes: rustix::param::page_size() as u64,
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            statfs: Arc::new(host_statfs),
        }
    }

    /// A machine whose files lie under `base`, with 4 KiB pages and 100 ticks a second; `statfs` answers for its mounts.
    /// Nothing is asked of the host's kernel but these files.
    pub fn at(base: impl Into<PathBuf>, statfs: impl Fn(&Path) -> io::Result<FileSystemSize> + Send + Sync + 'static) -> Self {
        Root { base: base.into(), host: false, page_bytes: 4096, ticks_per_second: 100, statfs: Arc::new(statfs) }
    }

    /// The host with its files seen under `base`, as in a container that has the host's `/proc` under `/host/proc`.
    pub fn host_at(base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        let from = base.clone();
        let statfs = move |mount: &Path| host_statfs(&from.join(mount.strip_prefix("/").unwrap_or(mount)));
        Root { base, statfs: Arc::new(statfs), ..Root::host() }
    }

    /// Where a file of the machine lies; `path` begins without a slash: `proc/stat`.
    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Whether system calls answer for this machine too.
    pub fn is_host(&self) -> bool {
        self.host
    }

    pub(crate) fn page_bytes(&self) -> u64 {
        self.page_bytes
    }

    pub(crate) fn ticks_per_second(&self) -> f64 {
        self.ticks_per_second as f64
    }

    pub(crate) fn statfs(&self, mount: &Path) -> io::Result<FileSystemSize> {
        (self.statfs)(mount)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("base", &self.base).field("host", &self.host).finish_non_exhaustive()
    }
}

fn host_statfs(mount: &Path) -> io::Result<FileSystemSize> {
    let s = rustix::fs::statvfs(mount)?;
    let bytes = |blocks: u64| blocks.saturating_mul(s.f_frsize);
    Ok(FileSystemSize {
        size: bytes(s.f_blocks),
        free: bytes(s.f_bfree),
        available: bytes(s.f_bavail),
        files: s.f_files,
        files_free: s.f_ffree,
        read_only: s.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}
