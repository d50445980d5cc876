//! Speaking to the name server that owns the name: reading what it holds, and RFC 2136 updates signed with TSIG (RFC 8945). All over
//! TCP, which tells at once that nobody is there, needs no retries and fits every message.

use super::Key;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::rdata::{A, AAAA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time for a connection, and for each answer: a server that needs longer is as good as down for a name that is to follow the cluster.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// First word of the TXT record that says who wrote the addresses.
const MARK: &str = "peermon";

/// Why a name server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It cannot be reached, or goes away.
    #[error("cannot reach the name server {server}: {source}; is it running, and does it take TCP on that port?")]
    Unreachable {
        /// Which.
        server: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It gives no answer.
    #[error("the name server {0} gave no answer within 3 s")]
    Timeout(SocketAddr),
    /// Its answer makes no sense.
    #[error("the name server {server} gave an answer that makes no sense: {why}")]
    Senseless {
        /// Which.
        server: SocketAddr,
        /// What is wrong with it.
        why: String,
    },
    /// BADKEY.
    #[error(
        "the name server does not know the key {key} with {algorithm} (BADKEY): put the same `key` statement into its configuration"
    )]
    BadKey {
        /// The key's name.
        key: String,
        /// Its algorithm.
        algorithm: String,
    },
    /// BADSIG, or an answer that is not signed with the key.
    #[error("the name server knows the key {0} with another secret (BADSIG): copy the key file from it again")]
    BadSignature(String),
    /// BADTIME.
    #[error("this machine's clock and the name server's are more than {} s apart{} (BADTIME): set them right", super::key::CLOCKS_APART_MAX, apart(*.0))]
    BadTime(Option<i64>),
    /// REFUSED.
    #[error(
        "the name server refuses (REFUSED): allow the key {key} to change A, AAAA and TXT of {name} (allow-update or update-policy of \
         the zone {zone})"
    )]
    Refused {
        /// The key's name.
        key: String,
        /// The name.
        name: String,
        /// The zone.
        zone: String,
    },
    /// NOTAUTH or NOTZONE, or an answer without authority.
    #[error(
        "the name server does not own {what} ({code}): name the server that is primary for it, or give the zone with --dns-zone"
    )]
    NotAuthoritative {
        /// The name or zone.
        what: String,
        /// The answer's code.
        code: String,
    },
    /// The name is an alias.
    #[error("{name} is a CNAME to {target}, which cannot have addresses beside it: remove it first")]
    Alias {
        /// The name.
        name: String,
        /// Where it points.
        target: String,
    },
    /// The name has addresses that no keeper wrote.
    #[error("{name} has addresses already that no keeper wrote ({addresses}); remove them, or let them be replaced with --adopt")]
    Foreign {
        /// The name.
        name: String,
        /// Them.
        addresses: String,
    },
    /// Somebody else changed the name in between.
    #[error("{0} was changed by somebody else at the same time; it is read again")]
    Changed(String),
    /// Another code.
    #[error("the name server answered {code}{}", code_hint(*.code))]
    Code {
        /// The code.
        code: ResponseCode,
    },
}

fn code_hint(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::ServFail => ": look at its log; often it cannot write its journal into the zone's directory",
        ResponseCode::NotImp => ": it takes no updates at all",
        _ => "; look at its log",
    }
}

fn apart(seconds: Option<i64>) -> String {
    seconds.map_or(String::new(), |s| format!(" (by {s} s)"))
}

impl ExchangeError {
    /// Whether trying again can help without somebody changing something.
    pub fn passes(&self) -> bool {
        use ExchangeError::*;
        matches!(self, Unreachable { .. } | Timeout(_) | Senseless { .. } | Changed(_) | Code { .. })
    }
}

/// What the server holds at the name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// A and AAAA.
    pub addresses: BTreeSet<IpAddr>,
    /// The longest time one of them may be kept, in seconds.
    pub ttl: u32,
    /// TXT, the marker among them.
    texts: Vec<TXT>,
}

