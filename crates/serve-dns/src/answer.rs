//! From a request's bytes to an answer's bytes.

use crate::counters::{Counters, What};
use crate::limits::{UDP_BYTES_MAX, UDP_BYTES_PLAIN};
use crate::names::{self, Fixed, NS};
use crate::request::{self, NoQuestion, Question};
use crate::table::{Row, Table, Wanted};
use crate::zone::Zone;
use hickory_proto::op::{Edns, Message, MessageType, Metadata, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, HINFO, NS as NsData, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use peermon_api::{Error, Service};
use peermon_model::Instant;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// In a datagram: the answer has to fit one, too.
    Udp,
    /// On a connection.
    Tcp,
}

/// Answers requests from the daemon's table.
#[derive(Debug)]
pub struct Responder {
    zone: Zone,
    table: Table,
    counters: Arc<Counters>,
}

/// What was found for a question.
struct Found {
    code: ResponseCode,
    answers: Vec<RData>,
    /// What a client asks for next.
    beside: Vec<(Name, RData)>,
}

impl Found {
    fn of(answers: Vec<RData>) -> Found {
        Found { code: ResponseCode::NoError, answers, beside: Vec::new() }
    }
}

impl Responder {
    /// Answers for this zone, from this daemon.
    pub fn new(zone: Zone, service: Arc<dyn Service>, counters: Arc<Counters>) -> Responder {
        Responder { zone, table: Table::new(service), counters }
    }

    /// The answer to one request; `None` if it must not be answered. `now` is any clock that does not go back, `unix` the seconds
    /// since 1970, for the serial number.
    pub fn respond(&mut self, request: &[u8], via: Via, now: Instant, unix: u32) -> Option<Vec<u8>> {
        let counters = self.counters.clone();
        let question = match request::read(request) {
            Ok(q) => q,
            Err(NoQuestion::Silence) => {
                counters.count(What::Response);
                return None;
            }
            Err(NoQuestion::Malformed(about)) => {
                counters.count(What::Malformed);
                return bare(&about, ResponseCode::FormErr);
            }
            Err(NoQuestion::Unsupported(about)) => {
                counters.count(What::Unsupported);
                return bare(&about, ResponseCode::NotImp);
            }
        };
        let mut message = reply(&question);
        if question.edns.as_ref().is_some_and(|e| e.version() > 0) {
            counters.count(What::Unsupported);
            set_code(&mut message, ResponseCode::BADVERS);
            return fit(message, &question, via, &counters);
        }
        let name = question.query.name();
        let relative = self.zone.relative(name).filter(|_| question.query.query_class() == DNSClass::IN);
        let transfer = matches!(question.query.query_type(), RecordType::AXFR | RecordType::IXFR);
        let Some(relative) = relative.filter(|_| !transfer) else {
            counters.count(What::Refused);
            set_code(&mut message, ResponseCode::Refused);
            return fit(message, &question, via, &counters);
        };
        match self.look_up(&relative, question.query.query_type(), now, unix) {
            Err(error) => {
                tracing::debug!(%error, "the table cannot be read for a DNS answer");
                counters.count(What::Failed);
                set_code(&mut message, ResponseCode::ServFail);
            }
            Ok(found) => {
                counters.count(match (found.code, found.answers.is_empty()) {
                    (ResponseCode::NXDomain, _) => What::NxDomain,
                    (_, true) => What::NoData,
                    (_, false) => What::Answers,
                });
                message.metadata.authoritative = true;
                set_code(&mut message, found.code);
                let ttl = self.zone.ttl;
                if found.answers.is_empty() {
                    let soa = Record::from_rdata(self.zone.origin().clone(), ttl, self.soa(unix));
                    message.add_authority(soa);
                }
                message.add_answers(found.answers.into_iter().map(|data| Record::from_rdata(name.clone(), ttl, data)));
                message.add_additionals(found.beside.into_iter().map(|(name, data)| Record::from_rdata(name, ttl, data)));
            }
        }
        fit(message, &question, via, &counters)
    }

    /// What a client is told that asks too often: to come over TCP. `None` if even that must not be said.
    pub fn put_off(&self, request: &[u8]) -> Option<Vec<u8>> {
        let question = request::read(request).ok()?;
        let mut message = reply(&question);
        message.metadata.truncation = true;
        encode(&message)
    }

