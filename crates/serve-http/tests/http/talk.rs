//! A running face, and the plainest way to talk to it.

use crate::fake::Fake;
use peermon_serve_http::limits::Times;
use peermon_serve_http::{Config, Server};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Far longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) enum To {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

pub(crate) trait Stream: Read + Write + Send {
    fn end_writing(&self);
}
impl Stream for TcpStream {
    fn end_writing(&self) {
        // The other side may have closed already, and the system then says so.
        let _ended = self.shutdown(Shutdown::Write);
    }
}
impl Stream for UnixStream {
    fn end_writing(&self) {
        // The other side may have closed already, and the system then says so.
        let _ended = self.shutdown(Shutdown::Write);
    }
}

impl To {
    pub(crate) fn connect(&self) -> Box<dyn Stream> {
        match self {
            To::Unix(path) => {
                let s = UnixStream::connect(path).unwrap();
                s.set_read_timeout(Some(PATIENCE)).unwrap();
                s.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(s)
            }
            To::Tcp(address) => {
                let s = TcpStream::connect(address).unwrap();
                s.set_read_timeout(Some(PATIENCE)).unwrap();
                s.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(s)
            }
        }
    }

    /// Sends these bytes and reads until the other side ends.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut s = self.connect();
        // The server may close before it has read all.
        let _sent = s.write_all(bytes);
        let mut answer = Vec::new();
        let _read = s.read_to_end(&mut answer);
        answer
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            head += "Host: localhost\r\n";
        }
        for (n, v) in headers {
            head += &format!("{n}: {v}\r\n");
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        Reply::parse(&self.raw(format!("{head}\r\n{body}").as_bytes()))
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "")
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Reply {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> =
            lines.map(|l| l.split_once(": ").unwrap()).map(|(n, v)| (n.to_lowercase(), v.to_string())).collect();
        Reply { status, headers, body: body.to_string() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Checks that this is a refusal in our shape, and gives its message.
    pub(crate) fn refusal(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let json = self.json();
        assert_eq!(json["error"]["code"], code, "{self:?}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.len() > 5 && !message.contains('\n'), "one sentence: {message}");
        message.to_string()
    }
}

pub(crate) struct Running {
    pub(crate) server: Option<Server>,
    pub(crate) unix: To,
    pub(crate) tcp: To,
    pub(crate) fake: Arc<Fake>,
    pub(crate) place: Place,
}

pub(crate) fn run() -> Running {
    run_with(Fake::new(), None, Times::default())
}

pub(crate) fn run_with(fake: Arc<Fake>, token: Option<&str>, times: Times) -> Running {
    let place = Place::new();
    let path = place.0.join("s");
    let tcp = vec![([127, 0, 0, 1], 0).into()];
    let config = Config { tcp, unix: Some(path.clone()), token: token.map(Into::into) };
    let server = Server::start_with(config, times, fake.clone()).unwrap();
    let address = server.urls()[0].strip_prefix("http://").unwrap().parse().unwrap();
    Running { server: Some(server), unix: To::Unix(path), tcp: To::Tcp(address), fake, place }
}

impl Running {
    pub(crate) fn doors(&self) -> [&To; 2] {
        [&self.unix, &self.tcp]
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

/// A directory of a test's own.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("peermon-http-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Place(dir)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
