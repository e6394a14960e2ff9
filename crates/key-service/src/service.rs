//! One validator's key service in threshold mode: asks, answers, checks, joins, remembers.
//!
//! ```text
//!  desk: view_key, video_secret ──▶ at hand? ── yes ──▶ key
//!                                      │ no
//!                                      ▼
//!          open question ── poll ──▶ Request to all            others: hear ──▶ checks ──▶ Answer
//!                 ▲                                                                          │
//!                 └──────── hear: partial signatures, checked, joined into a key ◀───────────┘
//! ```
//!
//! **After any call, drain [`KeyService::poll`].** A question that is not answered is said again every half second for as
//! long as the desk wants the key, and forgotten ten seconds after it did last. Whoever restarts asks again: nothing here
//! is kept on disk but the share.
//!
//! Limits: 1,024 open questions, a further one is refused as "busy"; 131,072 ViewKeys and 4,096 video secrets in
//! memory, of which the least used goes first; one validator gets at most [`ANSWERS_PER_S`](crate::pace::ANSWERS_PER_S)
//! signatures a second from another, and what it asks beyond is not answered.

use crate::{
    KeyServiceError, Unfounded,
    curve::{self, Group, KeyShare, Released},
    drawn::Drawn,
    label::Label,
    pace::Pace,
    question::Question,
    seal, warrant,
    wire::{Answer, Message, Request, SEALED_BYTES},
};
use chainflix_primitives::{
    AccountAddress, BoxKey, Magnet, NetworkGenesis, NetworkKeys, OriginKey, SealedKey, VideoSecret, ViewKey,
};
use chainflix_proof_of_view::{Catalogue, KeyMessage, KeyService, KeyWarrant, Refusal};
use lru::LruCache;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::NonZeroUsize,
    sync::Arc,
};

/// Keys on their way at a time.
pub(crate) const QUESTIONS_MAX: usize = 1_024;
/// How long a question is remembered after the desk wanted it last.
pub(crate) const QUESTION_LIFE_MS: u64 = 10_000;
/// Time after which an open question is said again.
pub(crate) const AGAIN_MS: u64 = 500;
/// When a caller may ask again: about a round trip between near validators.
const RETRY_MS: u64 = 20;
/// When a caller may ask again where too much is on its way.
const BUSY_MS: u64 = 1_000;
/// Time between two looks for forgotten questions.
const SWEEP_MS: u64 = 1_000;
/// ViewKeys in memory: one for each viewer and film that this validator serves at a time.
const VIEW_KEYS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 17).unwrap();
/// Video secrets in memory.
const VIDEOS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 12).unwrap();

/// The key service of one validator that holds one share.
pub struct ThresholdKeys {
    genesis: Arc<NetworkGenesis>,
    me: usize,
    group: Group,
    share: KeyShare,
    /// What others seal their answers to; of this process alone.
    reply_to: BoxKey,
    draws: Drawn,
    view_keys: LruCache<(AccountAddress, Magnet), ViewKey>,
    /// By record; `None` for what does not open.
    videos: LruCache<[u8; 32], Option<VideoSecret>>,
    questions: HashMap<Label, Question>,
    swept_ms: u64,
    /// By validator: what it may still ask.
    paces: Vec<Pace>,
    /// By validator: how many wrong signatures it sent.
    wrong: Vec<u64>,
    outbox: VecDeque<KeyMessage>,
}

impl ThresholdKeys {
    /// The service of the validator that owns `share`. `entropy` must be fresh at every start.
    ///
    /// # Errors
    /// [`KeyServiceError`] when the genesis has no threshold keys, does not name the account, or names another share.
    pub fn new(
        genesis: Arc<NetworkGenesis>,
        account: &AccountAddress,
        share: KeyShare,
        entropy: [u8; 32],
    ) -> Result<Self, KeyServiceError> {
        let me = genesis.validator_index(account).ok_or(KeyServiceError::NotAValidator { account: *account })?;
        let validators = genesis.validators.len();
        let NetworkKeys::Threshold { commitment } = &genesis.keys else { return Err(KeyServiceError::OtherNetwork) };
        let group = Group::new(commitment, validators)?;
        if !group.owns(me, &share) {
            return Err(KeyServiceError::OtherShare { validator: me });
        }
        let mut draws = share.generator(&entropy);
        Ok(Self {
            genesis,
            me,
            group,
            share,
            reply_to: BoxKey::from_bytes(draws.next()),
            draws,
            view_keys: LruCache::new(VIEW_KEYS_MAX),
            videos: LruCache::new(VIDEOS_MAX),
            questions: HashMap::new(),
            swept_ms: 0,
            paces: vec![Pace::default(); validators],
            wrong: vec![0; validators],
            outbox: VecDeque::new(),
        })
    }

