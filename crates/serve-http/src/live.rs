//! The table as it changes, as server-sent events.

use crate::refusal::Refusal;
use crate::routes::App;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use peermon_api::{Error, Live, LiveQuery, LiveReader};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

/// Batches that wait for a slow reader. While one waits none is made: the next one holds all that changed meanwhile.
const WAITING_MAX: usize = 1;

/// A stream of batches that ends with the server, the reader or the session that let the reader in, which it keeps open; it gives its
/// place back when it ends. The first batch is made before,
/// so that what is wrong with the query is a refusal.
pub(crate) async fn respond(
    app: Arc<App>,
    query: LiveQuery,
    session: Option<String>,
    place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) -> Result<Response, Refusal> {
    let (mut reader, first) = batch(&app, LiveReader::default(), &query).await?;
    let (to, batches) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        let _place = place;
        let mut clock = interval(Duration::from_secs_f64(query.seconds));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.tick().await;
        let mut live = first;
        loop {
            tokio::select! {
                sent = to.send(live) => if sent.is_err() { return },
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                _ = clock.tick() => {}
                () = to.closed() => return,
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            if session.as_deref().is_some_and(|id| !app.sessions.holds(id, Instant::now())) {
                return;
            }
            // A daemon that fails once is asked anew by the reader, who sees the stream end.
            match batch(&app, reader, &query).await {
                Ok(next) => (reader, live) = next,
                Err(_) => return,
            }
        }
    });
    Ok(Sse::new(Batches(batches)).into_response())
}

/// The next batch as JSON, and the reader that knows of it.
async fn batch(app: &App, mut reader: LiveReader, query: &LiveQuery) -> Result<(LiveReader, String), Refusal> {
    let query = query.clone();
    let made = move |service: &dyn peermon_api::Local| -> Result<(LiveReader, String), Error> {
        let live: Live = service.live(&mut reader, &query)?;
        let text = serde_json::to_string(&live).expect("a batch is JSON");
        Ok((reader, text))
    };
    Ok(app.call(made).await??)
}

struct Batches(mpsc::Receiver<String>);

impl Stream for Batches {
    type Item = Result<sse::Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|batch| batch.map(|text| Ok(sse::Event::default().event("live").data(text))))
    }
}
