//! Logging in with a browser, which sends a cookie by itself and no token. The form works without a script.

use crate::access::{self, Via};
use crate::refusal::{Refusal, RefusedAs};
use crate::routes::App;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Instant;

/// Where the form is.
pub(crate) const PATH: &str = "/login";
/// Where its looks are.
pub(crate) const STYLE_PATH: &str = "/login.css";
/// What ends a session.
pub(crate) const LOGOUT_PATH: &str = "/logout";

const FORM: &str = include_str!("login.html");
const STYLE: &str = include_str!("login.css");

/// The form, with a sentence on what went wrong before, if something did: never one of others.
pub(crate) fn form(status: StatusCode, wrong: &'static str) -> Response {
    let html = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    let mut answer = (status, html, FORM.replace("{wrong}", wrong)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The looks of the form.
pub(crate) fn style() -> Response {
    let about = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (about, STYLE).into_response()
}

/// Answers a form that was sent: opens a session if its token is right.
pub(crate) fn enter(app: &App, via: Via, body: &[u8]) -> Result<Response, Refusal> {
    // Whoever needs no token needs no session.
    let (Some(token), Via::Tcp { local, peer }) = (&app.token, via) else { return Ok(to("/")) };
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
    let Some((_, given)) = fields.iter().find(|(name, _)| name == "token") else {
        let message = "the body has no token; send it as a form: token=TOKEN";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message));
    };
    let now = Instant::now();
    if app.guesses.may(peer.ip(), now).is_err() {
        let mut answer = form(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens came from there; wait a minute.");
        answer.extensions_mut().insert(RefusedAs("guesses"));
        return Ok(answer);
    }
    if !access::same(given.trim().as_bytes(), token.as_bytes()) {
        app.guesses.wrong(peer.ip(), now);
        let mut answer = form(StatusCode::UNAUTHORIZED, "That is not the token.");
        answer.extensions_mut().insert(RefusedAs("unauthorised"));
        return Ok(answer);
    }
    let Some(id) = app.sessions.open(now) else {
        let message = "this machine has no random numbers to name a session with; try again";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message));
    };
    Ok(with_cookie(to("/"), &format!("{}={id}; Path=/; HttpOnly; SameSite=Strict", cookie_name(local.port()))))
}

/// Ends the session of who asks.
pub(crate) fn leave(app: &App, via: Via, headers: &HeaderMap) -> Response {
    let Via::Tcp { local, .. } = via else { return to("/") };
    if let Some(id) = cookie(headers, local.port()) {
        app.sessions.close(id);
    }
    let cleared = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(local.port()));
    with_cookie(to(if app.token.is_some() { PATH } else { "/" }), &cleared)
}

/// Sends a browser elsewhere, with a plain GET.
pub(crate) fn to(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

fn with_cookie(mut answer: Response, cookie: &str) -> Response {
    let value = HeaderValue::from_str(cookie).expect("letters and digits");
    answer.headers_mut().insert(header::SET_COOKIE, value);
    answer
}

/// Cookies know hosts, not ports: several daemons on one machine must not overwrite each other's.
fn cookie_name(port: u16) -> String {
    format!("peermon-{port}")
}

/// The session's name in a request's cookies, if it has one.
pub(crate) fn cookie(headers: &HeaderMap, port: u16) -> Option<&str> {
    let wanted = cookie_name(port);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(|c| c.trim().split_once('=')).find(|(name, _)| *name == wanted).map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        for (given, id) in [
            ("peermon-19811=ab", Some("ab")),
            ("a=b; peermon-19811=ab; c=d", Some("ab")),
            ("peermon-19812=no;peermon-19811=ab", Some("ab")),
            ("peermon-19811=", Some("")),
            ("peermon-19811", None),
            ("xpeermon-19811=ab", None),
            ("", None),
            (";;;=;", None),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(given))]);
            assert_eq!(cookie(&headers, 19811), id, "{given}");
        }
    }

    #[test]
    fn the_form_needs_no_script_and_no_inline_style() {
        for bad in ["<script", "style=", "<style", "javascript:", "http:", "https:", "//"] {
            assert!(!FORM.contains(bad), "{bad}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
