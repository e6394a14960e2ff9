//! Bare cryptography: the least that a check of somebody's word, a word of one's own and a sealed key can cost.

use crate::{draw::Draw, report::Metrics, stopwatch::Stopwatch};
use chainflix_primitives::BoxKey;
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey, ecdsa::Signature};
use std::{hint::black_box, time::Duration};

/// Rounds, of which the fastest counts: what disturbed the others is not the library.
const ROUNDS: usize = 20;
const WORDS: usize = 1_000;

struct Word {
    key: SecretKey,
    public: PublicKey,
    message: Message,
    signature: Signature,
}

/// Measures verification and signing with libsecp256k1, and sealed boxes.
pub fn run(metrics: &mut Metrics) {
    let mut draw = Draw::new("bare");
    let words: Vec<_> = (0..WORDS)
        .filter_map(|_| {
            // One in 2^128 is no key.
            let (key, message) = (SecretKey::from_byte_array(draw.bytes()).ok()?, Message::from_digest(draw.bytes()));
            Some(Word {
                key,
                public: key.public_key(SECP256K1),
                message,
                signature: SECP256K1.sign_ecdsa(message, &key),
            })
        })
        .collect();
    let verify = |word: &Word| SECP256K1.verify_ecdsa(word.message, &word.signature, &word.public);
    let sign = |word: &Word| SECP256K1.sign_ecdsa_recoverable(word.message, &word.key);
    let whom = BoxKey::from_bytes(draw.bytes()).public_key();
    let seal = |word: &Word| whom.seal(&[1; 32], *word.message.as_ref());
    metrics.add_rate("bare_signature_per_core_per_s", WORDS, fastest(&words, verify));
    metrics.add_rate("bare_signing_per_core_per_s", WORDS, fastest(&words, sign));
    metrics.add_rate("bare_sealing_per_core_per_s", WORDS, fastest(&words, seal));
}

fn fastest<T>(words: &[Word], work: impl Fn(&Word) -> T) -> Duration {
    let round = || {
        let watch = Stopwatch::start();
        for word in words {
            black_box(work(word));
        }
        watch.elapsed()
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or(Duration::MAX)
}