impl Held {
    /// The node that wrote it, by id; `None` if no keeper did.
    pub fn writer(&self) -> Option<&str> {
        self.texts.iter().find_map(writer)
    }
}

fn writer(text: &TXT) -> Option<&str> {
    match &*text.txt_data {
        [mark, by] if **mark == *MARK.as_bytes() => std::str::from_utf8(by).ok()?.strip_prefix("keeper="),
        _ => None,
    }
}

fn marker(id: &str) -> TXT {
    TXT::new(vec![MARK.into(), format!("keeper={id}")])
}

/// The name server that owns a name.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    name: Name,
    zone: Name,
    key: Key,
}

impl NameServer {
    /// The owner of a name; without a zone, the server is asked in which one it lies.
    ///
    /// # Errors
    /// If it does not answer, or does not own the name.
    pub fn find(address: SocketAddr, name: Name, zone: Option<Name>, key: Key) -> Result<NameServer, ExchangeError> {
        let mut server = NameServer { address, name, zone: Name::root(), key };
        server.zone = match zone {
            Some(zone) => zone,
            None => server.zone_of_name()?,
        };
        if !server.zone.zone_of(&server.name) {
            let what = format!("{} in the zone {}", server.name, server.zone);
            return Err(ExchangeError::NotAuthoritative { what, code: "the name is outside the zone".into() });
        }
        Ok(server)
    }

    /// The zone that updates go to.
    pub fn zone(&self) -> &Name {
        &self.zone
    }

    fn zone_of_name(&self) -> Result<Name, ExchangeError> {
        let answer = self.ask(&mut self.connect()?, RecordType::SOA)?;
        let soa = answer.answers.iter().chain(&answer.authorities).find(|r| r.record_type() == RecordType::SOA);
        soa.map(|r| r.name.clone()).ok_or_else(|| self.senseless("it owns the name, but names no SOA"))
    }