    /// How many wrong signatures a validator sent since the start. Anything but 0 means a faulty validator.
    pub fn wrong_answers(&self, account: &AccountAddress) -> u64 {
        self.genesis.validator_index(account).and_then(|validator| self.wrong.get(validator)).copied().unwrap_or(0)
    }

    /// Keys that are on their way.
    pub fn open_questions(&self) -> usize {
        self.questions.len()
    }

    /// Makes a liar of this validator.
    #[cfg(test)]
    pub(crate) fn replace_share(&mut self, share: KeyShare) {
        self.share = share;
    }

    /// Asks for a label's signature, or asks again. `Ok` only where no other validator is needed.
    fn ask(
        &mut self,
        now_ms: u64,
        label: Label,
        sealed: Option<SealedKey>,
        warrant: &KeyWarrant,
    ) -> Result<Released, Refusal> {
        self.sweep(now_ms);
        if let Some(question) = self.questions.get_mut(&label) {
            question.wanted_ms = now_ms;
            if now_ms >= question.said_ms.saturating_add(AGAIN_MS) {
                question.said_ms = now_ms;
                self.say(label, warrant.clone());
            }
            return Err(Refusal::KeysPending { retry_ms: RETRY_MS });
        }
        if self.questions.len() >= QUESTIONS_MAX {
            return Err(Refusal::Busy { retry_ms: BUSY_MS });
        }
        let own = curve::sign(self.me, &self.share, &label);
        let question = Question::new(own, sealed, now_ms);
        if let Some(released) = question.join(&self.group) {
            return Ok(released);
        }
        self.questions.insert(label.clone(), question);
        self.say(label, warrant.clone());
        Err(Refusal::KeysPending { retry_ms: RETRY_MS })
    }

    fn say(&mut self, label: Label, warrant: KeyWarrant) {
        let request = Request { label, reply_to: self.reply_to.public_key(), warrant };
        self.outbox.push_back(Message::Request(Box::new(request)).encode());
    }

    fn sweep(&mut self, now_ms: u64) {
        if now_ms < self.swept_ms.saturating_add(SWEEP_MS) {
            return;
        }
        self.swept_ms = now_ms;
        self.questions.retain(|_, question| now_ms < question.wanted_ms.saturating_add(QUESTION_LIFE_MS));
    }

    /// Signs what another validator asks for, if there is a reason to.
    fn answer(
        &mut self,
        now_ms: u64,
        from: usize,
        request: Request,
        catalogue: &dyn Catalogue,
    ) -> Result<(), Unfounded> {
        let pace = self.paces.get_mut(from).ok_or(Unfounded::TooFast)?;
        if !pace.take(now_ms) {
            return Err(Unfounded::TooFast);
        }
        let Request { label, reply_to, warrant } = request;
        warrant::check(now_ms, self.genesis.params.grant_ttl_ms, &warrant, &label, catalogue)?;
        let partial = curve::partial_to_bytes(&curve::sign(self.me, &self.share, &label));
        let mut sealed = [0; SEALED_BYTES];
        sealed.copy_from_slice(&reply_to.seal_bytes(&partial[..], self.draws.next()));
        // A genesis has at most 128 validators.
        let answer = Answer { to: from as u16, label, sealed };
        self.outbox.push_back(Message::Answer(answer).encode());
        Ok(())
    }

    /// Takes another validator's partial signature.
    fn collect(&mut self, from: usize, answer: &Answer) {
        if usize::from(answer.to) != self.me {
            return;
        }
        let Some(question) = self.questions.get_mut(&answer.label).filter(|question| question.awaits(from)) else {
            return;
        };
        // Not a fault: it may answer what the process before this one asked.
        let Ok(opened) = self.reply_to.unseal_bytes(&answer.sealed) else { return };
        let mut liars = Vec::new();
        let released = match curve::partial_from(from, &opened) {
            Some(partial) => question.add(&self.group, &mut self.draws, &answer.label, partial, &mut liars),
            None => {
                question.disbelieve(from);
                liars.push(from);
                None
            }
        };
        for liar in liars {
            self.blame(liar);
        }
        if let Some(released) = released {
            self.settle(&answer.label, &released);
        }
    }

