//! `GET /api/events`: heads and view blocks as they come (server-sent events, HTML standard 9.2).

use crate::{error::GatewayError, pulse::Notice, server::Gateway};
use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt as _, stream};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, broadcast};

pub(super) async fn events(State(gateway): State<Arc<Gateway>>) -> Result<Response, GatewayError> {
    let place = gateway.listeners.clone().try_acquire_owned().map_err(|_| GatewayError::Busy)?;
    let (newest, notices) = gateway.listening.subscribe();
    let events = stream::iter(newest).chain(heard(notices, place)).map(event);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Ends when the listener fell behind or the gateway stops.
fn heard(notices: broadcast::Receiver<Notice>, place: OwnedSemaphorePermit) -> impl Stream<Item = Notice> {
    stream::unfold((notices, place), |(mut notices, place)| async move {
        let notice = notices.recv().await.ok()?;
        Some((notice, (notices, place)))
    })
}

fn event(notice: Notice) -> Result<Event, Infallible> {
    Ok(Event::default().event(notice.event).data(notice.data.as_ref()))
}
