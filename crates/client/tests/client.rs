//! The client against the real HTTP face, and against servers that are none.
#![allow(clippy::unwrap_used)]

#[path = "../../serve-http/tests/http/fake.rs"]
#[allow(dead_code)]
mod fake;

use fake::Fake;
use peermon_api::*;
use peermon_client::{Client, Target, Times, limits};
use peermon_serve_http::{Config, Server};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn place(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("peermon-client-{}-{n}-{name}", std::process::id()))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

struct Running {
    fake: Arc<Fake>,
    unix: Client,
    tcp: Client,
    server: Server,
}

fn run(token: Option<&str>) -> Running {
    let fake = Fake::new();
    let tcp = vec![([127, 0, 0, 1], 0).into()];
    let server = Server::start(Config { tcp, unix: Some(place("s")), token: token.map(Into::into) }, fake.clone()).unwrap();
    let [tcp, unix] = &server.urls()[..] else { panic!("two doors") };
    let client = |text: &str| Client::new(Target::parse(text).unwrap(), token.map(Into::into)).unwrap();
    Running { fake, unix: client(unix), tcp: client(tcp), server }
}

#[test]
fn every_call_gives_what_the_daemon_gives() {
    let r = run(Some("s3cret"));
    for client in [&r.unix, &r.tcp] {
        for query in [
            NodesQuery::default(),
            NodesQuery { state: Some(State::Down), ..NodesQuery::default() },
            NodesQuery { all: true, ..NodesQuery::default() },
            NodesQuery { state: Some(State::Left), all: true, ..NodesQuery::default() },
            NodesQuery {
                conditions: vec!["a > 80% && b != \"+ü\"".into(), "me".into()],
                order: vec!["-load.1".into(), "x".into()],
                ..NodesQuery::default()
            },
        ] {
            assert_eq!(client.nodes(&query), r.fake.nodes(&query));
        }
        for name in ["alpha", "nobody", "twin", "conflict", "many", "unavailable", "a/b?c#d%20 é\n", &"b".repeat(64)] {
            assert_eq!(client.node(name), r.fake.node(name), "{name}");
        }
        for query in [
            BestQuery::default(),
            BestQuery {
                n: 7,
                by: By::Cpu,
                cpu_delta: 0.123456789,
                mem_delta: 0.0,
                explain: true,
                cpus: Some(2),
                mem: Some(1.5e9),
                gpus: Some(0),
                gpu_mem: Some(1e300),
                label: vec!["a".into(), "b=c d".into()],
                zone: Some("rack-7".into()),
                conditions: vec!["x < 5%".into()],
                order: vec!["a".into(), "b".into()],
                select: None,
                whole: true,
            },
            BestQuery { by: By::Mem, cpu_delta: 1e-9, mem_delta: 1e300, ..BestQuery::default() },
            BestQuery { n: 0, select: Some("select[mem>4G && ut<50%] order[r1m:-mem]".into()), ..BestQuery::default() },
        ] {
            assert_eq!(client.best(&query), r.fake.best(&query));
        }
        for query in [
            SeriesQuery { attribute: vec!["cpu.busy".into()], ..SeriesQuery::default() },
            SeriesQuery {
                node: vec!["a b".into(), "c".into()],
                attribute: vec!["cpu.busy".into(), "x&y".into()],
                seconds: 12.5,
                points: Some(7),
                fold: Fold::Max,
            },
        ] {
            assert_eq!(client.series(&query), r.fake.series(&query));
        }
        let mut status = client.status();
        let http = status.as_mut().map(|s| s.counters.extract_if(.., |name, _| name.starts_with("http.")).count());
        assert!(matches!(http, Ok(1..)), "the face adds what it counts: {http:?}");
        assert_eq!(status, r.fake.status());
        assert_eq!(client.keys(), r.fake.keys());
        assert_eq!(client.rotate_key(), r.fake.rotate_key());
        assert_eq!(client.claims(), r.fake.claims());
        let terms = ClaimTerms { cpus: Some(2.5), ..ClaimTerms::default() };
        let claim = ClaimRequest { node: Some("alpha".into()), claim: terms, ..ClaimRequest::default() };
        assert_eq!(client.claim(&claim), r.fake.claim(&claim));
        assert_eq!(client.cancel_claim(7), r.fake.cancel_claim(7));
        assert_eq!(client.cancel_claim(9), r.fake.cancel_claim(9));
        let query = BestQuery { n: 2, cpus: Some(1), conditions: vec!["me".into()], ..BestQuery::default() };
        let choice = ChooseRequest { query, claim: terms, most: Some(1) };
        assert_eq!(client.choose(&choice), r.fake.choose(&choice));
        assert_eq!(client.invite(), r.fake.invite());
        for (token, force) in [("t", false), ("other", false), ("other", true)] {
            let request = JoinRequest { token: Some(token.into()), addresses: vec!["10.0.0.1:1".into()], force };
            assert_eq!(client.join(&request), r.fake.join(&request));
        }
    }
}

