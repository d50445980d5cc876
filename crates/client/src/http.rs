//! As much of HTTP/1.1 (RFC 9112) as one request on one connection needs.

use crate::limits;
use crate::target::Stream;
use std::io;
use std::time::{Duration, Instant};

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection broke, or its end did not answer in time.
    Io(io::Error),
    /// What came back is not what a daemon says.
    NotHttp(String),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Failure::Io(e)
    }
}

fn odd<T>(what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::NotHttp(what.into()))
}

/// A request in one piece.
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// Path and query, encoded.
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) accept: &'static str,
    pub(crate) body: Option<&'a [u8]>,
}

impl Request<'_> {
    fn bytes(&self) -> Vec<u8> {
        let Request { method, path, host, accept, .. } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n");
        if let Some(token) = self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        let body = match (self.body, *method) {
            (Some(body), _) => {
                head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
                body
            }
            (None, "POST") => {
                head += "Content-Length: 0\r\n";
                &[]
            }
            (None, _) => &[],
        };
        head += "\r\n";
        [head.as_bytes(), body].concat()
    }
}

/// An answer whose head was read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Body,
    stream: Box<dyn Stream>,
    /// Bytes read and not used yet, from `used` on.
    buffer: Vec<u8>,
    used: usize,
    deadline: Option<Instant>,
}

/// Where the body ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Body {
    /// After this many more bytes.
    Length(u64),
    /// After a chunk of length zero; so many bytes of this chunk are left.
    Chunks(u64),
    /// After the last chunk.
    Ended,
    /// With the connection.
    UntilClose,
}

/// Sends a request and reads the head of its answer. `time_max` bounds that, and the body too unless [`Answer::wait_for_ever`] is
/// called.
pub(crate) fn ask(stream: Box<dyn Stream>, request: &Request<'_>, time_max: Duration) -> Result<Answer, Failure> {
    stream.limit_write(time_max)?;
    let deadline = Some(Instant::now() + time_max);
    let mut answer = Answer { status: 0, body: Body::Ended, stream, buffer: Vec::new(), used: 0, deadline };
    // A server that refuses may close before it has read everything; its answer is there all the same.
    let sent = answer.stream.write_all(&request.bytes());
    loop {
        match (answer.head(request.method), sent.as_ref().err()) {
            (Err(Failure::Io(_)), Some(e)) => return Err(io::Error::new(e.kind(), e.to_string()).into()),
            (Err(e), _) => return Err(e),
            // 1xx says that the real answer is still to come.
            (Ok(()), _) if answer.status < 200 => {}
            (Ok(()), _) => return Ok(answer),
        }
    }
}

impl Answer {
    /// Lifts the time limit; from now on each read waits as long as [`Answer::limit_read`] says.
    pub(crate) fn wait_for_ever(&mut self) {
        self.deadline = None;
    }

    pub(crate) fn limit_read(&self, time_max: Duration) -> io::Result<()> {
        self.stream.limit_read(time_max)
    }

    /// The whole body.
    pub(crate) fn read_body(&mut self) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(part) = self.part()? {
            if whole.len() + part.len() > limits::BODY_BYTES_MAX {
                return odd(format!("the answer is larger than {} bytes", limits::BODY_BYTES_MAX));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// The next part of the body, as it comes; `None` at its end.
    pub(crate) fn part(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let left = match self.body {
            Body::Ended | Body::Length(0) => return Ok(None),
            Body::Length(n) | Body::Chunks(n @ 1..) => n,
            Body::Chunks(0) => {
                let size = self.chunk_size()?;
                if size == 0 {
                    self.trailer()?;
                    self.body = Body::Ended;
                    return Ok(None);
                }
                self.body = Body::Chunks(size);
                size
            }
            Body::UntilClose => u64::MAX,
        };
        if self.unread().is_empty() && !self.more()? {
            return match self.body {
                Body::UntilClose => Ok(None),
                _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends in its middle").into()),
            };
        }
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(self.unread().len());
        let part = self.unread()[..n].to_vec();
        self.used += n;
        match &mut self.body {
            Body::Length(left) => *left -= n as u64,
            Body::Chunks(left) => {
                *left -= n as u64;
                if *left == 0 && !self.line()?.is_empty() {
                    return odd("a chunk does not end where it says");
                }
            }
            Body::UntilClose | Body::Ended => {}
        }
        Ok(Some(part))
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Reads more into the buffer; false at the end of the connection.
    fn more(&mut self) -> io::Result<bool> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.limit_read(left)?;
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut part = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(n) => {
                    self.buffer.extend_from_slice(&part[..n]);
                    return Ok(n > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The next line without its end. Heads, chunk sizes and trailers are made of them.
    fn line(&mut self) -> Result<String, Failure> {
        let mut searched = 0;
        let end = loop {
            if let Some(at) = self.unread()[searched..].iter().position(|&b| b == b'\n') {
                break searched + at;
            }
            searched = self.unread().len();
            if searched > limits::HEAD_BYTES_MAX {
                return odd(format!("a line of the head is longer than {} bytes", limits::HEAD_BYTES_MAX));
            }
            if !self.more()? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends in its head").into());
            }
        };
        let line = String::from_utf8_lossy(&self.unread()[..end]).trim_end_matches('\r').to_string();
        self.used += end + 1;
        Ok(line)
    }

    fn head(&mut self, method: &str) -> Result<(), Failure> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)).and_then(|s| s.parse::<u16>().ok());
        self.status = match status {
            Some(s @ 100..600) => s,
            _ => return odd(format!("it says {:?}", first.chars().take(40).collect::<String>())),
        };
        let mut size = first.len();
        let mut length = None;
        let mut chunked = false;
        loop {
            let line = self.line()?;
            size += line.len();
            if size > limits::HEAD_BYTES_MAX {
                return odd(format!("the head is larger than {} bytes", limits::HEAD_BYTES_MAX));
            }
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { return odd("a header has no colon") };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => match value.parse::<u64>() {
                    Ok(n) if length.is_none_or(|l| l == n) => length = Some(n),
                    _ => return odd("its length is no number"),
                },
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => chunked = true,
                "transfer-encoding" => return odd("it is encoded in an unknown way"),
                _ => {}
            }
        }
        self.body = match length {
            _ if method == "HEAD" || self.status < 200 || matches!(self.status, 204 | 304) => Body::Ended,
            _ if chunked => Body::Chunks(0),
            Some(n) if n > limits::BODY_BYTES_MAX as u64 => {
                return odd(format!("the answer is larger than {} bytes", limits::BODY_BYTES_MAX));
            }
            Some(n) => Body::Length(n),
            None => Body::UntilClose,
        };
        Ok(())
    }

    fn chunk_size(&mut self) -> Result<u64, Failure> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        // Without the check, from_str_radix would take a sign.
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return odd("a chunk's size is no number");
        }
        u64::from_str_radix(digits, 16).or_else(|_| odd("a chunk's size is too large"))
    }

    fn trailer(&mut self) -> Result<(), Failure> {
        let mut size = 0;
        loop {
            let line = self.line()?;
            size += line.len();
            if line.is_empty() {
                return Ok(());
            }
            if size > limits::HEAD_BYTES_MAX {
                return odd("the trailer is too large");
            }
        }
    }
}

/// A text as a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(b as char),
            _ => out += &format!("%{b:02X}"),
        }
    }
    out
}
