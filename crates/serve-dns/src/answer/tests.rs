use super::*;
use crate::limits::{REQUEST_BYTES_MAX, SRV_TARGETS_MAX};
use hickory_proto::op::{OpCode, Query};
use peermon_api::{
    Announcement, BestAnswer, BestNode, BestQuery, By, EventStream, FactValue, Invitation, JoinAnswer, JoinRequest, KeyView,
    NodeView, NodesQuery, NoticeView, State, Status,
};
use proptest::prelude::*;
use std::sync::Mutex;

/// A table that never changes but for the order of the best.
#[derive(Debug, Default)]
struct Fake {
    nodes: Vec<NodeView>,
    best: Vec<&'static str>,
    asked: Mutex<u32>,
    broken: bool,
}

fn view(name: &str, id: u8, state: State, addresses: &[&str]) -> NodeView {
    NodeView {
        name: name.into(),
        id: format!("{id:02x}").repeat(32),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        state,
        state_seconds: 1.0,
        age_seconds: Some(0.5),
        incarnation: 1,
        period_seconds: 1.0,
        facts: [("cpu.threads".to_string(), FactValue::Number(8.0))].into(),
        vitals: [("load.1".to_string(), 0.25), ("mem.available".to_string(), 4e9)].into(),
        avoided: None,
        notices: vec![],
        this: id == 1,
        zone: String::new(),
    }
}

impl Fake {
    fn cluster() -> Fake {
        let nodes = vec![
            view("alpha", 1, State::Alive, &["10.0.0.1:19810", "[fd00::1]:19810", "[fe80::1]:19810"]),
            view("Beta", 2, State::Suspect, &["10.0.0.2:7000"]),
            view("gone", 3, State::Down, &["10.0.0.3:19810"]),
            view("web.rack1", 4, State::Alive, &["[fd00::4]:19810"]),
            view("twin", 5, State::Alive, &["10.0.0.5:19810"]),
            view("twin", 6, State::Alive, &["10.0.0.6:19810"]),
            view("best", 7, State::Alive, &["10.0.0.7:19810"]),
            view("odd..name", 8, State::Alive, &["10.0.0.8:19810"]),
        ];
        Fake { nodes, best: vec!["alpha", "Beta", "web.rack1"], ..Fake::default() }
    }

    fn large(n: usize) -> Fake {
        let name = |i: usize| format!("a-node-with-a-rather-long-name-{i}");
        let nodes = (0..n).map(|i| view(&name(i), i as u8 + 1, State::Alive, &["10.0.0.1:1", "[fd00::1]:1"]));
        let nodes: Vec<_> = nodes.collect();
        let best = (0..n).map(|i| &*name(i).leak()).collect();
        Fake { nodes, best, ..Fake::default() }
    }
}

impl Service for Fake {
    fn nodes(&self, _: &NodesQuery) -> Result<Vec<NodeView>, Error> {
        if self.broken { Err(Error::Unavailable("stopping".into())) } else { Ok(self.nodes.clone()) }
    }

    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error> {
        let mut draws = self.asked.lock().expect("not poisoned");
        *draws += 1;
        let of = |name: &&str| {
            let n = self.nodes.iter().find(|n| n.name == **name).expect("known");
            BestNode {
                name: n.name.clone(),
                id: n.id.clone(),
                address: String::new(),
                score: 1.0,
                reasons: vec![],
                age_seconds: 0.5,
            }
        };
        let mut best: Vec<_> = self.best.iter().map(of).collect();
        if !best.is_empty() {
            let turn = *draws as usize % best.len();
            best.rotate_left(turn);
        }
        if query.by == By::Mem {
            best.reverse();
        }
        best.truncate(query.n);
        Ok(BestAnswer { best, ..BestAnswer::default() })
    }