    /// What the name holds now.
    ///
    /// # Errors
    /// If the server does not answer, does not own the name, or the name is an alias.
    pub fn read(&self) -> Result<Held, ExchangeError> {
        let mut held = Held::default();
        let mut stream = self.connect()?;
        for kind in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
            for record in self.ask(&mut stream, kind)?.answers {
                match record.data {
                    RData::CNAME(to) => {
                        let (name, target) = (self.name.to_string(), to.0.to_string());
                        return Err(ExchangeError::Alias { name, target });
                    }
                    RData::TXT(text) => held.texts.push(text),
                    data => {
                        if let Some(ip) = data.ip_addr() {
                            held.addresses.insert(ip);
                            held.ttl = held.ttl.max(record.ttl);
                        }
                    }
                }
            }
        }
        Ok(held)
    }

    /// Sends an update that changes nothing, to learn whether one would be taken.
    ///
    /// # Errors
    /// As [`NameServer::write`].
    pub fn check(&self) -> Result<(), ExchangeError> {
        self.send(self.update())
    }

    /// Replaces the addresses, if the name still holds what was read.
    ///
    /// # Errors
    /// If the server does not answer or does not take it; nothing is changed then, but for a timeout, after which nobody knows.
    pub fn write(&self, held: &Held, addresses: &BTreeSet<IpAddr>, ttl: u32, keeper: &str) -> Result<(), ExchangeError> {
        let mut message = self.update();
        message.add_answers(self.demanded(held));
        message.add_authorities(self.changes(held, addresses, ttl, keeper));
        self.send(message)
    }

    /// What [`NameServer::write`] sends, as commands for `nsupdate`.
    pub fn script(&self, held: &Held, addresses: &BTreeSet<IpAddr>, ttl: u32, keeper: &str) -> String {
        let mut text = format!("server {} {}\nzone {}\n", self.address.ip(), self.address.port(), self.zone);
        // Writing to a text never fails.
        for r in self.demanded(held) {
            let _ = match r.dns_class {
                DNSClass::NONE => writeln!(text, "prereq nxrrset {} {}", r.name, r.record_type()),
                _ => writeln!(text, "prereq yxrrset {} {} {}", r.name, r.record_type(), quoted(&r.data)),
            };
        }
        for r in self.changes(held, addresses, ttl, keeper) {
            let _ = match r.dns_class {
                DNSClass::ANY => writeln!(text, "update delete {} {}", r.name, r.record_type()),
                DNSClass::NONE => writeln!(text, "update delete {} {} {}", r.name, r.record_type(), quoted(&r.data)),
                _ => writeln!(text, "update add {} {} {} {}", r.name, r.ttl, r.record_type(), quoted(&r.data)),
            };
        }
        text + "send\n"
    }

    /// RFC 2136, 2.4: each set is as it was read, or is not there.
    fn demanded(&self, held: &Held) -> Vec<Record> {
        let mut demanded: Vec<Record> = held.addresses.iter().map(|a| self.record(0, address(*a))).collect();
        demanded.extend(held.texts.iter().map(|t| self.record(0, RData::TXT(t.clone()))));
        for kind in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
            if !demanded.iter().any(|r| r.record_type() == kind) {
                demanded.push(self.without_data(kind, DNSClass::NONE));
            }
        }
        demanded
    }

    /// RFC 2136, 2.5: all addresses go, and those wanted come; of the texts only markers are ours.
    fn changes(&self, held: &Held, addresses: &BTreeSet<IpAddr>, ttl: u32, keeper: &str) -> Vec<Record> {
        let mut changes =
            vec![self.without_data(RecordType::A, DNSClass::ANY), self.without_data(RecordType::AAAA, DNSClass::ANY)];
        for old in held.texts.iter().filter(|t| writer(t).is_some()) {
            let mut gone = self.record(0, RData::TXT(old.clone()));
            gone.dns_class = DNSClass::NONE;
            changes.push(gone);
        }
        changes.push(self.record(ttl, RData::TXT(marker(keeper))));
        changes.extend(addresses.iter().map(|a| self.record(ttl, address(*a))));
        changes
    }

    fn record(&self, ttl: u32, data: RData) -> Record {
        Record::from_rdata(self.name.clone(), ttl, data)
    }

    fn without_data(&self, kind: RecordType, class: DNSClass) -> Record {
        let mut record = Record::update0(self.name.clone(), 0, kind);
        record.dns_class = class;
        record
    }

    /// An update of the zone without content.
    fn update(&self) -> Message {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.zone.clone(), RecordType::SOA));
        message
    }

    fn send(&self, mut message: Message) -> Result<(), ExchangeError> {
        let signed = message.finalize(self.key.signer(), unix_seconds()).map_err(|e| self.senseless(e))?;
        let bytes = message.to_vec().map_err(|e| self.senseless(e))?;
        let (answer, raw) = self.exchange(&mut self.connect()?, &bytes, message.metadata.id)?;
        // Refusals first: some come without a signature, and the library's own complaint about that would only mislead.
        self.judge(&answer)?;
        let mut verifier = signed.ok_or_else(|| self.senseless("the update was not signed"))?;
        match verifier.verify(&raw) {
            Ok(_) => Ok(()),
            Err(_) => Err(ExchangeError::BadSignature(self.key.name().to_string())),
        }
    }

    fn judge(&self, answer: &Message) -> Result<(), ExchangeError> {
        let key = self.key.name().to_string();
        let tsig = answer.signature().map(|s| &s.data);
        match tsig.and_then(|t| t.error) {
            Some(TsigError::BadKey) => return Err(ExchangeError::BadKey { key, algorithm: self.key.algorithm() }),
            Some(TsigError::BadSig | TsigError::BadTrunc) => return Err(ExchangeError::BadSignature(key)),
            Some(TsigError::BadTime) => {
                let theirs = tsig.and_then(|t| {
                    Some(u64::from_be_bytes([
                        0,
                        0,
                        *t.other.first()?,
                        *t.other.get(1)?,
                        *t.other.get(2)?,
                        *t.other.get(3)?,
                        *t.other.get(4)?,
                        *t.other.get(5)?,
                    ]))
                });
                let apart = theirs.and_then(|t| i64::try_from(t).ok()?.checked_sub_unsigned(unix_seconds()));
                return Err(ExchangeError::BadTime(apart));
            }
            Some(TsigError::Unknown(_)) | None => {}
        }
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            ResponseCode::Refused => {
                let (name, zone) = (self.name.to_string(), self.zone.to_string());
                Err(ExchangeError::Refused { key, name, zone })
            }
            code @ (ResponseCode::NotAuth | ResponseCode::NotZone) => {
                Err(ExchangeError::NotAuthoritative { what: format!("the zone {}", self.zone), code: code.to_string() })
            }
            ResponseCode::NXDomain | ResponseCode::YXDomain | ResponseCode::NXRRSet | ResponseCode::YXRRSet => {
                Err(ExchangeError::Changed(self.name.to_string()))
            }
            code => Err(ExchangeError::Code { code }),
        }
    }

    fn senseless(&self, why: impl std::fmt::Display) -> ExchangeError {
        ExchangeError::Senseless { server: self.address, why: why.to_string() }
    }

    fn connect(&self) -> Result<TcpStream, ExchangeError> {
        let open = || {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            io::Result::Ok(stream)
        };
        open().map_err(|e| self.lost(e))
    }

    fn lost(&self, source: io::Error) -> ExchangeError {
        match source.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ExchangeError::Timeout(self.address),
            _ => ExchangeError::Unreachable { server: self.address, source },
        }
    }

    /// One question about the name, to which only its owner has an answer.
    fn ask(&self, stream: &mut TcpStream, kind: RecordType) -> Result<Message, ExchangeError> {
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.name.clone(), kind));
        let bytes = message.to_vec().map_err(|e| self.senseless(e))?;
        let (answer, _) = self.exchange(stream, &bytes, message.metadata.id)?;
        let code = answer.metadata.response_code;
        match code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authoritative => Ok(answer),
            ResponseCode::ServFail | ResponseCode::FormErr => Err(ExchangeError::Code { code }),
            _ => Err(ExchangeError::NotAuthoritative { what: self.name.to_string(), code: code.to_string() }),
        }
    }

    /// One message there and one back.
    fn exchange(&self, stream: &mut TcpStream, bytes: &[u8], id: u16) -> Result<(Message, Vec<u8>), ExchangeError> {
        let length = u16::try_from(bytes.len()).map_err(|e| self.senseless(e))?;
        let mut both = || {
            stream.write_all(&[&length.to_be_bytes(), bytes].concat())?;
            let mut head = [0; 2];
            stream.read_exact(&mut head)?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(head))];
            stream.read_exact(&mut answer)?;
            io::Result::Ok(answer)
        };
        let raw = both().map_err(|e| self.lost(e))?;
        let answer = Message::from_vec(&raw).map_err(|e| self.senseless(e))?;
        if answer.metadata.id != id || answer.metadata.message_type != MessageType::Response {
            return Err(self.senseless("it belongs to another request"));
        }
        Ok((answer, raw))
    }
}

