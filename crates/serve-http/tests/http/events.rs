use crate::fake::Fake;
use crate::talk::{Running, Stream, run, run_with, until};
use peermon_api::{Event, EventStream, Live, State};
use peermon_serve_http::limits::{self, Times};
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

fn member(name: &str) -> Event {
    Event::Member { name: name.into(), id: "aa".into(), state: State::Down, incarnation: 2 }
}

/// Opens an event stream and reads its head and first comment.
fn follow(r: &Running, over_tcp: bool) -> BufReader<Box<dyn Stream>> {
    let mut s = if over_tcp { r.tcp.connect() } else { r.unix.connect() };
    s.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(s);
    let head = lines_until(&mut lines, str::is_empty);
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    assert!(head.contains(&"content-type: text/event-stream".to_string()), "{head:?}");
    lines_until(&mut lines, |l| l == ": following" || l == ":following");
    lines
}

fn lines_until(from: &mut impl BufRead, mut last: impl FnMut(&str) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        assert_ne!(from.read_line(&mut line).unwrap(), 0, "ended after {all:?}");
        let line = line.trim_end().to_string();
        let done = last(&line);
        all.push(line);
        if done {
            return all;
        }
    }
}

#[test]
fn events_come_named_and_as_json() {
    let r = run();
    for over_tcp in [false, true] {
        let mut lines = follow(&r, over_tcp);
        let record = Event::Record { name: "beta".into(), id: "bb".into(), incarnation: 3, sequence: 9 };
        for e in [member("alpha"), record, Event::Lost { count: 4 }] {
            r.fake.emit(&e);
            let seen = lines_until(&mut lines, |l| l.starts_with("data:"));
            assert!(seen.contains(&format!("event: {}", e.kind())), "{seen:?}");
            let data = seen.last().unwrap().strip_prefix("data:").unwrap().trim();
            assert_eq!(serde_json::from_str::<Event>(data).unwrap(), e);
        }
        drop(lines);
        until("a closed connection ends the subscription", || r.fake.readers() == 0);
    }
}

#[test]
fn the_daemon_can_end_the_stream() {
    let r = run();
    let mut lines = follow(&r, true);
    r.fake.end_events();
    // The last chunk: the answer is whole, and the connection stays for another.
    lines_until(&mut lines, |l| l == "0");
}

#[test]
fn silence_is_filled_with_comments() {
    let r = run_with(Fake::new(), None, Times { keep_alive: Duration::from_millis(20), ..Times::default() });
    let mut lines = follow(&r, true);
    lines_until(&mut lines, |l| l.contains("still here"));
    lines_until(&mut lines, |l| l.contains("still here"));
}

#[test]
fn a_slow_reader_loses_events_and_delays_nobody() {
    let r = run();
    let mut slow = follow(&r, false);
    let mut quick = follow(&r, true);
    // More than all buffers on the way hold: about 200 kB of socket buffers, and the queue.
    let long = "x".repeat(1000);
    let all = EventStream::QUEUE_MAX as u32 * 4;
    for i in 0..all {
        r.fake.emit(&Event::Record { name: long.clone(), id: "aa".into(), incarnation: 1, sequence: i });
        let seen = lines_until(&mut quick, |l| l.starts_with("data:"));
        assert!(seen.last().unwrap().contains(&format!("\"sequence\":{i}}}")), "the quick one misses nothing");
    }
    let mut lost = 0;
    let mut got = 0;
    r.fake.emit(&member("last"));
    lines_until(&mut slow, |l| {
        if let Some(data) = l.strip_prefix("data:") {
            match serde_json::from_str(data.trim()).unwrap() {
                Event::Lost { count } => lost += count,
                Event::Record { .. } => got += 1,
                Event::Member { .. } => got += 1,
            }
        }
        lost + got == u64::from(all) + 1
    });
    assert!(lost > 0, "it was too slow for {all} events");
}

#[test]
fn a_reader_that_reads_nothing_is_let_go() {
    let r = run_with(Fake::new(), None, Times { write: Duration::from_millis(50), ..Times::default() });
    let stuck = follow(&r, false);
    until("it is let go", || r.fake.emit(&member(&"x".repeat(5000))) == 0);
    assert!(r.server().counters()["unread"] >= 1);
    drop(stuck);
}

#[test]
fn readers_are_limited() {
    let r = run();
    let mut all: Vec<_> = (0..limits::SUBSCRIBERS_MAX).map(|i| follow(&r, i % 2 == 0)).collect();
    let message = r.unix.get("/api/v1/events").refusal(429, "too_many");
    assert!(message.contains(&limits::SUBSCRIBERS_MAX.to_string()), "{message}");
    all.pop();
    until("a place is free again", || r.fake.readers() < limits::SUBSCRIBERS_MAX);
    // The place is given back with the stream, right after the reader is gone.
    until("another reader may follow", || {
        let mut s = r.unix.connect();
        s.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut status = [0; 12];
        s.read_exact(&mut status).unwrap();
        &status == b"HTTP/1.1 200"
    });
}

#[test]
fn the_table_comes_in_batches_until_the_reader_goes() {
    let r = run();
    let mut s = r.tcp.connect();
    s.write_all(b"GET /api/v1/live?seconds=0.25&where=me HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(s);
    let head = lines_until(&mut lines, str::is_empty);
    assert!(head.contains(&"content-type: text/event-stream".to_string()), "{head:?}");
    for _ in 0..3 {
        let seen = lines_until(&mut lines, |l| l.starts_with("data:"));
        assert!(seen.contains(&"event: live".to_string()), "{seen:?}");
        let live: Live = serde_json::from_str(seen.last().unwrap().strip_prefix("data:").unwrap().trim()).unwrap();
        assert_eq!((live.attributes, live.ages), (Some(vec!["me".into()]), vec![Some(0.25)]));
    }
}

#[test]
fn what_is_wrong_with_the_table_that_is_asked_for_is_said_at_once() {
    let r = run();
    for (query, says) in [("where=wrong", "where: column 1: wrong"), ("seconds=0", "it must be from 0.25 to 60")] {
        let answer = r.tcp.get(&format!("/api/v1/live?{query}"));
        assert_eq!(answer.status, 400);
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(says), "{query}");
    }
}

#[test]
fn a_reader_of_the_table_that_goes_frees_its_place() {
    let r = run();
    for _ in 0..limits::SUBSCRIBERS_MAX + 5 {
        let mut s = r.unix.connect();
        s.write_all(b"GET /api/v1/live?seconds=0.25 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(s);
        lines_until(&mut lines, |l| l.starts_with("data:") || l.contains("too_many"));
    }
    // Places come back when the daemon notices, at the next batch at the latest.
    until("a place is free again", || {
        let mut s = r.unix.connect();
        s.write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        lines_until(&mut BufReader::new(s), |l| l.starts_with("HTTP/1.1"))[0].contains("200")
    });
}