    fn look_up(&mut self, name: &[u8], asked: RecordType, now: Instant, unix: u32) -> Result<Found, Error> {
        let fixed = names::fixed(name);
        if fixed == Some(Fixed::NameServer) && !self.zone.name_servers.is_empty() {
            return self.node(name, asked, now);
        }
        let Some(fixed) = fixed else { return self.node(name, asked, now) };
        // RFC 8482: one small record rather than all there are.
        if asked == RecordType::ANY {
            return Ok(Found::of(vec![minimal()]));
        }
        match fixed {
            Fixed::Above => Ok(Found::of(Vec::new())),
            Fixed::Origin => self.origin(asked, now, unix),
            Fixed::NameServer => Ok(Found::of(addresses(&self.own_addresses(now)?, asked))),
            Fixed::Best(by) => self.best(Wanted::Best(by), asked, now),
            Fixed::Service => self.targets(asked, now),
        }
    }

    fn origin(&mut self, asked: RecordType, now: Instant, unix: u32) -> Result<Found, Error> {
        match asked {
            RecordType::SOA => Ok(Found::of(vec![self.soa(unix)])),
            RecordType::NS => {
                let mut found = Found::of(self.name_servers().into_iter().map(|n| RData::NS(NsData(n))).collect());
                if self.zone.name_servers.is_empty() {
                    let own = self.own_addresses(now)?;
                    found.beside =
                        self.zone.below(NS).into_iter().flat_map(|n| own.iter().map(move |a| (n.clone(), address(*a)))).collect();
                }
                Ok(found)
            }
            RecordType::TXT => {
                let (nodes, _) = self.table.nodes(now)?;
                let up = nodes.rows.iter().filter(|r| r.is_up()).count();
                Ok(Found::of(vec![txt(vec![format!("nodes={}", nodes.rows.len()), format!("up={up}")])]))
            }
            _ => Ok(Found::of(Vec::new())),
        }
    }

    fn best(&mut self, wanted: Wanted, asked: RecordType, now: Instant) -> Result<Found, Error> {
        if !matches!(asked, RecordType::A | RecordType::AAAA | RecordType::TXT) {
            return Ok(Found::of(Vec::new()));
        }
        let best = self.table.best(wanted, self.zone.answers, now)?;
        let (nodes, since) = self.table.nodes(now)?;
        let rows = best.iter().filter_map(|b| nodes.with_id(&b.id)).filter(|r| r.is_up());
        Ok(Found::of(match asked {
            RecordType::TXT => rows.map(|r| about(r, since)).collect(),
            _ => rows.filter_map(|r| addresses(&r.addresses, asked).into_iter().next()).collect(),
        }))
    }

    fn targets(&mut self, asked: RecordType, now: Instant) -> Result<Found, Error> {
        if asked != RecordType::SRV {
            return Ok(Found::of(Vec::new()));
        }
        let best = self.table.best(Wanted::Targets, 0, now)?;
        let (nodes, _) = self.table.nodes(now)?;
        let mut found = Found::of(Vec::new());
        let rows = best.iter().filter_map(|b| nodes.with_id(&b.id)).filter(|r| r.is_up());
        for (place, row) in rows.enumerate() {
            let Some(target) = nodes.full_name(row, &self.zone) else { continue };
            let priority = u16::try_from(place).unwrap_or(u16::MAX);
            found.answers.push(RData::SRV(SRV::new(priority, 1, row.port, target.clone())));
            found.beside.extend(row.addresses.iter().map(|a| (target.clone(), address(*a))));
        }
        Ok(found)
    }

    fn node(&mut self, name: &[u8], asked: RecordType, now: Instant) -> Result<Found, Error> {
        let (nodes, since) = self.table.nodes(now)?;
        let rows: Vec<&Row> = nodes.named(name);
        if rows.is_empty() {
            let code = if nodes.is_above(name) { ResponseCode::NoError } else { ResponseCode::NXDomain };
            return Ok(Found { code, ..Found::of(Vec::new()) });
        }
        Ok(Found::of(match asked {
            RecordType::ANY => vec![minimal()],
            RecordType::TXT => rows.iter().map(|r| about(r, since)).collect(),
            _ => rows.iter().filter(|r| r.is_up()).flat_map(|r| addresses(&r.addresses, asked)).collect(),
        }))
    }

