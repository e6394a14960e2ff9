//! The dealer: draws a secret, hands out shares of it, and forgets it.
//!
//! A polynomial of degree `quorum - 1` is drawn; its value at 0 is the network's secret, its value at `i + 1` the share
//! of validator `i`. Any `quorum` shares fix the polynomial, fewer say nothing about its value at 0 (Shamir). What is
//! published are its coefficients times the generator, so that each share, and each signature with it, can be checked
//! (Feldman).
//!
//! Whoever deals knows everything for a moment: it is for networks whose founder lays out the genesis anyway. Making the
//! shares among the validators, so that nobody ever knows the secret, needs a protocol run before the genesis.

use crate::curve::{KeyShare, point_to};
use crate::drawn::Drawn;
use chainflix_primitives::NetworkKeys;
use commonware_cryptography::bls12381::primitives::group::{G1, Private, Scalar};
use commonware_math::algebra::{Additive as _, CryptoGroup as _, Random as _};
use zeroize::Zeroizing;

/// Why nothing is dealt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quorum of {quorum} of {validators} validators is impossible; allowed are {least} to {validators}")]
pub struct DealError {
    /// The wanted quorum.
    pub quorum: usize,
    /// The validators there are.
    pub validators: usize,
    /// The smallest quorum for so many.
    pub least: usize,
}

/// What a dealer hands out.
#[derive(Debug)]
pub struct Dealing {
    /// For the genesis.
    pub keys: NetworkKeys,
    /// One for each validator, in the order of the genesis.
    pub shares: Vec<KeyShare>,
}

/// Deals shares to `validators`, any `quorum` of which can release keys. `seed` must be fresh random bytes, which the
/// caller wipes: who has them has the network's secret.
///
/// # Errors
/// [`DealError`] when the quorum is below [`NetworkKeys::quorum_least`] or above the number of validators.
pub fn deal(validators: usize, quorum: usize, seed: &[u8; 32]) -> Result<Dealing, DealError> {
    let least = NetworkKeys::quorum_least(validators);
    if quorum < least || quorum > validators {
        return Err(DealError { quorum, validators, least });
    }
    let mut draws = Drawn::new("chainflix 2026 key dealing v1", seed);
    let tags = Zeroizing::new(draws.next());
    let polynomial: Vec<Scalar> = (0..quorum).map(|_| Scalar::random(&mut draws)).collect();
    let commitment = polynomial.iter().map(|coefficient| point_to(&(G1::generator() * coefficient))).collect();
    let share = |validator| {
        // Counted from 1: at 0 is the secret itself.
        let value = evaluate(&polynomial, &Scalar::from_u64(validator as u64 + 1));
        KeyShare::new(Private::new(value), tags.clone())
    };
    Ok(Dealing { keys: NetworkKeys::Threshold { commitment }, shares: (0..validators).map(share).collect() })
}

/// Horner's rule.
fn evaluate(polynomial: &[Scalar], at: &Scalar) -> Scalar {
    polynomial.iter().rev().fold(Scalar::zero(), |sum, coefficient| sum * at + coefficient)
}