    fn node(&self, _: &str) -> Result<NodeView, Error> {
        Err(Error::NotFound("not asked for".into()))
    }
    fn zones(&self) -> Result<Vec<peermon_api::ZoneView>, Error> {
        Ok(vec![])
    }
    fn status(&self) -> Result<Status, Error> {
        Ok(Status::default())
    }
    fn events(&self) -> Result<EventStream, Error> {
        Err(Error::TooMany("none".into()))
    }
    fn invite(&self) -> Result<Invitation, Error> {
        Err(Error::Unavailable("none".into()))
    }
    fn join(&self, _: &JoinRequest) -> Result<JoinAnswer, Error> {
        Ok(JoinAnswer::default())
    }
    fn keys(&self) -> Result<Vec<KeyView>, Error> {
        Ok(vec![])
    }
    fn rotate_key(&self) -> Result<Vec<KeyView>, Error> {
        Ok(vec![])
    }
    fn announce(&self, _: &Announcement) -> Result<Vec<NoticeView>, Error> {
        Ok(vec![])
    }
}

fn responder(fake: Fake) -> Responder {
    Responder::new(Zone::new("Cluster.Example.org").expect("a name"), Arc::new(fake), Arc::default())
}

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut m = Message::new(0x1234, MessageType::Query, OpCode::Query);
    m.metadata.recursion_desired = true;
    m.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    m
}

fn ask(r: &mut Responder, m: &Message, via: Via, now: Instant) -> Message {
    let bytes = r.respond(&m.to_vec().expect("writable"), via, now, 7).expect("an answer");
    Message::from_vec(&bytes).expect("readable")
}

