use std::io;
use thiserror::Error;

/// Why nothing can be captured. Nothing was left in the kernel.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The kernel is too old for the programs.
    #[error("this kernel is {found}; capture needs 5.14 or newer")]
    OldKernel {
        /// Its release.
        found: String,
    },
    /// The kernel does not describe its own structures.
    #[error("cannot read /sys/kernel/btf/vmlinux ({0}); capture needs a kernel built with CONFIG_DEBUG_INFO_BTF")]
    NoTypes(String),
    /// This process may not.
    #[error("the kernel forbids it; capture needs CAP_BPF and CAP_PERFMON, or root ({0})")]
    Forbidden(String),
    /// This build has no programs for this machine.
    #[error("this program was built without them: it holds {0}")]
    NotBuilt(&'static str),
    /// Something else.
    #[error("cannot load the programs: {0}")]
    Other(String),
    /// No thread can be started to read them.
    #[error("the system gives no thread: {0}")]
    NoThread(io::Error),
}

/// Why a period could not be read. The next one may be, and will then span both.
#[derive(Debug, Error)]
#[error("cannot read {map} from the kernel: {cause}")]
pub struct ReadError {
    pub(crate) map: &'static str,
    pub(crate) cause: String,
}

/// An error with all its causes on one line.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    // A verifier's log is long; its first lines say what is wrong.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(ERROR_CHARS_MAX).collect()
}

/// Characters of an error that are told: they go to one line of a log.
const ERROR_CHARS_MAX: usize = 400;

/// The system call's error at the bottom of an error, if there is one.
pub(crate) fn system_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(io) = e.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = e.source();
    }
    None
}