#[test]
fn refusals_of_the_face_become_errors_of_the_same_kind() {
    let r = run(None);
    let bad = r.tcp.best(&BestQuery { n: 0, ..Default::default() }).unwrap_err();
    assert!(matches!(&bad, Error::BadRequest(m) if m.contains("n is \"0\"")), "{bad}");
    assert!(matches!(r.tcp.invite(), Err(Error::Unauthorised(m)) if m.contains("unix socket")));
    assert!(matches!(
        r.tcp.join(&JoinRequest { token: Some("x".repeat(100_000)), ..Default::default() }),
        Err(Error::Unauthorised(_))
    ));
    let large = r.unix.join(&JoinRequest { token: Some("x".repeat(100_000)), ..Default::default() }).unwrap_err();
    assert!(matches!(&large, Error::BadRequest(m) if m.contains("too large")), "{large}");
    let long = r.unix.node(&"x".repeat(5000)).unwrap_err();
    assert!(matches!(&long, Error::BadRequest(m) if m.contains("bytes long")), "{long}");
    assert!(matches!(r.unix.node("panics"), Err(Error::Unavailable(m)) if m.contains("log")));
    assert!(matches!(r.unix.node(""), Err(Error::BadRequest(_))));

    let r = run(Some("s3cret"));
    for token in [None, Some("wrong")] {
        let c = Client::new(r.tcp.target().clone(), token.map(Into::into)).unwrap();
        assert!(matches!(c.nodes(&NodesQuery::default()), Err(Error::Unauthorised(m)) if m.contains("token")));
    }
    for bad in ["", "a b", "a\r\nX: y", "é"] {
        let e = Client::new(r.tcp.target().clone(), Some(bad.into())).unwrap_err();
        assert!(matches!(&e, Error::BadRequest(m) if m.contains("api.token_file")), "{bad:?}: {e}");
    }
    assert!(!format!("{:?}", r.tcp).contains("s3cret"));
}

fn event(i: u32) -> Event {
    Event::Record { name: "beta".into(), id: "bb".into(), incarnation: 1, sequence: i }
}

#[test]
fn events_arrive_until_either_side_ends_them() {
    let r = run(None);
    for client in [&r.unix, &r.tcp] {
        let stream = client.events().unwrap();
        let member = Event::Member { name: "a".into(), id: "aa".into(), state: State::Suspect, incarnation: 7 };
        for e in [member, event(1), event(2), Event::Lost { count: 9 }] {
            assert_eq!(r.fake.emit(&e), 1);
            assert_eq!(stream.next(PATIENCE), NextEvent::Event(e));
        }
        assert_eq!(stream.next(Duration::ZERO), NextEvent::Quiet);
        r.fake.end_events();
        assert_eq!(stream.next(PATIENCE), NextEvent::Ended);
        let stream = client.events().unwrap();
        drop(stream);
        until("the daemon learns that nobody reads", || {
            r.fake.emit(&event(3));
            r.fake.readers() == 0
        });
    }
    let stream = r.tcp.events().unwrap();
    r.server.stop();
    assert_eq!(stream.next(PATIENCE), NextEvent::Ended);
}

