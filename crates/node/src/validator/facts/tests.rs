//! The facts over a real chain with the real contracts, block by block.

use super::*;
use crate::validator::genesis;
use alloy_consensus::TxEip1559;
use alloy_primitives::TxKind;
use chainflix_chain::execution::{BlockRequest, ExecutionConfig, H256, Storage};
use chainflix_contracts::{IStanding, SolCall};
use chainflix_primitives::{
    AccountKey, BoxKey, BoxPublicKey, NetworkGenesis, NetworkKeys, NodeId, ProtocolParams,
    genesis::{Allocation, SupervisorIdentity},
};
use chainflix_rpc::types::Provider;
use std::collections::HashMap;

const FILM: Magnet = Magnet([7; 32]);
const LAYER: Magnet = Magnet([8; 32]);
const CFX: u128 = WEI_PER_CFX;

/// A chain of one node that makes its own blocks.
struct Chain {
    execution: ExecutionLayer,
    facts: ChainFacts,
    nonces: HashMap<AccountAddress, u64>,
}

fn key(number: u8) -> AccountKey {
    AccountKey::from_bytes(&[number; 32]).unwrap()
}

fn governor() -> AccountKey {
    key(1)
}
fn supervisor() -> AccountKey {
    key(2)
}
fn creator() -> AccountKey {
    key(3)
}
fn viewer() -> AccountKey {
    key(4)
}

fn network() -> NetworkGenesis {
    NetworkGenesis {
        chain_id: 4_408_922,
        genesis_time_ms: 1_700_000_000_000,
        params: ProtocolParams::default(),
        validators: Vec::new(),
        keys: NetworkKeys::Shared { box_key: BoxKey::from_bytes([5; 32]).public_key() },
        governor: governor().address(),
        supervisors: vec![SupervisorIdentity { account: supervisor().address(), country: "KR".into() }],
        allocations: (1..=4).map(|number| Allocation { account: key(number).address(), cfx: 10_000 }).collect(),
    }
}

impl Chain {
    async fn start() -> Self {
        let genesis = network();
        let block = genesis::ethereum(&genesis).unwrap().build().unwrap();
        let execution = ExecutionLayer::open(Storage::Memory, block, ExecutionConfig::default()).await.unwrap();
        let facts = ChainFacts::new(execution.clone(), genesis.params.weights.bond_full_cfx);
        Self { execution, facts, nonces: HashMap::new() }
    }

    /// Puts the call into a block of its own. Whoever follows the blocks has not seen it yet.
    async fn send(&mut self, from: &AccountKey, to: Address, wei: u128, call: impl SolCall) {
        let nonce = self.nonces.entry(from.address()).or_default();
        let transaction = TxEip1559 {
            chain_id: 4_408_922,
            nonce: *nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 1_000,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(to),
            value: U256::from(wei),
            access_list: Default::default(),
            input: call.abi_encode().into(),
        };
        *nonce += 1;
        let signed = chainflix_rpc::wallet::sign(transaction, from);
        self.execution.submit_raw_transaction(&signed.raw).await.unwrap();
        self.extend(1).await;
    }

    async fn registry(&mut self, from: &AccountKey, call: impl SolCall) {
        self.send(from, REGISTRY_ADDRESS, 0, call).await;
    }

    async fn extend(&self, blocks: u32) {
        for _ in 0..blocks {
            let head = self.execution.head();
            let request = BlockRequest {
                parent: head.hash(),
                timestamp_s: head.timestamp + 2,
                fee_recipient: execution::Address::repeat_byte(0xfe),
                prev_randao: H256::repeat_byte(1),
                beacon_root: H256::repeat_byte(2),
                withdrawals: Vec::new(),
                unfinalised: Vec::new(),
                max_rlp_bytes: 1 << 20,
            };
            let block = Arc::new(self.execution.build(request).await.unwrap());
            self.execution.import(block.clone()).await.unwrap();
            self.execution.finalize(&block).await.unwrap();
        }
    }

