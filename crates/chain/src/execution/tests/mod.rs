//! The execution layer as consensus and users see it, over real ethrex stores.

mod blocks;
mod pool;
mod requests;
mod restart;

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Signature, TxKind, keccak256};
use k256::ecdsa::SigningKey;

use super::*;
use crate::genesis::{CHAIN_ID, EthereumGenesis, GAS_LIMIT, Genesis, Predeploy};

const GENESIS_TIME_S: u64 = 1_700_000_000;
const RICH_WEI: u128 = 1_000_000 * 10u128.pow(18);
const MAX_RLP_BYTES: usize = 8 << 20;

/// Returns storage slot 0.
const GETTER: Address = Address::repeat_byte(0xc0);
/// Reverts with four bytes.
const REVERTER: Address = Address::repeat_byte(0xc1);
/// Emits a log without topics.
const LOGGER: Address = Address::repeat_byte(0xc2);

/// Somebody with coins from block 0.
struct User {
    key: SigningKey,
    address: Address,
}

fn user(number: u8) -> User {
    let key = SigningKey::from_slice(&[number; 32]).unwrap();
    let point = key.verifying_key().to_encoded_point(false);
    let address = Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..]);
    User { key, address }
}

impl User {
    fn sign(&self, nonce: u64, to: Address, value: u64, input: Vec<u8>) -> Vec<u8> {
        self.sign_with_tip(nonce, to, value, input, 1)
    }

    fn sign_with_tip(&self, nonce: u64, to: Address, value: u64, input: Vec<u8>, tip: u128) -> Vec<u8> {
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000 + 40 * input.len() as u64 + 50_000,
            max_fee_per_gas: 1_000_000_000,
            max_priority_fee_per_gas: tip,
            to: TxKind::Call(alloy_primitives::Address::from(to.0)),
            value: alloy_primitives::U256::from(value),
            access_list: Default::default(),
            input: input.into(),
        };
        let digest = transaction.signature_hash();
        let (signature, recovery) = self.key.sign_prehash_recoverable(digest.as_slice()).unwrap();
        let signature = Signature::from_bytes_and_parity(&signature.to_bytes(), recovery.is_y_odd());
        transaction.into_signed(signature).encoded_2718()
    }
}

fn genesis() -> Genesis {
    genesis_of(CHAIN_ID)
}

fn genesis_of(chain_id: u64) -> Genesis {
    let contract =
        |address: Address, code: &[u8], storage| Predeploy { address: address.0, code: code.into(), storage };
    let parts = EthereumGenesis {
        chain_id,
        timestamp_s: GENESIS_TIME_S,
        allocations: (1..=3).map(|number| (user(number).address.0, RICH_WEI)).collect(),
        predeploys: vec![
            contract(GETTER, &hex("5f545f5260205ff3"), BTreeMap::from([([0; 32], [7; 32])])),
            contract(REVERTER, &hex("63deadbeef5f526004601cfd"), BTreeMap::new()),
            contract(LOGGER, &hex("5f5fa000"), BTreeMap::new()),
        ],
        gas_limit: GAS_LIMIT,
    };
    parts.build().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    alloy_primitives::hex::decode(text).unwrap()
}

async fn in_memory() -> ExecutionLayer {
    ExecutionLayer::open(Storage::Memory, genesis(), ExecutionConfig::default()).await.unwrap()
}

/// A second after its parent, minting nothing.
fn request(parent: &BlockHeader) -> BlockRequest {
    BlockRequest {
        parent: parent.hash(),
        timestamp_s: parent.timestamp + 1,
        fee_recipient: Address::repeat_byte(0xfe),
        prev_randao: H256::repeat_byte(1),
        beacon_root: H256::from_low_u64_be(parent.number + 1),
        withdrawals: Vec::new(),
        unfinalised: Vec::new(),
        max_rlp_bytes: MAX_RLP_BYTES,
    }
}

impl ExecutionLayer {
    /// Builds and imports, without making final.
    async fn propose(&self, request: BlockRequest) -> Arc<Block> {
        let block = Arc::new(self.build(request).await.unwrap());
        self.import(block.clone()).await.unwrap();
        block
    }

    /// Builds, imports and makes final a block on the head.
    async fn extend(&self) -> Arc<Block> {
        let block = self.propose(request(&self.head())).await;
        self.finalize(&block).await.unwrap();
        block
    }

    async fn adopt(&self, block: &Arc<Block>) {
        self.import(block.clone()).await.unwrap();
        self.finalize(block).await.unwrap();
    }

    async fn submit(&self, raw: Vec<u8>) -> H256 {
        self.submit_raw_transaction(&raw).await.unwrap()
    }
}

fn hashes(block: &Block) -> Vec<H256> {
    block.body.transactions.iter().map(|transaction| transaction.hash(&ethrex_common::NativeCrypto)).collect()
}
