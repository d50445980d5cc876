//! Every address there is: what it answers, and its entry in the OpenAPI document.

use crate::access::{Trusted, Via};
use crate::metrics::{self, Format};
use crate::refusal::{Counters, ErrorBody, Refusal};
use crate::sessions::{Guesses, Sessions};
use crate::{events, limits, live, login, origin, page, query};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use peermon_api::{
    Announcement, AttributeView, BestAnswer, BestQuery, ChooseRequest, ClaimRequest, ClaimView, Error, Event, HealthAnswer,
    Invitation, JoinAnswer, JoinRequest, KeyView, Live, LiveQuery, Local, NodeView, NodesQuery, NoticeView, PartsAnswer,
    SeriesAnswer, SeriesQuery, Status, UsageAnswer, ZoneView,
};
use serde::Serialize;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What every handler needs.
pub(crate) struct App {
    pub(crate) service: Arc<dyn Local>,
    pub(crate) token: Option<String>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) times: limits::Times,
    pub(crate) sessions: Sessions,
    pub(crate) guesses: Guesses,
    subscribers: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(
        service: Arc<dyn Local>,
        token: Option<String>,
        times: limits::Times,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let subscribers = Arc::new(Semaphore::new(limits::SUBSCRIBERS_MAX));
        App {
            service,
            token,
            counters: Arc::new(Counters::default()),
            times,
            sessions: Sessions::default(),
            guesses: Guesses::default(),
            subscribers,
            stopped,
        }
    }

    /// Makes a call to the daemon on a thread where it may take its time, and gives its outcome in the time it has.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Local) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let service = self.service.clone();
        match timeout(self.times.call, tokio::task::spawn_blocking(move || call(&*service))).await {
            Ok(Ok(t)) => Ok(t),
            Ok(Err(_)) => {
                let message = "answering this failed inside the daemon; its log says where";
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
            }
            Err(_) => {
                let seconds = self.times.call.as_secs_f64();
                let message = format!("the daemon gave no answer within {seconds} s; look at its log and its load");
                Err(Error::Unavailable(message).into())
            }
        }
    }

    /// As [`App::call`], with the outcome as JSON, which is written on the same thread.
    async fn json<T: Serialize>(
        &self,
        call: impl FnOnce(&dyn Local) -> Result<T, Error> + Send + 'static,
    ) -> Result<Response, Refusal> {
        let written = self.call(|service| call(service).map(|t| serde_json::to_vec(&t))).await??;
        let mut bytes = written.map_err(|e| {
            let message = format!("the answer cannot be written as JSON: {e}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
        })?;
        bytes.push(b'\n');
        Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the token.
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// All addresses, ready to serve.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (router, _) = documented().split_for_parts();
    router
        .route(login::STYLE_PATH, get(login_style))
        .fallback(file_or_none)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
}

/// The OpenAPI 3.1 document of all addresses.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().split_for_parts().1
}

/// What the document says besides the addresses.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "peermon",
        description = "What one node of a peermon cluster answers from its own table. Numbers are in base units (bytes, seconds, ratio 0-1); \
                       a value that is not known is absent, never zero. Ages count from when a value was measured, wherever that was."
    ),
    components(schemas(ErrorBody, Event, Live)),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", token);
    }
}

fn documented() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(index))
        .routes(routes!(login_form, log_in))
        .routes(routes!(log_out))
        .routes(routes!(nodes))
        .routes(routes!(node))
        .routes(routes!(best, choose))
        .routes(routes!(claims, claim))
        .routes(routes!(health))
        .routes(routes!(usage))
        .routes(routes!(parts))
        .routes(routes!(cancel_claim))
        .routes(routes!(zones))
        .routes(routes!(series))
        .routes(routes!(status))
        .routes(routes!(follow))
        .routes(routes!(follow_table))
        .routes(routes!(attributes))
        .routes(routes!(join))
        .routes(routes!(invite))
        .routes(routes!(keys))
        .routes(routes!(rotate))
        .routes(routes!(announce))
        .routes(routes!(metrics_here))
        .routes(routes!(metrics_cluster))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(document))
}

