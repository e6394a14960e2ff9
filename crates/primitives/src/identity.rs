//! Fixed-size identities: what a thing is called when only equality matters.
//!
//! Each is a distinct type, so that a cell can never be passed where a video is meant. Text form is lower-case hex
//! with `0x`, except [`Magnet`], whose text for people is a magnet URI.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// A text was not the hex form of an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdentityError {
    /// Neither plain hex nor hex with a `0x` in front, or of another length.
    #[error("expected {bytes} bytes of hex for a {kind}, got {text:?}")]
    Hex { kind: &'static str, bytes: usize, text: String },
}

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $bytes:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Length of the identity, in bytes.
            pub const BYTES: usize = $bytes;

            /// The bytes themselves.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

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

        impl FromStr for $name {
            type Err = ParseIdentityError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).map_err(|_| {
                    let shown = text.chars().take(80).collect();
                    ParseIdentityError::Hex { kind: stringify!($name), bytes: $bytes, text: shown }
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as Deserialize>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}
pub(crate) use identity;

identity!(
    /// A video: the BLAKE3 hash of its canonical [`Manifest`](crate::Manifest) (white paper, "Magnet").
    Magnet,
    32
);
identity!(
    /// A VideoCell ID: the BLAKE3 root of the sealed bytes, by which every range of the cell can be verified.
    CellId,
    32
);
identity!(
    /// One play of one cell by one account, as issued by a validator.
    PlayId,
    16
);
identity!(
    /// One permission to fetch (part of) a cell from one provider.
    GrantId,
    16
);
identity!(
    /// A peer's address-independent identity in the overlay: its Ed25519 public key.
    NodeId,
    32
);
identity!(
    /// The hash of a finalised Ethereum block.
    BlockHash,
    32
);
identity!(
    /// A BLAKE3 hash of anything that has no noun of its own.
    Digest,
    32
);

/// A text was not a magnet URI of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseMagnetError {
    /// It does not start as a magnet URI.
    #[error("a film is named by a magnet URI (magnet:?xt=urn:cfx:...) or by 64 hex digits")]
    NotMagnet,
    /// It has no `urn:cfx` topic.
    #[error("the magnet URI names no Chainflix film (no xt=urn:cfx:...)")]
    NoTopic,
    /// The topic is not a hash.
    #[error(transparent)]
    Identity(#[from] ParseIdentityError),
}

impl Magnet {
    /// The magnet URI of this video, with its title as display name.
    ///
    /// ```
    /// use chainflix_primitives::Magnet;
    /// let uri = Magnet([7; 32]).to_uri("Big Buck Bunny");
    /// assert_eq!(Magnet::from_uri(&uri).unwrap(), Magnet([7; 32]));
    /// assert!(uri.ends_with("&dn=Big%20Buck%20Bunny"));
    /// ```
    pub fn to_uri(&self, title: &str) -> String {
        let mut uri = format!("magnet:?xt=urn:cfx:{}", hex::encode(self.0));
        if !title.is_empty() {
            uri.push_str("&dn=");
            for byte in title.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(byte as char),
                    _ => uri.push_str(&format!("%{byte:02X}")),
                }
            }
        }
        uri
    }

    /// Reads a magnet URI, or the bare hash.
    pub fn from_uri(text: &str) -> Result<Self, ParseMagnetError> {
        let text = text.trim();
        let Some(query) = text.strip_prefix("magnet:?") else {
            return text.parse().map_err(|_| ParseMagnetError::NotMagnet);
        };
        let topic = query.split('&').find_map(|pair| pair.strip_prefix("xt=urn:cfx:"));
        Ok(topic.ok_or(ParseMagnetError::NoTopic)?.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_with_and_without_prefix_and_nothing_else() {
        let magnet = Magnet([0xab; 32]);
        assert_eq!(magnet.to_string().parse(), Ok(magnet));
        assert_eq!(magnet.to_string()[2..].parse(), Ok(magnet));
        assert!("0xab".parse::<Magnet>().is_err());
        assert!("zz".repeat(32).parse::<Magnet>().is_err());
    }

    #[test]
    fn magnets_of_other_networks_are_refused() {
        assert_eq!(Magnet::from_uri("magnet:?xt=urn:btih:aa"), Err(ParseMagnetError::NoTopic));
        assert_eq!(Magnet::from_uri("https://example.org"), Err(ParseMagnetError::NotMagnet));
        assert_eq!(Magnet::from_uri(&"ab".repeat(32)), Ok(Magnet([0xab; 32])));
    }
}
