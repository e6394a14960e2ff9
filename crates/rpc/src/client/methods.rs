//! The `cfx_` methods, typed. Each fails as [`Client::call`] does.

use super::{Client, ClientError};
use crate::types::{
    AccountQuery, AccountReport, DisputeReport, EvidenceWanted, Head, HexBytes, IssueGrant, PlayReport, Provider,
    Schedule, ServedQuery, ServedReport, Video, VideoQuery, ViewBlock, ViewBlockQuery, ViewBlockSummary,
};
use chainflix_primitives::{
    AccountAddress, Evidence, Grant, Magnet, NetworkGenesis, Opening, PlayAnswer, PlayData, PlayId, PlayRequest,
    Receipt, Signed,
};

impl Client {
    /// The genesis of the network.
    pub async fn genesis(&self) -> Result<NetworkGenesis, ClientError> {
        self.call("cfx_genesis", [(); 0]).await
    }

    /// The last finalised block.
    pub async fn head(&self) -> Result<Head, ClientError> {
        self.call("cfx_head", [(); 0]).await
    }

    /// What was issued and what comes next.
    pub async fn schedule(&self) -> Result<Schedule, ClientError> {
        self.call("cfx_schedule", [(); 0]).await
    }

    /// View blocks, newest first.
    pub async fn view_blocks(&self, query: ViewBlockQuery) -> Result<Vec<ViewBlockSummary>, ClientError> {
        self.call("cfx_viewBlocks", [query]).await
    }

    /// One view block; `None` where there is none (yet).
    pub async fn view_block(&self, number: u64) -> Result<Option<ViewBlock>, ClientError> {
        self.call("cfx_viewBlock", [number]).await
    }

    /// What an account has and will have, and a page of what it watched.
    pub async fn account(&self, query: AccountQuery) -> Result<AccountReport, ClientError> {
        self.call("cfx_account", [query]).await
    }

    /// What an account served as a storage peer, by day.
    pub async fn served(&self, query: ServedQuery) -> Result<ServedReport, ClientError> {
        self.call("cfx_served", [query]).await
    }

    /// How one play stands.
    pub async fn play(&self, play: PlayId) -> Result<PlayReport, ClientError> {
        self.call("cfx_play", [play]).await
    }

    /// Registered videos, in order of registration.
    pub async fn videos(&self, query: VideoQuery) -> Result<Vec<Video>, ClientError> {
        self.call("cfx_videos", [query]).await
    }

    /// One registered video.
    pub async fn video(&self, magnet: Magnet) -> Result<Option<Video>, ClientError> {
        self.call("cfx_video", [magnet]).await
    }

    /// Canonical manifest bytes, unchecked; `None` where the validator has none.
    pub async fn manifest(&self, magnet: Magnet) -> Result<Option<Vec<u8>>, ClientError> {
        let bytes: Option<HexBytes> = self.call("cfx_manifest", [magnet]).await?;
        Ok(bytes.map(|HexBytes(bytes)| bytes))
    }

    /// Hands in canonical manifest bytes.
    pub async fn submit_manifest(&self, manifest: Vec<u8>) -> Result<Magnet, ClientError> {
        self.call("cfx_submitManifest", [HexBytes(manifest)]).await
    }

    /// Registered providers.
    pub async fn providers(&self) -> Result<Vec<Provider>, ClientError> {
        self.call("cfx_providers", [(); 0]).await
    }

    /// Asks for a grant that names one of the holders.
    pub async fn issue_grant(&self, words: &IssueGrant) -> Result<Signed<Grant>, ClientError> {
        self.call("cfx_issueGrant", [words]).await
    }

    /// Asks for a CellKey and a PlayCode.
    pub async fn request_play(&self, request: &Signed<PlayRequest>) -> Result<PlayAnswer, ClientError> {
        self.call("cfx_requestPlay", [request]).await
    }

    /// Hands in a receipt.
    pub async fn submit_receipt(&self, receipt: &Signed<Receipt>) -> Result<(), ClientError> {
        self.call::<bool>("cfx_submitReceipt", [receipt]).await.map(|_taken| ())
    }

    /// Hands in the proof of a play.
    pub async fn submit_proof(&self, proof: &Signed<PlayData>) -> Result<(), ClientError> {
        self.call::<bool>("cfx_submitProof", [proof]).await.map(|_taken| ())
    }

    /// Hands in the opening of an audited play.
    pub async fn submit_opening(&self, opening: &Signed<Opening>) -> Result<(), ClientError> {
        self.call::<bool>("cfx_submitOpening", [opening]).await.map(|_taken| ())
    }

    /// What a provider can show about deliveries of which the viewers signed for something else.
    pub async fn disputes(&self, provider: AccountAddress) -> Result<Vec<EvidenceWanted>, ClientError> {
        self.call("cfx_disputes", [provider]).await
    }

    /// Hands in evidence about two receipts that differ.
    pub async fn submit_evidence(&self, evidence: &Signed<Evidence>) -> Result<DisputeReport, ClientError> {
        self.call("cfx_submitEvidence", [evidence]).await
    }
}
