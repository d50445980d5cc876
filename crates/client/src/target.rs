use crate::limits;
use peermon_api::Error;
use std::env;
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where a daemon answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// On a unix socket of this machine.
    Unix(PathBuf),
    /// Over HTTP.
    Http {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Where a daemon serves HTTP unless told otherwise.
const DEFAULT_PORT: u16 = 19811;

impl Target {
    /// Reads `http://HOST:PORT` or the path of a unix socket.
    ///
    /// # Errors
    /// [`Error::BadRequest`] with what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Target, Error> {
        let shown: String = text.chars().take(200).collect();
        let bad = |why: &str| {
            let how = "write http://HOST:PORT, or the path of a unix socket such as /run/peermon/peermon.sock";
            Err(Error::BadRequest(format!("{shown:?} is not where a daemon can be: {why}; {how}")))
        };
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.starts_with("https://") {
            return bad("the daemon speaks plain HTTP only");
        }
        if let Some(rest) = text.strip_prefix("http://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            if !path.is_empty() {
                return bad("it has a path after the port");
            }
            return match authority_of(authority) {
                Ok((host, port)) => Ok(Target::Http { host, port }),
                Err(why) => bad(why),
            };
        }
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        if path.contains("://") {
            return bad("its scheme is not http");
        }
        if path.contains('\0') {
            return bad("it contains a zero byte");
        }
        if !path.contains('/') && path == text {
            return bad(&format!("did you mean http://{shown} or ./{shown}?"));
        }
        if path.is_empty() {
            return bad("the path is empty");
        }
        Ok(Target::Unix(path.into()))
    }

    /// Where daemons are unless told otherwise: the system's socket, the user's own socket, and loopback HTTP.
    pub fn default_places() -> Vec<Target> {
        let root = rustix::process::geteuid().is_root();
        let user = if root { None } else { user_socket(|name| env::var_os(name).map(PathBuf::from)) };
        let system = PathBuf::from("/run/peermon/peermon.sock");
        let http = Target::Http { host: "127.0.0.1".into(), port: DEFAULT_PORT };
        [system].into_iter().chain(user).map(Target::Unix).chain([http]).collect()
    }

    /// The daemon to ask: what was said on the command line (`--api`), else what the environment says (`PEERMON_API`), else the
    /// first of the default places where somebody answers. What was named is not tried here; a call does that.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if what was named cannot be a place, [`Error::Unavailable`] if nobody answers at any default place.
    pub fn find(explicit: Option<&str>, environment: Option<&str>, places: &[Target]) -> Result<Target, Error> {
        let named = explicit.map(|t| (t, "--api")).or(environment.filter(|t| !t.is_empty()).map(|t| (t, "PEERMON_API")));
        if let Some((text, by)) = named {
            return Target::parse(text).map_err(|e| Error::BadRequest(format!("{by}: {e}")));
        }
        let mut tried = Vec::new();
        for place in places {
            match place.connect(limits::CONNECT_TIME_MAX) {
                Ok(_) => return Ok(place.clone()),
                // Somebody may be there who does not let us in; worth a word.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => tried.push(format!("{place} (permission denied)")),
                Err(_) => tried.push(place.to_string()),
            }
        }
        Err(nobody(&tried.join(" or ")))
    }

    /// Opens a connection.
    pub(crate) fn connect(&self, time_max: Duration) -> io::Result<Box<dyn Stream>> {
        match self {
            Target::Unix(path) => Ok(Box::new(UnixStream::connect(path)?)),
            Target::Http { host, port } => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, time_max) {
                        Ok(s) => {
                            s.set_nodelay(true)?;
                            return Ok(Box::new(s));
                        }
                        Err(e) => last = e,
                    }
                }
                Err(last)
            }
        }
    }
}

/// Where the daemon of an ordinary user has its socket: in the session's runtime directory, or beside its state if there is none.
/// After the XDG base directory specification, which has relative paths ignored.
fn user_socket(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let given = |name: &str| variable(name).filter(|p| p.is_absolute());
    let state = || given("XDG_STATE_HOME").or_else(|| given("HOME").map(|home| home.join(".local/state")));
    given("XDG_RUNTIME_DIR").or_else(state).map(|d| d.join("peermon/peermon.sock"))
}

/// What to say when no daemon is there.
pub(crate) fn nobody(places: &str) -> Error {
    let message = format!("no peermon daemon answers at {places}; start one with `peermon daemon`, or name it with --api");
    Error::Unavailable(message)
}

fn authority_of(authority: &str) -> Result<(String, u16), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("")).ok_or("there is something after the bracket")?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%')) {
        return Err("the host has characters that no host has");
    }
    let port = match port {
        "" => DEFAULT_PORT,
        p if p.contains(':') => return Err("an IPv6 address needs brackets"),
        p => p.parse().ok().filter(|&p| p != 0).ok_or("the port is not a number from 1 to 65535")?,
    };
    Ok((host.to_string(), port))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Unix(path) => write!(f, "{}", path.display()),
            Target::Http { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Target::Http { host, port } => write!(f, "http://{host}:{port}"),
        }
    }
}

