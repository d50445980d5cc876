use crate::talk::{Reply, run};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every address there is, by hand: a new one is added here, and nothing is served that is not in the document.
const ADDRESSES: &[(&str, &str, &str)] = &[
    ("get", "/", "/"),
    ("get", "/api/v1/attributes", "/api/v1/attributes"),
    ("get", "/api/v1/best", "/api/v1/best?n=2&explain=true&whole=true&select=mem"),
    ("get", "/api/v1/events", ""),
    ("get", "/api/v1/live", ""),
    ("post", "/api/v1/invite", "/api/v1/invite"),
    ("post", "/api/v1/join", "/api/v1/join"),
    ("get", "/api/v1/keys", "/api/v1/keys"),
    ("post", "/api/v1/keys/rotate", "/api/v1/keys/rotate"),
    ("post", "/api/v1/announce", "/api/v1/announce"),
    ("post", "/api/v1/best", "/api/v1/best"),
    ("get", "/api/v1/claims", "/api/v1/claims"),
    ("post", "/api/v1/claims", "/api/v1/claims"),
    ("delete", "/api/v1/claims/{number}", "/api/v1/claims/7"),
    ("get", "/api/v1/health", "/api/v1/health"),
    ("get", "/api/v1/usage", "/api/v1/usage"),
    ("get", "/api/v1/parts", "/api/v1/parts"),
    ("get", "/api/v1/nodes", "/api/v1/nodes?all=true"),
    ("get", "/api/v1/nodes/{node}", "/api/v1/nodes/alpha"),
    ("get", "/api/v1/openapi.json", "/api/v1/openapi.json"),
    ("get", "/api/v1/series", "/api/v1/series?node=alpha&attribute=cpu.busy&seconds=10&points=5&fold=max"),
    ("get", "/api/v1/status", "/api/v1/status"),
    ("get", "/api/v1/zones", "/api/v1/zones"),
    ("get", "/healthz", "/healthz"),
    // these answer browsers: tests/http/login.rs
    ("get", "/login", ""),
    ("post", "/login", ""),
    ("post", "/logout", ""),
    ("get", "/metrics", "/metrics"),
    ("get", "/metrics/cluster", "/metrics/cluster"),
    ("get", "/readyz", "/readyz"),
];

