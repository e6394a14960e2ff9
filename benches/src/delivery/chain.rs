//! One validator without a chain: its key, and what it signs and releases. Issues what it is asked for.

use super::film::Film;
use anyhow::Result;
use chainflix_overlay::NodeKey;
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxKey, BoxPublicKey, Grant, GrantId, GrantRequest, NetworkGenesis, NetworkKeys,
    NetworkSecret, NodeId, PlayAnswer, PlayOutcome, ProtocolParams, Signed, ValidatorIdentity,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// The keys of one provider: the same ones in every process.
pub struct Identity {
    pub account: AccountKey,
    pub node: NodeKey,
    pub box_key: BoxKey,
}

impl Identity {
    /// Provider `number`.
    pub fn provider(number: u16) -> Result<Self> {
        let key = |context| blake3::derive_key(context, &number.to_le_bytes());
        Ok(Self {
            account: AccountKey::from_bytes(&key("chainflix bench provider account v1"))?,
            node: NodeKey::from_bytes(&key("chainflix bench provider node v1")),
            box_key: BoxKey::from_bytes(key("chainflix bench provider box v1")),
        })
    }
}

/// What a viewer is sent to: a provider, or a viewer that shares.
#[derive(Clone)]
pub struct Served {
    pub account: AccountAddress,
    pub node: NodeId,
    pub box_key: BoxPublicKey,
}

impl From<&Identity> for Served {
    fn from(identity: &Identity) -> Self {
        let (account, box_key) = (identity.account.address(), identity.box_key.public_key());
        Self { account, node: identity.node.node_id(), box_key }
    }
}

/// The validator.
pub struct Chain {
    secret: NetworkSecret,
    validator: AccountKey,
    issued: AtomicU64,
}

impl Chain {
    pub fn new() -> Result<Self> {
        let validator = AccountKey::from_bytes(&[2; 32])?;
        Ok(Self { secret: NetworkSecret::from_bytes([1; 32]), validator, issued: AtomicU64::new(0) })
    }

    /// Whose word providers and viewers believe.
    pub fn validator(&self) -> AccountAddress {
        self.validator.address()
    }

    pub fn genesis(&self) -> NetworkGenesis {
        let validator = ValidatorIdentity { account: self.validator(), consensus_key: NodeId([0; 32]) };
        NetworkGenesis {
            chain_id: 1,
            genesis_time_ms: 0,
            params: ProtocolParams::default(),
            validators: vec![validator],
            keys: NetworkKeys::Shared { box_key: self.secret.box_key().public_key() },
            governor: AccountAddress([0; 20]),
            supervisors: Vec::new(),
            allocations: Vec::new(),
        }
    }

    /// Lets a viewer fetch a cell of `film` from `source`.
    pub fn grant(&self, request: &GrantRequest, film: &Film, source: &Served) -> Result<Signed<Grant>> {
        let entry = film.entry(request.cell_index)?;
        let number = self.issued.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let entropy = |context| blake3::derive_key(context, &number);
        let mut id = GrantId([0; 16]);
        id.0[..8].copy_from_slice(&number);
        let secret = self.secret.view_key(&request.account, &request.magnet).viewer_secret(&entry.id);
        let download_key = secret.download_key();
        let grant = Grant {
            id,
            viewer: request.account,
            magnet: request.magnet,
            cell_index: request.cell_index,
            cell: entry.id,
            size: entry.size,
            from_byte: request.from_byte,
            provider: source.account,
            provider_node: source.node,
            expires_ms: u64::MAX,
            viewer_secret: request.viewer_box_key.seal(secret.expose(), entropy("chainflix bench viewer box v1")),
            provider_key: source.box_key.seal(download_key.expose(), entropy("chainflix bench provider box v1")),
        };
        Ok(Signed::new(grant, &self.validator))
    }

    /// Releases the key of a cell; the play is not mined.
    pub fn answer(&self, viewer: &AccountAddress, film: &Film, cell_index: u32) -> Result<PlayAnswer> {
        let secret = self.secret.view_key(viewer, &film.magnet).viewer_secret(&film.entry(cell_index)?.id);
        let cell_key = secret.answer_key().wrap(&film.cell_key(cell_index), [3; 24]);
        Ok(PlayAnswer { cell_key, outcome: PlayOutcome::Unpaid("this is a measurement".into()) })
    }
}
