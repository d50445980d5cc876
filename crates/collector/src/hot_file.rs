//! Files that are read every round: kept open and read from their start, which costs a third of opening them again.

use crate::CollectError;
use crate::limits::{FILE_BYTES_MAX, VALUE_FILE_BYTES_MAX};
use crate::text::Text;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes asked for at first: enough for most files of `/proc` in one call.
const FIRST_READ_BYTES: usize = 4096;

/// A file of `/proc` or `/sys` that stays open between rounds.
pub(crate) struct HotFile {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
}

impl HotFile {
    /// Opens nothing yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        HotFile { path, file: None, buffer: Vec::new() }
    }

    /// What the file says now; an error if it is not there.
    pub(crate) fn read(&mut self) -> Result<Text<'_>, CollectError> {
        self.fill().map_err(|e| explain(&self.path, e))?;
        Ok(Text { file: &self.path, bytes: &self.buffer })
    }

    /// What the file says now; `None` if this kernel does not have it.
    pub(crate) fn read_if_there(&mut self) -> Result<Option<Text<'_>>, CollectError> {
        match self.fill() {
            Ok(()) => Ok(Some(Text { file: &self.path, bytes: &self.buffer })),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(explain(&self.path, e)),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let was_open = self.file.is_some();
        match self.fill_once() {
            // A device that went and came back has a new file of the same name.
            Err(_) if was_open => self.fill_once(),
            done => done,
        }
    }

    fn fill_once(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(f) => f,
            None => open(&self.path)?,
        };
        read_from_start(&file, &mut self.buffer, FILE_BYTES_MAX)?;
        self.file = Some(file);
        Ok(())
    }
}

/// The whole of a small file, opened for this once; `None` if it is not there or this kernel does not answer.
pub(crate) fn read_value(path: &Path) -> Result<Option<Vec<u8>>, CollectError> {
    read_bounded(path, VALUE_FILE_BYTES_MAX)
}

/// The whole of a file of at most `most` bytes, opened for this once; `None` if it is not there.
pub(crate) fn read_bounded(path: &Path, most: usize) -> Result<Option<Vec<u8>>, CollectError> {
    let mut bytes = Vec::new();
    match open(path).and_then(|f| read_from_start(&f, &mut bytes, most)) {
        Ok(()) => Ok(Some(bytes)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge => Err(CollectError::TooLong { file: path.to_path_buf(), most }),
        Err(e) => Err(CollectError::read(path, e)),
    }
}

/// The trimmed text of a small file; `None` if it is not there, empty or unreadable (for what is nice to know only).
pub(crate) fn read_word(path: &Path) -> Option<String> {
    let bytes = read_value(path).ok()??;
    let text = String::from_utf8_lossy(&bytes).trim().to_string();
    (!text.is_empty()).then_some(text)
}

/// Never waits: a pipe that somebody put in a file's place would otherwise block the opening.
fn open(path: &Path) -> io::Result<File> {
    Ok(File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?))
}

fn read_from_start(file: &File, buffer: &mut Vec<u8>, most: usize) -> io::Result<()> {
    let mut length = 0;
    loop {
        if buffer.len() < length + FIRST_READ_BYTES / 2 {
            buffer.resize((length * 2).max(FIRST_READ_BYTES), 0);
        }
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if length > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    buffer.truncate(length);
    Ok(())
}

/// Whether an error says "this machine does not have it": no such file, pressure switched off, a link without a speed.
fn is_absent(e: &io::Error) -> bool {
    let errno = e.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::NOENT | Errno::OPNOTSUPP | Errno::INVAL | Errno::NODEV | Errno::NXIO | Errno::NOTDIR | Errno::NODATA)
    )
}

fn explain(path: &Path, e: io::Error) -> CollectError {
    if e.kind() == io::ErrorKind::FileTooLarge {
        return CollectError::TooLong { file: path.to_path_buf(), most: FILE_BYTES_MAX };
    }
    CollectError::read(path, e)
}
