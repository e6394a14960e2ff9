//! The plays a desk knows, found by name, by account, by slot and by time.
//!
//! ```text
//! issued ─▶ running ─▶ proved ─▶ closed (pending, accepted, refused) ─▶ forgotten
//!              └────────────────────▲ its time is over
//! ```
//!
//! A million plays may be open at a time, so nothing here walks over all of them: what falls due is in order of time, what
//! waits for a vote in order of slots. A closed play keeps its status and its place in time, nothing else.

use super::PlayStatus;
use crate::{
    CARRY_SLOTS_MAX, OriginTag, Refusal, RefusedPlay,
    home_days::HomeDays,
    limits::{Limits, Origin},
};
use chainflix_primitives::{AccountAddress, PlayCode, PlayData, PlayId, ProtocolParams, Signed};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most open plays of a desk at a time; a full desk answers "busy".
pub const PLAYS_MAX: usize = 1 << 20;
/// Most plays a desk remembers, open and closed; likewise.
const REMEMBERED_MAX: usize = 4 * PLAYS_MAX;
/// Most remembered plays of one account before it is issued another. Four minutes are remembered, and one play at a time
/// is paid: that is a restless finger on the seek bar.
pub const PLAYS_PER_ACCOUNT_MAX: u32 = 64;
/// Most that are taken of one account from all validators together.
const HEARD_PER_ACCOUNT_MAX: usize = 4 * PLAYS_PER_ACCOUNT_MAX as usize;

/// A play whose fate is open.
#[derive(Debug)]
pub(super) struct Play {
    pub code: Signed<PlayCode>,
    /// Number of the validator that issued it.
    pub issuer: u16,
    /// When its minute starts, by this validator's clock.
    pub starts_ms: u64,
    /// Newest finalised block when it was issued or heard of.
    pub head: u32,
    /// Where it comes from, while it counts against a limit. Known to the issuer only.
    pub origin: Option<Origin>,
    /// What the validators compare origins by.
    pub tag: Option<OriginTag>,
    /// The day of that tag.
    pub day: u64,
    /// Which play of its home this is on that day; 0 when that is not counted. [`Plays::insert`] gives it.
    pub of_home: u32,
    /// The account's standing when the play was issued, and when it was proved.
    pub standings: (u16, u16),
    pub proof: Option<Signed<PlayData>>,
    /// The last proof that was not taken, and why.
    pub mistake: Option<Refusal>,
}

impl Play {
    /// The last moment for a proof.
    pub fn latest_ms(&self, params: &ProtocolParams) -> u64 {
        self.starts_ms + self.code.body.play_ms * params.late_permille / 1000
    }

    pub fn status(&self) -> PlayStatus {
        if self.proof.is_some() { PlayStatus::Proved } else { PlayStatus::Running }
    }
}

#[derive(Debug)]
struct Closed {
    account: AccountAddress,
    status: PlayStatus,
    /// From when to when it was watched, by the PlayCode; only of plays that were carried.
    span: Option<Span>,
}

#[derive(Debug)]
enum Entry {
    Open(Box<Play>),
    Closed(Closed),
}

/// When a play runs, as its PlayCode says. All validators read the same there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    starts_ms: u64,
    ends_ms: u64,
    /// Settles which of two plays was first.
    play: PlayId,
}

impl Span {
    fn of(code: &PlayCode) -> Self {
        Self { starts_ms: code.starts_ms, ends_ms: code.ends_ms(), play: code.id }
    }

    fn overlap_ms(&self, other: &Self) -> u64 {
        self.ends_ms.min(other.ends_ms).saturating_sub(self.starts_ms.max(other.starts_ms))
    }
}

/// For how long two plays of an account may run at a time: issuers' clocks decide, which may be apart, so a twelfth of a
/// cell is forgiven.
pub(super) fn overlap_max_ms(params: &ProtocolParams) -> u64 {
    params.overlap_ms + params.cell_ms / 12
}

#[derive(Clone, Copy, Debug)]
enum Due {
    /// A proof comes too late from here on.
    Proof(PlayId),
    /// It waited long enough for its vote.
    Vote(PlayId),
    /// Nobody asks for it any more.
    Story(PlayId),
}