    fn blame(&mut self, validator: usize) {
        if let (Some(count), Some(identity)) = (self.wrong.get_mut(validator), self.genesis.validators.get(validator)) {
            *count += 1;
            tracing::warn!(validator, account = %identity.account, count, "a validator's share of a key is wrong");
        }
    }

    /// Keeps what a whole signature gives.
    fn settle(&mut self, label: &Label, released: &Released) {
        let Some(question) = self.questions.remove(label) else { return };
        match (label, question.sealed) {
            (Label::View { account, magnet }, _) => {
                self.view_keys.put((*account, *magnet), view_key(released));
            }
            (Label::Video { creator, magnet }, Some(sealed)) => {
                let secret = seal::open(&self.genesis.keys, label, released, &sealed);
                self.videos.put(record(creator, magnet, &sealed), secret);
            }
            (Label::Video { .. }, None) => {}
        }
    }
}

impl KeyService for ThresholdKeys {
    fn view_key(
        &mut self,
        now_ms: u64,
        account: &AccountAddress,
        magnet: &Magnet,
        warrant: &KeyWarrant,
    ) -> Result<ViewKey, Refusal> {
        if let Some(key) = self.view_keys.get(&(*account, *magnet)) {
            return Ok(key.clone());
        }
        let released = self.ask(now_ms, Label::View { account: *account, magnet: *magnet }, None, warrant)?;
        let key = view_key(&released);
        self.view_keys.put((*account, *magnet), key.clone());
        Ok(key)
    }

    fn view_key_at_hand(&self, account: &AccountAddress, magnet: &Magnet) -> Option<ViewKey> {
        self.view_keys.peek(&(*account, *magnet)).cloned()
    }

    fn origin_key(&self, day: u64) -> OriginKey {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 origin tag key of shares v1");
        OriginKey::from_bytes(hasher.update(self.share.tags()).update(&day.to_le_bytes()).finalize().into())
    }

    fn video_secret(
        &mut self,
        now_ms: u64,
        magnet: &Magnet,
        creator: &AccountAddress,
        sealed: &SealedKey,
        warrant: &KeyWarrant,
    ) -> Result<VideoSecret, Refusal> {
        let record = record(creator, magnet, sealed);
        if let Some(secret) = self.videos.get(&record) {
            return secret.clone().ok_or(Refusal::UnreadableVideo);
        }
        let label = Label::Video { creator: *creator, magnet: *magnet };
        let released = self.ask(now_ms, label.clone(), Some(*sealed), warrant)?;
        let secret = seal::open(&self.genesis.keys, &label, &released, sealed);
        self.videos.put(record, secret.clone());
        secret.ok_or(Refusal::UnreadableVideo)
    }

    fn hear(&mut self, now_ms: u64, from: &AccountAddress, message: KeyMessage, catalogue: &dyn Catalogue) {
        let Some(validator) = self.genesis.validator_index(from).filter(|validator| *validator != self.me) else {
            return;
        };
        match Message::decode(&message) {
            Some(Message::Request(request)) => {
                match self.answer(now_ms, validator, *request, catalogue) {
                    Ok(()) => {}
                    // Said quietly: who asks too often must not fill the log as well.
                    Err(Unfounded::TooFast) => tracing::debug!(validator, "a validator asks for keys too often"),
                    Err(reason) => tracing::warn!(validator, account = %from, %reason, "a key is not released"),
                }
            }
            Some(Message::Answer(answer)) => self.collect(validator, &answer),
            None => tracing::warn!(validator, account = %from, "a key service sent something that is no message"),
        }
    }

    fn poll(&mut self) -> Option<KeyMessage> {
        self.outbox.pop_front()
    }
}

impl fmt::Debug for ThresholdKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThresholdKeys")
            .field("validator", &self.me)
            .field("quorum", &self.group.quorum())
            .field("open_questions", &self.questions.len())
            .finish_non_exhaustive()
    }
}

fn view_key(released: &Released) -> ViewKey {
    ViewKey::from_bytes(released.derive("chainflix 2026 ViewKey of shares v1"))
}

/// Names a record of the registry.
fn record(creator: &AccountAddress, magnet: &Magnet, sealed: &SealedKey) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 sealed record v1");
    hasher.update(&creator.0).update(&magnet.0).update(&sealed.0).finalize().into()
}
