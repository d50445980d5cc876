//! Which page made a browser ask. Programs send none of these headers and are judged by what they know instead.

use crate::refusal::Refusal;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// What browsers say on addresses they trust (https, loopback): whether the page that asks has our origin.
const SITE: &str = "sec-fetch-site";
const MODE: &str = "sec-fetch-mode";
const DESTINATION: &str = "sec-fetch-dest";

/// Refuses what a page of another origin makes its reader's browser ask, even where it could not read the answer. Following a link
/// to us is fine.
pub(crate) fn not_from_elsewhere(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|v| v.as_bytes() == wanted.as_bytes());
    match headers.get(SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        _ if is_reading(method) && is(MODE, "navigate") && is(DESTINATION, "document") => Ok(()),
        _ => Err(refused("a page of another origin asks for this")),
    }
}

/// For requests that a cookie lets in: one that changes something must come from a page of ours.
pub(crate) fn ours_if_it_changes_something(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    match is_reading(method) || headers.contains_key(SITE) || headers.contains_key(header::ORIGIN) {
        true => not_of_others(method, headers),
        false => Err(refused("with a cookie, what changes something needs the Origin header, which browsers send")),
    }
}

/// Refuses what changes something if a page of another origin asks for it. Programs, which do not tell, may.
pub(crate) fn not_of_others(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if is_reading(method) {
        return Ok(());
    }
    not_from_elsewhere(method, headers)?;
    // Browsers that say so have compared the origins themselves, also before a proxy that gives us another Host.
    if headers.contains_key(SITE) {
        return Ok(());
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    // With TLS ended before us the scheme is https.
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    match authority.zip(host) {
        Some((a, h)) if a.eq_ignore_ascii_case(h) => Ok(()),
        _ => Err(refused("a page of another origin asks for this")),
    }
}

fn is_reading(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn refused(why: &str) -> Refusal {
    let message = format!("{why}; only this daemon's own page and programs with its token may");
    Refusal::new(StatusCode::FORBIDDEN, "forbidden", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(text: &'static str) -> HeaderMap {
        let pairs = text.split(';').filter_map(|h| h.trim().split_once(": "));
        pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn other_pages_may_link_but_not_ask() {
        let link = "sec-fetch-site: cross-site; sec-fetch-mode: navigate; sec-fetch-dest: document";
        let frame = "sec-fetch-site: cross-site; sec-fetch-mode: navigate; sec-fetch-dest: iframe";
        for (method, given, passes) in [
            (Method::GET, "", true),
            (Method::POST, "", true),
            (Method::GET, "sec-fetch-site: same-origin", true),
            (Method::GET, "sec-fetch-site: none", true),
            (Method::GET, "sec-fetch-site: same-site; sec-fetch-mode: no-cors", false),
            (Method::GET, "sec-fetch-site: cross-site; sec-fetch-mode: cors", false),
            (Method::GET, "sec-fetch-site: nonsense", false),
            (Method::GET, link, true),
            (Method::HEAD, link, true),
            (Method::POST, link, false),
            (Method::GET, frame, false),
        ] {
            assert_eq!(not_from_elsewhere(&method, &headers(given)).is_ok(), passes, "{method} {given}");
        }
    }

    #[test]
    fn with_a_cookie_only_our_page_changes_something() {
        for (method, given, passes) in [
            (Method::GET, "", true),
            (Method::POST, "", false),
            (Method::DELETE, "", false),
            (Method::POST, "sec-fetch-site: same-origin", true),
            (Method::POST, "sec-fetch-site: same-site", false),
            (Method::POST, "host: node7:19811; origin: http://node7:19811", true),
            (Method::POST, "host: node7:19811; origin: https://NODE7:19811", true),
            (Method::DELETE, "host: node7:19811; origin: http://node7:19812", false),
            (Method::POST, "host: node7:19811; origin: http://evil.example.org", false),
            (Method::POST, "host: node7:19811; origin: null", false),
            (Method::POST, "host: node7:19811; origin: node7:19811", false),
            (Method::POST, "origin: http://node7:19811", false),
            (Method::POST, "sec-fetch-site: same-origin; host: a; origin: https://b", true),
        ] {
            assert_eq!(ours_if_it_changes_something(&method, &headers(given)).is_ok(), passes, "{method} {given}");
        }
        assert!(not_of_others(&Method::POST, &headers("")).is_ok(), "a program logs in");
        assert!(not_of_others(&Method::POST, &headers("host: a; origin: null")).is_err());
    }
}
