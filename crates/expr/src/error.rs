use std::fmt;
use std::ops::Range;

/// Columns of an excerpt, at most: a terminal's width.
const EXCERPT_CHARS_MAX: usize = 100;

/// Which bytes of a text. Two spans are always equal: a tree is the same wherever it was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl Span {
    /// Texts are shorter than [`crate::limits::LENGTH_MAX`] when spans of them are made, so nothing is cut.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub(crate) fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// An error on its way out of the parser or the checker, before it meets the text.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Wrong {
    pub(crate) fn new(at: Span, message: impl Into<String>) -> Wrong {
        Wrong { at, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Wrong {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn of(self, text: &str) -> Error {
        Error { text: text.into(), at: self.at, message: self.message.into(), hint: self.hint.map(Into::into) }
    }
}

/// Why a text is not an expression, or not one that can be used here; nothing was compiled. Printed, it has up to four lines:
/// the message with its column, the line it is in, a caret under what is meant, and what to do instead.
#[derive(Clone, PartialEq, Debug)]
pub struct Error {
    text: Box<str>,
    at: Span,
    message: Box<str>,
    hint: Option<Box<str>>,
}

impl Error {
    /// An error about the bytes `at` of `text`, for languages that hold expressions: LSF's resource requirements.
    pub fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Error {
        Wrong::new(Span::new(at.start, at.end), message).of(text)
    }

    /// The same error, saying what to do.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into().into());
        self
    }

    /// Which bytes of the text are meant; empty at its end.
    pub fn range(&self) -> Range<usize> {
        self.at.range()
    }

    /// What is wrong, in one line without the column.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, if there is something to say.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The column, counted in characters from 1 within its line.
    pub fn column(&self) -> usize {
        let (line, start, _) = self.line();
        line[..start].chars().count() + 1
    }

    /// The line meant, and which of its bytes.
    fn line(&self) -> (&str, usize, usize) {
        let floor = |i: usize| self.text.floor_char_boundary(i.min(self.text.len()));
        let (start, end) = (floor(self.at.start as usize), floor(self.at.end as usize));
        let first = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let last = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        (&self.text[first..last], start - first, end.clamp(start, last) - first)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, start, end) = self.line();
        let before = line[..start].chars().count();
        let wide = line[start..end].chars().count().max(1);
        // Of a long line, the part around the error.
        let skipped = if before + wide <= EXCERPT_CHARS_MAX { 0 } else { before.saturating_sub(EXCERPT_CHARS_MAX / 4) };
        let shown: String =
            line.chars().skip(skipped).take(EXCERPT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(f, "column {}: {}", before + 1, self.message)?;
        writeln!(f, "  {shown}")?;
        let wide = wide.min(EXCERPT_CHARS_MAX.saturating_sub(before - skipped)).max(1);
        write!(f, "  {}{}", " ".repeat(before - skipped), "^".repeat(wide))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