#[test]
fn a_daemon_that_is_not_there_is_said_in_one_line() {
    let socket = place("none");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = place("stale");
    drop(UnixListener::bind(&refused).unwrap());
    for text in [socket.display().to_string(), refused.display().to_string(), format!("http://{free}")] {
        let c = Client::new(Target::parse(&text).unwrap(), None).unwrap();
        let e = c.status().unwrap_err();
        let said = format!("no peermon daemon answers at {text}; start one with `peermon daemon`, or name it with --api");
        assert_eq!(e, Error::Unavailable(said));
        assert_eq!(c.events().unwrap_err(), e);
    }
    std::fs::remove_file(refused).unwrap();
    let c = Client::new(Target::parse("http://no-such-host.invalid:1").unwrap(), None).unwrap();
    assert!(matches!(c.status(), Err(Error::Unavailable(m)) if m.contains("http://no-such-host.invalid:1")));
    let places = [Target::Unix(socket.clone()), Target::parse(&format!("http://{free}")).unwrap()];
    let e = Target::find(None, None, &places).unwrap_err();
    let said = format!(
        "no peermon daemon answers at {} or http://{free}; start one with `peermon daemon`, or name it with --api",
        socket.display()
    );
    assert_eq!(e, Error::Unavailable(said));
}

#[test]
fn the_first_default_place_that_answers_is_taken() {
    let r = run(None);
    let nobody = Target::Unix(place("none"));
    let (unix, tcp) = (r.unix.target().clone(), r.tcp.target().clone());
    let find = |places: &[Target]| Target::find(None, None, places);
    assert_eq!(find(&[nobody.clone(), unix.clone(), tcp.clone()]), Ok(unix.clone()));
    assert_eq!(find(&[nobody.clone(), tcp.clone(), unix]), Ok(tcp));
    assert_eq!(Target::find(Some("/x/y"), None, &[nobody]), Ok(Target::Unix("/x/y".into())));
}

/// A server that takes one connection, reads a request's head, says `answer` and closes (or, with `hold`, never does).
fn serve(answer: Vec<u8>, hold: bool) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut part = [0; 1024];
        while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
            match s.read(&mut part) {
                Ok(n @ 1..) => seen.extend_from_slice(&part[..n]),
                Ok(0) | Err(_) => return,
            }
        }
        let _sent = s.write_all(&answer);
        if hold {
            // Until the client has had enough.
            let _ended = s.read(&mut part);
        }
    });
    Target::Http { host: "127.0.0.1".into(), port }
}

fn patient(target: Target) -> Client {
    Client::new(target, None).unwrap()
}

fn impatient(target: Target) -> Client {
    let times = Times { answer: Duration::from_millis(150), ..Times::default() };
    Client::with_times(target, None, times).unwrap()
}

