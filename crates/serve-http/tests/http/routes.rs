use crate::talk::{Reply, run};
use peermon_api::*;
use peermon_model::Catalogue;

fn body<T: serde::de::DeserializeOwned>(r: &Reply) -> T {
    assert_eq!((r.status, r.header("content-type"), r.header("cache-control")), (200, "application/json", "no-store"), "{r:?}");
    serde_json::from_str(&r.body).unwrap()
}

fn names(nodes: &[NodeView]) -> String {
    nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_table_is_the_same_through_both_doors() {
    let r = run();
    for to in r.doors() {
        for (path, expected) in [
            ("/api/v1/nodes", "alpha beta gone twin"),
            ("/api/v1/nodes?all=true", "alpha beta gone twin twin"),
            ("/api/v1/nodes?state=down", "gone"),
            ("/api/v1/nodes?state=left&all=1", "twin"),
        ] {
            let nodes: Vec<NodeView> = body(&to.get(path));
            assert_eq!(names(&nodes), expected, "{path}");
        }
        let nodes: Vec<NodeView> = body(&to.get("/api/v1/nodes?all"));
        assert_eq!(nodes, r.fake.nodes);
        for asked in ["alpha", "%61lpha", &"a".repeat(64)] {
            assert_eq!(body::<NodeView>(&to.get(&format!("/api/v1/nodes/{asked}"))), r.fake.nodes[0]);
        }
    }
}

#[test]
fn best_passes_the_query_on() {
    let r = run();
    let best: BestAnswer = body(&r.tcp.get("/api/v1/best?n=1&by=cpu&cpu_delta=0.5&explain=true"));
    assert_eq!((best.best.len(), best.best[0].score, best.left_out.len()), (1, -0.5, 4));
    let best: BestAnswer = body(&r.tcp.get("/api/v1/best?n=9&mem_delta=5e8"));
    assert_eq!((best.best.len(), best.best[0].score, best.left_out.len()), (2, 5e8, 0));
}

#[test]
fn status_keys_and_attributes() {
    let r = run();
    assert_eq!(r.tcp.get("/api/v1/nodes/nobody").status, 404);
    let mut of_daemon = r.fake.status().unwrap();
    of_daemon.counters.extend([("http.requests".to_string(), 3), ("http.refused.not_found".to_string(), 1)]);
    assert_eq!(body::<Vec<ZoneView>>(&r.tcp.get("/api/v1/zones")), r.fake.zones().expect("it has zones"));
    assert_eq!(body::<Status>(&r.tcp.get("/api/v1/status")), of_daemon, "with what this face counts itself");
    assert_eq!(body::<Vec<KeyView>>(&r.tcp.get("/api/v1/keys")), r.fake.keys().unwrap());
    let attributes: Vec<AttributeView> = body(&r.tcp.get("/api/v1/attributes"));
    let catalogue: &Catalogue = r.fake.catalogue();
    assert_eq!(attributes, catalogue.iter().map(AttributeView::from).collect::<Vec<_>>());
    let busy = attributes.iter().find(|a| a.name == "disk.{}.busy").unwrap();
    assert_eq!((busy.unit.as_str(), busy.kind.as_str()), ("ratio", "gauge"));
}

#[test]
fn calls_that_change_something() {
    let r = run();
    assert_eq!(body::<Invitation>(&r.unix.ask("POST", "/api/v1/invite", &[], "")), r.fake.invite().unwrap());
    assert_eq!(body::<Vec<KeyView>>(&r.unix.ask("POST", "/api/v1/keys/rotate", &[], "")).len(), 2);
    let join = |text: &str| r.unix.ask("POST", "/api/v1/join", &[("Content-Type", "application/json")], text);
    let joined: JoinAnswer = body(&join(r#"{"token":"t","addresses":["10.0.0.7:1"]}"#));
    assert_eq!(joined, JoinAnswer { contacting: vec!["10.0.0.7:1".into()], new_cluster: true });
    assert_eq!(join(r#"{"token":"other"}"#).refusal(409, "conflict"), "that is another cluster; say force");
    assert!(body::<JoinAnswer>(&join(r#"{"token":"other","force":true}"#)).new_cluster);
    let chunked = "POST /api/v1/join HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\n{\"tok\r\nc\r\nen\":\"chunk\"}\r\n0\r\n\r\n";
    assert!(body::<JoinAnswer>(&Reply::parse(&r.unix.raw(chunked.as_bytes()))).new_cluster);
}

#[test]
fn health_readiness_and_the_list_of_addresses() {
    let r = run();
    for path in ["/healthz", "/readyz"] {
        let a = r.tcp.get(path);
        assert_eq!((a.status, a.body.as_str()), (200, "ok\n"), "{path}");
    }
    *r.fake.ready.lock().unwrap() = Err("no samples yet".into());
    assert_eq!(r.tcp.get("/readyz").refusal(503, "unavailable"), "no samples yet");
    assert_eq!(r.tcp.get("/healthz").status, 200);
    let page = r.tcp.get("/");
    assert_eq!(page.header("content-type"), "text/plain; charset=utf-8");
    for line in
        ["peermon 1.2.3 on alpha", "GET    /api/v1/nodes/{node}", "POST   /api/v1/keys/rotate", "DELETE /api/v1/claims/{number}"]
    {
        assert!(page.body.contains(line), "{line} in {}", page.body);
    }
    let head = r.tcp.ask("HEAD", "/healthz", &[], "");
    assert_eq!((head.status, head.header("content-length"), head.body.as_str()), (200, "3", ""));
}

#[test]
fn every_kind_of_error_has_its_status() {
    let r = run();
    for (node, status, code) in [
        ("nobody", 404, "not_found"),
        ("twin", 409, "ambiguous"),
        ("conflict", 409, "conflict"),
        ("many", 429, "too_many"),
        ("unavailable", 503, "unavailable"),
        ("panics", 500, "internal"),
        ("alpha", 200, ""),
    ] {
        let a = r.tcp.get(&format!("/api/v1/nodes/{node}"));
        if status == 200 {
            assert_eq!(a.status, 200, "still well after a panic");
        } else {
            a.refusal(status, code);
        }
    }
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let r = run();
    for (method, path, status, code, says) in [
        ("GET", "/nothing", 404, "not_found", "there is nothing at /nothing"),
        ("POST", "/nothing", 404, "not_found", "there is nothing"),
        ("GET", "/api/v1/nodes/", 404, "not_found", "there is nothing"),
        ("GET", "/api/v1/nodes/a/b", 404, "not_found", "there is nothing"),
        ("GET", "/api/v1/nodes/%ff", 400, "bad_request", "name"),
        ("GET", "/api/v1/nodes?state=well", 400, "bad_request", "state is \"well\"; it must be one of alive"),
        (
            "GET",
            "/api/v1/nodes?sate=alive",
            400,
            "bad_request",
            "no parameter is named \"sate\"; there are: state, all, where, order",
        ),
        ("GET", "/api/v1/best?n=none", 400, "bad_request", "n is \"none\"; it must be a whole number"),
        ("GET", "/api/v1/series?fold=sum", 400, "bad_request", "fold is \"sum\"; it must be one of mean, min, max, last"),
        ("GET", "/api/v1/series?points=0", 400, "bad_request", "points"),
        ("GET", "/api/v1/invite", 405, "method_not_allowed", "does not take GET"),
        ("POST", "/api/v1/nodes", 405, "method_not_allowed", "does not take POST"),
        ("DELETE", "/metrics", 405, "method_not_allowed", "does not take DELETE"),
        ("OPTIONS", "/api/v1/join", 405, "method_not_allowed", "does not take OPTIONS"),
        ("BREW", "/", 405, "method_not_allowed", "does not take BREW"),
    ] {
        let a = r.unix.ask(method, path, &[], "");
        let message = a.refusal(status, code);
        assert!(message.contains(says), "{method} {path}: {message}");
        if status == 405 {
            let allow = if path.contains("invite") || path.contains("join") { "POST" } else { "GET,HEAD" };
            assert_eq!(a.header("allow"), allow, "{method} {path}");
        }
    }
    for (text, says) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[]", "join request"),
        ("{}", "needs a token or addresses"),
        (r#"{"tokne":"x"}"#, "unknown field `tokne`"),
        (r#"{"token":7}"#, "invalid type: integer `7`"),
    ] {
        let message = r.unix.ask("POST", "/api/v1/join", &[], text).refusal(400, "bad_request");
        assert!(message.contains(says), "{text}: {message}");
    }
}
