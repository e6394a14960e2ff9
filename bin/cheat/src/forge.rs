//! Proofs that are made up: everything in them is right but what nobody had.

use crate::{client::Client, stage::now_ms};
use chainflix_primitives::{Digest, PlayCode, PlayData, Signed};
use chainflix_proof_of_view::points;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(50);
const NONCES: u64 = 1 << 15;

/// Waits a minute out and notes the newest block at each point, as a proof has to name them.
pub async fn blocks_of(client: &Client<'_>, code: &PlayCode) -> Vec<u32> {
    let count = client.stage.params().play_points;
    let starts_ms = now_ms() + code.starts_ms.saturating_sub(code.issued_ms);
    let mut blocks = Vec::new();
    loop {
        let position_ms = now_ms().saturating_sub(starts_ms).min(code.play_ms);
        // At most 16 points.
        while blocks.len() < usize::from(count)
            && position_ms >= points::position_ms(code.play_ms, blocks.len() as u8, count)
        {
            blocks.push(client.stage.head.borrow().0);
        }
        if position_ms == code.play_ms {
            return blocks;
        }
        tokio::time::sleep(STEP).await;
    }
}

/// A nonce for a hash, whoever made the hash.
pub async fn nonce(code: &PlayCode, hash: &Digest) -> u64 {
    let mut from = 0;
    loop {
        if let Some(nonce) = points::search_nonce(code, hash, from, NONCES) {
            return nonce;
        }
        from += NONCES;
        tokio::task::yield_now().await;
    }
}

/// A proof with a hash of one's own.
pub async fn proof(client: &Client<'_>, code: &PlayCode, blocks: Vec<u32>, hash: Digest) -> Signed<PlayData> {
    let nonce = nonce(code, &hash).await;
    let data = PlayData {
        play: code.id,
        slot: client.slot(),
        download_key: code.download_key,
        hash,
        point_blocks: blocks,
        nonce,
    };
    Signed::new(data, &client.key)
}

/// A hash that no points gave.
pub fn invented_hash() -> Digest {
    Digest(rand::random())
}
