use crate::fake::Fake;
use crate::talk::{Reply, Running, run, run_with};
use peermon_serve_http::{limits, page_is_built_in};

const BROWSER: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn guarded() -> Running {
    run_with(Fake::new(), Some("s3cret"), limits::Times::default())
}

fn log_in(r: &Running, body: &str, more: &[(&str, &str)]) -> Reply {
    r.tcp.ask("POST", "/login", &[&[("Content-Type", "application/x-www-form-urlencoded")], more].concat(), body)
}

/// Logs in and gives what the browser sends from then on.
fn cookie(r: &Running) -> String {
    let a = log_in(r, "token=s3cret", &[("Origin", "http://localhost")]);
    assert_eq!((a.status, a.header("location")), (303, "/"));
    let set = a.header("set-cookie");
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
    let (name, id) = cookie.split_once('=').unwrap();
    let port = r.server().urls()[0].rsplit(':').next().unwrap().to_string();
    assert_eq!((name, id.len()), (format!("peermon-{port}").as_str(), 32));
    cookie.to_string()
}

#[test]
fn browsers_without_a_session_are_sent_to_the_form() {
    let r = guarded();
    let a = r.tcp.ask("GET", "/", &[BROWSER], "");
    assert_eq!((a.status, a.header("location")), (303, "/login"));
    r.tcp.get("/").refusal(401, "unauthorised");
    r.tcp.ask("GET", "/api/v1/nodes", &[("Accept", "application/json")], "").refusal(401, "unauthorised");
    let form = r.tcp.ask("GET", "/login", &[BROWSER], "");
    assert_eq!(
        (form.status, form.header("content-type"), form.header("cache-control")),
        (200, "text/html; charset=utf-8", "no-store")
    );
    for part in ["<form method=\"post\" action=\"/login\">", "type=\"password\"", "<label for=\"token\">", "href=\"/login.css\""]
    {
        assert!(form.body.contains(part), "{part}");
    }
    assert_eq!(r.tcp.get("/login.css").header("content-type"), "text/css; charset=utf-8");
    for to in [&r.unix, &run().tcp] {
        let a = to.get("/login");
        assert_eq!((a.status, a.header("location")), (303, "/"), "nobody needs to log in there");
    }
}

#[test]
fn a_session_stands_for_the_token_until_it_is_ended() {
    let r = guarded();
    let cookie = cookie(&r);
    let with = |method: &str, path: &str, more: &[(&str, &str)]| {
        r.tcp.ask(method, path, &[&[("Cookie", cookie.as_str())], more].concat(), "")
    };
    for path in ["/api/v1/nodes", "/metrics", "/readyz", "/"] {
        assert_eq!(with("GET", path, &[]).status, 200, "{path}");
    }
    // From its own page the browser may change something; what others make it do is refused, and so is what does not tell.
    assert_eq!(with("POST", "/api/v1/invite", &[("Origin", "http://localhost")]).status, 200);
    assert_eq!(with("POST", "/api/v1/invite", &[("Sec-Fetch-Site", "same-origin")]).status, 200);
    for others in [("Origin", "http://evil.example.org"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"), ("X", "y")] {
        with("POST", "/api/v1/invite", &[others]).refusal(403, "forbidden");
        with("POST", "/logout", &[others]).refusal(403, "forbidden");
    }
    let other = r.tcp.ask("GET", "/api/v1/nodes", &[("Cookie", &cookie.replace('=', "=0"))], "");
    other.refusal(401, "unauthorised");
    let a = with("POST", "/logout", &[("Origin", "http://localhost")]);
    assert_eq!((a.status, a.header("location")), (303, "/login"));
    assert!(a.header("set-cookie").contains("=; ") && a.header("set-cookie").contains("Max-Age=0"), "{a:?}");
    with("GET", "/api/v1/nodes", &[]).refusal(401, "unauthorised");
}

#[test]
fn a_stream_ends_with_its_session() {
    let r = guarded();
    let cookie = cookie(&r);
    let mut s = r.tcp.connect();
    let head = format!("GET /api/v1/live?seconds=0.25 HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n");
    s.write_all(head.as_bytes()).unwrap();
    let mut begin = [0; 12];
    s.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let a = r.tcp.ask("POST", "/logout", &[("Cookie", cookie.as_str()), ("Origin", "http://localhost")], "");
    assert_eq!(a.status, 303);
    let mut last = [0; 5];
    while &last != b"0\r\n\r\n" {
        last.rotate_left(1);
        s.read_exact(&mut last[4..]).unwrap();
    }
}

#[test]
fn wrong_forms_open_nothing() {
    let r = guarded();
    for (body, status, says) in [
        ("token=s3cre", 401, "That is not the token."),
        ("token=", 401, "That is not the token."),
        ("token=%00%ff", 401, "That is not the token."),
        ("token=s3cret2&token=s3cret", 401, "That is not the token."),
        ("token=<script>", 401, "That is not the token."),
        ("tokne=s3cret", 400, "the body has no token"),
        ("", 400, "the body has no token"),
        ("{\"token\":\"s3cret\"}", 400, "the body has no token"),
    ] {
        let a = log_in(&r, body, &[]);
        assert_eq!((a.status, a.header("set-cookie")), (status, ""), "{body}");
        assert!(a.body.contains(says) && !a.body.contains("<script>"), "{body}: {a:?}");
    }
    for others in [("Origin", "http://evil.example.org"), ("Origin", "null"), ("Sec-Fetch-Site", "same-site")] {
        log_in(&r, "token=s3cret", &[others]).refusal(403, "forbidden");
    }
    assert_eq!(log_in(&r, "token=+s3cret%0A", &[]).status, 303, "as it was copied, with space around");
    log_in(&r, &"x".repeat(limits::BODY_BYTES_MAX + 1), &[]).refusal(413, "too_large");
}

#[test]
fn guessing_is_limited_and_counted_in_the_form_and_in_the_header() {
    let r = guarded();
    let bearer = |token: &str| r.tcp.ask("GET", "/api/v1/nodes", &[("Authorization", &format!("Bearer {token}"))], "");
    for i in 0..limits::GUESSES_MAX {
        let status = if i % 2 == 0 { log_in(&r, "token=x", &[]).status } else { bearer("x").status };
        assert_eq!(status, 401, "{i}");
    }
    // Even the right one now tells nothing.
    let a = log_in(&r, "token=s3cret", &[]);
    assert!(a.status == 429 && a.body.contains("Too many wrong tokens"), "{a:?}");
    assert!(bearer("s3cret").refusal(429, "guesses").contains("try again in"));
    assert_eq!(r.server().counters()["guesses"], 2);
    assert_eq!(r.server().counters()["unauthorised"], u64::from(limits::GUESSES_MAX));
    assert_eq!(r.unix.get("/api/v1/nodes").status, 200);
}

#[test]
fn every_answer_keeps_other_pages_out() {
    let r = run();
    for path in ["/", "/api/v1/nodes", "/login.css", "/nothing", "/healthz"] {
        for accept in ["text/html", "*/*"] {
            let a = r.tcp.ask("GET", path, &[("Accept", accept)], "");
            let csp = a.header("content-security-policy");
            assert!(csp.starts_with("default-src 'none'; script-src 'self';") && !csp.contains("unsafe"), "{path}: {csp}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("access-control-allow-origin", ""),
            ] {
                assert_eq!(a.header(name), value, "{path}");
            }
        }
    }
    for elsewhere in ["cross-site", "same-site"] {
        let given = [("Sec-Fetch-Site", elsewhere), ("Sec-Fetch-Mode", "no-cors")];
        r.tcp.ask("GET", "/api/v1/nodes", &given, "").refusal(403, "forbidden");
    }
    let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), BROWSER];
    assert_eq!(r.tcp.ask("GET", "/", &link, "").status, 200);
}