fn address(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(a) => RData::A(A(a)),
        IpAddr::V6(a) => RData::AAAA(AAAA(a)),
    }
}

/// Data as `nsupdate` reads it.
fn quoted(data: &RData) -> String {
    match data {
        RData::TXT(t) => t.txt_data.iter().map(|s| format!("\"{}\"", String::from_utf8_lossy(s))).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a server might hold.
    pub(crate) fn held(addresses: &[&str], by: Option<&str>) -> Held {
        let addresses = addresses.iter().map(|a| a.parse().expect("an address")).collect();
        let foreign = TXT::new(vec!["v=spf1".into(), "-all".into()]);
        Held { addresses, ttl: 5, texts: by.map(marker).into_iter().chain([foreign]).collect() }
    }

    fn server() -> NameServer {
        let key = "key k { algorithm hmac-sha256; secret \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"; };";
        let name = |n: &str| Name::from_ascii(n).expect("a name");
        NameServer {
            address: ([10, 0, 0, 53], 53).into(),
            name: name("best.example.org."),
            zone: name("example.org."),
            key: Key::parse(key).expect("a key"),
        }
    }

    #[test]
    fn an_update_demands_what_was_read_and_touches_only_what_is_ours() {
        let wanted = ["10.0.0.1", "fd00::1"].map(|a| a.parse().expect("an address")).into();
        let script = server().script(&held(&["10.0.0.9"], Some("old")), &wanted, 7, "me");
        let expected = "server 10.0.0.53 53
zone example.org.
prereq yxrrset best.example.org. A 10.0.0.9
prereq yxrrset best.example.org. TXT \"peermon\" \"keeper=old\"
prereq yxrrset best.example.org. TXT \"v=spf1\" \"-all\"
prereq nxrrset best.example.org. AAAA
update delete best.example.org. A
update delete best.example.org. AAAA
update delete best.example.org. TXT \"peermon\" \"keeper=old\"
update add best.example.org. 7 TXT \"peermon\" \"keeper=me\"
update add best.example.org. 7 A 10.0.0.1
update add best.example.org. 7 AAAA fd00::1
send
";
        assert_eq!(script, expected);
        assert_eq!((held(&[], Some("x")).writer(), held(&[], None).writer()), (Some("x"), None));
    }

    #[test]
    fn answers_are_told_apart() {
        let check = |code: ResponseCode, tsig: Option<TsigError>, other: &[u8], word: &str, passes: bool| {
            let mut m = Message::new(1, MessageType::Response, OpCode::Update);
            m.metadata.response_code = code;
            if let Some(error) = tsig {
                let algorithm = hickory_proto::rr::rdata::tsig::TsigAlgorithm::HmacSha256;
                let data = hickory_proto::rr::rdata::TSIG::new(algorithm, 0, 300, vec![], 1, Some(error), other.to_vec());
                m.set_signature(Box::new(hickory_proto::rr::rdata::tsig::make_tsig_record(Name::root(), data)));
            }
            let e = server().judge(&m).expect_err(word);
            assert!(e.to_string().contains(word) && e.passes() == passes, "{e}");
        };
        use ResponseCode as C;
        check(C::NotAuth, Some(TsigError::BadKey), &[], "(BADKEY)", false);
        check(C::NotAuth, Some(TsigError::BadSig), &[], "(BADSIG)", false);
        check(C::NotAuth, Some(TsigError::BadTime), &[0, 0, 0, 0, 0, 1], "apart (by -", false);
        check(C::NotAuth, Some(TsigError::BadTime), &[0], "apart (BADTIME)", false);
        check(C::NotAuth, None, &[], "does not own the zone example.org.", false);
        check(C::NotZone, None, &[], "does not own the zone example.org.", false);
        check(C::Refused, None, &[], "allow the key k. to change A, AAAA and TXT of best.example.org.", false);
        check(C::NXRRSet, None, &[], "somebody else", true);
        check(C::ServFail, None, &[], "journal", true);
        check(C::NotImp, None, &[], "no updates", true);
        assert!(server().judge(&Message::new(1, MessageType::Response, OpCode::Update)).is_ok());
    }

    #[test]
    fn a_silent_server_and_one_that_talks_nonsense_are_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answering = std::thread::spawn(move || {
            for answer in [&b"\0\x03abc"[..], &[]] {
                let (mut stream, _) = listener.accept().expect("a client");
                stream.write_all(answer).expect("sent");
                let mut rest = Vec::new();
                // Until the client gives up.
                drop(stream.read_to_end(&mut rest));
            }
        });
        let server = NameServer { address, ..server() };
        let e = server.read().expect_err("nonsense").to_string();
        assert!(e.contains("makes no sense"), "{e}");
        assert!(matches!(server.check(), Err(ExchangeError::Timeout(_))));
        answering.join().expect("no panic");
        let e = server.read().expect_err("nobody").to_string();
        assert!(e.contains("cannot reach"), "{e}");
    }
}
