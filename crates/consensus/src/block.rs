//! What validators agree on: an Ethereum block, and what it says about views, in their place in the chain.
//!
//! ```text
//! context | parent (32) | height (varint) | time_ms (8) | length | Ethereum block (RLP) | length | ViewPayload (borsh)
//! ```
//!
//! A block is decoded once and keeps its bytes, so that it hashes, travels and is stored without being encoded again.
//! Each decoder refuses what it would not itself have written: a block has exactly one encoding.

use bytes::Bytes;
use chainflix_chain::{
    execution::{self, Block as EthereumBlock},
    ledger::{BlockPlace, ProviderMove},
};
use chainflix_primitives::{BlockHash, ViewPayload};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error as CodecError, FixedSize as _, MaxEncodeSize as _, RangeCfg, Read,
    ReadExt as _, Write,
};
use commonware_consensus::{
    Block as EngineBlock, BoundedBlock, CertifiableBlock, Heightable,
    simplex::types::Context,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{
    Digest as _, Digestible, Hasher as _, Sha256, ed25519::PublicKey, sha256::Digest as Sha256Digest,
};
use commonware_runtime::BufMut;
use std::sync::Arc;

/// Largest Ethereum block, encoded, in bytes. Gas does not bound them: at 300 million gas, call data could be 7 MB.
pub const ETHEREUM_BYTES_MAX: usize = 4 << 20;

/// Largest view payload, encoded, in bytes: a proposal as large as gossip carries (6 MiB), 128 votes on it (140 kB), and
/// votes on audits.
pub const VIEW_BYTES_MAX: usize = 8 << 20;

/// Identity of a consensus block.
pub(crate) type Digest = Sha256Digest;
/// In which round, by whose turn, on what parent a block was proposed.
pub(crate) type Turn = Context<Digest, PublicKey>;

/// A length of more than four gibibytes never gets this far, so that its varint has at most five bytes.
const LENGTH_BYTES_MAX: usize = 5;

/// A block that cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} of the block has {bytes} bytes, {max} are allowed")]
pub(crate) struct Oversized {
    part: &'static str,
    bytes: usize,
    max: usize,
}

/// One block of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Who proposed it, when, on what.
    pub turn: Turn,
    /// Digest of the block before.
    pub parent: Digest,
    /// Position in the chain; the Ethereum block's number is the same.
    pub height: Height,
    /// The proposer's clock, in milliseconds since the Unix epoch; later than the parent's.
    pub time_ms: u64,
    /// Transactions, state root and the coins this block mints.
    pub ethereum: Arc<EthereumBlock>,
    /// The slot and the audits this block votes on, if any.
    pub view: Option<Arc<ViewPayload>>,
    rlp: Bytes,
    borsh: Bytes,
}

impl Block {
    /// Puts the parts together, unless they are more than the network carries.
    pub(crate) fn new(
        turn: Turn,
        parent: (Digest, Height),
        time_ms: u64,
        ethereum: EthereumBlock,
        view: Option<Arc<ViewPayload>>,
    ) -> Result<Self, Oversized> {
        let rlp = Bytes::from(execution::encode_block(&ethereum));
        let borsh = view.as_deref().map(encode_view).unwrap_or_default();
        within("Ethereum part", &rlp, ETHEREUM_BYTES_MAX)?;
        within("view part", &borsh, VIEW_BYTES_MAX)?;
        let (parent, height) = (parent.0, parent.1.next());
        Ok(Self { turn, parent, height, time_ms, ethereum: Arc::new(ethereum), view, rlp, borsh })
    }

    /// Block 0: the same on every node, proposed by nobody; `first` only fills the field.
    pub(crate) fn genesis(first: PublicKey, time_ms: u64, ethereum: EthereumBlock) -> Self {
        let round = Round::new(Epoch::zero(), View::zero());
        let turn = Turn { round, leader: first, parent: (View::zero(), Digest::EMPTY) };
        let rlp = Bytes::from(execution::encode_block(&ethereum));
        let ethereum = Arc::new(ethereum);
        let (view, borsh) = (None, Bytes::new());
        Self { turn, parent: Digest::EMPTY, height: Height::zero(), time_ms, ethereum, view, rlp, borsh }
    }

    /// Hash of the Ethereum block.
    pub(crate) fn hash(&self) -> BlockHash {
        BlockHash(self.ethereum.hash().0)
    }

    /// Where it stands, as the view ledger looks at it; `moves` are what its parent's registry said.
    pub(crate) fn place(&self, moves: Arc<[ProviderMove]>) -> BlockPlace {
        let parent = BlockHash(self.ethereum.header.parent_hash.0);
        BlockPlace { height: self.height.get(), parent, time_ms: self.time_ms, moves }
    }
}

/// Bytes of a view payload as a block carries them.
pub(crate) fn encode_view(view: &ViewPayload) -> Bytes {
    // Writing into a vector cannot fail, and no list of a payload comes near 2^32 entries.
    Bytes::from(borsh::to_vec(view).expect("encoding into memory does not fail"))
}

fn within(part: &'static str, bytes: &Bytes, max: usize) -> Result<(), Oversized> {
    match bytes.len() {
        bytes if bytes > max => Err(Oversized { part, bytes, max }),
        _ => Ok(()),
    }
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        self.turn.write(buf);
        self.parent.write(buf);
        self.height.write(buf);
        self.time_ms.write(buf);
        self.rlp.write(buf);
        self.borsh.write(buf);
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        self.turn.encode_size()
            + Digest::SIZE
            + self.height.encode_size()
            + u64::SIZE
            + self.rlp.encode_size()
            + self.borsh.encode_size()
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let (turn, parent) = (Turn::read(buf)?, Digest::read(buf)?);
        let (height, time_ms) = (Height::read(buf)?, u64::read(buf)?);
        let rlp = Bytes::read_cfg(buf, &RangeCfg::new(1..=ETHEREUM_BYTES_MAX))?;
        let borsh = Bytes::read_cfg(buf, &RangeCfg::new(0..=VIEW_BYTES_MAX))?;
        let ethereum = Arc::new(read_ethereum(&rlp)?);
        let view = read_view(&borsh)?;
        Ok(Self { turn, parent, height, time_ms, ethereum, view, rlp, borsh })
    }
}

