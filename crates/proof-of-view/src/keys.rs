//! Where keys come from: one trait, so that a network can choose between a shared secret and a quorum.
//!
//! ```text
//! Desk ── view_key / video_secret ──▶ KeyService ── Ok(key) ─────────────────────▶ seals it to viewer and provider
//!                                         └── Err(KeysPending) ── poll() ──▶ other validators' services
//!                                                            ◀── hear() ── their shares; ask again
//! ```
//!
//! A service releases nothing without the viewer's own signed request: it passes that on to the other validators, which
//! check it for themselves. [`SharedKeys`] is the PoA form in which every validator holds the whole secret; the threshold
//! form is in `chainflix-key-service`, because its curve arithmetic is not for the browser.

use crate::{Catalogue, Refusal};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AccountAddress, GrantRequest, Magnet, NetworkSecret, OriginKey, PlayRequest, SealedKey, Signed, VideoSecret,
    ViewKey,
};
use std::collections::HashMap;

/// A viewer's own words: why a key is wanted.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum KeyWarrant {
    /// It wants to fetch a cell.
    Grant(Signed<GrantRequest>),
    /// It wants to play a cell.
    Play(Signed<PlayRequest>),
}

/// What services of different validators say to each other. Opaque to the desk, bounded by the message size.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyMessage(pub Vec<u8>);

/// Releases ViewKeys and opens sealed video secrets. What waits for others answers [`Refusal::KeysPending`]: the caller
/// asks again after the next [`KeyService::hear`].
pub trait KeyService: Send {
    /// The ViewKey of `account` for `magnet`.
    fn view_key(
        &mut self,
        now_ms: u64,
        account: &AccountAddress,
        magnet: &Magnet,
        warrant: &KeyWarrant,
    ) -> Result<ViewKey, Refusal>;

    /// A ViewKey that needs nobody's help: a shared secret has all, a quorum has what it released before. With it a
    /// validator checks that another one named the right DownloadKey.
    fn view_key_at_hand(&self, account: &AccountAddress, magnet: &Magnet) -> Option<ViewKey>;

    /// The key of day `day`'s address tags, the same at all validators. It opens nothing, so each may hold it whole.
    fn origin_key(&self, day: u64) -> OriginKey;

    /// Opens what a creator sealed to the network.
    fn video_secret(
        &mut self,
        now_ms: u64,
        magnet: &Magnet,
        creator: &AccountAddress,
        sealed: &SealedKey,
        warrant: &KeyWarrant,
    ) -> Result<VideoSecret, Refusal>;

    /// Takes what another validator's service said. `from` is its account, as the transport proved it.
    fn hear(&mut self, now_ms: u64, from: &AccountAddress, message: KeyMessage, catalogue: &dyn Catalogue);

    /// The next message for all other validators' services.
    fn poll(&mut self) -> Option<KeyMessage>;
}

/// Most video secrets kept open; when they are more, keeping starts anew.
const OPENED_MAX: usize = 4_096;

/// Every validator holds the secret that all keys come from.
pub struct SharedKeys {
    secret: NetworkSecret,
    /// Opened before, by record: opening costs as much as checking a signature.
    opened: HashMap<(AccountAddress, Magnet), (SealedKey, VideoSecret)>,
}

impl SharedKeys {
    /// The service of a network whose validators share `secret`.
    pub fn new(secret: NetworkSecret) -> Self {
        Self { secret, opened: HashMap::new() }
    }
}

impl KeyService for SharedKeys {
    fn view_key(
        &mut self,
        _now_ms: u64,
        account: &AccountAddress,
        magnet: &Magnet,
        _warrant: &KeyWarrant,
    ) -> Result<ViewKey, Refusal> {
        Ok(self.secret.view_key(account, magnet))
    }

    fn view_key_at_hand(&self, account: &AccountAddress, magnet: &Magnet) -> Option<ViewKey> {
        Some(self.secret.view_key(account, magnet))
    }

    fn origin_key(&self, day: u64) -> OriginKey {
        self.secret.origin_key(day)
    }

    fn video_secret(
        &mut self,
        _now_ms: u64,
        magnet: &Magnet,
        creator: &AccountAddress,
        sealed: &SealedKey,
        _warrant: &KeyWarrant,
    ) -> Result<VideoSecret, Refusal> {
        let record = (*creator, *magnet);
        if let Some((_, secret)) = self.opened.get(&record).filter(|(of, _)| of == sealed) {
            return Ok(secret.clone());
        }
        let secret = self.secret.open_video(creator, magnet, sealed).map_err(|_| Refusal::UnreadableVideo)?;
        if self.opened.len() >= OPENED_MAX {
            self.opened.clear();
        }
        self.opened.insert(record, (*sealed, secret.clone()));
        Ok(secret)
    }

    fn hear(&mut self, _now_ms: u64, _from: &AccountAddress, _message: KeyMessage, _catalogue: &dyn Catalogue) {}

    fn poll(&mut self) -> Option<KeyMessage> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountKey, BoxPublicKey};

    #[test]
    fn a_changed_record_is_opened_anew() {
        let secret = NetworkSecret::from_bytes([1; 32]);
        let (creator, magnet) = (AccountAddress([2; 20]), Magnet([3; 32]));
        let words = GrantRequest {
            account: AccountAddress([4; 20]),
            magnet,
            cell_index: 0,
            from_byte: 0,
            viewer_box_key: BoxPublicKey([5; 32]),
            excluded: Vec::new(),
            requested_ms: 0,
        };
        let key = AccountKey::from_bytes(&[6; 32]).unwrap();
        let warrant = KeyWarrant::Grant(Signed::new(words, &key));
        let mut keys = SharedKeys::new(secret.clone());
        for number in [7, 8, 7] {
            let inside = VideoSecret::from_bytes([number; 32]);
            let sealed = secret.box_key().public_key().seal_video(&inside, &creator, &magnet, [9; 32]);
            for _ in 0..2 {
                assert_eq!(keys.video_secret(0, &magnet, &creator, &sealed, &warrant), Ok(inside.clone()));
            }
        }
        let rubbish = SealedKey([0; 80]);
        assert_eq!(keys.video_secret(0, &magnet, &creator, &rubbish, &warrant), Err(Refusal::UnreadableVideo));
    }
}
