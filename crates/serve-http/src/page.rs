//! The page for people: the files that the build script put in, and how they are handed out.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
#[derive(Debug)]
struct File {
    /// Where it is asked for, with the slash in front.
    path: &'static str,
    /// Its content type.
    media: &'static str,
    /// Its name changes with its content.
    hashed: bool,
    /// Its entity tag: weak, since it is the same for both forms below.
    tag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Whether the page for people is part of this program: it is if `web/dist` was there when it was built.
pub const fn page_is_built_in() -> bool {
    !FILES.is_empty()
}

/// Hashed names never change what they mean; a year is what everybody takes for ever.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Others are asked for again each time, which the tag makes cheap.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The answer to who asks for a file of the page; `None` if there is no such file.
pub(crate) fn respond(path: &str, asked: &HeaderMap) -> Option<Response> {
    FILES.iter().find(|f| f.path == path).map(|f| answer(f, asked))
}

fn answer(file: &File, asked: &HeaderMap) -> Response {
    let caching = if file.hashed { FOR_EVER } else { ASK_AGAIN };
    // The first page is what `/` is for browsers only.
    let vary = HeaderValue::from_static(if file.path == "/" { "accept, accept-encoding" } else { "accept-encoding" });
    let about = [(header::ETAG, HeaderValue::from_static(file.tag)), (header::CACHE_CONTROL, caching), (header::VARY, vary)];
    if has(asked, file.tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let media = [(header::CONTENT_TYPE, HeaderValue::from_static(file.media))];
    match file.gzip.filter(|_| takes_gzip(asked)) {
        Some(gzip) => (about, media, [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], gzip).into_response(),
        None => (about, media, file.plain).into_response(),
    }
}

/// Whether who asks is a browser that wants something to look at.
pub(crate) fn wants_html(asked: &HeaderMap) -> bool {
    words(asked, &header::ACCEPT).any(|w| name(w).eq_ignore_ascii_case("text/html"))
}

/// Whether who asks reads gzip.
pub(crate) fn takes_gzip(asked: &HeaderMap) -> bool {
    let refused = |w: &str| w.split(';').skip(1).any(|p| p.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
    words(asked, &header::ACCEPT_ENCODING).any(|w| name(w).eq_ignore_ascii_case("gzip") && !refused(w))
}

/// Whether who asks has this version already.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let bare = |t| str::strip_prefix(t, "W/").unwrap_or(t);
    words(asked, &header::IF_NONE_MATCH).any(|w| w == "*" || bare(w) == bare(tag))
}

/// What stands between the commas of a header, however often it comes.
fn words<'a>(asked: &'a HeaderMap, header: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    asked.get_all(header).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}

/// A word without its parameters.
fn name(word: &str) -> &str {
    word.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    const SCRIPT: File = File {
        path: "/assets/x-1a2b.js",
        media: "text/javascript; charset=utf-8",
        hashed: true,
        tag: "W/\"00ff\"",
        plain: b"let x",
        gzip: Some(b"zipped"),
    };
    const FIRST: File = File { path: "/", media: "text/html; charset=utf-8", hashed: false, gzip: None, ..SCRIPT };

    #[test]
    fn files_say_what_they_are_and_how_long_they_hold() {
        let a = answer(&SCRIPT, &asked(&[]));
        let header = |a: &Response, n| a.headers().get(n).map_or("", |v: &HeaderValue| v.to_str().expect("text")).to_string();
        assert_eq!(a.status(), 200);
        assert_eq!(header(&a, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert_eq!(header(&a, header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert_eq!((header(&a, header::ETAG).as_str(), header(&a, header::VARY).as_str()), ("W/\"00ff\"", "accept-encoding"));
        assert_eq!(header(&a, header::CONTENT_ENCODING), "");
        let a = answer(&SCRIPT, &asked(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.5")]));
        assert_eq!(header(&a, header::CONTENT_ENCODING), "gzip");
        let a = answer(&FIRST, &asked(&[(header::ACCEPT_ENCODING, "gzip")]));
        assert_eq!((header(&a, header::CACHE_CONTROL).as_str(), header(&a, header::CONTENT_ENCODING).as_str()), ("no-cache", ""));
        assert_eq!(header(&a, header::VARY), "accept, accept-encoding");
    }

    #[test]
    fn who_has_this_version_is_told_so() {
        for (given, status) in [
            ("W/\"00ff\"", 304),
            ("\"00ff\"", 304),
            ("\"1\", W/\"00ff\"", 304),
            ("*", 304),
            ("\"00fe\"", 200),
            ("00ff", 200),
            ("", 200),
        ] {
            assert_eq!(answer(&SCRIPT, &asked(&[(header::IF_NONE_MATCH, given)])).status(), status, "{given}");
        }
    }

    #[test]
    fn headers_are_read() {
        for (given, taken) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("gzipped", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(&asked(&[(header::ACCEPT_ENCODING, given)])), taken, "{given}");
        }
        for (given, wanted) in [
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", true),
            ("application/xml, text/html;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
            ("text/html5", false),
        ] {
            assert_eq!(wants_html(&asked(&[(header::ACCEPT, given)])), wanted, "{given}");
        }
    }

    #[test]
    fn what_is_built_in_begins_with_the_first_page() {
        assert_eq!(respond("/", &asked(&[])).is_some(), page_is_built_in());
        assert!(respond("/assets/nothing.js", &asked(&[])).is_none());
        assert!(
            FILES.iter().all(|f| f.path.starts_with('/') && !f.plain.is_empty() && f.hashed == f.path.starts_with("/assets/"))
        );
    }
}
