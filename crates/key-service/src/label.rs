//! What a quorum signs: the name of a key. Its signature is the key's origin.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, Magnet};

/// Names one key. Labels of different kinds never have the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Label {
    /// The ViewKey of an account for a video.
    View {
        /// Who watches.
        account: AccountAddress,
        /// What.
        magnet: Magnet,
    },
    /// The key to what a creator sealed to the network for one of its videos.
    Video {
        /// Who published it.
        creator: AccountAddress,
        /// Which video.
        magnet: Magnet,
    },
}

impl Label {
    /// The bytes that are hashed to the curve.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Writing into a vector cannot fail.
        borsh::to_vec(self).expect("encoding into memory does not fail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_labels_share_their_bytes() {
        let (account, magnet) = (AccountAddress([1; 20]), Magnet([2; 32]));
        let view = Label::View { account, magnet }.to_bytes();
        assert_eq!(view, [&[0][..], &[1; 20], &[2; 32]].concat());
        assert_ne!(view, Label::Video { creator: account, magnet }.to_bytes());
    }
}