type Answer = Result<Response, Refusal>;
type Shared = State<Arc<App>>;

const TEXT: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain; charset=utf-8");

/// The page for people, and a list of what there is to ask for programs.
#[utoipa::path(get, path = "/", responses((status = 200, description = "The page for browsers, all addresses for others",
    content((String = "text/plain"), (String = "text/html")))))]
async fn index(State(app): Shared, headers: HeaderMap) -> Response {
    if page::wants_html(&headers)
        && let Some(first) = page::respond("/", &headers)
    {
        return first;
    }
    let who = match app.call(|s| s.status()).await {
        Ok(Ok(s)) => format!("peermon {} on {}\n\n", s.version, s.name),
        // The addresses help even when the daemon cannot say its name.
        Ok(Err(_)) | Err(_) => "peermon\n\n".to_string(),
    };
    let mut list = who + if page::page_is_built_in() { PAGE_HERE } else { PAGE_MISSING };
    for (path, item) in openapi().paths.paths {
        for (method, operation) in [("GET", item.get), ("POST", item.post), ("DELETE", item.delete)] {
            if let Some(o) = operation {
                let _ = writeln!(list, "{method:6} {path:24} {}", o.summary.unwrap_or_default());
            }
        }
    }
    ([TEXT, (header::VARY, "accept, accept-encoding")], list).into_response()
}

const PAGE_HERE: &str = "A browser that opens this address gets the page for people. Programs ask:\n\n";
const PAGE_MISSING: &str = "This peermon was built without its page for people. To get it, run `make web` in its sources (it needs npm),\n\
                            build peermon again and restart the daemon. Until then `peermon top` shows the cluster. Programs ask:\n\n";

/// The form to log in with the token, for browsers.
#[utoipa::path(get, path = "/login", responses(
    (status = 200, description = "The form", body = String, content_type = "text/html"),
    (status = 303, description = "Nobody needs to log in here: to `/`")))]
async fn login_form(State(app): Shared, via: Via) -> Response {
    match (&app.token, via) {
        (Some(_), Via::Tcp { .. }) => login::form(StatusCode::OK, ""),
        _ => login::to("/"),
    }
}

