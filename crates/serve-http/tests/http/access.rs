use crate::fake::Fake;
use crate::talk::{Reply, run, run_with};
use peermon_serve_http::limits::Times;

const SENSITIVE: &[(&str, &str)] = &[
    ("/api/v1/invite", ""),
    ("/api/v1/keys/rotate", ""),
    ("/api/v1/announce", r#"{"topic":"t","text":"x","seconds":1}"#),
    ("/api/v1/claims", r#"{"node":"alpha"}"#),
    ("/api/v1/best", "{}"),
    ("/api/v1/join", r#"{"token":"t"}"#),
];

#[test]
fn without_a_token_tcp_may_read_but_not_change() {
    let r = run();
    for (path, body) in SENSITIVE {
        let a = r.tcp.ask("POST", path, &[], body);
        assert!(a.refusal(401, "unauthorised").contains("unix socket"), "{path}");
        assert_eq!(a.header("www-authenticate"), "Bearer");
        // A token that nobody configured opens nothing.
        r.tcp.ask("POST", path, &[("Authorization", "Bearer ")], body).refusal(401, "unauthorised");
        assert_eq!(r.unix.ask("POST", path, &[], body).status, 200, "{path}");
    }
    assert_eq!(r.tcp.get("/api/v1/keys").status, 200);
}

#[test]
fn with_a_token_tcp_needs_it_for_everything_but_health() {
    let r = run_with(Fake::new(), Some("s3cret"), Times::default());
    for path in ["/", "/api/v1/nodes", "/metrics", "/readyz", "/nothing", "/healthz/", "/healthz?x"] {
        let wanted = if path == "/healthz?x" { 200 } else { 401 };
        assert_eq!(r.tcp.get(path).status, wanted, "{path}");
    }
    assert_eq!(r.tcp.get("/healthz").body, "ok\n");
    for (authorization, good) in [
        ("Bearer s3cret", true),
        ("bearer  s3cret ", true),
        ("Bearer s3cre", false),
        ("Bearer s3cret2", false),
        ("Bearer", false),
        ("s3cret", false),
        ("Basic s3cret", false),
        ("Bearer\ts3cret", false),
    ] {
        let a = r.tcp.ask("GET", "/api/v1/nodes", &[("Authorization", authorization)], "");
        assert_eq!(a.status, if good { 200 } else { 401 }, "{authorization:?}");
        if !good {
            assert!(a.refusal(401, "unauthorised").contains("Bearer TOKEN"));
        }
    }
    for (path, body) in SENSITIVE {
        // With a token any Host is fine: a page elsewhere cannot know the token.
        let headers = [("Authorization", "Bearer s3cret"), ("Host", "node7.example.org:19811")];
        assert_eq!(r.tcp.ask("POST", path, &headers, body).status, 200, "{path}");
    }
    assert_eq!(r.unix.get("/api/v1/nodes").status, 200, "the socket needs no token");
    assert!(r.server().counters()["unauthorised"] >= 7);
}

/// Other nodes ask for it every few seconds to see whether this port answers; `peermon-collector` has the request.
#[test]
fn a_peers_try_is_no_attempt_to_get_in() {
    let r = run_with(Fake::new(), Some("s3cret"), Times::default());
    assert_eq!(r.tcp.get("/healthz?40718").status, 200);
    assert_eq!(r.server().counters().get("unauthorised").copied().unwrap_or_default(), 0);
}

#[test]
fn a_page_that_points_its_name_at_us_gets_nothing() {
    let r = run();
    for (host, served) in
        [("localhost", true), ("127.0.0.1:19811", true), ("[::1]:1", true), ("evil.example.org", false), ("", false)]
    {
        let a = r.tcp.ask("GET", "/api/v1/nodes", &[("Host", host)], "");
        if served {
            assert_eq!(a.status, 200, "{host}");
        } else {
            assert!(a.refusal(403, "forbidden").contains(&format!("{host:?}")), "{host}");
        }
        assert_eq!(r.unix.ask("GET", "/api/v1/nodes", &[("Host", host)], "").status, 200, "{host}");
    }
    let raw = |text: &str| Reply::parse(&r.tcp.raw(text.as_bytes()));
    raw("GET http://evil.example.org/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").refusal(403, "forbidden");
    raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").refusal(400, "bad_request");
    assert_eq!(raw("GET / HTTP/1.0\r\n\r\n").status, 200);
}