#[test]
fn what_is_no_daemon_is_said_so() {
    let whole = serde_json::to_string(&Fake::new().status().unwrap()).unwrap();
    let head = "HTTP/1.1 200 OK\r\n";
    let huge = format!("{head}X-Huge: {}\r\n\r\n", "x".repeat(limits::HEAD_BYTES_MAX * 4));
    let many = format!("{head}{}\r\n", "X: y\r\n".repeat(limits::HEAD_BYTES_MAX));
    for (answer, says) in [
        ("", "broke off"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "it says \"SSH-2.0-OpenSSH_9.2\""),
        ("\u{0}\u{1}\u{2}", "broke off"),
        ("\u{0}\u{1}\u{2}\n", "it says"),
        ("HTTP/1.1 OK\r\n\r\n", "it says \"HTTP/1.1 OK\""),
        ("HTTP/1.1 99 no\r\n\r\n", "it says"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", "broke off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"name\":", "broke off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "its length is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "its length is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "its length is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "larger than"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no colon"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown way"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "a chunk's size is no number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "a chunk's size is no number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "a chunk's size is too large"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", "broke off"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}XX\r\n0\r\n\r\n", "does not end where it says"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "broke off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "it answers /api/v1/status with something else (missing field"),
        ("HTTP/1.1 200 OK\r\n\r\n<html>", "something else"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "status 204 and no reason"),
        ("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", "status 302 and no reason"),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "status 500 and no reason"),
        (&huge, "longer than"),
        (&many, "the head is larger than"),
    ] {
        let client = patient(serve(answer.into(), false));
        let e = client.status().unwrap_err();
        let at = client.target().to_string();
        assert!(matches!(&e, Error::Unavailable(m) if m.contains(says) && m.contains(&at)), "{answer:.80}: {e}");
    }
    // The same reader takes what is unusual but right.
    for answer in [
        format!("HTTP/1.0 200 OK\r\n\r\n{whole}"),
        format!("HTTP/1.1 200\r\ncontent-LENGTH:{}\r\n\r\n{whole}and more", whole.len()),
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\ncontent-length: {}\n\n{whole}", whole.len()),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\n{}\r\n{:X}\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
            &whole[..5],
            whole.len() - 5,
            &whole[5..]
        ),
    ] {
        assert_eq!(patient(serve(answer.clone().into(), false)).status(), Fake::new().status(), "{answer}");
    }
}

#[test]
fn who_never_answers_is_not_waited_for() {
    for begun in
        ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "HTTP/1.1 100 Continue\r\n\r\n"]
    {
        let e = impatient(serve(begun.into(), true)).status().unwrap_err();
        assert!(matches!(&e, Error::Unavailable(m) if m.contains("no answer within 0.15 s")), "{begun:?}: {e}");
    }
    // Drop by drop, so that no single read waits long: the time is for the whole answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let drops = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        while s.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let e = impatient(Target::Http { host: "127.0.0.1".into(), port }).status().unwrap_err();
    assert!(e.to_string().contains("no answer within 0.15 s"), "{e}");
    drops.join().unwrap();
}

#[test]
fn a_silent_or_broken_event_stream_ends() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let one = "data: {\"event\":\"lost\",\"count\":1}\n\n";
    let chunk = format!("{:x}\r\n{one}\r\n", one.len());
    for (rest, hold) in [("", true), ("", false), ("zz\r\n", false), ("5\r\nab", true)] {
        let times = Times { silence: Duration::from_millis(150), ..Times::default() };
        let server = serve(format!("{head}{chunk}{rest}").into(), hold);
        let stream = Client::with_times(server, None, times).unwrap().events().unwrap();
        assert_eq!(stream.next(PATIENCE), NextEvent::Event(Event::Lost { count: 1 }), "{rest:?}");
        assert_eq!(stream.next(PATIENCE), NextEvent::Ended, "{rest:?} {hold}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_brings_the_client_down(
        head in prop_oneof!["HTTP/1.1 200 OK\r\n(Content-Length: [0-9]{1,3}\r\n|Transfer-Encoding: chunked\r\n|[ -~]{0,20}\r\n){0,3}\r\n", ".{0,40}"],
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let answer = [head.as_bytes(), &body].concat();
        let client = patient(serve(answer, false));
        prop_assert!(client.status().is_err());
    }

    #[test]
    fn no_text_brings_the_parser_of_places_down(text in "(http://|unix:|)[\\[\\]:./a-z0-9%\u{0}é ]{0,30}") {
        if let Ok(target) = Target::parse(&text) {
            let shown = target.to_string();
            if matches!(target, Target::Http { .. }) {
                prop_assert_eq!(Target::parse(&shown), Ok(target));
            }
        }
    }
}
