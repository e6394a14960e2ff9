//! What a validator implements to be asked.

use crate::{
    error::ApiError,
    types::{
        AccountQuery, AccountReport, DisputeReport, EvidenceWanted, Head, IssueGrant, PlayReport, Provider, Schedule,
        ServedQuery, ServedReport, Video, VideoQuery, ViewBlock, ViewBlockQuery, ViewBlockSummary,
    },
};
use chainflix_primitives::{
    AccountAddress, Evidence, Grant, Magnet, NetworkGenesis, Opening, PlayAnswer, PlayData, PlayId, PlayRequest,
    Receipt, Signed,
};
use futures::future::BoxFuture;
use serde_json::Value;
use std::net::IpAddr;

/// An answer under way.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

/// Ethereum's methods.
pub trait EthereumApi: Send + Sync + 'static {
    /// Answers one request object with one response object that carries the request's `id`, errors included.
    fn call(&self, request: Value) -> BoxFuture<'_, Value>;
}

/// Our own methods: `cfx_` and the method's name in camel case.
///
/// An answer is dropped where it stands when its caller goes away or its time is over, so whatever must not be left
/// half done belongs in a task of the implementation. Counts in queries are within their documented limits here.
pub trait CfxApi: Send + Sync + 'static {
    /// The genesis of the network.
    fn genesis(&self) -> Answer<'_, NetworkGenesis>;

    /// The last finalised block.
    fn head(&self) -> Answer<'_, Head>;

    /// What was issued and what comes next.
    fn schedule(&self) -> Answer<'_, Schedule>;

    /// View blocks, newest first.
    fn view_blocks(&self, query: ViewBlockQuery) -> Answer<'_, Vec<ViewBlockSummary>>;

    /// One view block with everything that decided it; `None` where there is none (yet).
    fn view_block(&self, number: u64) -> Answer<'_, Option<ViewBlock>>;

    /// What an account has and will have, and a page of what it watched.
    fn account(&self, query: AccountQuery) -> Answer<'_, AccountReport>;

    /// What an account served as a storage peer, by day.
    fn served(&self, query: ServedQuery) -> Answer<'_, ServedReport>;

    /// How one play stands.
    fn play(&self, play: PlayId) -> Answer<'_, PlayReport>;

    /// Registered videos, in order of registration.
    fn videos(&self, query: VideoQuery) -> Answer<'_, Vec<Video>>;

    /// One registered video.
    fn video(&self, magnet: Magnet) -> Answer<'_, Option<Video>>;

    /// Canonical manifest bytes, where this validator has them.
    fn manifest(&self, magnet: Magnet) -> Answer<'_, Option<Vec<u8>>>;

    /// Takes canonical manifest bytes, at most [`MANIFEST_BYTES_MAX`](chainflix_primitives::manifest::MANIFEST_BYTES_MAX)
    /// of them, and answers when they are durable. They are not checked before this call.
    fn submit_manifest(&self, manifest: Vec<u8>) -> Answer<'_, Magnet>;

    /// Registered providers.
    fn providers(&self) -> Answer<'_, Vec<Provider>>;

    /// Draws a provider for a cell and signs the grant. Only controllers get here
    /// ([`Options::controllers`](crate::Options::controllers)): the holders are what they say.
    fn issue_grant(&self, words: IssueGrant) -> Answer<'_, Signed<Grant>>;

    /// Releases a CellKey and, where the play can be paid, issues a PlayCode. `from` is what limits count by.
    fn request_play(&self, request: Signed<PlayRequest>, from: IpAddr) -> Answer<'_, PlayAnswer>;

    /// Takes a viewer's or provider's receipt.
    fn submit_receipt(&self, receipt: Signed<Receipt>) -> Answer<'_, ()>;

    /// Takes the proof of a play.
    fn submit_proof(&self, proof: Signed<PlayData>) -> Answer<'_, ()>;

    /// Takes the opening of an audited play.
    fn submit_opening(&self, opening: Signed<Opening>) -> Answer<'_, ()>;

    /// What a provider can show about deliveries of which the viewers signed for something else.
    fn disputes(&self, provider: AccountAddress) -> Answer<'_, Vec<EvidenceWanted>>;

    /// Takes one side's evidence about two receipts that differ.
    fn submit_evidence(&self, evidence: Signed<Evidence>) -> Answer<'_, DisputeReport>;
}
