//! Fetching from a peer over TCP: it tells apart at which step another node fails, as CoDeeN's test does.

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use peermon_model::Why;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A step that takes longer fails.
const WAIT: Duration = Duration::from_secs(3);
/// What everybody is answered without a token, so that no peer counts this as an attempt to get in.
const PAGE: &str = "/healthz";
/// How every answer begins, be it a refusal: it shows that the peer serves.
const ANSWER: &[u8] = b"HTTP/1.";

/// Fetches a page that nobody can have kept from a peer's API port, and says how long that took.
///
/// # Errors
/// The step at which it failed.
pub fn fetch(name: &str, to: SocketAddr) -> Result<Duration, Why> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&to, WAIT).map_err(|e| match rustix::io::Errno::from_io_error(&e) {
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOBUFS) => Why::Socket,
        _ => Why::Connect,
    })?;
    let data = |_| Why::Data;
    stream.set_read_timeout(Some(WAIT)).map_err(data)?;
    stream.set_write_timeout(Some(WAIT)).map_err(data)?;
    // A number that was never asked for: nothing on the way can have kept the answer.
    let number = super::resolver::question_id();
    let request = format!("GET {PAGE}?{number} HTTP/1.1\r\nHost: {to}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(data)?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer).map_err(data)?;
    if answer != ANSWER {
        return Err(Why::Data);
    }
    let took = begun.elapsed();
    // Last, as it may take longest. A name that is nowhere is no fault: not every node's label is one; no answer is.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    match getaddrinfo(Some(name), None, Some(hints)) {
        Err(e) if matches!(e.kind(), LookupErrorKind::Again) => Err(Why::Resolve),
        _ => Ok(took),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What comes of a peer that says this; `None`: nobody listens.
    fn check(says: Option<&'static [u8]>, want: Result<(), Why>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = listener.local_addr().expect("an address");
        let server = says.map(|says| {
            std::thread::spawn(move || {
                let (mut s, _) = listener.accept().expect("a connection");
                let mut request = [0; 13];
                s.read_exact(&mut request).expect("a request");
                assert_eq!(&request, b"GET /healthz?");
                s.write_all(says).expect("it is written");
            })
        });
        assert_eq!(fetch("localhost", to).map(drop), want, "{says:?}");
        server.into_iter().for_each(|s| s.join().expect("it served"));
    }

    #[test]
    fn the_step_that_fails_is_told() {
        check(Some(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), Ok(()));
        check(Some(b""), Err(Why::Data));
        check(Some(b"SSH-2.0-x\r\n"), Err(Why::Data));
        check(None, Err(Why::Connect));
    }
}