/// The code and the answers, as text; `-` where there is none but a SOA says so.
fn check(r: &mut Responder, name: &str, kind: RecordType, code: ResponseCode, expected: &str) {
    let m = ask(r, &question(name, kind), Via::Udp, at(0));
    let shown = |data: &RData| match data {
        RData::TXT(t) => t.txt_data.iter().map(|w| String::from_utf8_lossy(w)).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    let data: Vec<String> = m.answers.iter().map(|a| format!("{} {}", a.ttl, shown(&a.data))).collect();
    let data = if data.is_empty() { "-".to_string() } else { data.join(", ") };
    assert_eq!((m.response_code, &*data), (code, expected), "{name} {kind}");
    assert!(m.answers.iter().all(|a| a.name.eq_case(&m.queries[0].name().clone())), "the case asked with comes back");
    assert!(m.recursion_desired && !m.recursion_available && !m.truncation);
    let within = code != ResponseCode::Refused;
    assert_eq!(m.authoritative, within, "{name}");
    let soa = m.authorities.iter().filter(|a| a.record_type() == RecordType::SOA).count();
    assert_eq!(soa, usize::from(within && m.answers.is_empty()), "{name}: nothing comes with a SOA, so that it is kept briefly");
}

#[test]
fn names_and_types() {
    use RecordType as T;
    use ResponseCode::{NXDomain, NoError, Refused};
    let mut r = responder(Fake::cluster());
    let r = &mut r;
    check(r, "alpha.cluster.example.org.", T::A, NoError, "5 10.0.0.1");
    check(r, "ALPHA.clUster.example.org.", T::AAAA, NoError, "5 fd00::1");
    check(r, "beta.cluster.example.org.", T::A, NoError, "5 10.0.0.2");
    check(r, "beta.cluster.example.org.", T::AAAA, NoError, "-");
    check(r, "beta.cluster.example.org.", T::MX, NoError, "-");
    check(r, "beta.cluster.example.org.", T::ANY, NoError, "5 RFC8482 ");
    check(r, "gone.cluster.example.org.", T::A, NoError, "-");
    check(r, "web.rack1.cluster.example.org.", T::AAAA, NoError, "5 fd00::4");
    check(r, "rack1.cluster.example.org.", T::A, NoError, "-");
    check(r, "twin.cluster.example.org.", T::A, NoError, "5 10.0.0.5, 5 10.0.0.6");
    check(r, "05050505.cluster.example.org.", T::A, NoError, "5 10.0.0.5");
    check(r, "0505050.cluster.example.org.", T::A, NXDomain, "-");
    check(r, "nobody.cluster.example.org.", T::A, NXDomain, "-");
    check(r, "x.alpha.cluster.example.org.", T::A, NXDomain, "-");
    check(r, "x.best.cluster.example.org.", T::A, NXDomain, "-");
    check(r, "cluster.example.org.", T::NS, NoError, "5 ns.Cluster.Example.org.");
    check(r, "cluster.example.org.", T::A, NoError, "-");
    check(
        r,
        "cluster.example.org.",
        T::SOA,
        NoError,
        "5 ns.Cluster.Example.org. hostmaster.Cluster.Example.org. 7 3600 600 86400 5",
    );
    check(r, "cluster.example.org.", T::TXT, NoError, "5 nodes=8 up=7");
    check(r, "ns.cluster.example.org.", T::A, NoError, "5 10.0.0.1");
    check(r, "_peermon._udp.cluster.example.org.", T::A, NoError, "-");
    check(r, "_udp.cluster.example.org.", T::SRV, NoError, "-");
    check(r, "_tcp.cluster.example.org.", T::ANY, NoError, "5 RFC8482 ");
    check(r, "example.org.", T::A, Refused, "-");
    check(r, "www.example.com.", T::A, Refused, "-");
    check(r, ".", T::NS, Refused, "-");
    check(r, "cluster.example.org.", T::AXFR, Refused, "-");
    check(
        r,
        "alpha.cluster.example.org.",
        T::TXT,
        NoError,
        "5 node=alpha id=0101010101010101 state=alive age=0.5 load=0.25 cpus=8 mem_available=4000000000",
    );
    r.zone.name_servers = vec![Name::from_ascii("ns1.example.net.").expect("a name")];
    check(r, "cluster.example.org.", T::NS, NoError, "5 ns1.example.net.");
    check(r, "ns.cluster.example.org.", T::A, NXDomain, "-");
}

#[test]
fn the_best_turn_with_each_ranking_and_nothing_is_served_old() {
    let mut r = responder(Fake::cluster());
    let mut best = |name: &str, now: Instant| {
        let m = ask(&mut r, &question(name, RecordType::A), Via::Udp, now);
        m.answers.iter().map(|a| a.data.to_string()).collect::<Vec<_>>().join(" ")
    };
    let ms = |ms| Instant::ZERO + Duration::from_millis(ms);
    // The node without IPv4 is passed over.
    assert_eq!(best("best.cluster.example.org.", ms(0)), "10.0.0.2 10.0.0.1");
    assert_eq!(best("best.cluster.example.org.", ms(10)), "10.0.0.2 10.0.0.1", "one ranking serves for a moment");
    assert_eq!(best("best.cluster.example.org.", ms(60)), "10.0.0.1 10.0.0.2");
    assert_eq!(best("best-mem.cluster.example.org.", ms(60)), "10.0.0.2 10.0.0.1");
    assert_eq!(best("best-cpu.cluster.example.org.", ms(60)), "10.0.0.2 10.0.0.1");
    let mut none = responder(Fake { best: vec![], ..Fake::cluster() });
    check(&mut none, "best.cluster.example.org.", RecordType::A, ResponseCode::NoError, "-");
    // Ranked a moment before the table showed it down.
    let mut gone = responder(Fake { best: vec!["gone", "alpha"], ..Fake::cluster() });
    check(&mut gone, "best.cluster.example.org.", RecordType::A, ResponseCode::NoError, "5 10.0.0.1");
}

#[test]
fn services_point_at_names_that_mean_one_node() {
    let mut r = responder(Fake { best: vec!["twin", "best", "Beta", "odd..name"], ..Fake::cluster() });
    let m = ask(&mut r, &question("_peermon._tcp.cluster.example.org.", RecordType::SRV), Via::Tcp, at(0));
    let mut found: Vec<_> = m.answers.iter().map(|a| a.data.to_string().replace(".Cluster.Example.org.", "")).collect();
    found.sort_by_key(|f| f.split(' ').nth(3).map(ToString::to_string));
    let ends: Vec<_> = found.iter().map(|f| f.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect();
    let id = |n: &str| format!("19810 {}", n.repeat(16));
    assert_eq!(ends, [id("05"), id("07"), id("08"), "7000 Beta".to_string()]);
    for target in m.answers.iter().filter_map(|a| match &a.data {
        RData::SRV(srv) => Some(srv.target.clone()),
        _ => None,
    }) {
        assert!(m.additionals.iter().any(|a| a.name == target && a.record_type() == RecordType::A), "{target} has no address");
        let again = ask(&mut r, &question(&target.to_string(), RecordType::A), Via::Udp, at(0));
        assert_eq!(again.answers.len(), 1, "{target}");
    }
}

#[test]
fn what_does_not_fit_is_truncated_and_comes_over_tcp() {
    let mut r = responder(Fake::large(16));
    r.zone.answers = 16;
    let mut sized = |payload: Option<u16>, via: Via, kind, name: &str| {
        let mut m = question(name, kind);
        if let Some(size) = payload {
            let mut e = Edns::new();
            e.set_max_payload(size);
            m.set_edns(e);
        }
        let bytes = r.respond(&m.to_vec().expect("writable"), via, at(0), 7).expect("an answer");
        (bytes.len(), Message::from_vec(&bytes).expect("readable"))
    };
    let best = "best.cluster.example.org.";
    for (payload, most) in [(None, 512), (Some(512), 512), (Some(100), 512), (Some(4096), 1232)] {
        let (length, m) = sized(payload, Via::Udp, RecordType::TXT, best);
        assert!(length <= most && m.truncation && m.answers.is_empty(), "{payload:?}: {length} bytes");
        assert_eq!(m.edns.is_some(), payload.is_some());
    }
    let (length, m) = sized(None, Via::Tcp, RecordType::TXT, best);
    assert!(length > 1232 && !m.truncation && m.answers.len() == 16);
    let (_, m) = sized(Some(1232), Via::Udp, RecordType::A, best);
    assert!(!m.truncation && m.answers.len() == 16);
    // What is only beside the answer is left out without a word.
    let (_, m) = sized(None, Via::Udp, RecordType::SRV, "_peermon._udp.cluster.example.org.");
    assert!(m.truncation || (m.answers.len() == SRV_TARGETS_MAX && m.additionals.is_empty()), "{m}");
    let (_, m) = sized(Some(1232), Via::Udp, RecordType::SRV, "_peermon._udp.cluster.example.org.");
    assert_eq!((m.truncation, m.answers.len()), (false, SRV_TARGETS_MAX));
    assert!(r.counters.of(What::Truncated) >= 4);
}

#[test]
fn what_is_no_query_is_refused_briefly() {
    let mut r = responder(Fake::cluster());
    let base = question("best.cluster.example.org.", RecordType::A);
    let mut code = |change: &dyn Fn(&mut Message)| {
        let mut m = base.clone();
        change(&mut m);
        r.respond(&m.to_vec().expect("writable"), Via::Udp, at(0), 7)
            .map(|b| Message::from_vec(&b).expect("readable").response_code)
    };
    assert_eq!(code(&|_| {}), Some(ResponseCode::NoError));
    assert_eq!(code(&|m| m.metadata.op_code = OpCode::Update), Some(ResponseCode::NotImp));
    assert_eq!(code(&|m| m.metadata.op_code = OpCode::Notify), Some(ResponseCode::NotImp));
    assert_eq!(code(&|m| m.metadata.message_type = MessageType::Response), None, "answers are never answered");
    assert_eq!(code(&|m| m.queries.clear()), Some(ResponseCode::FormErr));
    assert_eq!(code(&|m| m.queries.push(m.queries[0].clone())), Some(ResponseCode::FormErr));
    assert_eq!(code(&|m| m.answers.push(Record::from_rdata(Name::root(), 0, minimal()))), Some(ResponseCode::FormErr));
    assert_eq!(code(&|m| m.queries[0].query_class = DNSClass::CH), Some(ResponseCode::Refused));
    let opt = || Record::from(&Edns::new());
    assert_eq!(code(&|m| m.additionals.push(opt())), Some(ResponseCode::NoError));
    assert_eq!(code(&|m| m.additionals.extend([opt(), opt()])), Some(ResponseCode::FormErr), "RFC 6891: one at most");
    assert_eq!(
        code(&|m| m.additionals.extend(vec![Record::from_rdata(Name::root(), 0, minimal()); 3])),
        Some(ResponseCode::FormErr)
    );
    let version = |m: &mut Message| {
        let mut e = Edns::new();
        e.set_version(1);
        m.set_edns(e);
    };
    let mut m = base.clone();
    version(&mut m);
    let answer = ask(&mut r, &m, Via::Udp, at(0));
    // 16 is BADVERS and BADSIG: which one, the place says.
    assert_eq!((u16::from(answer.response_code), answer.answers.len()), (16, 0));
    let bytes = base.to_vec().expect("writable");
    assert_eq!(r.respond(&bytes[..11], Via::Udp, at(0), 7), None, "no header, no answer");
    let cut = r.respond(&bytes[..bytes.len() - 3], Via::Udp, at(0), 7).expect("an answer");
    assert_eq!(cut.len(), 12, "no more is sent than came");
    let long = [&bytes[..], &vec![0; REQUEST_BYTES_MAX]].concat();
    assert_eq!(
        Message::from_vec(&r.respond(&long, Via::Tcp, at(0), 7).expect("an answer")).expect("readable").response_code,
        ResponseCode::FormErr
    );
    let mut broken = responder(Fake { broken: true, ..Fake::cluster() });
    assert_eq!(ask(&mut broken, &base, Via::Udp, at(0)).response_code, ResponseCode::ServFail);
    let put_off = r.put_off(&bytes).expect("an answer");
    let m = Message::from_vec(&put_off).expect("readable");
    assert!(m.truncation && m.answers.is_empty() && put_off.len() == bytes.len(), "a forged address gets no more than was sent");
}

/// A request that is right in most places.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let name = "([a-z]{1,9}\\.){0,3}(cluster\\.example\\.org\\.)?";
    let base = (name, any::<u16>(), any::<bool>()).prop_map(|(name, kind, edns)| {
        let name = if name.is_empty() { ".".to_string() } else { name };
        let mut m = question(&name, RecordType::from(kind));
        if edns {
            m.set_edns(Edns::new());
        }
        m.to_vec().expect("writable")
    });
    let spoil = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (base, spoil, any::<prop::sample::Index>()).prop_map(|(mut bytes, spoil, cut)| {
        for (at, byte) in spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 4) + 1);
        bytes
    })
}

fn sane(bytes: &[u8]) -> Result<(), TestCaseError> {
    for via in [Via::Udp, Via::Tcp] {
        let mut r = responder(Fake::cluster());
        if let Some(answer) = r.respond(bytes, via, at(0), 7) {
            prop_assert!(via == Via::Tcp || answer.len() <= usize::from(UDP_BYTES_MAX));
            prop_assert_eq!(&answer[..2], &bytes[..2], "the id comes back");
            prop_assert!(answer[2] & 0x80 != 0, "it is an answer");
            let m = Message::from_vec(&answer);
            prop_assert!(m.is_ok(), "{:?} to {:02x?}", m, bytes);
        }
        r.put_off(bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_dropped(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        sane(&bytes)?;
    }

    #[test]
    fn spoilt_requests_are_answered_or_dropped(bytes in nearly()) {
        sane(&bytes)?;
    }
}
