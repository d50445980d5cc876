//! The configuration file: TOML whose every key is an option, told by line where it is not.

use super::environment::Environment;
use super::input::Input;
use super::options;
use super::{Config, ConfigError, Overrides, Places};
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of a configuration file: far above any real one, and it stops a wrong path (a disk image) from filling memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file that applies and its text: the flag's, the environment's, or the default one if it is there.
pub(super) fn find(
    overrides: &Overrides,
    environment: &Environment,
    places: &Places,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let named = overrides.config.as_ref().or(environment.config.as_ref());
    let path = named.unwrap_or(&places.config);
    match read(path) {
        Ok(text) => Ok(Some((path.clone(), text))),
        Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.clone(), source }),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 MiB, so it is no configuration file of peermon"));
    }
    Ok(text)
}

/// Puts everything the text says into the configuration.
pub(super) fn apply(config: &mut Config, path: &Path, text: &str) -> Result<(), ConfigError> {
    let place = |at: usize| format!("{} line {}", path.display(), line(text, at));
    let table = DeTable::parse(text)
        .map_err(|e| ConfigError::Syntax { place: place(e.span().map_or(0, |s| s.start)), message: e.message().to_string() })?;
    // Options by line, so that the first mistake in the file is the one that is told.
    let mut given = Vec::new();
    flatten("", table.get_ref(), &mut given);
    given.sort_by_key(|(at, ..)| *at);
    for (at, key, value) in given {
        let Some(option) = options::find(&key) else {
            return Err(ConfigError::Unknown { place: place(at), nearest: options::nearest(&key), key });
        };
        option.put(config, &value).map_err(|message| ConfigError::Value { place: place(at), key, message })?;
    }
    Ok(())
}

/// All values by full key and where their key stands. A table is walked into only where sections are: what an option itself
/// takes (labels, vitals) stays whole.
fn flatten(prefix: &str, table: &DeTable<'_>, out: &mut Vec<(usize, String, Input)>) {
    for (key, value) in table {
        let full = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if options::is_section(&full) => flatten(&format!("{full}."), inner, out),
            _ => out.push((key.span().start, full, input(value))),
        }
    }
}

fn input(value: &Spanned<DeValue<'_>>) -> Input {
    match value.get_ref() {
        DeValue::String(s) => Input::Text(s.to_string()),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Input::Other("a number too large"), Input::Whole)
        }
        DeValue::Float(x) => x.as_str().parse().map_or(Input::Other("no number"), Input::Real),
        DeValue::Boolean(b) => Input::Flag(*b),
        DeValue::Datetime(_) => Input::Other("a date"),
        DeValue::Array(items) => Input::List(items.iter().map(input).collect()),
        DeValue::Table(t) => Input::Table(t.iter().map(|(k, v)| (k.get_ref().to_string(), input(v))).collect()),
    }
}

/// The line, counted from 1, that byte `at` stands on.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}
