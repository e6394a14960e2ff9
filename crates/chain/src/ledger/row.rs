//! Rows of the ledger's tables that are more than a number.

use super::store::StoreError;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, BlockHash, Digest, ViewPayload};
use chainflix_proof_of_view::LedgerHead;
use chainflix_token::Credit;

/// What the last committed block left, beside the sets.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct StateRow {
    pub height: u64,
    pub hash: BlockHash,
    pub head: LedgerHead,
}

/// What made a view block. Written from a payload that is borrowed, since it may be large.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ViewBlockRow<P = ViewPayload> {
    pub struck_out: u128,
    /// Places of the carried plays in the payload, and what they weigh.
    pub carried: Vec<(u32, u64)>,
    pub payload: P,
}

/// A view block as lists show it, so that a list needs no payload. Written with the votes, and again with the award.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct SummaryRow {
    pub slot: u64,
    pub height: u64,
    pub time_ms: u64,
    pub reward_gwei: u64,
    pub plays: u32,
    pub root: Digest,
    /// Of the newest view blocks only.
    pub viewers: Vec<AccountAddress>,
    pub award: Option<AwardRow>,
}

/// How a view block ended. Who got what is not written: it follows from the payload.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct AwardRow {
    /// Block that awarded it.
    pub height: u64,
    /// What it awarded.
    pub gwei: u64,
    /// What of that was held back from storage peers.
    pub held_gwei: u64,
    /// What was paid with it of what had been held back before.
    pub returned_gwei: u64,
    /// Places of the void plays in the payload, ascending.
    pub voided: Vec<u32>,
}

/// A carried play, as it counts until the period ends.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct CountedPlay {
    /// Name of the cell it mined.
    pub mined: [u8; 16],
    pub viewer: AccountAddress,
    pub creator: AccountAddress,
    pub play_ms: u64,
}

/// Credits, in order of accounts.
pub(super) type CreditsRow = Vec<(AccountAddress, u64)>;

pub(super) fn credits_row(credits: &[Credit]) -> CreditsRow {
    credits.iter().map(|credit| (credit.account, credit.gwei)).collect()
}

pub(super) fn credits(row: CreditsRow) -> Vec<Credit> {
    row.into_iter().map(|(account, gwei)| Credit { account, gwei }).collect()
}

pub(super) fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    // Writing into a vector cannot fail.
    borsh::to_vec(value).expect("encoding into memory does not fail")
}

pub(super) fn decode<T: BorshDeserialize>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    borsh::from_slice(bytes).map_err(|source| StoreError::Corrupt { table, source })
}

/// How hard zstd tries. At level 3 it takes twice as long to save another twelfth.
const ZSTD_LEVEL: i32 = 1;

/// What the parts of a `view_block` row are of: compressed, because plays of one slot have much in common.
pub(super) fn encode_view_block(row: &ViewBlockRow<&ViewPayload>) -> Result<Vec<u8>, StoreError> {
    zstd::bulk::compress(&encode(row), ZSTD_LEVEL).map_err(StoreError::Compress)
}

/// Reads what [`encode_view_block`] wrote.
pub(super) fn decode_view_block(bytes: &[u8]) -> Result<ViewBlockRow, StoreError> {
    let corrupt = |source| StoreError::Corrupt { table: "view_block", source };
    decode("view_block", &zstd::stream::decode_all(bytes).map_err(corrupt)?)
}
