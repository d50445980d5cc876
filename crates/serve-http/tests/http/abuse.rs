//! Clients that are broken, slow, hostile or too many.

use crate::fake::Fake;
use crate::talk::{Reply, Running, run, run_with, until};
use peermon_serve_http::limits::{self, Times};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::io::Read;
use std::time::Duration;

fn quick() -> Times {
    let short = Duration::from_millis(100);
    Times { head: short, body: short, ..Times::default() }
}

#[test]
fn what_is_no_http_gets_a_json_error() {
    let r = run();
    for to in r.doors() {
        for garbage in
            ["\u{1}\u{2}\u{3}\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"]
        {
            Reply::parse(&to.raw(garbage.as_bytes())).refusal(400, "bad_request");
        }
        Reply::parse(&to.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).refusal(505, "bad_version");
        let bad_length = "POST /api/v1/join HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n";
        Reply::parse(&to.raw(bad_length.as_bytes())).refusal(400, "bad_request");
    }
    assert!(r.server().counters()["bad_request"] >= 10);
}

#[test]
fn what_is_too_long_is_refused_by_its_limit() {
    let r = run();
    for to in r.doors() {
        let path = |n: usize| format!("/{}", "x".repeat(n - 1));
        to.get(&path(limits::URL_BYTES_MAX)).refusal(404, "not_found");
        let message = to.get(&path(limits::URL_BYTES_MAX + 1)).refusal(414, "uri_too_long");
        assert!(message.contains(&limits::URL_BYTES_MAX.to_string()), "{message}");
        let huge = "x".repeat(limits::HEAD_BYTES_MAX * 2);
        to.get(&format!("/{huge}")).refusal(431, "head_too_large");
        to.ask("GET", "/", &[("X-Huge", &huge)], "").refusal(431, "head_too_large");
        let many = vec![("x", "y"); 200];
        to.ask("GET", "/", &many, "").refusal(431, "head_too_large");
    }
    let fits = format!(r#"{{"token":"t"{}}}"#, " ".repeat(limits::BODY_BYTES_MAX - 13));
    assert_eq!(r.unix.ask("POST", "/api/v1/join", &[], &fits).status, 200);
    let message = r.unix.ask("POST", "/api/v1/join", &[], &(fits.clone() + " ")).refusal(413, "too_large");
    assert!(message.contains(&limits::BODY_BYTES_MAX.to_string()), "{message}");
    // The same without telling the length first.
    let head = "POST /api/v1/join HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}{:x}\r\n{fits}\r\n1\r\n \r\n0\r\n\r\n", fits.len());
    Reply::parse(&r.unix.raw(chunked.as_bytes())).refusal(413, "too_large");
    let broken = format!("{head}zz\r\n");
    Reply::parse(&r.unix.raw(broken.as_bytes())).refusal(400, "bad_request");
}

#[test]
fn who_sends_too_slowly_is_told_and_let_go() {
    let r = run_with(Fake::new(), None, quick());
    for to in r.doors() {
        Reply::parse(&to.raw(b"GET /api/v1/no")).refusal(408, "timeout");
        assert!(to.raw(b"").is_empty(), "a silent connection ends without a word");
    }
    let slow_body = b"POST /api/v1/join HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{";
    Reply::parse(&r.unix.raw(slow_body)).refusal(408, "timeout");
}

#[test]
fn a_body_that_ends_early_changes_nothing() {
    let r = run();
    let mut s = r.unix.connect();
    s.write_all(b"POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{\"token\":\"t\"}").unwrap();
    s.end_writing();
    let mut answer = Vec::new();
    s.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(r.unix.get("/healthz").status, 200);
}

#[test]
fn a_call_that_hangs_costs_only_itself() {
    let r = run_with(Fake::new(), None, Times { call: Duration::from_millis(100), ..Times::default() });
    r.fake.hold(true);
    let message = r.unix.get("/api/v1/nodes/held").refusal(503, "unavailable");
    assert!(message.contains("0.1 s"), "{message}");
    until("others are answered", || r.unix.get("/api/v1/nodes/alpha").status == 200);
    r.fake.hold(false);
}

#[test]
fn idle_connections_block_nobody_and_are_limited_by_door() {
    let r = run();
    let mut idle: Vec<_> = (0..limits::CONNECTIONS_MAX - 20).map(|_| r.tcp.connect()).collect();
    assert_eq!(r.tcp.get("/api/v1/nodes").status, 200);
    idle.extend((0..20).map(|_| r.tcp.connect()));
    until("the door is full", || {
        let answer = r.tcp.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        answer.starts_with(b"HTTP/1.1 503")
    });
    let message = r.tcp.get("/healthz").refusal(503, "too_many");
    assert!(message.contains(&limits::CONNECTIONS_MAX.to_string()), "{message}");
    assert_eq!(r.unix.get("/api/v1/nodes").status, 200, "the other door is open");
    assert!(r.server().counters()["connections"] >= 2);
    drop(idle);
    until("places are free again", || {
        let answer = r.tcp.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        answer.starts_with(b"HTTP/1.1 200")
    });
}

#[test]
fn many_requests_on_one_connection() {
    let r = run();
    let one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = String::from_utf8(r.tcp.raw((one.repeat(200) + last).as_bytes())).unwrap();
    assert_eq!((answer.matches("HTTP/1.1 200 OK").count(), answer.matches("HTTP/1.1 404").count()), (200, 1));
}

fn throw(r: &Running, bytes: &[u8]) {
    for to in r.doors() {
        let mut s = to.connect();
        let _sent = s.write_all(bytes);
        s.end_writing();
        let mut answer = Vec::new();
        let _read = s.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with(b"HTTP/1.1 500"), "{:?}", String::from_utf8_lossy(&answer));
        assert_eq!(to.get("/healthz").body, "ok\n");
    }
}

fn request_line() -> impl Strategy<Value = String> {
    let method = prop_oneof!["GET", "POST", "HEAD", "[A-Z]{1,12}"];
    let known = proptest::sample::select(vec![
        "/",
        "/api/v1/nodes",
        "/api/v1/best",
        "/api/v1/join",
        "/metrics",
        "/metrics/cluster",
        "/api/v1/nodes/",
    ]);
    let path = (known, "[ -~]{0,40}").prop_map(|(a, b)| format!("{a}{}", b.replace(' ', "+")));
    let header = prop_oneof![
        "[A-Za-z-]{1,20}: [ -~]{0,40}",
        "(Host|Accept|Authorization|Content-Length|Transfer-Encoding|Expect|Connection|Upgrade): [ -~]{0,30}"
    ];
    (method, path, vec(header, 0..6), "[ -~]{0,60}").prop_map(|(m, p, h, body)| {
        let headers: String = h.iter().map(|h| format!("{h}\r\n")).collect();
        format!("{m} {p} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
    })
}

/// Throws what the strategy makes at one face.
fn throw_all<S: Strategy>(what: S, bytes: impl Fn(&S::Value) -> Vec<u8>) {
    let r = run();
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&what, |value| {
        throw(&r, &bytes(&value));
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn random_bytes_never_bring_it_down() {
    throw_all(vec(any::<u8>(), 0..600), Vec::clone);
}

#[test]
fn random_requests_never_bring_it_down() {
    throw_all(request_line(), |request| request.clone().into_bytes());
}
