//! Small private files, written whole or not at all.

use super::StateError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a state file: the largest real one, the peers, is about 2 kB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The directory, made if need be. Others must not be able to put files into it.
pub(super) fn private_directory(dir: &Path) -> Result<(), StateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error("make the directory", dir))?;
    let mode = fs::metadata(dir).map_err(io_error("look at", dir))?.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StateError::Open { path: dir.to_path_buf(), mode, fix: "go-w" });
    }
    Ok(())
}

/// The text of a file that only its owner may read; `None` if there is no such file.
pub(super) fn read_secret(path: &Path) -> Result<Option<String>, StateError> {
    let file = match File::open(path) {
        Ok(f) => f,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    let mode = file.metadata().map_err(io_error("look at", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StateError::Open { path: path.to_path_buf(), mode, fix: "600" });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    // What is not text is found wrong by whoever parses it.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Replaces a file, durably: after a crash there is the old one or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<(), StateError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    let done = (|| {
        // One left by a crash may have another mode: it goes first.
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The rename itself lives in the directory.
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    })();
    done.map_err(|e| {
        drop(fs::remove_file(&new));
        io_error("write", path)(e)
    })
}

pub(super) fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_path_buf();
    move |source| StateError::Io { operation, path, source }
}
