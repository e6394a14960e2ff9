//! Secrets and the boxes they travel in: who can open what.
//!
//! ```text
//! NetworkSecret (validators) ──> ViewKey(account, video) ──> ViewerSecret(cell) ──> DownloadKey   layer 2: in transit
//!                                                                              └──> AnswerKey     wraps the CellKey
//! VideoSecret (creator, sealed to the validators) ──> CellKey(index)                               layer 1: at rest
//! ```
//!
//! The viewer gets its ViewerSecret in a box with the grant, the provider the DownloadKey alone. So the answer to a play
//! request, of which a validator gives thousands a second, needs no box of its own.
//!
//! Every derivation is BLAKE3 derive-key mode with a context string of its own. A key is wiped when dropped and never
//! printed. Boxes are libsodium's sealed boxes (X25519, XSalsa20-Poly1305): anonymous sender, 48 bytes longer than
//! their content. Randomness is an argument here as everywhere, so sealing takes 32 fresh random bytes.

use crate::{AccountAddress, CellId, Magnet};
use borsh::{BorshDeserialize, BorshSerialize};
use crypto_box::aead::rand_core::{CryptoRng, Error as RngError, RngCore};
use crypto_secretbox::{AeadInPlace as _, KeyInit as _, Nonce, Tag, XSalsa20Poly1305};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Of XSalsa20, at the front of a [`WrappedKey`].
const NONCE_BYTES: usize = 24;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 secret bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes, for a cipher or a key file.
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(secret)"))
            }
        }
    };
}

secret!(
    /// What the validators share in PoA mode: DownloadKeys and the opening of sealed video secrets come from it.
    NetworkSecret
);
secret!(
    /// What a creator draws per video; all CellKeys come from it.
    VideoSecret
);
secret!(
    /// The content key of one cell: it decrypts what providers store. Released with a PlayCode.
    CellKey
);
secret!(
    /// What the DownloadKeys of one account for one video come from: one release serves a whole film.
    ViewKey
);
secret!(
    /// What one viewer's keys for one cell come from: the DownloadKey, and the key that its CellKey comes wrapped in.
    ViewerSecret
);
secret!(
    /// The key that a validator's answer to a play request wraps the CellKey with. Its viewer and validators know it; the
    /// provider of the cell does not.
    AnswerKey
);
secret!(
    /// What validators name address ranges with among themselves for one day. Kept in memory, opens nothing.
    OriginKey
);
secret!(
    /// The key of one cell's delivery to one account: the same again after deletion, different for everybody else.
    DownloadKey
);

fn derive(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl NetworkSecret {
    /// The ViewKey of `account` for the video `magnet`.
    pub fn view_key(&self, account: &AccountAddress, magnet: &Magnet) -> ViewKey {
        ViewKey(derive("chainflix 2026 ViewKey v1", &[&self.0, &account.0, &magnet.0]))
    }

    /// The key of day `day`'s address tags: outsiders cannot guess addresses from tags, nor link days.
    pub fn origin_key(&self, day: u64) -> OriginKey {
        OriginKey(derive("chainflix 2026 origin tag key v1", &[&self.0, &day.to_le_bytes()]))
    }

    /// The key pair that creators seal video secrets to.
    pub fn box_key(&self) -> BoxKey {
        BoxKey::from_bytes(derive("chainflix 2026 network box key v1", &[&self.0]))
    }

    /// Opens what [`BoxPublicKey::seal_video`] sealed to [`Self::box_key`]. In the record of another creator or video
    /// it opens to a secret that fits no cell.
    pub fn open_video(
        &self,
        creator: &AccountAddress,
        magnet: &Magnet,
        sealed: &SealedKey,
    ) -> Result<VideoSecret, UnsealError> {
        let mut opened = VideoSecret(self.box_key().unseal(sealed)?);
        mask(&mut opened.0, creator, magnet);
        Ok(opened)
    }
}

impl ViewKey {
    /// What the viewer's keys for one cell of the video come from.
    pub fn viewer_secret(&self, cell: &CellId) -> ViewerSecret {
        ViewerSecret(derive("chainflix 2026 ViewerSecret v1", &[&self.0, &cell.0]))
    }

    /// The DownloadKey of one cell of the video.
    pub fn download_key(&self, cell: &CellId) -> DownloadKey {
        self.viewer_secret(cell).download_key()
    }
}

impl ViewerSecret {
    /// The key of the cell's delivery.
    pub fn download_key(&self) -> DownloadKey {
        DownloadKey(derive("chainflix 2026 DownloadKey v3", &[&self.0]))
    }

    /// The key that the CellKey comes wrapped in.
    pub fn answer_key(&self) -> AnswerKey {
        AnswerKey(derive("chainflix 2026 AnswerKey v1", &[&self.0]))
    }
}

impl AnswerKey {
    /// Wraps a CellKey (XSalsa20-Poly1305). `nonce` must be fresh random bytes.
    pub fn wrap(&self, key: &CellKey, nonce: [u8; 24]) -> WrappedKey {
        let mut wrapped = [0; 72];
        let (head, body) = wrapped.split_at_mut(NONCE_BYTES);
        head.copy_from_slice(&nonce);
        body[..32].copy_from_slice(&key.0);
        let tag = self
            .cipher()
            .encrypt_in_place_detached(&nonce.into(), b"", &mut body[..32])
            // The cipher's only failure is a message of more than 2^38 bytes.
            .expect("32 bytes can be encrypted");
        body[32..].copy_from_slice(&tag);
        WrappedKey(wrapped)
    }

    /// Takes a CellKey out of what [`Self::wrap`] made.
    pub fn unwrap(&self, wrapped: &WrappedKey) -> Result<CellKey, UnsealError> {
        let (nonce, body) = wrapped.0.split_at(NONCE_BYTES);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&body[..32]);
        self.cipher()
            .decrypt_in_place_detached(Nonce::from_slice(nonce), b"", key.as_mut_slice(), Tag::from_slice(&body[32..]))
            .map_err(|_| UnsealError)?;
        Ok(CellKey(*key))
    }

    fn cipher(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new(&self.0.into())
    }
}

