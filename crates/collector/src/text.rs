//! Reading the kernel's text: bytes, since nothing says that it is UTF-8, and errors that name the place.

use crate::CollectError;
use std::fmt::Display;
use std::path::Path;

/// How much of a wrong field an error shows.
const FOUND_CHARS_MAX: usize = 40;

/// What a file said, with its name for errors.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) file: &'a Path,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Text<'a> {
    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty())
    }

    /// The number in `word`, which is the file's `field`.
    pub(crate) fn number(&self, word: Option<&[u8]>, field: impl Display) -> Result<u64, CollectError> {
        word.and_then(number).ok_or_else(|| self.garbage(word, field, "a whole number"))
    }

    /// The number in `word`, which may have a fraction or a sign.
    pub(crate) fn real(&self, word: Option<&[u8]>, field: impl Display) -> Result<f64, CollectError> {
        word.and_then(real).ok_or_else(|| self.garbage(word, field, "a number"))
    }

    pub(crate) fn garbage(&self, found: Option<&[u8]>, field: impl Display, expected: &'static str) -> CollectError {
        let found = String::from_utf8_lossy(found.unwrap_or_default());
        CollectError::Garbage {
            file: self.file.to_path_buf(),
            field: field.to_string(),
            found: found.chars().take(FOUND_CHARS_MAX).collect(),
            expected,
        }
    }
}

/// The words of a line, separated by white space.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty())
}

/// A whole number without a sign, if `word` is one and fits.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |n, b| match b {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

/// A finite number, if `word` is one.
pub(crate) fn real(word: &[u8]) -> Option<f64> {
    str::from_utf8(word).ok()?.parse().ok().filter(|n: &f64| n.is_finite())
}

/// A name from the kernel as text; what is not UTF-8 is replaced.
pub(crate) fn name(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_fit() {
        for (word, is) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("7x", None),
        ] {
            assert_eq!(number(word.as_bytes()), is, "{word}");
        }
        assert_eq!(real(b"-1.5"), Some(-1.5));
        assert_eq!(real(b"nan"), None);
        assert_eq!(real(b"inf"), None);
        assert_eq!(real(b"\xff"), None);
    }
}
