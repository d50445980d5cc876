use crate::wait::{owner_is_gone, say};
use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A small file system in memory, mounted on a directory. Dropping it takes it away, with what is on it.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

/// What fills a disk.
const FILLER: &str = "filler";

impl SmallDisk {
    /// Mounts one of this many bytes on a directory, which is made if need be.
    ///
    /// # Errors
    /// If the kernel refuses, as it does to all but root.
    pub fn mount(path: &Path, bytes: usize) -> Result<SmallDisk> {
        std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        let options = std::ffi::CString::new(format!("size={bytes},mode=0700")).context("mount options")?;
        mount("tmpfs", path, "tmpfs", MountFlags::empty(), options.as_c_str())
            .with_context(|| format!("mounting a file system in memory on {}", path.display()))?;
        Ok(SmallDisk { path: path.into() })
    }

    /// Writes until nothing more fits.
    ///
    /// # Errors
    /// If writing ends otherwise.
    pub fn fill(&self) -> Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.path.join(FILLER)).context("opening the filler")?;
        loop {
            match filler.write(&[0; 1024]) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(e) => bail!("filling {}: {e}", self.path.display()),
            }
        }
    }

    /// Takes away what filled it.
    ///
    /// # Errors
    /// If it was not filled.
    pub fn make_room(&self) -> Result<()> {
        std::fs::remove_file(self.path.join(FILLER)).context("removing the filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        take_away(&self.path);
    }
}

/// Takes away what killed test runs have mounted.
pub(crate) fn remove_leftovers() {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    // Our paths have no characters that are escaped there.
    for path in mounts.lines().filter_map(|l| l.split(' ').nth(1)).map(Path::new).filter(|p| p.starts_with(std::env::temp_dir()))
    {
        if path.components().any(|c| owner_is_gone(&c.as_os_str().to_string_lossy())) {
            take_away(path);
        }
    }
}

fn take_away(path: &Path) {
    // A daemon that still ends holds it for a moment.
    if let Err(e) = unmount(path, UnmountFlags::DETACH) {
        say(&format!("cannot unmount {}: {e}", path.display()));
    }
}
