//! One label on its way: who answered, whose answer was checked, who lied.

use crate::{
    curve::{Group, Partial, Released},
    drawn::Drawn,
    label::Label,
};
use chainflix_primitives::SealedKey;

/// A label that was asked for and is not signed by a quorum yet.
pub(crate) struct Question {
    /// What its signature is to open, if it is a video's.
    pub sealed: Option<SealedKey>,
    /// When the others were last told.
    pub said_ms: u64,
    /// When it was last wanted here.
    pub wanted_ms: u64,
    /// Our own, and those that were checked.
    checked: Vec<Partial>,
    /// Those that were not yet.
    fresh: Vec<Partial>,
    /// Validators whose answer was wrong: they are not listened to again in this matter.
    liars: Vec<usize>,
}

impl Question {
    pub fn new(own: Partial, sealed: Option<SealedKey>, now_ms: u64) -> Self {
        let (checked, fresh, liars) = (vec![own], Vec::new(), Vec::new());
        Self { sealed, said_ms: now_ms, wanted_ms: now_ms, checked, fresh, liars }
    }

    /// Whether an answer of this validator is worth reading.
    pub fn awaits(&self, validator: usize) -> bool {
        let mut known = self.checked.iter().chain(&self.fresh);
        !self.liars.contains(&validator) && known.all(|partial| usize::from(partial.index) != validator)
    }

    /// Notes that a validator's answer was no signature at all.
    pub fn disbelieve(&mut self, validator: usize) {
        self.liars.push(validator);
    }

    /// Takes a validator's answer, and answers the signature if that makes it whole. When there may be enough, all new ones are checked at once; what is found wrong is
    /// dropped, and its senders are added to `found`.
    pub fn add(
        &mut self,
        group: &Group,
        draws: &mut Drawn,
        label: &Label,
        partial: Partial,
        found: &mut Vec<usize>,
    ) -> Option<Released> {
        self.fresh.push(partial);
        if self.checked.len() + self.fresh.len() < group.quorum() {
            return None;
        }
        let wrong = group.wrong(draws, label, &self.fresh);
        self.fresh.retain(|partial| !wrong.contains(&usize::from(partial.index)));
        self.checked.append(&mut self.fresh);
        self.liars.extend(&wrong);
        found.extend(wrong);
        self.join(group)
    }

    /// The signature, when there are enough parts for it.
    pub fn join(&self, group: &Group) -> Option<Released> {
        group.join(&self.checked)
    }
}
