//! Member and record changes as server-sent events.

use crate::limits;
use crate::refusal::Refusal;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use peermon_api::{Error, EventStream, NextEvent};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// An event stream that ends with the server; it gives its place back when the client goes.
pub(crate) fn respond(
    events: EventStream,
    place: OwnedSemaphorePermit,
    keep_alive: Duration,
    mut stopped: watch::Receiver<bool>,
) -> Response {
    let stop = Box::pin(async move {
        drop(stopped.wait_for(|stop| *stop).await);
    });
    let alive = KeepAlive::new().interval(keep_alive).text("still here");
    Sse::new(Subscription { events, stop, greeted: false, _place: place }).keep_alive(alive).into_response()
}

/// Why there is no place for another reader.
pub(crate) fn full() -> Refusal {
    let message = format!("{} readers follow the events already; end one, or ask /api/v1/nodes instead", limits::SUBSCRIBERS_MAX);
    Error::TooMany(message).into()
}

struct Subscription {
    events: EventStream,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

impl Stream for Subscription {
    type Item = Result<sse::Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.greeted {
            self.greeted = true;
            // Tells the reader that from now on it misses nothing.
            return Poll::Ready(Some(Ok(sse::Event::default().comment("following"))));
        }
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match self.events.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(NextEvent::Event(e)) => {
                let data = serde_json::to_string(&e).expect("an event is JSON");
                Poll::Ready(Some(Ok(sse::Event::default().event(e.kind()).data(data))))
            }
            Poll::Ready(NextEvent::Ended | NextEvent::Quiet) => Poll::Ready(None),
        }
    }
}