fn document() -> Value {
    let document = run().tcp.get("/api/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    document
}

#[test]
fn the_document_names_every_address_and_no_other() {
    let d = document();
    let mut documented = BTreeSet::new();
    for (path, item) in d["paths"].as_object().unwrap() {
        documented.extend(item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let known = ADDRESSES.iter().map(|(m, p, _)| (m.to_string(), p.to_string())).collect();
    assert_eq!(documented, known);
}

#[test]
fn every_answer_is_as_documented() {
    let d = document();
    let r = run();
    for (method, path, ask) in ADDRESSES.iter().filter(|(_, _, ask)| !ask.is_empty()) {
        let body = match path.rsplit('/').next() {
            Some("join") => r#"{"token":"t","addresses":["10.0.0.1:1"]}"#,
            Some("claims") if *method == "post" => r#"{"node":"alpha","claim":{"cpus":2}}"#,
            Some("best") if *method == "post" => r#"{"query":{"n":2},"claim":{"seconds":5}}"#,
            Some("announce") => r#"{"topic":"t","text":"x","seconds":1}"#,
            _ => "",
        };
        let answer = r.unix.ask(&method.to_uppercase(), ask, &[], body);
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        let documented = &d["paths"][path][method]["responses"]["200"]["content"];
        let media = answer.header("content-type").split(';').next().unwrap();
        let schema = &documented[media]["schema"];
        assert!(schema.is_object(), "{method} {path} is documented as {media}: {documented}");
        if media == "application/json" {
            check(&d, schema, &answer.json(), path);
        }
    }
}

#[test]
fn every_refusal_is_as_documented() {
    let d = document();
    let r = run();
    let refused: Vec<(&str, &str, Reply)> = vec![
        ("get", "/api/v1/nodes", r.unix.get("/api/v1/nodes?x=1")),
        ("get", "/api/v1/nodes/{node}", r.unix.get("/api/v1/nodes/nobody")),
        ("get", "/api/v1/best", r.unix.get("/api/v1/best?n=0")),
        ("post", "/api/v1/join", r.unix.ask("POST", "/api/v1/join", &[], "")),
        ("post", "/api/v1/invite", r.tcp.ask("POST", "/api/v1/invite", &[], "")),
    ];
    for (method, path, answer) in refused {
        assert!(answer.status >= 400);
        let schema = &d["paths"][path][method]["responses"]["default"]["content"]["application/json"]["schema"];
        check(&d, schema, &answer.json(), path);
    }
}

#[test]
fn queries_are_documented_as_they_are_read() {
    let d = document();
    let of_nodes: &[(&str, &str)] = &[("state", "down"), ("all", "true"), ("where", "me"), ("order", "age")];
    let of_best: &[(&str, &str)] = &[
        ("n", "3"),
        ("by", "mem"),
        ("cpu_delta", "0.5"),
        ("mem_delta", "1e9"),
        ("explain", "true"),
        ("cpus", "2"),
        ("mem", "4e9"),
        ("gpus", "1"),
        ("gpu_mem", "1e9"),
        ("label", "a%3Db"),
        ("zone", "rack-7"),
        ("where", "me"),
        ("order", "age"),
        ("select", "span%5Bn%3D2%5D"),
        ("whole", "true"),
    ];
    let of_series: &[(&str, &str)] =
        &[("node", "alpha"), ("attribute", "load.1"), ("seconds", "10"), ("points", "5"), ("fold", "last")];
    for (path, good) in [("/api/v1/nodes", of_nodes), ("/api/v1/best", of_best), ("/api/v1/series", of_series)] {
        let documented = d["paths"][path]["get"]["parameters"].as_array().unwrap();
        let names: BTreeSet<_> = documented.iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(names, good.iter().map(|(n, _)| *n).collect(), "{path}");
        for p in documented {
            assert_eq!((&p["in"], p["required"].as_bool().unwrap_or(false)), (&"query".into(), false), "{p}");
        }
        let r = run();
        for (name, value) in good {
            assert_eq!(r.tcp.get(&format!("{path}?{name}={value}")).status, 200, "{path} {name}");
        }
    }
}

#[test]
fn the_events_type_is_in_the_document() {
    let d = document();
    let r = run();
    let events = [
        peermon_api::Event::Lost { count: 1 },
        peermon_api::Event::Member { name: "a".into(), id: "b".into(), state: peermon_api::State::Down, incarnation: 1 },
        peermon_api::Event::Record { name: "a".into(), id: "b".into(), incarnation: 1, sequence: 2 },
    ];
    drop(r);
    for e in events {
        check(&d, &serde_json::json!({"$ref": "#/components/schemas/Event"}), &serde_json::to_value(e).unwrap(), "Event");
    }
}

#[test]
#[should_panic(expected = "extra is not documented")]
fn the_check_finds_a_field_that_is_not_documented() {
    let d = document();
    let mut key = serde_json::json!({"id": 1, "sending": true, "held_by": 1, "of": 1, "fingerprint": "x", "extra": 1});
    check(&d, &serde_json::json!({"$ref": "#/components/schemas/KeyView"}), &key.take(), "KeyView");
}

/// Checks a value against a schema: types, required fields, choices, and that every field is documented.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(e) = matches(document, schema, value, at) {
        panic!("{e}");
    }
}

fn matches(d: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = d.pointer(reference.strip_prefix('#').unwrap()).ok_or(format!("{at}: no {reference}"))?;
        return matches(d, target, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let errors: Vec<_> = choices.iter().map(|c| matches(d, c, value, at)).filter_map(Result::err).collect();
        let fitting = choices.len() - errors.len();
        return if fitting >= 1 { Ok(()) } else { Err(format!("{at}: {value} fits none: {errors:?}")) };
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().try_for_each(|p| matches(d, p, value, at));
    }
    if let Some(choices) = schema["enum"].as_array() {
        return if choices.contains(value) { Ok(()) } else { Err(format!("{at}: {value} is none of {choices:?}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |t: &Value| t == kind || (t == "integer" && value.is_i64() | value.is_u64());
    let typed = match &schema["type"] {
        Value::Array(several) => several.iter().any(fits),
        Value::Null => return Err(format!("{at}: the schema has no type: {schema}")),
        one => fits(one),
    };
    if !typed {
        return Err(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|i| matches(d, &schema["items"], i, &format!("{at}[]"))),
        Value::Object(fields) => {
            for r in schema["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(r.as_str().unwrap()) {
                    return Err(format!("{at}: {r} is missing in {value}"));
                }
            }
            let bare = schema.get("properties").is_none() && schema.get("additionalProperties").is_none();
            for (name, v) in fields.iter().filter(|_| !bare) {
                let field = match schema["properties"].get(name) {
                    Some(s) => s,
                    None if schema["additionalProperties"].is_object() => &schema["additionalProperties"],
                    None => return Err(format!("{at}: {name} is not documented")),
                };
                matches(d, field, v, &format!("{at}.{name}"))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
