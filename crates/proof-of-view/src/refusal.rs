//! Every refusal of the protocol: a code for programs, words for people, and what to do next.

use crate::{audit::AuditFailure, dispute::EvidenceError};
use chainflix_primitives::PlayId;

/// Words of viewers for every code, in English and Korean: JSON of `{ code: { language: { happened, advice } } }`. Kept as
/// text, because each reader has its own way to show them; the web app includes the same file.
pub const REFUSAL_WORDS: &str = include_str!("../refusals.json");

/// What the refused party should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same again, not before this many milliseconds.
    TryAgain { after_ms: u64 },
    /// The same from somebody else (another provider, another validator).
    TryAnother,
    /// Nothing: asking again gets the same answer.
    GiveUp,
}

/// Why a validator refused (protocol page, "What a validator refuses").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not registered on the chain, or not known here yet.
    #[error("this video is not registered")]
    UnknownVideo,
    /// A supervisor stopped it; playback stops too.
    #[error("a supervisor stopped this video")]
    TakenDown,
    /// The video has fewer cells.
    #[error("the video has no cell {index}")]
    UnknownCell { index: u32 },
    /// No provider that is up holds the cell.
    #[error("no provider holds this cell right now")]
    NoSource,
    /// The signature is not the account's.
    #[error("the signature is not the account's")]
    BadSignature,
    /// A request older, or further in the future, than a grant lives.
    #[error("the request is {age_ms} ms away from the validator's clock; set your clock")]
    StaleRequest { age_ms: u64 },
    /// Too many plays at a time from one home or network.
    #[error("too many plays at a time from this {scope}; at most {most}")]
    TooManyPlays { scope: &'static str, most: u32, retry_ms: u64 },
    /// This account was paid for this cell in this period. Watching again is allowed, and unpaid.
    #[error("this cell was already mined in this period; watching it again is free and unpaid")]
    AlreadyMined,
    /// A PlayCode for this account and cell is out already.
    #[error("play {play} of this very cell is still running")]
    AlreadyIssued { play: PlayId },
    /// Another play of the account is running.
    #[error("play {play} is still running for {remaining_ms} ms; only one play at a time is paid")]
    Overlapping { play: PlayId, remaining_ms: u64 },
    /// The home had its paid plays of the day. Watching is allowed, and unpaid until tomorrow.
    #[error("this home had its {most} paid plays of the day; watching is free and unpaid until tomorrow")]
    HomeSpent { most: u32 },
    /// No such grant, or expired.
    #[error("the grant is unknown or has expired")]
    UnknownGrant,
    /// The grant is of another account or cell.
    #[error("the grant is for another account or cell")]
    OtherGrant,
    /// No such PlayCode, or expired, or void.
    #[error("the PlayCode is unknown or has expired")]
    UnknownPlay,
    /// The PlayCode is another account's.
    #[error("the PlayCode was issued to another account")]
    OtherAccount,
    /// The viewer gave the play up by starting another.
    #[error("the play was given up for another one")]
    Superseded,
    /// The proof came before the cell can have been watched.
    #[error("too early: the proof came {early_ms} ms before the end of the cell")]
    TooEarly { early_ms: u64 },
    /// The proof came after 1.5 times the cell's play time.
    #[error("too late: the proof came {late_ms} ms after the last moment")]
    TooLate { late_ms: u64 },
    /// The nonce hash has too few leading zeros.
    #[error("the nonce is wrong")]
    WrongNonce,
    /// The play points cannot have given this hash.
    #[error("the hash is wrong: its play points do not fit the blocks of that minute")]
    WrongHash,
    /// Another key was used.
    #[error("the download key is not the one of this account and cell")]
    WrongDownloadKey,
    /// Viewer and provider did not both sign for enough of the cell.
    #[error("matching receipts cover {covered_permille} thousandths of the cell; {needed_permille} are needed")]
    ReceiptsMissing { covered_permille: u64, needed_permille: u64 },
    /// Viewer and provider say different things.
    #[error("viewer's and provider's receipts differ")]
    ReceiptsDiffer,
    /// The proof was given before.
    #[error("this play was already proved")]
    Replay,
    /// The slot it claims is settled.
    #[error("slot {slot} is already settled")]
    SlotFinished { slot: u64 },
    /// The slot it claims is not the one it came in.
    #[error("the play did not end in slot {slot}")]
    WrongSlot { slot: u64 },
    /// The validators voted it down.
    #[error("fewer than the needed validators held the play true")]
    Outvoted,
    /// The audit drew this play, and too few validators saw its chunks opened; or most of what its provider served was
    /// void. It pays nothing.
    #[error(
        "the audit drew this play, and its chunks were not opened in time, or its provider was struck out; it is void"
    )]
    Voided,
    /// Too many of the account's plays were void in this period: its plays weigh nothing until the period ends.
    #[error("too many plays of this account were void; its plays are unpaid until the period ends")]
    StruckOut,
    /// No audit of this play is open.
    #[error("this play is not under audit")]
    NotAudited,
    /// The opened chunks are not what the play was proved with.
    #[error("the opening proves nothing: {0}")]
    BadOpening(AuditFailure),
    /// Nobody disputes what was delivered under this grant.
    #[error("the receipts of this grant are not in dispute")]
    NotDisputed,
    /// The evidence does not belong to the receipt, the cell or the key that it speaks of.
    #[error("the evidence is worth nothing: {0}")]
    BadEvidence(EvidenceError),
    /// The account was proved wrong about deliveries too often.
    #[error("this account was proved wrong about deliveries {lost} times; its plays are unpaid for now")]
    Suspect { lost: u32 },
    /// The validators whose shares the key needs have not all answered yet.
    #[error("the key is on its way; try again in {retry_ms} ms")]
    KeysPending { retry_ms: u64 },
    /// What the creator sealed to the network does not open.
    #[error("the secret of this video does not open; its creator must publish it again")]
    UnreadableVideo,
    /// A list or number outside its bounds.
    #[error("the message is malformed: {what}")]
    Malformed { what: &'static str },
    /// The validator holds as many open plays or grants as it may.
    #[error("the validator is full; try again in {retry_ms} ms")]
    Busy { retry_ms: u64 },
}

