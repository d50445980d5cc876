//! Who may ask for what.

use crate::refusal::Refusal;
use crate::routes::App;
use crate::{limits, login, origin};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// How a request came in; left on every request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Via {
    /// Through the unix socket: the file's mode says who may.
    Unix,
    /// Over TCP.
    Tcp {
        /// To this address of ours.
        local: SocketAddr,
        /// From there.
        peer: SocketAddr,
    },
}

/// Lets a request pass, or says why not.
pub(crate) fn check<B>(request: &Request<B>, via: Via, app: &App) -> Result<(), Refusal> {
    let uri = request.uri();
    let length = uri.path_and_query().map_or(0, |p| p.as_str().len());
    if length > limits::URL_BYTES_MAX {
        return Err(Refusal::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            format!("the address is {length} bytes long; at most {} are read", limits::URL_BYTES_MAX),
        ));
    }
    let Via::Tcp { local, peer } = via else { return Ok(()) };
    origin::not_from_elsewhere(request.method(), request.headers())?;
    match &app.token {
        Some(_) if OPEN.contains(&uri.path()) => Ok(()),
        Some(token) => known(request.method(), request.headers(), token, (local, peer), app),
        None => host(request, local),
    }
}

/// What is answered to everybody: whether this face lives, and what it takes to log in.
const OPEN: &[&str] = &["/healthz", login::PATH, login::STYLE_PATH, login::LOGOUT_PATH];

/// Lets those pass who send the token or the cookie of a session.
fn known(method: &Method, headers: &HeaderMap, token: &str, ends: (SocketAddr, SocketAddr), app: &App) -> Result<(), Refusal> {
    let (local, peer) = ends;
    let now = Instant::now();
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        app.guesses.may(peer.ip(), now).map_err(|left| {
            let message = format!("too many wrong tokens came from {}; try again in {} s", peer.ip(), left.as_secs() + 1);
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "guesses", message)
        })?;
        return bearer(given, token).inspect_err(|_| app.guesses.wrong(peer.ip(), now));
    }
    if login::cookie(headers, local.port()).is_some_and(|id| app.sessions.holds(id, now)) {
        // A cookie comes by itself, whoever made the browser ask.
        return origin::ours_if_it_changes_something(method, headers);
    }
    Err(Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unauthorised",
        "this daemon wants its token: send it as `Authorization: Bearer TOKEN`, log in at /login, or use the unix socket on its machine",
    ))
}

fn bearer(given: &HeaderValue, token: &str) -> Result<(), Refusal> {
    let scheme_ends = given.as_bytes().iter().position(|&b| b == b' ').unwrap_or(given.len());
    let (scheme, rest) = given.as_bytes().split_at(scheme_ends);
    if !scheme.eq_ignore_ascii_case(b"bearer") || !same(rest.trim_ascii(), token.as_bytes()) {
        let message = "the token is wrong; it is the one in this daemon's configuration, sent as `Authorization: Bearer TOKEN`";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorised", message));
    }
    Ok(())
}

/// Compares in a time that depends on the lengths only, so that a token cannot be guessed byte by byte.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(a.len() ^ b.len(), |d, (x, y)| std::hint::black_box(d | usize::from(x ^ y)));
    std::hint::black_box(differ) == 0
}

/// A page somewhere may make its reader's browser ask us, by letting its own name point at 127.0.0.1. The Host header then
/// tells that name, so only names that no page can have are served.
fn host<B>(request: &Request<B>, local: SocketAddr) -> Result<(), Refusal> {
    let in_url = request.uri().host();
    let in_header = match request.headers().get(header::HOST) {
        Some(h) => Some(h.to_str().map_err(|_| bad_host("not text"))?),
        // Browsers never speak HTTP/1.0.
        None if request.version() < Version::HTTP_11 || in_url.is_some() => None,
        None => return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_request", "the Host header is missing")),
    };
    match in_url.into_iter().chain(in_header).find(|name| !is_ours(name, local)) {
        Some(other) => Err(bad_host(other)),
        None => Ok(()),
    }
}

fn bad_host(given: &str) -> Refusal {
    let given: String = given.chars().take(80).collect();
    let message =
        format!("the Host header names {given:?}; without a token only localhost and this daemon's own address are served");
    Refusal::new(StatusCode::FORBIDDEN, "forbidden", message)
}

fn is_ours(authority: &str, local: SocketAddr) -> bool {
    let without_port = |s: &str| -> Option<String> {
        match s.strip_prefix('[') {
            Some(rest) => {
                let (ip, port) = rest.split_once(']')?;
                (port.is_empty() || is_port(port.strip_prefix(':')?)).then(|| ip.to_string())
            }
            // More than one colon without brackets can only be a bare IPv6 address.
            None => match s.rsplit_once(':') {
                Some((name, port)) if !name.contains(':') => is_port(port).then(|| name.to_string()),
                _ => Some(s.to_string()),
            },
        }
    };
    let Some(name) = without_port(authority) else { return false };
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback() || ip.to_canonical() == local.ip().to_canonical(),
        Err(_) => name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("localhost."),
    }
}

fn is_port(s: &str) -> bool {
    s.is_empty() || s.parse::<u16>().is_ok()
}

impl FromRequestParts<Arc<App>> for Via {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Infallible> {
        Ok(*parts.extensions.get().expect("it is left on every request"))
    }
}

/// Taken by handlers that change something or reveal a secret: only the unix socket or the token lets them run.
pub(crate) struct Trusted;

impl FromRequestParts<Arc<App>> for Trusted {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        match parts.extensions.get::<Via>() {
            Some(Via::Unix) => Ok(Trusted),
            // The token itself was checked before the request came here.
            Some(Via::Tcp { .. }) if app.token.is_some() => Ok(Trusted),
            _ => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "unauthorised",
                "this call changes the cluster or reveals a secret, so it needs this machine's unix socket, or a token, if the \
                 daemon is given one (api.token_file)",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_equal_or_not() {
        for (a, b, equal) in [("", "", true), ("a", "a", true), ("a", "b", false), ("ab", "a", false), ("a", "ab", false)] {
            assert_eq!(same(a.as_bytes(), b.as_bytes()), equal, "{a} {b}");
        }
    }

    #[test]
    fn only_names_no_page_can_have_are_ours() {
        let local = "127.0.0.1:19811".parse().expect("an address");
        for (host, ours) in [
            ("localhost", true),
            ("LocalHost:19811", true),
            ("127.0.0.1:19811", true),
            ("127.8.8.8", true),
            ("[::1]:19811", true),
            ("[::1]", true),
            ("::1", true),
            ("localhost:", true),
            ("example.org", false),
            ("example.org:19811", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
            ("10.0.0.1", false),
            ("", false),
            ("[::1", false),
            ("[::1]x", false),
            ("localhost:x", false),
            ("user@localhost", false),
        ] {
            assert_eq!(is_ours(host, local), ours, "{host}");
        }
        assert!(is_ours("[fd00::7]:1", "[fd00::7]:1".parse().expect("an address")));
    }
}
