//! Whether names resolve: other nodes' names, through the system's resolver and at each name server directly.
//!
//! Not every node has a name in the DNS, so "there is no such name" is an answer. Wrong is what contradicts an earlier, right answer:
//! a server that gave a peer's address, and gives another or none while the peer still has it.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of, spared};
use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use peermon_model::Severity;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);
/// A lookup that takes longer fails (CoDeeN's figure), and long before that it is late.
const FAILS: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_millis(1_500);
/// A question to a server is sent again after this long, as one packet may be lost, and given up at the last.
const SENT_AT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(400), Duration::from_millis(800)];
const GIVE_UP: Duration = Duration::from_millis(1_500);
/// An answer from a server later than this is late.
const SERVER_LATE: Duration = Duration::from_millis(1_000);
/// Name servers that the system's resolver looks at.
const SERVERS_MAX: usize = 3;
/// Names whose right answers are remembered.
const REMEMBERED_MAX: usize = 64;
const PORT: u16 = 53;

attributes_of!("resolver.{}", "looking another node's name up");
pub(super) const KIND: Kind = Kind { name: "resolver", failed: &FAILED, time: &TIME, list };

fn list(told: &Told) -> Vec<Plan> {
    let every = spared(EVERY, told);
    let mut plans = vec![Plan {
        instance: Some("system".into()),
        every,
        late: LATE,
        fails: FAILS,
        words: "looking up names takes long".into(),
        severity: Severity::Avoid,
        once_good: true,
        make: Box::new(|| Box::new(Lookups::new(System))),
    }];
    let configuration = Configuration::read(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    // if there are others, programs get their answers, if late
    let severity = if configuration.servers.len() == 1 { Severity::Avoid } else { Severity::Weak };
    plans.extend(configuration.servers.iter().map(|ip| {
        let (ip, domain) = (*ip, configuration.domain.clone());
        Plan {
            instance: Some(ip.to_string().into()),
            every,
            late: SERVER_LATE,
            fails: FAILS,
            words: format!("the name server {ip} answers late"),
            severity,
            once_good: true,
            make: Box::new(move || Box::new(Lookups::new(Server { ip, domain: domain.clone(), severity }))),
        }
    }));
    plans
}

/// What `/etc/resolv.conf` says.
#[derive(Debug, PartialEq)]
struct Configuration {
    servers: Vec<IpAddr>,
    /// What names without a dot are looked up in.
    domain: Option<String>,
}

impl Configuration {
    fn read(text: &str) -> Self {
        let mut configuration = Configuration { servers: Vec::new(), domain: None };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(ip)) => {
                    // an address that is bound to an interface (fe80::1%eth0) is none that can be asked from here
                    if let Ok(ip) = ip.parse()
                        && configuration.servers.len() < SERVERS_MAX
                        && !configuration.servers.contains(&ip)
                    {
                        configuration.servers.push(ip);
                    }
                }
                (Some("search" | "domain"), Some(domain)) => configuration.domain = Some(domain.to_string()),
                _ => {}
            }
        }
        configuration
    }
}

/// What a lookup came to.
enum Answer {
    /// These addresses, or none: there is no such name.
    Addresses(Vec<IpAddr>),
    Failure(String),
}

trait Lookup: Send {
    fn look_up(&self, name: &str, ipv4: bool) -> Answer;
    fn severity(&self) -> Severity;
    /// What is wrong if its answers are.
    fn wrong(&self) -> String;
}

/// Names in turn.
struct Lookups<L> {
    how: L,
    turn: usize,
    /// Names that resolved to an address of their node.
    right: BTreeSet<String>,
}

impl<L: Lookup> Lookups<L> {
    fn new(how: L) -> Self {
        Lookups { how, turn: 0, right: BTreeSet::new() }
    }
}

impl<L: Lookup> Probe for Lookups<L> {
    fn try_once(&mut self, told: &Told) -> Option<Tried> {
        let (name, addresses) = told.peers.get(self.turn % told.peers.len().max(1))?;
        self.turn += 1;
        let ipv4 = addresses.iter().any(IpAddr::is_ipv4) || addresses.is_empty();
        match self.how.look_up(name, ipv4) {
            Answer::Failure(words) => Tried::failed(self.how.severity(), words),
            Answer::Addresses(found) if found.iter().any(|a| addresses.contains(a)) => {
                if self.right.len() < REMEMBERED_MAX {
                    self.right.insert(name.clone());
                }
                Tried::good()
            }
            Answer::Addresses(_) if self.right.contains(name) => {
                // the others are asked next, and one wrong answer is enough: nobody gives one by chance
                Tried::failed(self.how.severity(), self.how.wrong())
            }
            Answer::Addresses(_) => Tried::good(),
        }
    }
}

/// As programs do it.
struct System;

impl Lookup for System {
    fn look_up(&self, name: &str, _: bool) -> Answer {
        let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
        match getaddrinfo(Some(name), None, Some(hints)) {
            Ok(found) => Answer::Addresses(found.filter_map(|a| Some(a.ok()?.sockaddr.ip())).collect()),
            Err(e) => match e.kind() {
                LookupErrorKind::NoName | LookupErrorKind::NoData => Answer::Addresses(Vec::new()),
                LookupErrorKind::Again => Answer::Failure("names cannot be looked up: no name server answers".into()),
                _ => Answer::Failure("names cannot be looked up".into()),
            },
        }
    }

