//! The byte stream below the HTTP library, with two things the library does not do: a client that stops reading is let go, and
//! requests that are no HTTP get a JSON error like all others.

use crate::limits;
use crate::refusal::{Counters, Refusal};
use axum::http::StatusCode;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection's stream.
pub(crate) struct Wire<S> {
    stream: S,
    counters: Arc<Counters>,
    /// Time the client may leave something unread.
    write_time_max: Duration,
    /// Runs while the client leaves something unread.
    stalled: Option<Pin<Box<Sleep>>>,
    /// An answer of ours that takes the place of the library's, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, write_time_max: Duration, counters: Arc<Counters>) -> Self {
        Wire { stream, counters, write_time_max, stalled: None, instead: None }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Passes a write's outcome on, unless the client has left us waiting for too long.
    fn watch(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let time_max = self.write_time_max;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(time_max)));
        ready!(timer.as_mut().poll(cx));
        self.counters.count("unread");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }

    fn write_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((answer, done)) = &mut self.instead {
            if *done == answer.len() {
                self.instead = None;
                break;
            }
            let outcome = Pin::new(&mut self.stream).poll_write(cx, &answer[*done..]);
            let n = ready!(self.watch(cx, outcome))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some((_, done)) = &mut self.instead {
                *done += n;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            let Some(refusal) = librarys_own(buf) else {
                let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
                return this.watch(cx, outcome);
            };
            this.counters.count(refusal.code);
            this.instead = Some((refusal.raw(), 0));
        }
        ready!(this.write_instead(cx))?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// What to say in place of an answer that the HTTP library gives by itself. Those, and none of ours, are errors without a body.
fn librarys_own(answer: &[u8]) -> Option<Refusal> {
    let status = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    let empty = answer.ends_with(b"\r\n\r\n") && answer.windows(19).any(|w| w == b"content-length: 0\r\n");
    if !empty {
        return None;
    }
    match status {
        b"400" => Some(Refusal::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "this is not an HTTP/1 request; ask for / to see what there is",
        )),
        b"414" => {
            let message = format!("the address is too long; at most {} bytes are read", limits::URL_BYTES_MAX);
            Some(Refusal::new(StatusCode::URI_TOO_LONG, "uri_too_long", message))
        }
        b"431" => {
            let message =
                format!("the request's head is too large; at most {} bytes and 100 headers are read", limits::HEAD_BYTES_MAX);
            Some(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_own_answers_are_replaced() {
        for (answer, status) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: now\r\n\r\n", Some(400)),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Some(431)),
            ("HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\n\r\n", Some(414)),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 05\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nabc", None),
            ("", None),
            ("HTTP/1.1 4", None),
        ] {
            assert_eq!(librarys_own(answer.as_bytes()).map(|r| r.status.as_u16()), status, "{answer}");
        }
    }
}
