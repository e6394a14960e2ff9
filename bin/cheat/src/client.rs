//! One client: the real viewer's code, with its own key at hand, so that any step can be done wrong.
//!
//! ```text
//! fetch ─▶ play ─▶ sit ─▶ proof ─▶ submit ─▶ settle        honest: all of them
//! ```

use crate::{
    caller::{Caller, No},
    stage::{Film, Stage, now_ms},
};
use anyhow::{Context as _, Result};
use chainflix_overlay::{
    CellStream, FetchError,
    control::{ControlError, ControlRefusal, find_source},
    fetch_cell,
};
use chainflix_primitives::{
    AccountAddress, AccountKey, Grant, GrantId, NodeId, PlayAnswer, PlayCode, PlayData, PlayId, PlayOutcome, Receipt,
    Signed,
};
use chainflix_rpc::types::PlayReport;
use chainflix_viewer::{Playback, Viewer};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

/// The player's heartbeat.
const STEP: Duration = Duration::from_millis(100);
/// Pause between two looks at a play.
const LOOK: Duration = Duration::from_millis(500);
const NONCES: u64 = 1 << 15;
/// Longest wait for a verdict on a play, in slots; audits and their patience included.
const VERDICT_SLOTS: u64 = 80;

/// How a play ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// In a view block, and paid.
    Accepted,
    /// Refused or void, by its code.
    Refused(String),
    /// Nobody says anything in all the time.
    Open,
}

/// One account at one address.
pub struct Client<'a> {
    pub stage: &'a Stage,
    pub key: AccountKey,
    pub caller: Caller,
    /// The validator it asks first.
    pub validator: usize,
    viewer: Arc<Viewer>,
}

impl<'a> Client<'a> {
    /// A new account in a /24 of its own.
    pub fn new(stage: &'a Stage) -> Result<Self> {
        Self::at(stage, stage.address())
    }

    /// A new account at an address.
    pub fn at(stage: &'a Stage, address: Ipv4Addr) -> Result<Self> {
        Self::of(stage, address, rand::random())
    }

    /// The account of `secret`.
    pub fn of(stage: &'a Stage, address: Ipv4Addr, secret: [u8; 32]) -> Result<Self> {
        let viewer = Viewer::new(&secret, stage.genesis.clone())?;
        let caller = Caller::new(address, &stage.rpcs)?;
        let validator = usize::from(secret[0]) % stage.rpcs.len();
        Ok(Self { stage, key: AccountKey::from_bytes(&secret)?, caller, validator, viewer })
    }

    /// Who it is.
    pub fn account(&self) -> AccountAddress {
        self.viewer.account()
    }

    /// Gets ready for a cell of a film.
    pub fn cell(&self, film: &Film, index: u32) -> Result<Playback> {
        let film = self.viewer.film(film.published.magnet, &film.manifest)?;
        film.cell(index).with_context(|| format!("the film has no cell {index}"))
    }

    /// Asks the controller for a grant.
    pub async fn grant(&self, playback: &Playback, excluded: Vec<NodeId>) -> Result<Signed<Grant>, No> {
        let request = playback.grant_request(excluded, now_ms());
        let source = find_source(&self.stage.dialer, self.stage.layout.controllers[0].node, request).await;
        source.map(|source| source.grant).map_err(|error| match error {
            ControlError::Refused { refusal: ControlRefusal::Validator { code, .. }, .. } => No::Refused(code),
            ControlError::Refused { refusal, .. } => No::Peer(refusal.to_string()),
            _ => No::Peer("the controller does not answer".into()),
        })
    }

    /// Opens the delivery of a grant.
    pub async fn deliver(&self, playback: &mut Playback, grant: &Signed<Grant>) -> Result<CellStream, No> {
        playback.begin_delivery(grant).map_err(|error| No::Stuck(error.to_string()))?;
        fetch_cell(&self.stage.dialer, grant, grant.body.from_byte).await.map_err(peer)
    }

    /// Takes a delivery until `bytes` of the cell are there, and ends it with both receipts.
    pub async fn take(&self, playback: &mut Playback, mut stream: CellStream, bytes: u64) -> Result<(), No> {
        while playback.verified_end() < bytes {
            match stream.next().await.map_err(peer)? {
                Some(part) => playback.push(&part).map_err(|error| No::Stuck(error.to_string()))?,
                None => break,
            }
        }
        if let Some(receipt) = playback.end_delivery() {
            stream.finish(receipt.body.end, receipt.body.delivered_hash).await.map_err(peer)?;
            self.submit_receipt(&receipt).await?;
        }
        Ok(())
    }

    /// Fetches a whole cell, as an honest viewer does.
    pub async fn fetch(&self, playback: &mut Playback) -> Result<GrantId, No> {
        let grant = self.grant(playback, vec![]).await?;
        let stream = self.deliver(playback, &grant).await?;
        let size = playback.entry().size;
        self.take(playback, stream, size).await?;
        Ok(grant.body.id)
    }