    /// Everything that the tests ask about, in one value.
    fn answers(&self) -> Answers {
        let facts = &self.facts;
        Answers {
            split: facts.video(&FILM).unwrap().map(|video| video.split),
            taken_down: facts.video(&FILM).unwrap().is_some_and(|video| video.record.takenDown),
            activator: facts.activator(&FILM, &LAYER).unwrap(),
            is_activator: facts.is_activator(&FILM, &creator().address()).unwrap(),
            operation: facts.operation().unwrap().to_vec(),
            providers: facts.providers().unwrap().iter().copied().collect(),
            standing: facts.standing(&viewer().address()).unwrap(),
        }
    }

    /// The answers before the follower saw the newest block, when it has seen it, and out of memory: all the same.
    async fn agreed(&self) -> Answers {
        let early = self.answers();
        self.facts.catch_up().await;
        assert_eq!(self.facts.kept().height, self.execution.height());
        assert_eq!(self.answers(), early);
        assert_eq!(self.answers(), early);
        early
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Answers {
    split: Option<RewardSplit>,
    taken_down: bool,
    activator: Option<AccountAddress>,
    is_activator: bool,
    operation: Vec<AccountAddress>,
    providers: Vec<Provider>,
    standing: u16,
}

fn address(key: &AccountKey) -> Address {
    Address::from(key.address().0)
}

fn publish(split: RewardSplit) -> IRegistry::registerVideoWithSplitCall {
    IRegistry::registerVideoWithSplitCall {
        magnet: B256::from(FILM.0),
        playTimeMs: 60_000,
        cells: 1,
        sealedVideoSecret: vec![9; 80].into(),
        split: split.into(),
    }
}

#[tokio::test]
async fn answers_follow_the_contracts_block_by_block() {
    let mut chain = Chain::start().await;
    let mut expected = Answers::default();
    assert_eq!(chain.agreed().await, expected);

    chain.registry(&supervisor(), IRegistry::admitCreatorCall { creator: address(&creator()) }).await;
    let split = RewardSplit { creator: 400, viewer: 250, activators: 50, ..RewardSplit::DEFAULT };
    chain.registry(&creator(), publish(split)).await;
    expected.split = Some(split);
    assert_eq!(chain.agreed().await, expected);

    let (layer, video) = (B256::from(LAYER.0), B256::from(FILM.0));
    let call = IRegistry::registerLayerCall { layer, video, kind: IRegistry::LayerKind::Subtitles };
    chain.registry(&creator(), call).await;
    (expected.activator, expected.is_activator) = (Some(creator().address()), true);
    assert_eq!(chain.agreed().await, expected);
    assert_eq!(chain.facts.activator(&LAYER, &LAYER).unwrap(), None, "of another video");

    chain.registry(&supervisor(), IRegistry::takeDownLayerCall { layer, reason: "a test".into() }).await;
    (expected.activator, expected.is_activator) = (None, false);
    assert_eq!(chain.agreed().await, expected);

    chain.registry(&supervisor(), IRegistry::takeDownCall { magnet: video, reason: "a test".into() }).await;
    expected.taken_down = true;
    assert_eq!(chain.agreed().await, expected);

    for account in [viewer(), creator()] {
        chain.registry(&supervisor(), IRegistry::addParticipantCall { account: address(&account) }).await;
        expected.operation.push(account.address());
        expected.operation.sort();
        assert_eq!(chain.agreed().await, expected);
    }

    let call = IRegistry::registerProviderCall { nodeId: B256::repeat_byte(1), boxKey: B256::repeat_byte(2) };
    chain.registry(&creator(), call).await;
    let provider = |key: AccountKey, node| Provider {
        account: key.address(),
        node_id: NodeId([node; 32]),
        box_key: BoxPublicKey([2; 32]),
    };
    expected.providers = vec![provider(creator(), 1)];
    assert_eq!(chain.agreed().await, expected);

    // The list is read once; from then on it follows what the events say.
    let register =
        |node| IRegistry::registerProviderCall { nodeId: B256::repeat_byte(node), boxKey: B256::repeat_byte(2) };
    chain.registry(&viewer(), register(3)).await;
    chain.registry(&creator(), register(4)).await;
    expected.providers = vec![provider(creator(), 4), provider(viewer(), 3)];
    expected.providers.sort_by_key(|provider| provider.account);
    assert_eq!(chain.agreed().await, expected);
    chain.registry(&creator(), IRegistry::withdrawProviderCall {}).await;
    expected.providers = vec![provider(viewer(), 3)];
    assert_eq!(chain.agreed().await, expected);
    assert_eq!(chain.facts.providers().unwrap().at(&NodeId([4; 32])), None);
}

#[tokio::test]
async fn standing_follows_bonds_and_vouches() {
    let mut chain = Chain::start().await;
    let standing = |chain: &Chain| chain.facts.standing(&viewer().address()).unwrap();
    assert_eq!(standing(&chain), 0);
    chain.send(&viewer(), STANDING_ADDRESS, 400 * CFX, IStanding::bondCall {}).await;
    assert_eq!(chain.agreed().await.standing, 400);
    chain.send(&viewer(), STANDING_ADDRESS, 1_600 * CFX, IStanding::bondCall {}).await;
    assert_eq!(chain.agreed().await.standing, 1_000);
    let call = IStanding::requestUnbondCall { amountWei: U256::from(1_999 * CFX + 1) };
    chain.send(&viewer(), STANDING_ADDRESS, 0, call).await;
    assert_eq!(chain.agreed().await.standing, 0, "less than a thousandth of a full bond");

    let call = IStanding::vouchCall { account: address(&viewer()) };
    chain.send(&supervisor(), STANDING_ADDRESS, 0, call).await;
    assert_eq!(chain.agreed().await.standing, 1_000);
    let call = IRegistry::removeSupervisorCall { supervisor: address(&supervisor()) };
    chain.registry(&governor(), call).await;
    assert_eq!(chain.agreed().await.standing, 0, "nobody in office vouches");
}

#[tokio::test]
async fn a_block_that_changes_nothing_costs_nothing_and_one_account_costs_one() {
    let mut chain = Chain::start().await;
    chain.answers();
    let stranger = AccountAddress([0xaa; 20]);
    chain.facts.standing(&stranger).unwrap();
    chain.extend(3).await;
    chain.facts.catch_up().await;
    let is_kept = |account: &AccountAddress| chain.facts.kept().standings.get(account).is_some();
    assert!(is_kept(&stranger) && is_kept(&viewer().address()));
    assert!(chain.facts.kept().operation.is_some());

    chain.send(&viewer(), STANDING_ADDRESS, CFX, IStanding::bondCall {}).await;
    chain.facts.catch_up().await;
    let is_kept = |account: &AccountAddress| chain.facts.kept().standings.get(account).is_some();
    assert!(is_kept(&stranger) && !is_kept(&viewer().address()));
    assert!(chain.facts.kept().operation.is_some());
}

#[tokio::test]
async fn nothing_is_kept_while_the_follower_is_behind() {
    let chain = Chain::start().await;
    chain.extend(1).await;
    chain.answers();
    let height = chain.facts.kept().height;
    assert_eq!(height, 0);
    assert!(chain.facts.kept().standings.get(&viewer().address()).is_none());
    assert!(chain.facts.kept().operation.is_none());
}

#[tokio::test]
async fn the_follower_follows_and_hashes_are_those_of_final_blocks() {
    let chain = Chain::start().await;
    let follower = chain.facts.follow();
    let watched = async {
        chain.extend(3).await;
        while chain.facts.kept().height < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = follower => panic!("it ended"),
        () = watched => {}
    }
    let head = chain.execution.head();
    assert_eq!(chain.facts.block_hash(3).unwrap(), Some(BlockHash(head.hash().0)));
    assert_eq!(chain.facts.block_hash(2).unwrap(), Some(BlockHash(head.parent_hash.0)));
    assert_eq!(chain.facts.block_hash(4).unwrap(), None);
}

#[test]
fn a_bond_weighs_its_part_of_a_full_one() {
    let permille = |wei: u128| bond_permille(U256::from(wei), 1_000);
    assert_eq!([0, CFX - 1, CFX, 499 * CFX, 1_000 * CFX - 1].map(permille), [0, 0, 1, 499, 999]);
    assert_eq!([1_000 * CFX, 1_001 * CFX, u128::MAX].map(permille), [1_000; 3]);
    assert_eq!(bond_permille(U256::MAX, 1 << 40), 1_000);
    assert_eq!(bond_permille(U256::from(1), 1), 0);
}