    fn own_addresses(&mut self, now: Instant) -> Result<Vec<IpAddr>, Error> {
        if !self.zone.addresses.is_empty() {
            return Ok(self.zone.addresses.clone());
        }
        let (nodes, _) = self.table.nodes(now)?;
        Ok(nodes.this().map_or(Vec::new(), |r| r.addresses.clone()))
    }

    fn name_servers(&self) -> Vec<Name> {
        match &self.zone.name_servers[..] {
            [] => self.zone.below(NS).into_iter().collect(),
            named => named.to_vec(),
        }
    }

    /// Nobody transfers this zone, so the serial number and the times only have to make sense. Its last number is how long a
    /// "no such name" may be kept (RFC 2308).
    fn soa(&self, unix: u32) -> RData {
        let origin = self.zone.origin();
        let primary = self.name_servers().into_iter().next().unwrap_or_else(|| origin.clone());
        let mail = self.zone.below("hostmaster").unwrap_or_else(|| origin.clone());
        RData::SOA(SOA::new(primary, mail, unix, 3600, 600, 86400, self.zone.ttl))
    }
}

/// The beginning of every answer to a question.
fn reply(question: &Question) -> Message {
    let mut message = Message::new(question.about.id, MessageType::Response, question.about.op_code);
    message.metadata.recursion_desired = question.about.recursion_desired;
    message.metadata.checking_disabled = question.about.checking_disabled;
    message.add_query(question.query.clone());
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_BYTES_MAX);
        message.set_edns(edns);
    }
    message
}

/// An answer to something that cannot be read: no more than a header.
fn bare(about: &Metadata, code: ResponseCode) -> Option<Vec<u8>> {
    let mut message = Message::new(about.id, MessageType::Response, about.op_code);
    message.metadata.recursion_desired = about.recursion_desired;
    message.metadata.response_code = code;
    encode(&message)
}

fn set_code(message: &mut Message, code: ResponseCode) {
    message.metadata.response_code = code;
    if let Some(edns) = &mut message.edns {
        edns.set_rcode_high(code.high());
    }
}

/// The message in no more bytes than the client takes: first without what is beside, then without everything.
fn fit(mut message: Message, question: &Question, via: Via, counters: &Counters) -> Option<Vec<u8>> {
    let most = match (via, &question.edns) {
        (Via::Tcp, _) => u16::MAX,
        (Via::Udp, None) => UDP_BYTES_PLAIN,
        (Via::Udp, Some(e)) => e.max_payload().clamp(UDP_BYTES_PLAIN, UDP_BYTES_MAX),
    };
    let fits = |bytes: &Vec<u8>| bytes.len() <= usize::from(most);
    if let Some(bytes) = encode(&message).filter(fits) {
        return Some(bytes);
    }
    message.additionals.clear();
    if let Some(bytes) = encode(&message).filter(fits) {
        return Some(bytes);
    }
    counters.count(What::Truncated);
    message.answers.clear();
    message.authorities.clear();
    message.metadata.truncation = true;
    encode(&message)
}

fn encode(message: &Message) -> Option<Vec<u8>> {
    message.to_vec().map_err(|error| tracing::debug!(%error, "a DNS answer cannot be written")).ok()
}

fn minimal() -> RData {
    RData::HINFO(HINFO::new("RFC8482".into(), String::new()))
}

fn address(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(a) => RData::A(A(a)),
        IpAddr::V6(a) => RData::AAAA(AAAA(a)),
    }
}

/// Those addresses that are of the type asked for.
fn addresses(all: &[IpAddr], asked: RecordType) -> Vec<RData> {
    all.iter().map(|a| address(*a)).filter(|data| data.record_type() == asked).collect()
}

/// What a node is like, for people: `age` and `load` among it.
fn about(row: &Row, since: Duration) -> RData {
    let mut words = vec![format!("node={}", row.name), format!("id={}", row.id.get(..16).unwrap_or(&row.id))];
    words.push(format!("state={}", row.state.name()));
    words.extend(row.age.map(|a| format!("age={:.1}", a + since.as_secs_f64())));
    words.extend(row.load.map(|l| format!("load={l:.2}")));
    words.extend(row.threads.map(|t| format!("cpus={t}")));
    words.extend(row.mem_available.map(|m| format!("mem_available={m:.0}")));
    txt(words)
}

fn txt(words: Vec<String>) -> RData {
    RData::TXT(TXT::new(words))
}

#[cfg(test)]
mod tests;