/// Opens a session for a browser; its cookie then stands for the token.
#[utoipa::path(post, path = "/login", request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "token=TOKEN"), responses(
    (status = 303, description = "Logged in: to `/`, with the cookie"),
    (status = 401, description = "The form again: that was not the token", body = String, content_type = "text/html"),
    (status = 429, description = "The form again: too many wrong tokens from there", body = String, content_type = "text/html"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn log_in(State(app): Shared, via: Via, method: Method, headers: HeaderMap, body: Body) -> Answer {
    origin::not_of_others(&method, &headers)?;
    let bytes = read(&headers, body, app.times.body).await?;
    login::enter(&app, via, &bytes)
}

/// Ends a browser's session.
#[utoipa::path(post, path = "/logout", responses(
    (status = 303, description = "Logged out: to the form"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn log_out(State(app): Shared, via: Via, method: Method, headers: HeaderMap) -> Answer {
    origin::ours_if_it_changes_something(&method, &headers)?;
    Ok(login::leave(&app, via, &headers))
}

async fn login_style() -> Response {
    login::style()
}

/// All nodes, in order of name, then id.
#[utoipa::path(get, path = "/api/v1/nodes", params(NodesQuery), responses(
    (status = 200, description = "The nodes", body = Vec<NodeView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn nodes(State(app): Shared, uri: Uri) -> Answer {
    let q = query::nodes(&uri)?;
    app.json(move |s| s.nodes(&q)).await
}

/// One node, by exact name, exact id, or the first 4 or more digits of its id.
#[utoipa::path(get, path = "/api/v1/nodes/{node}", params(("node" = String, Path, description = "A name or an id")), responses(
    (status = 200, description = "The node", body = NodeView),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn node(State(app): Shared, path: Result<Path<String>, PathRejection>) -> Answer {
    let Path(node) = path.map_err(|e| Error::BadRequest(format!("the node's name in the address cannot be read: {e}")))?;
    app.json(move |s| s.node(&node)).await
}

/// The best nodes for a job, best first.
#[utoipa::path(get, path = "/api/v1/best", params(BestQuery), responses(
    (status = 200, description = "The ranking", body = BestAnswer),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn best(State(app): Shared, uri: Uri) -> Answer {
    let q = query::best(&uri)?;
    app.json(move |s| s.best(&q)).await
}

/// All zones, the one of the node that answers first.
#[utoipa::path(get, path = "/api/v1/zones", responses(
    (status = 200, description = "The zones", body = Vec<ZoneView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn zones(State(app): Shared) -> Answer {
    app.json(|s| s.zones()).await
}

/// What this node remembers of the last hour of nodes' vitals, at even steps.
#[utoipa::path(get, path = "/api/v1/series", params(SeriesQuery), responses(
    (status = 200, description = "The values", body = SeriesAnswer),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn series(State(app): Shared, uri: Uri) -> Answer {
    let q = query::series(&uri)?;
    app.json(move |s| s.series(&q)).await
}

/// This daemon's health, cost and counters.
#[utoipa::path(get, path = "/api/v1/status", responses(
    (status = 200, description = "The daemon's state", body = Status),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn status(State(app): Shared) -> Answer {
    let mut of_this_face = app.counters.named();
    let whole = move |s: &dyn Local| {
        let mut status = s.status()?;
        status.counters.append(&mut of_this_face);
        Ok(status)
    };
    app.json(whole).await
}

/// Member and record changes from now on, as server-sent events.
#[utoipa::path(get, path = "/api/v1/events", responses(
    (status = 200, description = "Events named member, record and lost, each with an Event as data", body = String, content_type = "text/event-stream"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn follow(State(app): Shared) -> Answer {
    let place = app.subscribers.clone().try_acquire_owned().map_err(|_| events::full())?;
    let stream = app.call(|s| s.events()).await??;
    Ok(events::respond(stream, place, app.times.keep_alive, app.stopped.clone()))
}

/// The table as it changes, as server-sent events: first all of it, then only what changed.
#[utoipa::path(get, path = "/api/v1/live", params(LiveQuery), responses(
    (status = 200, description = "Events named live, each with a Live as data", body = String, content_type = "text/event-stream"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn follow_table(State(app): Shared, via: Via, uri: Uri, headers: HeaderMap) -> Answer {
    let q = query::live(&uri)?;
    let session = match via {
        Via::Tcp { local, .. } if app.token.is_some() && !headers.contains_key(header::AUTHORIZATION) => {
            login::cookie(&headers, local.port()).map(ToString::to_string)
        }
        _ => None,
    };
    let place = app.subscribers.clone().try_acquire_owned().map_err(|_| events::full())?;
    live::respond(app.clone(), q, session, place, app.stopped.clone()).await
}

/// Every attribute there is: name, unit, kind and one sentence.
#[utoipa::path(get, path = "/api/v1/attributes", responses(
    (status = 200, description = "The catalogue", body = Vec<AttributeView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn attributes(State(app): Shared) -> Answer {
    app.json(|s| Ok(s.catalogue().iter().map(AttributeView::from).collect::<Vec<_>>())).await
}

/// Joins the cluster of a token, or contacts further addresses of this cluster.
#[utoipa::path(post, path = "/api/v1/join", request_body = JoinRequest, security(("token" = [])), responses(
    (status = 200, description = "What the join did", body = JoinAnswer),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn join(_: Trusted, State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let bytes = read(&headers, body, app.times.body).await?;
    let request: JoinRequest = serde_json::from_slice(&bytes).map_err(|e| {
        Error::BadRequest(format!("the body is not a join request: {e}; it is JSON such as {{\"token\": \"...\"}}"))
    })?;
    if request.token.is_none() && request.addresses.is_empty() {
        return Err(Error::BadRequest(
            "a join request needs a token or addresses; `peermon invite` on a member prints a token".into(),
        )
        .into());
    }
    app.json(move |s| s.join(&request)).await
}

/// A token that lets another machine join. It contains the cluster key.
#[utoipa::path(post, path = "/api/v1/invite", security(("token" = [])), responses(
    (status = 200, description = "The token", body = Invitation),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn invite(_: Trusted, State(app): Shared) -> Answer {
    app.json(|s| s.invite()).await
}

/// The cluster keys held: ids and states, never secrets.
#[utoipa::path(get, path = "/api/v1/keys", responses(
    (status = 200, description = "The keys", body = Vec<KeyView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn keys(State(app): Shared) -> Answer {
    app.json(|s| s.keys()).await
}

/// Makes a new cluster key and moves the cluster to it.
#[utoipa::path(post, path = "/api/v1/keys/rotate", security(("token" = [])), responses(
    (status = 200, description = "The keys now", body = Vec<KeyView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn rotate(_: Trusted, State(app): Shared) -> Answer {
    app.json(|s| s.rotate_key()).await
}

/// Shows a message of this node to everybody for a while, renews it, or takes it back.
#[utoipa::path(post, path = "/api/v1/announce", request_body = Announcement, security(("token" = [])), responses(
    (status = 200, description = "All messages that this node shows", body = Vec<NoticeView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn announce(_: Trusted, State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let bytes = read(&headers, body, app.times.body).await?;
    let announcement: Announcement = serde_json::from_slice(&bytes).map_err(|e| {
        let example = r#"{"topic": "...", "text": "...", "seconds": 10}"#;
        Error::BadRequest(format!("the body is not an announcement: {e}; it is JSON such as {example}"))
    })?;
    app.json(move |s| s.announce(&announcement)).await
}

/// The best nodes for a job, claimed in the same step, so that whoever asks next looks elsewhere.
#[utoipa::path(post, path = "/api/v1/best", request_body = ChooseRequest, security(("token" = [])), responses(
    (status = 200, description = "The ranking, and the claims made", body = BestAnswer),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn choose(_: Trusted, State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let bytes = read(&headers, body, app.times.body).await?;
    let request: ChooseRequest = serde_json::from_slice(&bytes).map_err(|e| {
        let example = r#"{"query": {"n": 2, "cpus": 4}, "claim": {"seconds": 60}}"#;
        Error::BadRequest(format!("the body is not a choice: {e}; it is JSON such as {example}"))
    })?;
    app.json(move |s| s.choose(&request)).await
}

/// The processes and users that use most of this node's machine.
#[utoipa::path(get, path = "/api/v1/usage", responses(
    (status = 200, description = "Processes, users and what they hold of GPUs", body = UsageAnswer),
))]
async fn usage(State(app): Shared) -> Answer {
    app.json(|s| s.usage()).await
}

/// Each processor, disk, file system and network interface of this node's machine, and what its memory is used for. Rates and shares
/// are over the time between the last two looks.
#[utoipa::path(get, path = "/api/v1/parts", responses(
    (status = 200, description = "The parts", body = PartsAnswer),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn parts(State(app): Shared) -> Answer {
    app.json(|s| s.parts()).await
}

/// What probes found: of this node, and how its peers answer it.
#[utoipa::path(get, path = "/api/v1/health", responses(
    (status = 200, description = "This node's probes and peers", body = HealthAnswer),
))]
async fn health(State(app): Shared) -> Answer {
    app.json(|s| s.health()).await
}

/// All claims that hold, whoever made them.
#[utoipa::path(get, path = "/api/v1/claims", responses(
    (status = 200, description = "The claims", body = Vec<ClaimView>),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn claims(State(app): Shared) -> Answer {
    app.json(|s| s.claims()).await
}

/// Claims a node for a job that does not show in its values yet, or renews a claim made through this daemon.
#[utoipa::path(post, path = "/api/v1/claims", request_body = ClaimRequest, security(("token" = [])), responses(
    (status = 200, description = "The claim", body = ClaimView),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn claim(_: Trusted, State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let bytes = read(&headers, body, app.times.body).await?;
    let request: ClaimRequest = serde_json::from_slice(&bytes).map_err(|e| {
        let example = r#"{"node": "node-7", "claim": {"cpus": 2, "seconds": 60}}"#;
        Error::BadRequest(format!("the body is not a claim: {e}; it is JSON such as {example}"))
    })?;
    app.json(move |s| s.claim(&request)).await
}

/// Takes a claim made through this daemon back.
#[utoipa::path(delete, path = "/api/v1/claims/{number}", params(("number" = u16, Path, description = "The claim's number")),
    security(("token" = [])), responses(
    (status = 200, description = "What it was", body = ClaimView),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn cancel_claim(_: Trusted, State(app): Shared, path: Result<Path<u16>, PathRejection>) -> Answer {
    let wrong = |e| Error::BadRequest(format!("the claim's number in the address cannot be read: {e}"));
    let Path(number) = path.map_err(wrong)?;
    app.json(move |s| s.cancel_claim(number)).await
}

/// This node's samples and this daemon's counters, for Prometheus.
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "Prometheus text, or OpenMetrics if asked for", body = String, content_type = "text/plain"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn metrics_here(State(app): Shared, headers: HeaderMap) -> Answer {
    let format = Format::asked(accept(&headers));
    let http = app.counters.all();
    let text = app.call(move |s| metrics::node(s, &http).map(|f| f.render(format))).await??;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// Every node's state, age and vitals, for Prometheus.
#[utoipa::path(get, path = "/metrics/cluster", responses(
    (status = 200, description = "Prometheus text, or OpenMetrics if asked for", body = String, content_type = "text/plain"),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn metrics_cluster(State(app): Shared, headers: HeaderMap) -> Answer {
    let format = Format::asked(accept(&headers));
    let text = app.call(move |s| metrics::cluster(s).map(|f| f.render(format))).await??;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// Whether this face answers at all.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
async fn healthz() -> Response {
    ([TEXT], "ok\n").into_response()
}

/// Whether the daemon has samples and its table is in use.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "It is ready", body = String, content_type = "text/plain"),
    (status = "default", description = "What it still waits for", body = ErrorBody)))]
async fn readyz(State(app): Shared) -> Answer {
    app.call(|s| s.ready()).await?.map_err(Error::Unavailable)?;
    Ok(([TEXT], "ok\n").into_response())
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
    (status = "default", description = "Why not, and what to do next", body = ErrorBody)))]
async fn document(State(app): Shared) -> Answer {
    app.json(|_| Ok(openapi())).await
}

/// Files of the page; what they are named is the page's matter.
async fn file_or_none(method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    if let Some(file) = page::respond(uri.path(), &headers) {
        return match method {
            Method::GET | Method::HEAD => Ok(file),
            _ => {
                let mut refused = no_such_method(method, uri).await.into_response();
                refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
                Ok(refused)
            }
        };
    }
    let path: String = uri.path().chars().take(80).collect();
    let message = format!("there is nothing at {path}; / lists all addresses");
    Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message))
}

async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    let method: String = method.as_str().chars().take(20).collect();
    let message = format!("{} does not take {method}; the Allow header and / say what it takes", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

fn accept(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default()
}

/// The body, within its limits.
async fn read(headers: &HeaderMap, body: Body, time_max: Duration) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body is too large; at most {} bytes are read", limits::BODY_BYTES_MAX);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    let told = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if told.is_some_and(|n| n > limits::BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let seconds = time_max.as_secs_f64();
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", format!("the body did not come within {seconds} s"));
    let came = timeout(time_max, axum::body::to_bytes(body, limits::BODY_BYTES_MAX)).await.map_err(late)?;
    came.map_err(|e| {
        // The error is either the limit's or the connection's; only the latter has HTTP's own error inside.
        let mut cause: Option<&dyn std::error::Error> = Some(&e);
        while let Some(c) = cause {
            if c.is::<hyper::Error>() {
                let why = c.source().map_or(String::new(), |s| format!(": {s}"));
                return Error::BadRequest(format!("the body cannot be read: {c}{why}")).into();
            }
            cause = c.source();
        }
        too_large()
    })
}
