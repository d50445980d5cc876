use std::path::PathBuf;

/// Why a configuration is refused. Nothing is changed by one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration file {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser says.
        message: String,
    },
    /// There is no such option.
    #[error("{place}: there is no option {key:?}{}", near(.nearest))]
    Unknown {
        /// File and line, or which flag.
        place: String,
        /// What was written.
        key: String,
        /// The option that looks most like it.
        nearest: Option<&'static str>,
    },
    /// An option's value makes no sense.
    #[error("{place}: {key} {message}")]
    Value {
        /// File and line, or which variable or flag.
        place: String,
        /// Which option.
        key: String,
        /// What it must be, and what it is.
        message: String,
    },
    /// Options that are fine alone do not go together.
    #[error("the configuration contradicts itself: {0}")]
    Contradiction(String),
}

fn near(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(n) => format!("; did you mean {n:?}?"),
        None => "; packaging/peermon.toml lists all".to_string(),
    }
}
