//! Whether this node's own ssh server greets: a node that nobody can log in to is no use to whoever starts jobs by ssh.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::Severity;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Rarer than others: each try is a line in the server's log.
const EVERY: Duration = Duration::from_mins(1);
const WAIT: Duration = Duration::from_secs(2);
const PORT: u16 = 22;
const GREETING: &[u8] = b"SSH-";

attributes_of!("ssh", "waiting for the greeting of this node's ssh server");
pub(super) const KIND: Kind = Kind { name: "ssh", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    let port = std::fs::read_to_string("/etc/ssh/sshd_config").ok().and_then(|text| port(&text)).unwrap_or(PORT);
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(2),
        fails: Duration::from_secs(5),
        words: format!("the ssh server on port {port} does not greet"),
        severity: Severity::Avoid,
        once_good: true,
        make: Box::new(move || Box::new(Ssh(port))),
    }]
}

/// The first port that the server's configuration names.
fn port(config: &str) -> Option<u16> {
    let lines = config.lines().map(|l| l.split_whitespace());
    lines.filter_map(|mut words| words.next()?.eq_ignore_ascii_case("port").then(|| words.next()?.parse().ok())?).next()
}

struct Ssh(u16);

impl Probe for Ssh {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(|ip| SocketAddr::new(ip, self.0));
        let [first, second] = here;
        match greeting(&first).or_else(|why| greeting(&second).map_err(|_| why)) {
            Ok(()) => Tried::good(),
            Err(why) => Tried::failed(Severity::Avoid, format!("the ssh server on port {} {why}", self.0)),
        }
    }
}

fn greeting(to: &SocketAddr) -> Result<(), &'static str> {
    let mut stream = TcpStream::connect_timeout(to, WAIT).map_err(|_| "does not accept connections any more")?;
    stream.set_read_timeout(Some(WAIT)).map_err(|_| "does not greet any more")?;
    let mut said = [0; GREETING.len()];
    stream.read_exact(&mut said).map_err(|_| "does not greet any more")?;
    if said == GREETING { Ok(()) } else { Err("greets as something else") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    #[test]
    fn ports_are_read() {
        assert_eq!(port("# Port 1\nUsePAM yes\n port 2222\nPort 3\n"), Some(2222));
        assert_eq!((port(""), port("Port x"), port("Port")), (None, None, None));
    }

    #[test]
    fn a_server_that_has_greeted_and_is_gone_is_missed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut probe = Ssh(port);
        let server = std::thread::spawn(move || {
            for greeting in ["SSH-2.0-test\r\n", "220 smtp\r\n"] {
                let (mut s, _) = listener.accept().expect("a connection");
                s.write_all(greeting.as_bytes()).expect("it is written");
            }
        });
        assert_eq!(probe.try_once(&Told::default()).expect("a server").words, "");
        let mut words = || probe.try_once(&Told::default()).expect("it always says something").words;
        assert_eq!(words(), format!("the ssh server on port {port} greets as something else"));
        server.join().expect("it served twice");
        assert_eq!(words(), format!("the ssh server on port {port} does not accept connections any more"));
    }
}
