use std::fmt;
use std::io;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A message that names the thing and the next step.
    Said(String),
    /// The reader of the output went away (`peermon nodes | head -1`): nothing is wrong.
    OutputClosed,
}

impl Failure {
    /// A failure with this message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure::Said(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Said(message) => f.write_str(message),
            Failure::OutputClosed => f.write_str("nobody reads the output any more"),
        }
    }
}

impl std::error::Error for Failure {}

/// Errors of the standard streams; other input and output gets a message where it happens, since only there its name is known.
impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Said(format!("cannot write the output: {e}; check the disk or the program it goes to")),
        }
    }
}

impl From<peermon_api::Error> for Failure {
    fn from(e: peermon_api::Error) -> Self {
        Failure::Said(e.to_string())
    }
}
