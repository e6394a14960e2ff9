//! The controller's side of `chainflix/control/1`: reads one request, has it done, answers.

use crate::{
    authority::Authority,
    book::BookError,
    census::{CensusError, CountError},
    gossip::Gossip,
    registry::{Registry, State},
    source,
    upload::{UploadError, Uploader},
};
use chainflix_overlay::{
    AddressRecord, Alpn, Clock, Dialer, PeerStream, Protocol, StreamError,
    control::{
        CONTROL_FRAME_BYTES_MAX, CellUpload, ControlAnswer, ControlRefusal, ControlRequest, PAGE_CELLS_MAX, PassedOn,
        ProviderCard, ProviderWords, Share, Telling, Told, WATCHED_FILMS_MAX, Watched,
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
    /// The network's other controllers.
    pub others: Vec<NodeId>,
    pub gossip: Gossip,
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
            ControlRequest::Tell(telling) => self.tell(peer, *telling).await,
            ControlRequest::PassOn(passed) => self.passed(peer, *passed).await,
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
            ControlRequest::Watched(words) if words.films.len() <= WATCHED_FILMS_MAX => self.watched(peer, words).await,
            ControlRequest::Share(_) | ControlRequest::Watched(_) => Err(ControlRefusal::Malformed),
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

    /// A provider speaks for itself, as its connection proves. The signature is for those to whom the words are passed on.
    async fn tell(&self, peer: NodeId, telling: Telling) -> Result<ControlAnswer, ControlRefusal> {
        check(&telling.body, &peer)?;
        let kept = self.gossip.is_needed().then(|| telling.clone());
        let words = telling.body.words;
        let enters = matches!(words, ProviderWords::Announce(_));
        let step = move |state: &mut State, now_ms: u64| {
            let needed = state.census.told(&peer, words, now_ms);
            let record = state.book.get(&peer);
            if let Some(record) = record.as_ref().filter(|_| enters && needed.is_ok()) {
                state.census.located(&peer, record.body.direct.iter().map(SocketAddr::ip), now_ms);
            }
            (needed, record)
        };
        let (needed, address) = self.registry.step(step).await.map_err(|_| ControlRefusal::Busy)?;
        let answer = match needed {
            Ok(Some(cells)) => ControlAnswer::Needed { cells },
            other => taken(other.map(|_| ()))?,
        };
        if let Some(telling) = kept.filter(|_| answer != ControlAnswer::Unknown)
            && self.gossip.pass(PassedOn { telling, address }).await
        {
            return Ok(ControlAnswer::Unknown);
        }
        Ok(answer)
    }

    /// Another controller passes on what a provider told it: the provider's own signature proves it.
    async fn passed(&self, peer: NodeId, passed: PassedOn) -> Result<ControlAnswer, ControlRefusal> {
        let PassedOn { telling, address } = passed;
        let node = telling.body.node;
        if !self.others.contains(&peer) {
            return Err(ControlRefusal::Forged);
        }
        check(&telling.body, &node)?;
        telling.verify().map_err(|_| ControlRefusal::Forged)?;
        let address = address.filter(|record| record.body.node == node && record.verify().is_ok());
        self.step(move |state, now_ms| {
            let heard = state.census.passed(peer, telling.body, now_ms);
            if let Some(record) = address.filter(|_| heard.is_ok()) {
                let ips: Vec<IpAddr> = record.body.direct.iter().map(SocketAddr::ip).collect();
                if state.book.put(record, now_ms).is_ok() {
                    state.census.located(&node, ips.into_iter(), now_ms);
                }
            }
            taken(heard)
        })
        .await
    }

    /// Another controller says how many viewers it counts: its connection proves who it is.
    async fn watched(&self, peer: NodeId, words: Watched) -> Result<ControlAnswer, ControlRefusal> {
        self.step(move |state, now_ms| match state.census.watched(&peer, &words, now_ms) {
            Ok(()) => Ok(ControlAnswer::Done),
            Err(CountError::Stranger) => Err(ControlRefusal::Forged),
            Err(CountError::Older) => Err(ControlRefusal::Older),
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

/// Whether words are `node`'s, as far as they say themselves, and no more than they may be.
fn check(told: &Told, node: &NodeId) -> Result<(), ControlRefusal> {
    if !told.words.are_bounded() {
        return Err(ControlRefusal::Malformed);
    }
    let is_its_card = match &told.words {
        ProviderWords::Announce(words) => ProviderCard::verify(&words.card, node).is_ok(),
        _ => true,
    };
    if told.node == *node && is_its_card { Ok(()) } else { Err(ControlRefusal::Forged) }
}

fn taken(result: Result<(), CensusError>) -> Result<ControlAnswer, ControlRefusal> {
    match result {
        Ok(()) => Ok(ControlAnswer::Done),
        Err(CensusError::Unknown) => Ok(ControlAnswer::Unknown),
        Err(CensusError::Older) => Err(ControlRefusal::Older),
        Err(CensusError::Full) => Err(ControlRefusal::Busy),
        Err(CensusError::Heard) => Ok(ControlAnswer::Heard),
        Err(CensusError::Expired) => Err(ControlRefusal::Expired),
        Err(CensusError::Out { again_ms }) => Err(ControlRefusal::Disqualified { again_ms }),
    }
}