#[test]
fn browsers_get_the_page_and_programs_the_list() {
    let r = run();
    let page = r.tcp.ask("GET", "/", &[BROWSER], "");
    let list = r.tcp.get("/");
    assert_eq!((list.status, list.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(list.header("vary").contains("accept"));
    if page_is_built_in() {
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.body.contains("<script type=\"module\"") && list.body.contains("A browser that opens"));
        let again = r.tcp.ask("GET", "/", &[BROWSER, ("If-None-Match", page.header("etag"))], "");
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    } else {
        assert_eq!(page.body, list.body);
        assert!(list.body.contains("run `make web`") && list.body.contains("GET    /api/v1/nodes"), "{}", list.body);
    }
    r.tcp.get("/assets/nothing.js").refusal(404, "not_found");
    r.tcp.get("/assets/../src/lib.rs").refusal(404, "not_found");
}

#[test]
fn long_answers_are_compressed_for_who_reads_that() {
    let many = (0..200).map(|i| crate::fake::node(&format!("node{i}"), 'a', peermon_api::State::Alive)).collect();
    let r = run_with(Fake::with(many), None, limits::Times::default());
    let raw = |to: &crate::talk::To, path: &str, encoding: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: {encoding}\r\n\r\n");
        let bytes = to.raw(head.as_bytes());
        let ends = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        (String::from_utf8(bytes[..ends].to_vec()).unwrap(), bytes[ends..].to_vec())
    };
    let (_, plain) = raw(&r.tcp, "/api/v1/nodes", "identity");
    let (head, gzip) = raw(&r.tcp, "/api/v1/nodes", "gzip");
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept-encoding"), "{head}");
    assert!(head.contains(&format!("content-length: {}\r\n", gzip.len())) && gzip.len() * 5 < plain.len(), "{head}");
    let body = miniz_oxide::inflate::decompress_to_vec(&gzip[10..gzip.len() - 8]).unwrap();
    assert_eq!(body, plain);
    assert!(raw(&r.tcp, "/metrics/cluster", "gzip").0.contains("content-encoding: gzip"));
    for (to, path) in [(&r.tcp, "/api/v1/status"), (&r.unix, "/api/v1/nodes")] {
        assert!(!raw(to, path, "gzip").0.contains("content-encoding"), "{path} is short, or goes nowhere");
    }
}
