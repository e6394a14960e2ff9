//! A relay's WebSocket to one node, frame by frame under the eye of the [`Ledger`](super::ledger::Ledger).
//!
//! ```text
//! node ── frame ──▶ ruling ──▶ iroh's relay ──▶ … the peer's connection ──▶ ruling ── frame ──▶ peer
//!                     └ dropped: over the rate; nothing is read for a moment
//! ```
//!
//! Only frames that carry packets are dropped. Those by which node and relay keep their connection are counted and pass.

use super::{
    SharedLedger,
    ledger::{Direction, Ruling, SeatId},
    lock,
};
use crate::clock::Clock;
use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::{Sink, Stream};
use iroh_relay::{
    ExportKeyingMaterial,
    protos::{common::FrameType, streams::StreamError},
};
use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// The frames of a WebSocket as iroh's relay protocol has them.
pub(super) struct Frames(Pin<Box<WebSocket>>);

impl Frames {
    pub(super) fn new(socket: WebSocket) -> Self {
        Self(Box::pin(socket))
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.0.as_mut().poll_next(cx)) {
                Some(Ok(Message::Binary(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(None),
                // Text means nothing here, and pings of WebSocket itself are answered below us.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(StreamError::from_std(error)))),
            }
        }
    }
}

impl Sink<Bytes> for Frames {
    type Error = StreamError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.0.as_mut().poll_ready(cx).map_err(StreamError::from_std)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), StreamError> {
        self.0.as_mut().start_send(Message::Binary(frame)).map_err(StreamError::from_std)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.0.as_mut().poll_flush(cx).map_err(StreamError::from_std)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.0.as_mut().poll_close(cx).map_err(StreamError::from_std)
    }
}

impl ExportKeyingMaterial for Frames {
    /// The TLS session is out of reach here: nodes prove their names by a challenge, one round trip more.
    fn export_keying_material<T: AsMut<[u8]>>(&self, _: T, _: &[u8], _: Option<&[u8]>) -> Option<T> {
        None
    }
}

/// The frames of a node that was admitted.
pub(super) struct Metered {
    frames: Frames,
    ledger: SharedLedger,
    clock: Clock,
    seat: SeatId,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    pub(super) fn new(frames: Frames, ledger: SharedLedger, clock: Clock, seat: SeatId) -> Self {
        Self { frames, ledger, clock, seat, pause: None }
    }

    fn rule(&self, direction: Direction, frame: &[u8]) -> Ruling {
        // A frame's length fits.
        lock(&self.ledger).rule(self.seat, direction, frame.len() as u64, self.clock.now_ms())
    }
}

/// Whether a frame carries packets between nodes. Types are variable-length integers, these of one byte.
fn carries_packets(frame: &[u8]) -> bool {
    const CARRIERS: [u8; 4] = [
        FrameType::ClientToRelayDatagram as u8,
        FrameType::ClientToRelayDatagramBatch as u8,
        FrameType::RelayToClientDatagram as u8,
        FrameType::RelayToClientDatagramBatch as u8,
    ];
    frame.first().is_some_and(|kind| CARRIERS.contains(kind))
}

impl Stream for Metered {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let frame = match ready!(Pin::new(&mut self.frames).poll_next(cx)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            if let Ruling::Dropped { pause_ms } = self.rule(Direction::FromNode, &frame) {
                self.pause = (pause_ms > 0).then(|| Box::pin(sleep(Duration::from_millis(pause_ms))));
                if carries_packets(&frame) {
                    continue;
                }
            }
            return Poll::Ready(Some(Ok(frame)));
        }
    }
}

impl Sink<Bytes> for Metered {
    type Error = StreamError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.frames).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), StreamError> {
        match self.rule(Direction::ToNode, &frame) {
            Ruling::Dropped { .. } if carries_packets(&frame) => Ok(()),
            _ => Pin::new(&mut self.frames).start_send(frame),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.frames).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.frames).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_connection_is_told_from_what_uses_it() {
        assert!(carries_packets(&[FrameType::ClientToRelayDatagramBatch as u8, 0]));
        assert!(carries_packets(&[FrameType::RelayToClientDatagram as u8]));
        for keeps in [FrameType::Ping, FrameType::Pong, FrameType::EndpointGone, FrameType::Status] {
            assert!(!carries_packets(&[keeps as u8, 0]));
        }
        assert!(!carries_packets(&[]));
    }
}