/// All plays of a desk.
#[derive(Debug)]
pub(super) struct Plays {
    /// [`PLAYS_MAX`], or less in a test.
    most: usize,
    entries: HashMap<PlayId, Entry>,
    open: usize,
    /// Of each account, what is remembered.
    by_account: HashMap<AccountAddress, Vec<PlayId>>,
    /// What waits for its vote, by the slot in which it ended.
    proved: BTreeMap<u64, BTreeSet<PlayId>>,
    due: BTreeMap<u64, Vec<Due>>,
    limits: Limits,
    homes: HomeDays,
    /// What was refused since it was last taken.
    refused: Vec<RefusedPlay>,
}

impl Default for Plays {
    fn default() -> Self {
        Self::with_room(PLAYS_MAX)
    }
}

impl Plays {
    /// Room for `most` open plays.
    pub fn with_room(most: usize) -> Self {
        Self {
            most,
            entries: HashMap::new(),
            open: 0,
            by_account: HashMap::new(),
            proved: BTreeMap::new(),
            due: BTreeMap::new(),
            limits: Limits::default(),
            homes: HomeDays::default(),
            refused: Vec::new(),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What each home played today.
    pub fn homes(&self) -> &HomeDays {
        &self.homes
    }

    /// How many plays are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether nothing is remembered, and nothing counts against a limit.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        let counts = [self.entries.len(), self.by_account.len(), self.proved.len(), self.due.len(), self.open];
        counts == [0; 5] && self.limits.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.open >= self.most || self.entries.len() >= REMEMBERED_MAX
    }

    pub fn knows(&self, id: &PlayId) -> bool {
        self.entries.contains_key(id)
    }

    /// How a play stands, without its audit.
    pub fn status(&self, id: &PlayId) -> Option<PlayStatus> {
        self.entries.get(id).map(|entry| match entry {
            Entry::Open(play) => play.status(),
            Entry::Closed(closed) => closed.status.clone(),
        })
    }

    /// A play, while it is open.
    pub fn get(&self, id: &PlayId) -> Option<&Play> {
        match self.entries.get(id)? {
            Entry::Open(play) => Some(play),
            Entry::Closed(_) => None,
        }
    }

    fn get_mut(&mut self, id: &PlayId) -> Option<&mut Play> {
        match self.entries.get_mut(id)? {
            Entry::Open(play) => Some(play),
            Entry::Closed(_) => None,
        }
    }

    /// The open plays of an account.
    pub fn of(&self, account: &AccountAddress) -> impl Iterator<Item = &Play> {
        self.by_account.get(account).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// How many plays of an account are remembered.
    pub fn remembered(&self, account: &AccountAddress) -> usize {
        self.by_account.get(account).map_or(0, Vec::len)
    }

    /// Whether another validator may bring one more play of the account.
    pub fn has_room_for(&self, account: &AccountAddress) -> bool {
        !self.is_full() && self.remembered(account) < HEARD_PER_ACCOUNT_MAX
    }

    /// Takes a new play.
    pub fn insert(&mut self, params: &ProtocolParams, mut play: Play) {
        if let Some(origin) = &play.origin {
            self.limits.enter(origin);
        }
        play.of_home = play.tag.map_or(0, |tag| self.homes.enter(play.day, &tag.home));
        let code = &play.code.body;
        // Another validator may have taken the proof in the last moment, and tells of it a little later.
        self.fall_due(play.latest_ms(params) + params.slot_grace_ms, Due::Proof(code.id));
        self.by_account.entry(code.account).or_default().push(code.id);
        self.open += 1;
        self.entries.insert(code.id, Entry::Open(Box::new(play)));
    }

    fn fall_due(&mut self, at_ms: u64, due: Due) {
        self.due.entry(at_ms).or_default().push(due);
    }

    /// Remembers why the last proof of a play was not taken.
    pub fn mistake(&mut self, id: &PlayId, refusal: Refusal) {
        if let Some(play) = self.get_mut(id) {
            play.mistake = Some(refusal);
        }
    }

    /// A play was proved; the last proof counts.
    pub fn prove(&mut self, params: &ProtocolParams, genesis_ms: u64, proof: Signed<PlayData>, standing: u16) {
        let (id, slot) = (proof.body.play, proof.body.slot);
        let Some(play) = self.get_mut(&id) else { return };
        let replaced = play.proof.replace(proof);
        play.standings.1 = standing;
        if let Some(replaced) = replaced {
            self.wait_no_more(replaced.body.slot, &id);
        }
        self.proved.entry(slot).or_default().insert(id);
        // The vote on the last slot that may carry it is over when that slot's last proposer had its turn.
        let last_ms = params.slot_end_ms(genesis_ms, slot.saturating_add(CARRY_SLOTS_MAX + 1));
        self.fall_due(last_ms, Due::Vote(id));
    }

    /// Proved plays that ended in `slots`, by slot and name.
    pub fn proved(&self, slots: std::ops::RangeInclusive<u64>) -> impl Iterator<Item = &PlayId> {
        self.proved.range(slots).flat_map(|(_, ids)| ids)
    }

    /// Whether an account was watching something else for longer than `allowed_ms` of the time of `code`: another proved
    /// play that began before it. All validators that know both plays say the same.
    pub fn is_overlapped(&self, code: &PlayCode, allowed_ms: u64) -> bool {
        let mine = Span::of(code);
        let spans =
            self.by_account.get(&code.account).into_iter().flatten().filter_map(|id| match self.entries.get(id)? {
                Entry::Open(play) => play.proof.is_some().then(|| Span::of(&play.code.body)),
                Entry::Closed(closed) => closed.span,
            });
        spans.filter(|other| other < &mine).any(|other| other.overlap_ms(&mine) > allowed_ms)
    }

    /// The chain carries a play, whatever this desk thought of it.
    pub fn carry(&mut self, params: &ProtocolParams, code: &PlayCode, view_block: u64) {
        self.close(params, &code.id, PlayStatus::Pending { view_block });
        if let Some(Entry::Closed(closed)) = self.entries.get_mut(&code.id)
            && closed.span.is_none()
        {
            closed.status = PlayStatus::Pending { view_block };
            closed.span = Some(Span::of(code));
        }
    }

    /// Ends an open play: it counts against no limit and no other play any more, except that what was carried was watched.
    /// What is closed stays as it is.
    pub fn close(&mut self, params: &ProtocolParams, id: &PlayId, status: PlayStatus) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Entry::Open(play) = entry else { return };
        let carried = !matches!(status, PlayStatus::Refused(_));
        let code = &play.code.body;
        let account = code.account;
        let slot = play.proof.as_ref().map(|proof| proof.body.slot);
        let span = carried.then(|| Span::of(code));
        let story_ms = play.latest_ms(params) + (CARRY_SLOTS_MAX + 2) * params.slot_ms;
        let origin = play.origin.take();
        if let (false, true, Some(tag)) = (carried, play.of_home > 0, play.tag) {
            self.homes.leave(play.day, &tag.home);
        }
        if let PlayStatus::Refused(refusal) = &status {
            let (play, refusal) = (Some(code.id), refusal.clone());
            let (magnet, cell_index) = (code.magnet, code.cell_index);
            self.refused.push(RefusedPlay { at_ms: 0, account, play, magnet, cell_index, refusal });
        }
        *entry = Entry::Closed(Closed { account, status, span });
        self.open -= 1;
        if let Some(origin) = origin {
            self.limits.leave(&origin);
        }
        if let Some(slot) = slot {
            self.wait_no_more(slot, id);
        }
        self.fall_due(story_ms, Due::Story(*id));
    }

    fn wait_no_more(&mut self, slot: u64, id: &PlayId) {
        if let Some(ids) = self.proved.get_mut(&slot) {
            ids.remove(id);
            if ids.is_empty() {
                self.proved.remove(&slot);
            }
        }
    }

    /// The plays that were refused since this was last asked, as of `now_ms`.
    pub fn take_refused(&mut self, now_ms: u64) -> impl Iterator<Item = RefusedPlay> {
        let refused = std::mem::take(&mut self.refused);
        refused.into_iter().map(move |refused| RefusedPlay { at_ms: now_ms, ..refused })
    }

    /// The names of all remembered plays.
    pub fn ids(&self) -> impl Iterator<Item = &PlayId> {
        self.entries.keys()
    }

    /// What became of a carried play.
    pub fn settle(&mut self, id: &PlayId, status: PlayStatus) {
        if let Some(Entry::Closed(closed)) = self.entries.get_mut(id)
            && matches!(closed.status, PlayStatus::Pending { .. })
        {
            closed.status = status;
        }
    }

    /// Closes and forgets what is over.
    pub fn expire(&mut self, params: &ProtocolParams, now_ms: u64) {
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= now_ms) {
            for due in entry.remove() {
                self.end(params, now_ms, due);
            }
        }
    }

