use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a collector has no value, or not all of them. What it gave before is right and stays.
#[derive(Debug, Error)]
pub enum CollectError {
    /// A file cannot be read. (That it is not there is no error where kernels differ.)
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// A file does not say what it should.
    #[error("{}: {field} is {found:?} where {expected} was expected", file.display())]
    Garbage {
        /// Which file.
        file: PathBuf,
        /// Which part of it.
        field: String,
        /// What stands there, cut.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A file is too long to be true.
    #[error("{} has more than {most} bytes, which is more than any system writes there", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
        /// How many bytes are read.
        most: usize,
    },
    /// Something other than a file.
    #[error("{0}")]
    Other(String),
}

impl CollectError {
    pub(crate) fn read(file: &Path, cause: io::Error) -> Self {
        CollectError::Read { file: file.to_path_buf(), cause }
    }
}

/// What is wrong with the configuration of collectors. Nothing was started.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// No collector has this name.
    #[error("no collector is named {given:?}; there are {known}")]
    NoSuchCollector {
        /// The name given.
        given: String,
        /// All names.
        known: String,
    },
    /// A custom value cannot have this attribute name.
    #[error("a custom value cannot be named {given:?}: {reason}")]
    CustomName {
        /// The name given.
        given: String,
        /// Why not.
        reason: &'static str,
    },
    /// A custom value's file is not named from the root.
    #[error("the file of custom value {name:?} is {given:?}; give its whole path, beginning with /")]
    CustomFile {
        /// The value's name.
        name: String,
        /// The path given.
        given: String,
    },
    /// Too many custom values.
    #[error("{given} custom values are configured; at most {most} are possible")]
    TooManyCustom {
        /// How many.
        given: usize,
        /// The limit.
        most: usize,
    },
}