impl VideoSecret {
    /// The CellKey of cell `index`.
    pub fn cell_key(&self, index: u32) -> CellKey {
        CellKey(derive("chainflix 2026 CellKey v1", &[&self.0, &index.to_le_bytes()]))
    }
}

impl DownloadKey {
    /// A public name of this key: says which key was used without saying the key.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&derive("chainflix 2026 DownloadKey id v1", &[&self.0])[..16]);
        id
    }
}

/// A sealed box was not for us, or not a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed key does not open: it was sealed to another key or damaged on the way")]
pub struct UnsealError;

/// An X25519 public key that secrets can be sealed to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct BoxPublicKey(pub [u8; 32]);

/// 32 secret bytes in a sealed box.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedKey(pub [u8; 80]);

/// A CellKey under an [`AnswerKey`]: nonce, ciphertext, tag.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WrappedKey(pub [u8; 72]);

/// An X25519 secret key that opens sealed boxes.
#[derive(Clone)]
pub struct BoxKey(crypto_box::SecretKey);

impl BoxKey {
    /// The key of 32 secret bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }

    /// The half to publish.
    pub fn public_key(&self) -> BoxPublicKey {
        BoxPublicKey(*self.0.public_key().as_bytes())
    }

    /// Opens a box sealed to [`Self::public_key`].
    pub fn unseal(&self, sealed: &SealedKey) -> Result<[u8; 32], UnsealError> {
        let mut opened = self.0.unseal(&sealed.0).map_err(|_| UnsealError)?;
        let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| UnsealError);
        opened.zeroize();
        key
    }

    /// Opens what [`BoxPublicKey::seal_bytes`] sealed.
    pub fn unseal_bytes(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        self.0.unseal(sealed).map(Zeroizing::new).map_err(|_| UnsealError)
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoxKey({})", self.public_key())
    }
}

impl BoxPublicKey {
    /// Seals 32 secret bytes so that only the owner of this key can open them.
    ///
    /// `entropy` must be fresh random bytes: it is the sealer's one-time secret key.
    pub fn seal(&self, secret: &[u8; 32], entropy: [u8; 32]) -> SealedKey {
        let mut bytes = [0; 80];
        bytes.copy_from_slice(&self.seal_bytes(secret, entropy));
        SealedKey(bytes)
    }

    /// Seals a video secret to the validators, bound to the record it will stand in: copied into another creator's
    /// record it is worth nothing, although anybody can read it there.
    pub fn seal_video(
        &self,
        secret: &VideoSecret,
        creator: &AccountAddress,
        magnet: &Magnet,
        entropy: [u8; 32],
    ) -> SealedKey {
        let mut masked = secret.clone();
        mask(&mut masked.0, creator, magnet);
        self.seal(&masked.0, entropy)
    }

    /// Seals bytes of any length so that only the owner of this key can open them; 48 bytes longer than they are.
    /// `entropy` as in [`Self::seal`].
    pub fn seal_bytes(&self, content: &[u8], entropy: [u8; 32]) -> Vec<u8> {
        crypto_box::PublicKey::from(self.0)
            .seal(&mut Given(entropy), content)
            // The cipher's only failure is a message of more than 2^38 bytes.
            .expect("less than 256 GiB can be sealed")
    }
}

