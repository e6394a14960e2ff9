//! Reads from a contract's event which answers of the contracts it makes stale, so that a node may keep all the others.
//!
//! Whatever a transaction changes in the contracts, it says in an event. The matches below have an arm for each event of
//! both interfaces, so that a new one does not compile before somebody has decided what it makes stale.

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEventInterface as _;
use chainflix_primitives::{AccountAddress, BoxPublicKey, Magnet, NodeId};

use crate::{
    IRegistry::{self, IRegistryEvents as Registry},
    IStanding::{self, IStandingEvents as Standing},
    REGISTRY_ADDRESS, STANDING_ADDRESS,
};

/// What one event makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The record of a video.
    Video(Magnet),
    /// The record of a layer, and whether its maker shares in the video's views.
    Layer {
        /// The layer.
        layer: Magnet,
        /// The video it belongs to.
        video: Magnet,
        /// Who made it.
        maker: AccountAddress,
    },
    /// The list of operation participants.
    Operation,
    /// Who is a supervisor, and with it whether anybody's vouches count.
    Supervisors,
    /// Who may publish. Nothing that is published changes.
    Creators,
    /// A provider entered the registry, or changed its keys.
    ProviderRegistered {
        /// Whose.
        account: AccountAddress,
        /// Its node.
        node: NodeId,
        /// What grants for it are sealed to.
        box_key: BoxPublicKey,
    },
    /// A provider left the registry.
    ProviderWithdrawn {
        /// Whose.
        account: AccountAddress,
    },
    /// The bond of an account, or whether somebody vouches for it.
    Standing(AccountAddress),
    /// Coins that counted no more have left: nothing that anybody weighs.
    Withdrawal,
}

impl Change {
    /// What the event with `topics` and `data`, emitted at `address`, makes stale; `None` for an event of no contract of
    /// ours, or one that this code does not know: then everything may be.
    pub fn of(address: Address, topics: &[B256], data: &[u8]) -> Option<Self> {
        match address {
            REGISTRY_ADDRESS => Registry::decode_raw_log(topics, data).ok().map(Self::of_registry),
            STANDING_ADDRESS => Standing::decode_raw_log(topics, data).ok().map(Self::of_standing),
            _ => None,
        }
    }

    fn of_registry(event: Registry) -> Self {
        let layer = |layer: B256, video: B256, maker: Address| Self::Layer {
            layer: Magnet(layer.0),
            video: Magnet(video.0),
            maker: account(maker),
        };
        match event {
            Registry::VideoRegistered(IRegistry::VideoRegistered { magnet, .. })
            | Registry::SplitChosen(IRegistry::SplitChosen { magnet, .. })
            | Registry::VideoTakenDown(IRegistry::VideoTakenDown { magnet, .. })
            | Registry::VideoReinstated(IRegistry::VideoReinstated { magnet, .. }) => Self::Video(Magnet(magnet.0)),
            Registry::LayerRegistered(event) => layer(event.layer, event.video, event.maker),
            Registry::LayerTakenDown(event) => layer(event.layer, event.video, event.maker),
            Registry::LayerReinstated(event) => layer(event.layer, event.video, event.maker),
            Registry::ParticipantAdded(_) | Registry::ParticipantRemoved(_) => Self::Operation,
            Registry::SupervisorAdded(_) | Registry::SupervisorRemoved(_) => Self::Supervisors,
            Registry::CreatorAdmitted(_) | Registry::CreatorDismissed(_) => Self::Creators,
            Registry::ProviderRegistered(event) => Self::ProviderRegistered {
                account: account(event.account),
                node: NodeId(event.nodeId.0),
                box_key: BoxPublicKey(event.boxKey.0),
            },
            Registry::ProviderWithdrawn(event) => Self::ProviderWithdrawn { account: account(event.account) },
        }
    }

    fn of_standing(event: Standing) -> Self {
        match event {
            Standing::Bonded(IStanding::Bonded { account: whose, .. })
            | Standing::UnbondRequested(IStanding::UnbondRequested { account: whose, .. })
            | Standing::Vouched(IStanding::Vouched { account: whose, .. })
            | Standing::VouchRevoked(IStanding::VouchRevoked { account: whose, .. }) => Self::Standing(account(whose)),
            Standing::Withdrawn(_) => Self::Withdrawal,
        }
    }
}

fn account(address: Address) -> AccountAddress {
    AccountAddress(address.into_array())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    const MAGNET: Magnet = Magnet([7; 32]);
    const WHO: Address = Address::repeat_byte(8);

    fn read(address: Address, event: impl alloy_primitives::IntoLogData) -> Option<Change> {
        let log = event.to_log_data();
        Change::of(address, log.topics(), &log.data)
    }

    #[test]
    fn a_change_is_known_by_its_event() {
        let registry = |event: Registry| read(REGISTRY_ADDRESS, event);
        let (magnet, video) = (B256::from(MAGNET.0), B256::repeat_byte(9));
        let reason = || "a claim".to_owned();
        let taken = IRegistry::VideoTakenDown { magnet, by: WHO, reason: reason() };
        assert_eq!(registry(Registry::VideoTakenDown(taken)), Some(Change::Video(MAGNET)));
        let taken = IRegistry::LayerTakenDown { layer: magnet, video, maker: WHO, by: Address::ZERO, reason: reason() };
        let layer = Change::Layer { layer: MAGNET, video: Magnet([9; 32]), maker: AccountAddress([8; 20]) };
        assert_eq!(registry(Registry::LayerTakenDown(taken)), Some(layer));
        let added = IRegistry::ParticipantAdded { account: WHO, by: WHO };
        assert_eq!(registry(Registry::ParticipantAdded(added)), Some(Change::Operation));
        let removed = IRegistry::SupervisorRemoved { supervisor: WHO };
        assert_eq!(registry(Registry::SupervisorRemoved(removed)), Some(Change::Supervisors));
        let (account, node, key) = (AccountAddress([8; 20]), B256::repeat_byte(4), B256::repeat_byte(5));
        let entered = IRegistry::ProviderRegistered { account: WHO, nodeId: node, boxKey: key };
        let change = Change::ProviderRegistered { account, node: NodeId([4; 32]), box_key: BoxPublicKey([5; 32]) };
        assert_eq!(registry(Registry::ProviderRegistered(entered)), Some(change));
        let left = IRegistry::ProviderWithdrawn { account: WHO, nodeId: node };
        assert_eq!(registry(Registry::ProviderWithdrawn(left)), Some(Change::ProviderWithdrawn { account }));

        let standing = |event: Standing| read(STANDING_ADDRESS, event);
        let bonded = IStanding::Bonded { account: WHO, amountWei: U256::from(1), bondedWei: U256::from(2) };
        assert_eq!(standing(Standing::Bonded(bonded)), Some(Change::Standing(AccountAddress([8; 20]))));
        let left = IStanding::Withdrawn { account: WHO, amountWei: U256::from(1) };
        assert_eq!(standing(Standing::Withdrawn(left)), Some(Change::Withdrawal));
    }

    #[test]
    fn what_is_not_ours_or_not_known_is_no_change() {
        let removed = IRegistry::SupervisorRemoved { supervisor: WHO };
        assert_eq!(read(STANDING_ADDRESS, removed.clone()), None);
        assert_eq!(read(WHO, removed), None);
        assert_eq!(Change::of(REGISTRY_ADDRESS, &[], &[]), None);
        assert_eq!(Change::of(REGISTRY_ADDRESS, &[B256::repeat_byte(1)], &[]), None);
    }
}
