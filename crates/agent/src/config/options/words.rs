//! Words that several options share: how values are written and read.

use crate::config::input::Input;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Addresses a daemon listens on at most: a few families and networks; each is a socket the loop watches.
pub(super) const LISTEN_MAX: usize = 8;
/// Prefixes in the allow list: each packet from a stranger walks it.
pub(super) const ALLOW_MAX: usize = 256;
/// For what is counted in hours and days.
pub(super) const LONG: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(24 * 366);

pub(super) fn addresses(input: &Input, most: usize) -> Result<Vec<SocketAddr>, String> {
    input.list(most)?.iter().map(|i| i.parsed("ADDRESS:PORT, e.g. 0.0.0.0:19810 or [::]:19810")).collect()
}

pub(super) fn one_of<T: Copy>(input: &Input, all: &[T], name: fn(&T) -> &'static str) -> Result<T, String> {
    let names: Vec<_> = all.iter().map(name).collect();
    let text = input.text().unwrap_or_default();
    let found = all.iter().find(|t| name(t) == text).copied();
    found.ok_or_else(|| format!("must be one of {}, not {}", names.join(", "), input.shown()))
}

pub(super) fn auto_or_off(i: &Input) -> Result<bool, String> {
    match i.text()? {
        "auto" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} is neither \"auto\" nor \"off\"")),
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

pub(super) fn quoted_list<T: Display>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(|i| quoted(&i.to_string())).collect::<Vec<_>>().join(", "))
}

pub(super) fn path_or_empty(path: Option<&std::path::PathBuf>) -> String {
    quoted(&path.map_or(String::new(), |p| p.to_string_lossy().into_owned()))
}
