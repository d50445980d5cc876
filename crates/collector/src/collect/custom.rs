//! Values that configuration adds: one number in one file each.

use super::{Collector, Round, Setup};
use crate::attributes::put;
use crate::limits::{CUSTOM_VALUES_MAX, VALUE_FILE_BYTES_MAX};
use crate::text::{Text, words};
use crate::{CollectError, ConfigError};
use peermon_model::limits::ATTRIBUTE_NAME_BYTES_MAX;
use peermon_model::{Attribute, Kind, Sample, Unit};
use rustix::fs::{FileType, Mode, OFlags};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A value that configuration adds: the number that a file begins with.
#[derive(Clone, Debug)]
pub struct CustomValue {
    attribute: &'static Attribute,
    file: PathBuf,
    factor: f64,
}

impl CustomValue {
    /// The number in `file` (an absolute path, on the machine's root), times `factor` to make it the base unit.
    ///
    /// # Errors
    /// If the name is not made of lower-case words, digits and `_` with dots between, or is taken, or the path is relative.
    pub fn new(name: &str, unit: Unit, help: &str, file: &Path, factor: f64) -> Result<Self, ConfigError> {
        if let Some(reason) = fault(name) {
            return Err(ConfigError::CustomName { given: name.chars().take(80).collect(), reason });
        }
        if !file.is_absolute() {
            return Err(ConfigError::CustomFile { name: name.into(), given: file.display().to_string() });
        }
        Ok(CustomValue { attribute: keep(name, unit, help), file: file.to_path_buf(), factor })
    }

    /// Its catalogue entry.
    pub fn attribute(&self) -> &'static Attribute {
        self.attribute
    }
}

/// Why a name cannot be used.
fn fault(name: &str) -> Option<&'static str> {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if name.len() > ATTRIBUTE_NAME_BYTES_MAX {
        return Some("it is longer than 64 bytes");
    }
    if !name.split('.').all(word) {
        return Some("use words of a-z, 0-9 and _ with dots between, e.g. room.temperature");
    }
    let known = peermon_model::Catalogue::new(super::attribute_lists());
    known.iter().any(|a| matches(&a.name, name)).then_some("an attribute of the program has this name")
}

/// Whether a full name could come from a pattern with `{}`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once("{}") {
        None => pattern == name,
        Some((before, after)) => {
            name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|middle| !middle.is_empty())
        }
    }
}

/// Attributes live as long as the program. The same one is kept once, so that reloading a configuration costs nothing.
fn keep(name: &str, unit: Unit, help: &str) -> &'static Attribute {
    static KEPT: Mutex<Vec<&'static Attribute>> = Mutex::new(Vec::new());
    let new =
        Attribute { name: Cow::Owned(name.into()), unit, kind: Kind::Gauge, help: Cow::Owned(help.into()), prometheus: None };
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = kept.iter().find(|a| ***a == new) {
        return old;
    }
    let attribute: &'static Attribute = Box::leak(Box::new(new));
    kept.push(attribute);
    attribute
}

/// Whether there are not too many.
pub(crate) fn check_count(values: &[CustomValue]) -> Result<(), ConfigError> {
    match values.len() {
        given if given > CUSTOM_VALUES_MAX => Err(ConfigError::TooManyCustom { given, most: CUSTOM_VALUES_MAX }),
        _ => Ok(()),
    }
}

struct Custom(Vec<(CustomValue, PathBuf)>);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let place = |v: &CustomValue| setup.root.path("").join(v.file.strip_prefix("/").unwrap_or(&v.file));
    Box::new(Custom(setup.custom.iter().map(|v| (v.clone(), place(v))).collect()))
}

impl Collector for Custom {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let mut first = None;
        for (value, file) in &self.0 {
            match read(file) {
                Ok(number) => put(out, value.attribute, number * value.factor),
                Err(e) => first = first.or(Some(e)),
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// The number a file begins with. Only regular files are read: a pipe or a terminal could hold the reader up.
fn read(path: &Path) -> Result<f64, CollectError> {
    let explain = |e: rustix::io::Errno| CollectError::read(path, e.into());
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).map_err(explain)?;
    let stat = rustix::fs::fstat(&file).map_err(explain)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(CollectError::Other(format!("{} is not a regular file; a custom value needs one", path.display())));
    }
    let mut bytes = [0; VALUE_FILE_BYTES_MAX];
    let length = rustix::io::pread(&file, &mut bytes, 0).map_err(explain)?;
    let text = Text { file: path, bytes: &bytes[..length] };
    text.real(words(text.bytes).next(), "the first word")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, file: &str) -> Result<CustomValue, ConfigError> {
        CustomValue::new(name, Unit::Celsius, "How warm the room is.", Path::new(file), 0.001)
    }

    #[test]
    fn names_are_checked() {
        for (name, good) in [
            ("room.temperature", true),
            ("x", true),
            ("load.1", false),
            ("disk.mine.busy", false),
            ("collector.mine.seconds", false),
            ("Room", false),
            ("a..b", false),
            ("", false),
            ("a b", false),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(new(name, "/x").is_ok(), good, "{name}");
        }
        assert!(matches!(new("room.temperature", "x"), Err(ConfigError::CustomFile { .. })));
    }

    #[test]
    fn an_attribute_is_kept_once() {
        let (a, b) = (new("room.kept", "/x").expect("good"), new("room.kept", "/y").expect("good"));
        assert!(std::ptr::eq(a.attribute, b.attribute));
    }
}
