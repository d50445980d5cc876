//! Accepting connections and speaking HTTP/1 on them, within the limits.

use crate::access::{self, Via};
use crate::gzip::gzip;
use crate::refusal::{Refusal, RefusedAs};
use crate::routes::App;
use crate::wire::Wire;
use crate::{limits, login, page};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tower::ServiceExt;

/// A listening socket, and how many may be inside.
pub(crate) struct Door {
    pub(crate) listener: Listener,
    pub(crate) places: Arc<Semaphore>,
}

pub(crate) enum Listener {
    /// With its address.
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Via)> {
        Ok(match self {
            Listener::Tcp(l, local) => {
                let (stream, peer) = l.accept().await?;
                // Events are small and should not wait for more.
                stream.set_nodelay(true)?;
                (Box::new(stream), Via::Tcp { local: *local, peer })
            }
            Listener::Unix(l) => (Box::new(l.accept().await?.0), Via::Unix),
        })
    }
}

/// How long to wait after a failed accept: without free descriptors it would fail again at once, and turn in circles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Lets connections in until told to stop.
pub(crate) async fn accept(door: Door, router: Router, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let refusing = Arc::new(Semaphore::new(limits::REFUSALS_MAX));
    loop {
        let stream = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            stream = door.listener.accept() => stream,
        };
        let (stream, via) = match stream {
            Ok(s) => s,
            Err(e) => {
                app.counters.count("accept");
                tracing::debug!(error = %e, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match door.places.clone().try_acquire_owned() {
            Ok(place) => {
                tokio::spawn(serve(stream, via, router.clone(), app.clone(), stopped.clone(), place));
            }
            Err(_) => {
                app.counters.count("connections");
                if let Ok(place) = refusing.clone().try_acquire_owned() {
                    tokio::spawn(refuse(stream, place));
                }
            }
        }
    }
}

/// Speaks HTTP/1 on one connection until it ends.
async fn serve(
    stream: Box<dyn Stream>,
    via: Via,
    router: Router,
    app: Arc<App>,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let counters = app.counters.clone();
    let answered = app.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (router, app) = (router.clone(), answered.clone());
        // Boxed, since the connection below wants futures that can be moved.
        Box::pin(async move { Ok::<_, Infallible>(answer(request.map(Body::new), via, router, &app).await) })
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.times.head).max_buf_size(limits::HEAD_BYTES_MAX);
    let mut connection = http.serve_connection(TokioIo::new(Wire::new(stream, app.times.write, counters.clone())), service);
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            end = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break end,
            _ = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let mut wire = parts.io.into_inner();
    if let Err(e) = end
        && let Some(refusal) = unanswered(&e, !parts.read_buf.is_empty(), app.times.head)
    {
        counters.count(refusal.code);
        drop(timeout(limits::LINGER_TIME_MAX, wire.write_all(&refusal.raw())).await);
    }
    // Whoever stops wants to be done soon.
    if !stopping {
        linger(wire).await;
    }
}

/// What to say after an error that the HTTP library ends a connection with and says nothing about.
fn unanswered(e: &hyper::Error, request_begun: bool, head_time_max: Duration) -> Option<Refusal> {
    if e.is_timeout() && request_begun {
        let message = format!("the request's head did not come within {} s", head_time_max.as_secs_f64());
        Some(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", message))
    } else if e.is_parse_version_h2() {
        let message = "this face speaks HTTP/1.1, not HTTP/2; ask for that";
        Some(Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "bad_version", message))
    } else {
        None
    }
}

/// Tells a client that there is no place for it.
async fn refuse(mut stream: Box<dyn Stream>, _place: OwnedSemaphorePermit) {
    let message = format!("{} connections are open already; close some, or try again in a moment", limits::CONNECTIONS_MAX);
    let full = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too_many", message);
    if let Ok(Ok(())) = timeout(limits::LINGER_TIME_MAX, stream.write_all(&full.raw())).await {
        linger(stream).await;
    }
}

/// Closes our side and reads what is still coming. Closing at once would make the system drop our last answer with what
/// is unread.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        stream.shutdown().await?;
        let mut buf = [0; 4096];
        let mut left = limits::LINGER_BYTES_MAX;
        while left > 0 {
            match stream.read(&mut buf).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        io::Result::Ok(())
    };
    // Whatever goes wrong here, the connection is closed next.
    drop(timeout(limits::LINGER_TIME_MAX, rest).await);
}

/// One answer to one request.
async fn answer(mut request: hyper::Request<Body>, via: Via, router: Router, app: &App) -> Response {
    app.counters.count("requests");
    request.extensions_mut().insert(via);
    let gzip = via != Via::Unix && page::takes_gzip(request.headers());
    let mut response = match access::check(&request, via, app) {
        Ok(()) => match router.oneshot(request).await {
            Ok(r) => r,
            Err(never) => match never {},
        },
        // People are shown where to log in; programs are told.
        Err(r) if r.status == StatusCode::UNAUTHORIZED && page::wants_html(request.headers()) => login::to(login::PATH),
        Err(refusal) => refusal.into_response(),
    };
    if let Some(RefusedAs(code)) = response.extensions().get() {
        app.counters.count(code);
    }
    if gzip {
        response = compressed(response).await;
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in CAREFUL {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What every answer tells browsers: nothing from elsewhere in our pages, and our answers in no page of others.
const CAREFUL: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    // Without any referrer browsers would not name the origin of our own forms either.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The same answer in fewer bytes, if it is text, known to its end, and long.
async fn compressed(response: Response) -> Response {
    let media = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
    let text = [&b"application/json"[..], b"text/plain", b"application/openmetrics-text"].iter().any(|m| media.starts_with(m));
    let long = response.body().size_hint().exact().is_some_and(|n| n >= limits::GZIP_BYTES_MIN as u64);
    if !text || !long || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = axum::body::to_bytes(body, usize::MAX).await else {
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer was lost; ask again").into_response();
    };
    // On a thread where it may take its time: a large table takes some 10 ms.
    let shorter = tokio::task::spawn_blocking({
        let plain = plain.clone();
        move || gzip(&plain, limits::GZIP_LEVEL)
    });
    let Ok(shorter) = shorter.await else { return Response::from_parts(parts, plain.into()) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(parts, shorter.into())
}