/// Binds a video secret to its record: applied before sealing and after opening.
fn mask(secret: &mut [u8; 32], creator: &AccountAddress, magnet: &Magnet) {
    let mask = derive("chainflix 2026 video secret binding v1", &[&creator.0, &magnet.0]);
    secret.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// Hands out the random bytes it was given. A sealed box draws exactly one 32-byte ephemeral key.
struct Given([u8; 32]);

impl RngCore for Given {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        blake3::Hasher::new_derive_key("chainflix 2026 sealing entropy v1").update(&self.0).finalize_xof().fill(out);
        // Whatever is drawn next must not repeat.
        self.0 = derive("chainflix 2026 sealing entropy step v1", &[&self.0]);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Given {}

macro_rules! hex_text {
    ($name:ident, $bytes:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0x{}", hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..4]))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(&text), &mut bytes)
                    .map_err(|_| D::Error::custom(concat!(stringify!($name), ": not hex of the right length")))?;
                Ok(Self(bytes))
            }
        }
    };
}

hex_text!(BoxPublicKey, 32);
hex_text!(SealedKey, 80);
hex_text!(WrappedKey, 72);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_own_for_every_account_cell_and_index() {
        let secret = NetworkSecret::from_bytes([1; 32]);
        let key = |account, magnet, cell| {
            secret.view_key(&AccountAddress([account; 20]), &Magnet([magnet; 32])).download_key(&CellId([cell; 32]))
        };
        assert_eq!(key(1, 1, 1), key(1, 1, 1), "the same again after deletion");
        assert_ne!(key(1, 1, 1), key(2, 1, 1));
        assert_ne!(key(1, 1, 1), key(1, 2, 1));
        assert_ne!(key(1, 1, 1), key(1, 1, 2));
        let video = VideoSecret::from_bytes([1; 32]);
        assert_ne!(video.cell_key(0).expose(), video.cell_key(1).expose());
        assert_ne!(video.cell_key(0).expose(), key(1, 1, 1).expose(), "contexts separate equal secrets");
    }

    #[test]
    fn a_box_opens_for_its_owner_alone() {
        let owner = BoxKey::from_bytes([2; 32]);
        let sealed = owner.public_key().seal(&[7; 32], [3; 32]);
        assert_eq!(owner.unseal(&sealed), Ok([7; 32]));
        assert_eq!(BoxKey::from_bytes([4; 32]).unseal(&sealed), Err(UnsealError));
        let mut damaged = sealed;
        damaged.0[79] ^= 1;
        assert_eq!(owner.unseal(&damaged), Err(UnsealError));
        assert_ne!(owner.public_key().seal(&[7; 32], [5; 32]), sealed, "entropy decides the box");
    }

    #[test]
    fn an_answer_opens_for_its_viewer_and_not_for_the_provider() {
        let view_key = NetworkSecret::from_bytes([1; 32]).view_key(&AccountAddress([1; 20]), &Magnet([2; 32]));
        let (secret, other) = (view_key.viewer_secret(&CellId([3; 32])), view_key.viewer_secret(&CellId([4; 32])));
        let cell_key = VideoSecret::from_bytes([9; 32]).cell_key(0);
        let wrapped = secret.answer_key().wrap(&cell_key, [5; 24]);
        assert_eq!(secret.answer_key().unwrap(&wrapped), Ok(cell_key.clone()));
        assert_eq!(other.answer_key().unwrap(&wrapped), Err(UnsealError));
        let download_key = AnswerKey::from_bytes(*secret.download_key().expose());
        assert_eq!(download_key.unwrap(&wrapped), Err(UnsealError), "a provider knows the DownloadKey");
        for byte in [0, 24, 71] {
            let mut damaged = wrapped;
            damaged.0[byte] ^= 1;
            assert_eq!(secret.answer_key().unwrap(&damaged), Err(UnsealError));
        }
        assert_ne!(secret.answer_key().wrap(&cell_key, [6; 24]), wrapped, "the nonce decides");
    }

    #[test]
    fn a_copied_video_secret_opens_to_another_one() {
        let (network, secret) = (NetworkSecret::from_bytes([1; 32]), VideoSecret::from_bytes([9; 32]));
        let (creator, magnet) = (AccountAddress([2; 20]), Magnet([3; 32]));
        let sealed = network.box_key().public_key().seal_video(&secret, &creator, &magnet, [4; 32]);
        assert_eq!(network.open_video(&creator, &magnet, &sealed), Ok(secret.clone()));
        assert_ne!(network.open_video(&AccountAddress([5; 20]), &magnet, &sealed), Ok(secret.clone()));
        assert_ne!(network.open_video(&creator, &Magnet([6; 32]), &sealed), Ok(secret));
    }

    #[test]
    fn a_box_holds_any_number_of_bytes() {
        let owner = BoxKey::from_bytes([2; 32]);
        let sealed = owner.public_key().seal_bytes(&[7; 100], [3; 32]);
        assert_eq!(sealed.len(), 148);
        assert_eq!(*owner.unseal_bytes(&sealed).unwrap(), [7; 100]);
        assert!(owner.unseal_bytes(&sealed[..147]).is_err());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", VideoSecret::from_bytes([9; 32])), "VideoSecret(secret)");
    }
}