    /// Hands in a receipt.
    pub async fn submit_receipt(&self, receipt: &Signed<Receipt>) -> Result<bool, No> {
        self.caller.ask(self.validator, "cfx_submitReceipt", receipt).await
    }

    /// Asks for a PlayCode, and takes it.
    pub async fn play(&self, playback: &mut Playback, grant: GrantId) -> Result<PlayCode, No> {
        let request = playback.play_request(grant, None, now_ms());
        let answer: PlayAnswer = self.caller.ask(self.validator, "cfx_requestPlay", &request).await?;
        playback.begin_play(&answer).map_err(|error| No::Stuck(error.to_string()))?;
        match answer.outcome {
            PlayOutcome::Mining(code) => Ok(code.body),
            PlayOutcome::Unpaid(reason) => Err(No::Unpaid(reason)),
        }
    }

    /// Lets the minute pass and folds what is due.
    pub async fn sit(&self, playback: &mut Playback, code: &PlayCode) -> Result<(), No> {
        let starts_ms = now_ms() + code.starts_ms.saturating_sub(code.issued_ms);
        loop {
            let position_ms = now_ms().saturating_sub(starts_ms).min(code.play_ms);
            let head = *self.stage.head.borrow();
            let progress = playback.advance(position_ms, head).map_err(|error| No::Stuck(error.to_string()))?;
            if position_ms == code.play_ms {
                // A chunk that is not there is never folded.
                let whole = progress.folded == progress.points;
                return whole.then_some(()).ok_or_else(|| No::Stuck("chunks are missing".into()));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Waits until a minute is over, folding nothing.
    pub async fn wait_out(&self, code: &PlayCode) {
        let ahead_ms = code.starts_ms.saturating_sub(code.issued_ms);
        tokio::time::sleep(Duration::from_millis(ahead_ms + code.play_ms)).await;
    }

    /// The proof of a play that was sat through.
    pub async fn proof(&self, playback: &Playback) -> Result<Signed<PlayData>, No> {
        let stuck = |error: chainflix_viewer::ViewError| No::Stuck(error.to_string());
        let mut from = 0;
        loop {
            if let Some(nonce) = playback.search_nonce(from, NONCES).map_err(stuck)? {
                return playback.prove(self.slot(), nonce).map_err(stuck);
            }
            from += NONCES;
            tokio::task::yield_now().await;
        }
    }

    /// The running slot.
    pub fn slot(&self) -> u64 {
        self.stage.params().slot_at(self.stage.genesis.genesis_time_ms, now_ms())
    }

    /// Hands in a proof.
    pub async fn submit(&self, proof: &Signed<PlayData>) -> Result<(), No> {
        self.caller.ask::<bool>(self.validator, "cfx_submitProof", proof).await.map(|_taken| ())
    }

    /// Hands in an opening.
    pub async fn open(&self, opening: &Signed<chainflix_primitives::Opening>) -> Result<(), No> {
        self.caller.ask::<bool>(self.validator, "cfx_submitOpening", opening).await.map(|_taken| ())
    }

    /// Waits for the verdict on a play; answers an audit with what the viewer's own code kept.
    pub async fn settle(&self, playback: &Playback, play: PlayId) -> End {
        let end = self.verdict(play, async || {
            if let Ok(opening) = playback.opening() {
                // Taken twice is taken once.
                let _again = self.open(&opening).await;
            }
        });
        end.await
    }

    /// Waits for the verdict on a play, and does as it likes when it is audited.
    pub async fn verdict(&self, play: PlayId, audited: impl AsyncFn()) -> End {
        let until_ms = now_ms() + VERDICT_SLOTS * self.stage.params().slot_ms;
        while now_ms() < until_ms {
            match self.caller.play(self.validator, play).await {
                Ok(PlayReport::Accepted { .. }) => return End::Accepted,
                Ok(PlayReport::Refused { code, .. }) => return End::Refused(code),
                Ok(PlayReport::Auditing { .. }) => audited().await,
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
        End::Open
    }

    /// Watches one cell as everybody should, and answers its play and how it ended.
    pub async fn watch(&self, film: &Film, index: u32) -> Result<(PlayId, End), No> {
        let mut playback = self.cell(film, index).map_err(|error| No::Stuck(error.to_string()))?;
        let grant = self.fetch(&mut playback).await?;
        let code = self.play(&mut playback, grant).await?;
        self.sit(&mut playback, &code).await?;
        let proof = self.proof(&playback).await?;
        self.submit(&proof).await?;
        Ok((code.id, self.settle(&playback, code.id).await))
    }
}

fn peer(error: FetchError) -> No {
    match error {
        FetchError::Refused { refusal, .. } => No::Peer(refusal.to_string()),
        FetchError::Interrupted { .. } => No::Peer("the delivery stopped".into()),
        error => No::Peer(error.to_string()),
    }
}