impl Refusal {
    /// A stable code, for programs and translations.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownVideo => "unknown-video",
            Self::TakenDown => "taken-down",
            Self::UnknownCell { .. } => "unknown-cell",
            Self::NoSource => "no-source",
            Self::BadSignature => "bad-signature",
            Self::StaleRequest { .. } => "stale-request",
            Self::TooManyPlays { .. } => "too-many-plays",
            Self::AlreadyMined => "already-mined",
            Self::AlreadyIssued { .. } => "already-issued",
            Self::Overlapping { .. } => "overlapping",
            Self::HomeSpent { .. } => "home-spent",
            Self::UnknownGrant => "unknown-grant",
            Self::OtherGrant => "other-grant",
            Self::UnknownPlay => "unknown-play",
            Self::OtherAccount => "other-account",
            Self::Superseded => "superseded",
            Self::TooEarly { .. } => "too-early",
            Self::TooLate { .. } => "too-late",
            Self::WrongNonce => "wrong-nonce",
            Self::WrongHash => "wrong-hash",
            Self::WrongDownloadKey => "wrong-download-key",
            Self::ReceiptsMissing { .. } => "receipts-missing",
            Self::ReceiptsDiffer => "receipts-differ",
            Self::Replay => "replay",
            Self::SlotFinished { .. } => "slot-finished",
            Self::WrongSlot { .. } => "wrong-slot",
            Self::Outvoted => "outvoted",
            Self::Voided => "voided",
            Self::StruckOut => "struck-out",
            Self::NotAudited => "not-audited",
            Self::BadOpening(_) => "bad-opening",
            Self::NotDisputed => "not-disputed",
            Self::BadEvidence(_) => "bad-evidence",
            Self::Suspect { .. } => "suspect",
            Self::KeysPending { .. } => "keys-pending",
            Self::UnreadableVideo => "unreadable-video",
            Self::Malformed { .. } => "malformed",
            Self::Busy { .. } => "busy",
        }
    }

    /// The numbers in it, for a record that is shorter than its words: `restore` makes a play's refusal of them again.
    pub fn numbers(&self) -> [u64; 2] {
        match *self {
            Self::TooEarly { early_ms } => [early_ms, 0],
            Self::TooLate { late_ms } => [late_ms, 0],
            Self::ReceiptsMissing { covered_permille, needed_permille } => [covered_permille, needed_permille],
            Self::SlotFinished { slot } | Self::WrongSlot { slot } => [slot, 0],
            _ => [0, 0],
        }
    }

    /// The refusal that ended a play, of its [`code`](Self::code) and [`numbers`](Self::numbers). `None` for those that end
    /// none.
    pub fn restore(code: &str, numbers: [u64; 2]) -> Option<Self> {
        let [first, second] = numbers;
        let ends = [
            Self::UnknownPlay,
            Self::Superseded,
            Self::TooEarly { early_ms: first },
            Self::TooLate { late_ms: first },
            Self::WrongNonce,
            Self::WrongHash,
            Self::WrongDownloadKey,
            Self::ReceiptsMissing { covered_permille: first, needed_permille: second },
            Self::ReceiptsDiffer,
            Self::SlotFinished { slot: first },
            Self::WrongSlot { slot: first },
            Self::AlreadyMined,
            Self::Outvoted,
            Self::Voided,
        ];
        ends.into_iter().find(|refusal| refusal.code() == code)
    }

    /// What the refused party should do next.
    pub fn advice(&self) -> Advice {
        match self {
            Self::TooManyPlays { retry_ms, .. } | Self::Busy { retry_ms } | Self::KeysPending { retry_ms } => {
                Advice::TryAgain { after_ms: *retry_ms }
            }
            Self::NoSource | Self::UnknownGrant => Advice::TryAgain { after_ms: 1_000 },
            _ => Advice::GiveUp,
        }
    }

    /// Whether the viewer may watch all the same, only unpaid.
    pub fn is_unpaid_play(&self) -> bool {
        matches!(
            self,
            Self::AlreadyMined
                | Self::AlreadyIssued { .. }
                | Self::Overlapping { .. }
                | Self::StruckOut
                | Self::Suspect { .. }
                | Self::HomeSpent { .. }
        )
    }
}