    fn end(&mut self, params: &ProtocolParams, now_ms: u64, due: Due) {
        match due {
            Due::Proof(id) => {
                let Some(play) = self.get(&id).filter(|play| play.proof.is_none()) else { return };
                let late_ms = now_ms.saturating_sub(play.latest_ms(params));
                let why = play.mistake.clone().unwrap_or(Refusal::TooLate { late_ms });
                self.close(params, &id, PlayStatus::Refused(why));
            }
            Due::Vote(id) => self.close(params, &id, PlayStatus::Refused(Refusal::Outvoted)),
            Due::Story(id) => self.forget(params, &id),
        }
    }

    /// Forgets a closed play. What is held false for overlapping it is refused: nobody will remember why it was false.
    fn forget(&mut self, params: &ProtocolParams, id: &PlayId) {
        let Some(Entry::Closed(Closed { account, span, .. })) = self.entries.get(id) else { return };
        let (account, span) = (*account, *span);
        let spans = self.of(&account).map(|play| Span::of(&play.code.body));
        let overlaps =
            |other: &Span| span.is_some_and(|span| span < *other && span.overlap_ms(other) > overlap_max_ms(params));
        let overlapping: Vec<PlayId> = spans.filter(overlaps).map(|span| span.play).collect();
        for play in overlapping {
            self.close(params, &play, PlayStatus::Refused(Refusal::Outvoted));
        }
        self.entries.remove(id);
        if let Some(ids) = self.by_account.get_mut(&account) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.by_account.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::{START_MS, code, key};
    use chainflix_primitives::Digest;

    fn play(id: u16, starts_ms: u64) -> Play {
        let id = PlayId(std::array::from_fn(|byte| id.to_be_bytes()[byte % 2]));
        Play {
            code: Signed::new(PlayCode { id, issued_ms: starts_ms, starts_ms, ..code() }, &key(100)),
            issuer: 0,
            starts_ms,
            head: 0,
            origin: None,
            tag: None,
            day: 0,
            of_home: 0,
            standings: (0, 0),
            proof: None,
            mistake: None,
        }
    }

    fn prove(plays: &mut Plays, play: &PlayCode, slot: u64) {
        let data = PlayData {
            play: play.id,
            slot,
            download_key: play.download_key,
            hash: Digest([0; 32]),
            point_blocks: vec![],
            nonce: 0,
        };
        plays.prove(&ProtocolParams::default(), START_MS, Signed::new(data, &key(60)), 0);
    }

    fn refused() -> PlayStatus {
        PlayStatus::Refused(Refusal::Superseded)
    }

    #[test]
    fn no_account_fills_a_desk() {
        let (params, account, other) = (ProtocolParams::default(), code().account, AccountAddress([99; 20]));
        let mut plays = Plays::default();
        for id in 0..HEARD_PER_ACCOUNT_MAX as u16 {
            assert!(plays.has_room_for(&account), "play {id}");
            plays.insert(&params, play(id, START_MS));
        }
        assert!(!plays.has_room_for(&account) && plays.has_room_for(&other));
        assert_eq!((plays.open(), plays.remembered(&account), HEARD_PER_ACCOUNT_MAX), (256, 256, 256));
        assert_eq!(REMEMBERED_MAX / 1_000_000, 4, "four minutes of a million viewers");
        let mut full = Plays::with_room(1);
        assert!(full.has_room_for(&other));
        full.insert(&params, play(1, START_MS));
        assert!(!full.has_room_for(&other));
    }

    #[test]
    fn of_two_plays_at_a_time_the_one_that_began_first_counts() {
        let params = ProtocolParams::default();
        let (first, second) = (play(2, START_MS), play(1, START_MS + 50_000));
        let codes = [first.code.body.clone(), second.code.body.clone()];
        let mut plays = Plays::default();
        plays.insert(&params, first);
        plays.insert(&params, second);
        let overlapped = |plays: &Plays, allowed_ms| codes.clone().map(|code| plays.is_overlapped(&code, allowed_ms));
        assert_eq!(overlapped(&plays, 0), [false, false], "neither is proved");
        codes.iter().for_each(|code| prove(&mut plays, code, 4));
        assert_eq!(overlapped(&plays, 10_000), [false, false], "as much as is allowed");
        assert_eq!(overlapped(&plays, 9_999), [false, true]);
        plays.carry(&params, &codes[0], 1);
        assert_eq!(overlapped(&plays, 9_999), [false, true], "what was carried was watched");
    }

    #[test]
    fn of_two_plays_that_begin_together_the_lower_name_counts_and_what_is_refused_holds_up_none() {
        let params = ProtocolParams::default();
        let codes = [play(1, START_MS), play(2, START_MS)].map(|play| play.code.body);
        let mut plays = Plays::default();
        (1..3).for_each(|id| plays.insert(&params, play(id, START_MS)));
        codes.iter().for_each(|code| prove(&mut plays, code, 4));
        assert_eq!(codes.clone().map(|code| plays.is_overlapped(&code, 0)), [false, true]);
        plays.close(&params, &codes[0].id, refused());
        assert!(!plays.is_overlapped(&codes[1], 0));
    }

    #[test]
    fn what_overlaps_a_carried_play_is_not_held_true_when_that_one_is_forgotten() {
        let params = ProtocolParams::default();
        for (apart_ms, waits) in [(49_999, false), (50_000, true)] {
            let [first, second] = [play(1, START_MS), play(2, START_MS + apart_ms)];
            let codes = [first.code.body.clone(), second.code.body.clone()];
            let mut plays = Plays::default();
            plays.insert(&params, first);
            plays.insert(&params, second);
            prove(&mut plays, &codes[0], 4);
            plays.carry(&params, &codes[0], 1);
            prove(&mut plays, &codes[1], 9);
            // A play is remembered for ten slots after its last moment.
            let forgotten_ms = START_MS + 90_000 + 10 * params.slot_ms;
            plays.expire(&params, forgotten_ms - 1);
            assert!(plays.knows(&codes[0].id));
            assert_eq!(plays.status(&codes[1].id), Some(PlayStatus::Proved));
            plays.expire(&params, forgotten_ms);
            assert!(!plays.knows(&codes[0].id));
            let expected = if waits { PlayStatus::Proved } else { PlayStatus::Refused(Refusal::Outvoted) };
            assert_eq!(plays.status(&codes[1].id), Some(expected), "{apart_ms} ms after the first");
        }
    }

    #[test]
    fn a_proved_play_waits_until_the_last_slot_that_may_carry_it_had_its_vote() {
        let (params, mut plays) = (ProtocolParams::default(), Plays::default());
        let code = play(1, START_MS).code.body;
        plays.insert(&params, play(1, START_MS));
        prove(&mut plays, &code, 4);
        // It ended in slot 4; slot 12 may still list it, and its last proposer has its turn until slot 13 is over.
        let last_ms = START_MS + 14 * params.slot_ms;
        plays.expire(&params, last_ms - 1);
        assert_eq!(plays.status(&code.id), Some(PlayStatus::Proved));
        plays.expire(&params, last_ms);
        assert_eq!(plays.status(&code.id), Some(PlayStatus::Refused(Refusal::Outvoted)));
        let refused: Vec<_> = plays.take_refused(last_ms).map(|refused| (refused.at_ms, refused.play)).collect();
        assert_eq!(refused, [(last_ms, Some(code.id))]);
    }

    #[test]
    fn a_play_that_was_not_counted_for_its_home_takes_nothing_back() {
        let (params, mut plays) = (ProtocolParams::default(), Plays::default());
        plays.homes = HomeDays::with_room(1);
        let of = |id: u16, home: u8| {
            let tag = OriginTag { home: [home; 8], network: [home; 8], allocation: None };
            Play { tag: Some(tag), ..play(id, START_MS) }
        };
        let id = |play: u16| of(play, 0).code.body.id;
        plays.insert(&params, of(1, 1));
        plays.insert(&params, of(2, 2));
        assert_eq!((plays.homes().count(0, &[1; 8]), plays.homes().count(0, &[2; 8])), (1, 0), "there is room for one");
        plays.close(&params, &id(1), refused());
        plays.insert(&params, of(3, 2));
        plays.close(&params, &id(2), refused());
        assert_eq!(plays.homes().count(0, &[2; 8]), 1, "the third play");
    }
}
