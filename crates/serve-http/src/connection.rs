//! Accepting connections and speaking HTTP/1 on them, within the limits.

use crate::access::{self, Via};
use crate::limits;
use crate::refusal::{Refusal, RefusedAs};
use crate::routes::App;
use crate::wire::Wire;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
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
    pub(crate) via: Via,
    pub(crate) places: Arc<Semaphore>,
}

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Listener::Tcp(l) => {
                let stream = l.accept().await?.0;
                // Events are small and should not wait for more.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Listener::Unix(l) => Box::new(l.accept().await?.0),
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
        let stream = match stream {
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
                tokio::spawn(serve(stream, door.via, router.clone(), app.clone(), stopped.clone(), place));
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
    let mut response = match access::check(&request, via, app.token.as_deref()) {
        Ok(()) => match router.oneshot(request).await {
            Ok(r) => r,
            Err(never) => match never {},
        },
        Err(refusal) => refusal.into_response(),
    };
    if let Some(RefusedAs(code)) = response.extensions().get() {
        app.counters.count(code);
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
