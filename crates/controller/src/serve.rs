//! The controller's side of `chainflix/control/1`: reads one request, has it done, answers.

use crate::{
    authority::Authority,
    book::BookError,
    census::CensusError,
    registry::{Registry, State},
    source,
    upload::{UploadError, Uploader},
};
use chainflix_overlay::{
    AddressRecord, Alpn, Clock, Dialer, PeerStream, Protocol, StreamError,
    control::{
        Announcement, CONTROL_FRAME_BYTES_MAX, CellUpload, ControlAnswer, ControlRefusal, ControlRequest,
        PAGE_CELLS_MAX, ProviderCard, SITE_BYTES_MAX, Share,
    },
};
use chainflix_primitives::{GrantRequest, NodeId, Signed};
use futures::future::BoxFuture;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::sync::Semaphore;
use tracing::debug;

pub(crate) struct ControlProtocol {
    pub registry: Registry,
    pub dialer: Dialer,
    pub authority: Arc<dyn Authority>,
    pub copies: usize,
    pub uploads: Semaphore,
    pub sources: Semaphore,
    pub clock: Clock,
}

impl Protocol for ControlProtocol {
    fn alpn(&self) -> Alpn {
        Alpn::Control
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let peer = stream.peer();
            let answer = match stream.read_frame(CONTROL_FRAME_BYTES_MAX).await {
                Ok(request) => self.answer(&mut stream, peer, request).await,
                Err(StreamError::TooLarge { .. } | StreamError::Encoding(_)) => {
                    Some(ControlAnswer::Refused(ControlRefusal::Malformed))
                }
                Err(error) => {
                    debug!(%peer, %error, "control request ended early");
                    None
                }
            };
            let Some(answer) = answer else { return };
            match stream.write_frame(&answer).await {
                Ok(()) => stream.finish(),
                Err(error) => debug!(%peer, %error, "an answer was not taken"),
            }
        })
    }
}

impl ControlProtocol {
    /// `None` where the peer is gone.
    async fn answer(&self, stream: &mut PeerStream, peer: NodeId, request: ControlRequest) -> Option<ControlAnswer> {
        let answer = match request {
            ControlRequest::PutAddress(record) => self.put_address(peer, record).await,
            ControlRequest::GetAddress(node) => {
                self.step(move |state, _| Ok(ControlAnswer::Address(state.book.get(&node)))).await
            }
            ControlRequest::Announce(words) => self.announce(peer, words).await,
            ControlRequest::Inventory(page) if page.cells.len() <= PAGE_CELLS_MAX => {
                self.step(move |state, now_ms| taken(state.census.page(&peer, page, now_ms))).await
            }
            ControlRequest::Changes(words) if words.gained.len() + words.lost.len() <= PAGE_CELLS_MAX => {
                self.step(move |state, now_ms| taken(state.census.changes(&peer, words, now_ms))).await
            }
            ControlRequest::Heartbeat(words) => {
                self.step(move |state, now_ms| match state.census.heartbeat(&peer, words, now_ms) {
                    Ok(Some(cells)) => Ok(ControlAnswer::Needed { cells }),
                    heard => taken(heard.map(|_| ())),
                })
                .await
            }
            ControlRequest::Upload(upload) => match self.upload(stream, upload).await {
                Ok(copies) => Ok(ControlAnswer::Stored { copies }),
                Err(UploadError::Refused(refusal)) => Err(refusal),
                Err(UploadError::Stopped(_)) => Err(ControlRefusal::Busy),
                Err(error @ UploadError::Stream(_)) => {
                    debug!(%peer, %error, "upload ended early");
                    return None;
                }
            },
            ControlRequest::FindSource(request) => self.find_source(request).await,
            ControlRequest::Share(words) if words.cells.len() <= PAGE_CELLS_MAX => self.share(peer, words).await,
            ControlRequest::Inventory(_) | ControlRequest::Changes(_) | ControlRequest::Share(_) => {
                Err(ControlRefusal::Malformed)
            }
        };
        Some(answer.unwrap_or_else(|refusal| {
            debug!(%peer, %refusal, "refused");
            ControlAnswer::Refused(refusal)
        }))
    }

    async fn put_address(&self, peer: NodeId, record: AddressRecord) -> Result<ControlAnswer, ControlRefusal> {
        // Only one's own: else anybody could fill the book with made-up nodes.
        if record.body.node != peer || record.verify().is_err() {
            return Err(ControlRefusal::Forged);
        }
        let ips: Vec<IpAddr> = record.body.direct.iter().map(SocketAddr::ip).collect();
        self.step(move |state, now_ms| match state.book.put(record, now_ms) {
            Ok(()) => {
                state.census.located(&peer, ips.into_iter(), now_ms);
                Ok(ControlAnswer::Done)
            }
            Err(BookError::Older) => Err(ControlRefusal::Older),
            Err(BookError::Full) => Err(ControlRefusal::Busy),
        })
        .await
    }

    async fn announce(&self, peer: NodeId, words: Announcement) -> Result<ControlAnswer, ControlRefusal> {
        if words.site.len() > SITE_BYTES_MAX {
            return Err(ControlRefusal::Malformed);
        }
        ProviderCard::verify(&words.card, &peer).map_err(|_| ControlRefusal::Forged)?;
        self.step(move |state, now_ms| {
            let announced = state.census.announce(words, now_ms);
            let record = state.book.get(&peer).filter(|_| announced.is_ok());
            if let Some(record) = record {
                state.census.located(&peer, record.body.direct.iter().map(SocketAddr::ip), now_ms);
            }
            taken(announced)
        })
        .await
    }

    async fn share(&self, peer: NodeId, words: Share) -> Result<ControlAnswer, ControlRefusal> {
        ProviderCard::verify(&words.card, &peer).map_err(|_| ControlRefusal::Forged)?;
        self.step(move |state, now_ms| taken(state.census.share(words, now_ms))).await
    }

    async fn upload(&self, stream: &mut PeerStream, upload: Signed<CellUpload>) -> Result<u32, UploadError> {
        let _slot = self.uploads.try_acquire().map_err(|_| ControlRefusal::Busy)?;
        let uploader = Uploader {
            registry: &self.registry,
            dialer: &self.dialer,
            authority: self.authority.as_ref(),
            copies: self.copies,
            now_ms: self.clock.now_ms(),
        };
        uploader.take(stream, upload).await
    }

    async fn find_source(&self, request: Signed<GrantRequest>) -> Result<ControlAnswer, ControlRefusal> {
        let _slot = self.sources.try_acquire().map_err(|_| ControlRefusal::Busy)?;
        let source = source::find(&self.registry, self.authority.as_ref(), request).await?;
        Ok(ControlAnswer::Source(Box::new(source)))
    }

    async fn step(
        &self,
        step: impl FnOnce(&mut State, u64) -> Result<ControlAnswer, ControlRefusal> + Send + 'static,
    ) -> Result<ControlAnswer, ControlRefusal> {
        self.registry.step(step).await.unwrap_or(Err(ControlRefusal::Busy))
    }
}

fn taken(result: Result<(), CensusError>) -> Result<ControlAnswer, ControlRefusal> {
    match result {
        Ok(()) => Ok(ControlAnswer::Done),
        Err(CensusError::Unknown) => Ok(ControlAnswer::Unknown),
        Err(CensusError::Older) => Err(ControlRefusal::Older),
        Err(CensusError::Full) => Err(ControlRefusal::Busy),
        Err(CensusError::Out { again_ms }) => Err(ControlRefusal::Disqualified { again_ms }),
    }
}
