//! What a desk must not forget when its process dies: what it said and took in, and the plays it refused.
//!
//! ```text
//! desk ── notes, refused plays ──▶ kept durably by whoever runs the desk ──▶ only then are its answers given
//! start:  notes, oldest first ──▶ Desk::replay ──▶ as before, with the same clock times
//! ```
//!
//! A note is a message between validators, because everything a desk decides by travels as one. It leaves out what must
//! not be written down: the tags of network addresses, and the shares of keys.

use crate::{CARRY_SLOTS_MAX, OriginTag, Refusal, ValidatorMessage};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, Magnet, PlayId, ProtocolParams};
use std::io;

/// How long a note matters, in milliseconds: its grant runs out, the cell is played and proved late, waits for a vote as
/// long as it may, and then for its audit.
pub fn life_ms(params: &ProtocolParams) -> u64 {
    let played_ms = params.grant_ttl_ms + params.overlap_ms + params.cell_ms * params.late_permille / 1000;
    let voted_ms = (CARRY_SLOTS_MAX + 2) * params.slot_ms + params.slot_grace_ms;
    // Three blocks until the draw; the answer is waited for by the desks, and then by the ledger.
    played_ms + voted_ms + 3 * params.block_ms + 2 * params.audit.answer_ms
}

/// One message that changed what a desk holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Note {
    /// When it was said or heard, by this validator's clock, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Newest final block at that moment.
    pub head: u32,
    /// Whether this validator said it first: the others may not have heard it.
    pub own: bool,
    /// What was said.
    pub message: ValidatorMessage,
}

/// A play, or the wish for one, that this validator refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPlay {
    /// When, by this validator's clock, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whose play.
    pub account: AccountAddress,
    /// Its name, if a PlayCode was issued.
    pub play: Option<PlayId>,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute of it.
    pub cell_index: u32,
    /// Why.
    pub refusal: Refusal,
}

/// Notes as they are kept: one after the other, in Borsh. A note is encoded once, where it is made.
#[derive(Debug, Default)]
pub struct Notes {
    bytes: Vec<u8>,
    count: u32,
    last_ms: u64,
}

/// Where a note stands among others.
pub(crate) struct Mark(std::ops::Range<usize>);

impl Notes {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The latest time of one; 0 when there is none.
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// Their bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a note.
    pub fn push(&mut self, note: &Note) {
        let Note { at_ms, head, own, message } = note;
        self.write(*at_ms, *head, *own, message);
    }

    /// Adds others after these.
    pub fn append(&mut self, others: Self) {
        if self.bytes.is_empty() {
            *self = others;
            return;
        }
        self.bytes.extend_from_slice(&others.bytes);
        self.count += others.count;
        self.last_ms = self.last_ms.max(others.last_ms);
    }

    /// Reads so many notes from their bytes.
    pub fn read(mut bytes: &[u8], count: u32) -> impl Iterator<Item = io::Result<Note>> {
        (0..count).map(move |_| Note::deserialize(&mut bytes))
    }

    /// Writes what was said; nothing for what is not written down.
    pub(crate) fn note(&mut self, at_ms: u64, head: u32, own: bool, message: &ValidatorMessage) -> Option<Mark> {
        let start = self.bytes.len();
        match message {
            ValidatorMessage::Key(_) => return None,
            ValidatorMessage::Play { code, request, origin: _ } => {
                let (code, request) = (code.clone(), request.clone());
                self.write(at_ms, head, own, &ValidatorMessage::Play { code, request, origin: OriginTag::UNKNOWN });
            }
            message => self.write(at_ms, head, own, message),
        }
        Some(Mark(start..self.bytes.len()))
    }

    fn write(&mut self, at_ms: u64, head: u32, own: bool, message: &ValidatorMessage) {
        // As Borsh writes a note. Writing into a vector cannot fail.
        borsh::to_writer(&mut self.bytes, &(at_ms, head, own, message)).expect("encoding into memory does not fail");
        self.count += 1;
        self.last_ms = self.last_ms.max(at_ms);
    }

    /// Takes a note back: it was of nothing new.
    pub(crate) fn retract(&mut self, mark: Mark) {
        self.bytes.drain(mark.0);
        self.count -= 1;
    }
}

/// What was written since it was last taken.
#[derive(Debug, Default)]
pub struct Diary {
    /// In the order in which they happened.
    pub notes: Notes,
    /// Likewise.
    pub refused: Vec<RefusedPlay>,
}

impl Diary {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.notes.count() == 0 && self.refused.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyMessage;
    use chainflix_primitives::{AccountKey, AuditVote, Digest, Signed};

    fn note(at_ms: u64) -> Note {
        let key = AccountKey::from_bytes(&[1; 32]).unwrap();
        let vote = AuditVote::new(at_ms, Digest([2; 32]), &[true]);
        Note { at_ms, head: 3, own: true, message: ValidatorMessage::AuditVote(Signed::new(vote, &key)) }
    }

    #[test]
    fn notes_come_back_in_order_without_those_retracted() {
        let (mut notes, mut later) = (Notes::default(), Notes::default());
        notes.push(&note(7));
        let mark = notes.note(9, 3, true, &note(9).message).unwrap();
        assert!(notes.note(9, 3, true, &ValidatorMessage::Key(KeyMessage(vec![1]))).is_none(), "no shares of keys");
        notes.push(&note(8));
        notes.retract(mark);
        later.push(&note(5));
        notes.append(later);
        let read = Notes::read(notes.as_bytes(), notes.count()).map(Result::unwrap);
        assert_eq!(read.collect::<Vec<_>>(), [note(7), note(8), note(5)]);
        assert_eq!(notes.last_ms(), 9);
        assert!(Notes::read(&notes.as_bytes()[1..], 1).next().unwrap().is_err());
    }

    #[test]
    fn a_diary_with_a_note_or_a_refusal_is_not_empty() {
        let mut noted = Diary::default();
        assert!(noted.is_empty());
        noted.notes.push(&note(1));
        assert!(!noted.is_empty());
        let refused = RefusedPlay {
            at_ms: 1,
            account: AccountAddress([1; 20]),
            play: None,
            magnet: Magnet([2; 32]),
            cell_index: 3,
            refusal: Refusal::AlreadyMined,
        };
        assert!(!Diary { refused: vec![refused], ..Diary::default() }.is_empty());
    }

    #[test]
    fn a_refusal_comes_back_with_its_numbers() {
        for refusal in [
            Refusal::TooEarly { early_ms: 7 },
            Refusal::TooLate { late_ms: 8 },
            Refusal::ReceiptsMissing { covered_permille: 9, needed_permille: 500 },
            Refusal::WrongSlot { slot: 10 },
            Refusal::SlotFinished { slot: 11 },
            Refusal::Superseded,
            Refusal::Outvoted,
            Refusal::AlreadyMined,
        ] {
            assert_eq!(Refusal::restore(refusal.code(), refusal.numbers()), Some(refusal));
        }
        assert_eq!(Refusal::restore("busy", [0, 0]), None, "it ends no play");
        assert_eq!(Refusal::restore("no such code", [0, 0]), None);
    }

    #[test]
    fn a_note_outlives_every_play_it_may_belong_to() {
        let params = ProtocolParams::default();
        // Granted, asked for in the last moment, proved in the last moment, carried in the last slot, audited.
        assert_eq!(life_ms(&params), 180_000 + 5_000 + 90_000 + 10 * 14_400 + 1_000 + 6_000 + 2 * 28_800);
    }
}