fn read_ethereum(rlp: &[u8]) -> Result<EthereumBlock, CodecError> {
    let block = execution::decode_block(rlp).map_err(|_| CodecError::Invalid("Block", "not an Ethereum block"))?;
    match execution::encode_block(&block) == rlp {
        true => Ok(block),
        false => Err(CodecError::Invalid("Block", "RLP in another form than ours")),
    }
}

fn read_view(borsh: &[u8]) -> Result<Option<Arc<ViewPayload>>, CodecError> {
    if borsh.is_empty() {
        return Ok(None);
    }
    // Borsh has one form for each value and refuses bytes that are left over.
    let view = borsh::from_slice(borsh).map_err(|_| CodecError::Invalid("Block", "not a view payload"))?;
    Ok(Some(Arc::new(view)))
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &()) -> usize {
        let header = Turn::MAX_ENCODE_SIZE + Digest::SIZE + Height::MAX_ENCODE_SIZE + u64::SIZE;
        header + 2 * LENGTH_BYTES_MAX + ETHEREUM_BYTES_MAX + VIEW_BYTES_MAX
    }
}

impl Digestible for Block {
    type Digest = Digest;

    /// Covers every byte, and is short to open: who has the certificate of a block proves its Ethereum hash with six
    /// small fields, and from there any account, log or, by the beacon root, any play.
    ///
    /// The RLP is hashed besides the header: Ethereum's hash alone would let two different bodies share a digest.
    fn digest(&self) -> Digest {
        Sha256::hash(&[
            &self.turn.encode(),
            self.parent.as_ref(),
            &self.height.get().to_be_bytes(),
            &self.time_ms.to_be_bytes(),
            self.ethereum.hash().as_bytes(),
            Sha256::hash(&[&self.rlp]).as_ref(),
            Sha256::hash(&[&self.borsh]).as_ref(),
        ])
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        self.height
    }
}

impl EngineBlock for Block {
    fn parent(&self) -> Digest {
        self.parent
    }
}

impl CertifiableBlock for Block {
    type Context = Turn;

    fn context(&self) -> Turn {
        self.turn.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use commonware_codec::{Decode as _, DecodeExt as _};

    fn blocks() -> [Block; 2] {
        let genesis = testing::genesis_block();
        let view = Arc::new(testing::view_payload(4));
        let child = |view| {
            let parent = (genesis.digest(), genesis.height);
            Block::new(genesis.turn.clone(), parent, genesis.time_ms + 1, (*genesis.ethereum).clone(), view).unwrap()
        };
        [child(None), child(Some(view))]
    }

    #[test]
    fn blocks_come_back_byte_for_byte() {
        for block in blocks() {
            let bytes = block.encode();
            assert_eq!(bytes.len(), block.encode_size());
            assert!(bytes.len() <= Block::max_encode_size(&()));
            let back = Block::decode(bytes.clone()).unwrap();
            assert_eq!((back.digest(), &back.view), (block.digest(), &block.view));
            assert_eq!(back.encode(), bytes);
        }
    }

    #[test]
    fn every_part_is_in_the_digest() {
        let [plain, viewed] = blocks();
        assert_ne!(plain.digest(), viewed.digest());
        let changed = |change: fn(&mut Block)| {
            let mut block = viewed.clone();
            change(&mut block);
            block.digest()
        };
        for digest in [
            changed(|block| block.time_ms += 1),
            changed(|block| block.height = block.height.next()),
            changed(|block| block.parent = Sha256::hash(&[b"other"])),
            changed(|block| block.turn.parent.0 = View::new(9)),
            changed(|block| block.rlp = Bytes::from_static(b"another body under the same header")),
            changed(|block| block.borsh = Bytes::from_static(b"other votes")),
        ] {
            assert_ne!(digest, viewed.digest());
        }
    }

    #[test]
    fn bytes_that_are_no_block_are_refused() {
        let [_, viewed] = blocks();
        let bytes = viewed.encode();
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(Block::decode(bytes.slice(..cut)).is_err());
        }
        let broken = |change: fn(&mut Block)| {
            let mut block = viewed.clone();
            change(&mut block);
            Block::decode(block.encode())
        };
        assert!(broken(|block| block.rlp = Bytes::new()).is_err());
        assert!(broken(|block| block.rlp = [&block.rlp[..], &[0]].concat().into()).is_err());
        assert!(broken(|block| block.borsh = [&block.borsh[..], &[0]].concat().into()).is_err());
        assert!(broken(|block| block.rlp = vec![0; ETHEREUM_BYTES_MAX + 1].into()).is_err());
        assert!(Block::decode_cfg(bytes, &()).is_ok());
    }

    #[test]
    fn what_the_network_cannot_carry_is_not_made() {
        let genesis = testing::genesis_block();
        let mut ethereum = (*genesis.ethereum).clone();
        ethereum.header.extra_data = vec![0; ETHEREUM_BYTES_MAX].into();
        let parent = (genesis.digest(), genesis.height);
        let refused = Block::new(genesis.turn.clone(), parent, genesis.time_ms + 1, ethereum, None).unwrap_err();
        assert_eq!(refused.max, ETHEREUM_BYTES_MAX);
    }
}