/// A connection of either kind.
pub(crate) trait Stream: io::Read + io::Write + Send {
    /// How long one read may wait.
    fn limit_read(&self, time_max: Duration) -> io::Result<()>;
    /// How long one write may wait.
    fn limit_write(&self, time_max: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn limit_read(&self, time_max: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time_max))
    }
    fn limit_write(&self, time_max: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(time_max))
    }
}

impl Stream for TcpStream {
    fn limit_read(&self, time_max: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time_max))
    }
    fn limit_write(&self, time_max: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(time_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: &str, port: u16) -> Target {
        Target::Http { host: host.into(), port }
    }

    #[test]
    fn places_are_read_and_shown() {
        for (text, target, shown) in [
            ("http://127.0.0.1:19811", http("127.0.0.1", 19811), "http://127.0.0.1:19811"),
            ("http://node7.lab:80/", http("node7.lab", 80), "http://node7.lab:80"),
            ("http://localhost", http("localhost", 19811), "http://localhost:19811"),
            ("http://[::1]:7", http("::1", 7), "http://[::1]:7"),
            ("http://[fe80::1%eth0]", http("fe80::1%eth0", 19811), "http://[fe80::1%eth0]:19811"),
            ("/run/peermon/peermon.sock", Target::Unix("/run/peermon/peermon.sock".into()), "/run/peermon/peermon.sock"),
            ("./s", Target::Unix("./s".into()), "./s"),
            ("unix:/a/b", Target::Unix("/a/b".into()), "/a/b"),
            ("unix:///a/b", Target::Unix("/a/b".into()), "/a/b"),
            ("unix:s", Target::Unix("s".into()), "s"),
        ] {
            assert_eq!(Target::parse(text), Ok(target.clone()), "{text}");
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_place_is_said_so() {
        for (text, says) in [
            ("", "it is empty"),
            ("https://a:1", "plain HTTP only"),
            ("ftp://a", "its scheme is not http"),
            ("http://", "the host is missing"),
            ("http://:80", "the host is missing"),
            ("http://a:0", "the port is not a number"),
            ("http://a:65536", "the port is not a number"),
            ("http://a:b", "the port is not a number"),
            ("http://::1:80", "the host is missing"),
            ("http://fe80::1", "needs brackets"),
            ("http://[::1", "the bracket is not closed"),
            ("http://[::1]x", "something after the bracket"),
            ("http://user@a:1", "characters that no host has"),
            ("http://a b", "characters that no host has"),
            ("http://a:1/api", "a path after the port"),
            ("127.0.0.1:19811", "did you mean http://127.0.0.1:19811"),
            ("unix:", "the path is empty"),
            ("/a\0b", "zero byte"),
        ] {
            let e = Target::parse(text).expect_err(text);
            assert!(matches!(e, Error::BadRequest(_)) && e.to_string().contains(says), "{text}: {e}");
        }
    }

    #[test]
    fn the_command_line_goes_before_the_environment() {
        let find = |a, b| Target::find(a, b, &[]);
        assert_eq!(find(Some("/a/s"), Some("/b/s")), Ok(Target::Unix("/a/s".into())));
        assert_eq!(find(None, Some("/b/s")), Ok(Target::Unix("/b/s".into())));
        let e = find(Some("x"), Some("/b/s")).expect_err("no place").to_string();
        assert!(e.starts_with("--api: "), "{e}");
        let e = find(None, Some("x")).expect_err("no place").to_string();
        assert!(e.starts_with("PEERMON_API: "), "{e}");
        assert!(matches!(find(None, Some("")), Err(Error::Unavailable(_))), "an empty variable is none");
    }

    #[test]
    fn users_have_places_of_their_own() {
        let check = |vars: &'static [(&'static str, &'static str)], expected: Option<&str>| {
            let found = user_socket(|n| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| PathBuf::from(v)));
            assert_eq!(found, expected.map(PathBuf::from), "{vars:?}");
        };
        check(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/7")], Some("/run/user/7/peermon/peermon.sock"));
        check(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "")], Some("/h/.local/state/peermon/peermon.sock"));
        check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], Some("/s/peermon/peermon.sock"));
        check(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")], Some("/h/.local/state/peermon/peermon.sock"));
        check(&[], None);
    }

    #[test]
    fn default_places_end_with_loopback() {
        let places = Target::default_places();
        assert_eq!(places.first(), Some(&Target::Unix("/run/peermon/peermon.sock".into())));
        assert_eq!(places.last(), Some(&http("127.0.0.1", 19811)));
    }
}
