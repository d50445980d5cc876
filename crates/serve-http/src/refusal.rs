//! Every way to say no, as one JSON shape.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use peermon_api::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Why a request was refused.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct ErrorBody {
    error: Reason,
}

/// What went wrong and what to do next.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Reason {
    /// One word for programs, e.g. `not_found`.
    #[schema(example = "not_found")]
    code: String,
    /// One sentence for people, with the next step.
    message: String,
}

/// A refusal: a status, a word for programs and a sentence for people.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into() }
    }

    /// The refusal as bytes of the body.
    pub(crate) fn json(&self) -> Vec<u8> {
        let reason = Reason { code: self.code.to_string(), message: self.message.clone() };
        let mut bytes = serde_json::to_vec(&ErrorBody { error: reason }).expect("two strings are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The refusal as a whole HTTP/1.1 answer, for places where no HTTP library stands between us and the client.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let body = self.json();
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or("Refused"),
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Refusal {
        let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal { status, code: e.code(), message: e.to_string() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let reason = Reason { code: self.code.to_string(), message: self.message };
        let mut r = (self.status, Json(ErrorBody { error: reason })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            r.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        r.extensions_mut().insert(RefusedAs(self.code));
        r
    }
}

/// Left on a response that is a refusal, so that it is counted once, where all responses pass.
#[derive(Clone, Copy)]
pub(crate) struct RefusedAs(pub(crate) &'static str);

/// How many requests were answered, and how many refused by which reason.
#[derive(Default)]
pub(crate) struct Counters {
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// One more of `what`: `requests`, the code of a refusal, `connections` refused because there were too many, `accept` that
    /// failed, or answers left `unread`.
    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// All counts.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All counts under names that say whose they are: `http.requests`, and refusals by their reason: `http.refused.not_found`.
    pub(crate) fn named(&self) -> BTreeMap<String, u64> {
        let name = |what| match what {
            "requests" => "http.requests".to_string(),
            _ => format!("http.refused.{what}"),
        };
        self.all().into_iter().map(|(what, n)| (name(what), n)).collect()
    }
}
