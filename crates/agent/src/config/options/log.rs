//! Logs.

use super::Opt;
use super::words::{one_of, quoted};
use crate::config::{LogFormat, LogLevel};

pub(super) const LIST: &[Opt] = &[
    Opt {
        key: "log.level",
        help: "Least important level that is logged: error, warn, info, debug or trace. From debug on, single packets show, which\n\
               costs processor time and disk.",
        reloads: true,
        example: None,
        show: |c| quoted(c.log.level.name()),
        put: |c, i| {
            c.log.level = one_of(i, LogLevel::ALL, LogLevel::name)?;
            Ok(())
        },
    },
    Opt {
        key: "log.format",
        help: "How a log line looks: text, or json (one object a line). Logs go to standard error.",
        reloads: false,
        example: None,
        show: |c| quoted(c.log.format.name()),
        put: |c, i| {
            c.log.format = one_of(i, LogFormat::ALL, LogFormat::name)?;
            Ok(())
        },
    },
];

impl LogLevel {
    /// All levels, the most important first.
    pub const ALL: &[LogLevel] = &[LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];

    /// Its name in options.
    pub fn name(&self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl LogFormat {
    /// All formats.
    pub const ALL: &[LogFormat] = &[LogFormat::Text, LogFormat::Json];

    /// Its name in options.
    pub fn name(&self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}