    fn severity(&self) -> Severity {
        Severity::Avoid
    }

    fn wrong(&self) -> String {
        "names resolve to wrong addresses".into()
    }
}

/// One server, asked directly.
struct Server {
    ip: IpAddr,
    domain: Option<String>,
    severity: Severity,
}

impl Lookup for Server {
    fn look_up(&self, name: &str, ipv4: bool) -> Answer {
        let full = match &self.domain {
            Some(domain) if !name.contains('.') => format!("{name}.{domain}."),
            _ => format!("{name}."),
        };
        match self.ask(&full, if ipv4 { RecordType::A } else { RecordType::AAAA }) {
            Ok(found) => Answer::Addresses(found),
            Err(why) => Answer::Failure(format!("the name server {} {why}", self.ip)),
        }
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn wrong(&self) -> String {
        format!("the name server {} gives wrong addresses", self.ip)
    }
}

impl Server {
    fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<IpAddr>, String> {
        let id = question_id();
        let name = Name::from_ascii(name).map_err(|_| "was asked for a name that is none".to_string())?;
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name.clone(), kind));
        let question = message.to_vec().map_err(|_| "was asked for a name that is none".to_string())?;
        let here: IpAddr = if self.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let unreachable = |e: std::io::Error| format!("cannot be asked: {}", e.kind());
        let socket = UdpSocket::bind((here, 0)).map_err(unreachable)?;
        socket.connect(SocketAddr::new(self.ip, PORT)).map_err(unreachable)?;
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        for (i, _) in SENT_AT.iter().enumerate() {
            // a refusal by the host is heard here or at the next receive
            socket.send(&question).map_err(unreachable)?;
            let until = SENT_AT.get(i + 1).copied().unwrap_or(GIVE_UP);
            while let Some(left) = until.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
                socket.set_read_timeout(Some(left)).map_err(unreachable)?;
                let answer = match socket.recv(&mut buffer) {
                    Ok(n) => Message::from_vec(&buffer[..n]),
                    Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => break,
                    Err(e) => return Err(unreachable(e)),
                };
                // what is no answer to this question is somebody else's
                let Ok(answer) = answer else { continue };
                if answer.metadata.id == id && answer.metadata.message_type == MessageType::Response {
                    return addresses(&answer);
                }
            }
        }
        Err("does not answer".into())
    }
}

/// What a server says.
fn addresses(answer: &Message) -> Result<Vec<IpAddr>, String> {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer
            .answers
            .iter()
            .filter_map(|r| match &r.data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                RData::AAAA(a) => Some(IpAddr::V6(a.0)),
                _ => None,
            })
            .collect()),
        ResponseCode::ServFail => Err("fails (SERVFAIL)".into()),
        ResponseCode::Refused => Err("refuses to answer".into()),
        other => Err(format!("answers with an error ({other})")),
    }
}

/// A number that strangers do not guess: a random one that the standard library has at hand.
pub(super) fn question_id() -> u16 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::Outcome;

    #[test]
    fn the_configuration_is_read() {
        let text = "# nameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 10.0.0.1\n\
            search cluster.example other\nnameserver 10.0.0.2\nnameserver 10.0.0.3\noptions rotate\n";
        let is = Configuration::read(text);
        let servers: Vec<IpAddr> = ["10.0.0.1", "::1", "10.0.0.2"].iter().map(|s| s.parse().expect("an address")).collect();
        assert_eq!(is, Configuration { servers, domain: Some("cluster.example".into()) });
    }

    /// A resolver that answers as told.
    struct Said(std::sync::Mutex<Vec<Answer>>);

    impl Lookup for Said {
        fn look_up(&self, _: &str, _: bool) -> Answer {
            self.0.lock().expect("no test panics with it").remove(0)
        }
        fn severity(&self) -> Severity {
            Severity::Avoid
        }
        fn wrong(&self) -> String {
            "wrong".into()
        }
    }

    #[test]
    fn wrong_is_what_contradicts_a_right_answer() {
        let ip = |s: &str| s.parse::<IpAddr>().expect("an address");
        let told = Told { peers: vec![("a".into(), vec![ip("10.0.0.1")])], ..Told::default() };
        let at = |s: &str| Answer::Addresses(vec![ip(s)]);
        let none = || Answer::Addresses(vec![]);
        let said =
            vec![none(), at("127.0.1.1"), at("10.0.0.1"), at("10.9.9.9"), none(), Answer::Failure("no".into()), at("10.0.0.1")];
        let n = said.len();
        let mut lookups = Lookups::new(Said(std::sync::Mutex::new(said)));
        let got: Vec<_> = (0..n).map(|_| lookups.try_once(&told).expect("a peer")).map(|t| (t.outcome, t.words)).collect();
        let good = || (Outcome::Good, String::new());
        let failed = |w: &str| (Outcome::Failed, w.to_string());
        assert_eq!(got, [good(), good(), good(), failed("wrong"), failed("wrong"), failed("no"), good()]);
        assert!(lookups.try_once(&Told::default()).is_none(), "nobody to look up");
    }
}
