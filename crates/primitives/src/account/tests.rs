//! Signatures are Ethereum's, in one form only, and the same from both libraries.

use super::*;
use proptest::prelude::*;

#[derive(BorshSerialize)]
struct Said(u64);
impl Signable for Said {
    const CONTEXT: &'static str = "chainflix test 2026 said";
}

fn key() -> AccountKey {
    // The first account of every Ethereum development network.
    let secret = hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
    AccountKey::from_bytes(&secret.try_into().unwrap()).unwrap()
}

/// The other signature of the same key over the same digest: `(r, n - s)`.
fn twin(signature: &Signature) -> Signature {
    let parsed = k256::ecdsa::Signature::from_slice(&signature.0[..64]).unwrap();
    let (r, s) = parsed.split_scalars();
    let parsed = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&parsed.to_bytes());
    bytes[64] = signature.0[64] ^ 1;
    Signature(bytes)
}

#[test]
fn addresses_are_ethereums() {
    assert_eq!(key().address().to_checksum(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

#[test]
fn only_the_signer_of_these_very_words_verifies() {
    let mut signed = Signed::new(Said(1), &key());
    assert_eq!(signed.verify(&key().address()), Ok(()));
    let other = AccountAddress([1; 20]);
    assert!(matches!(signed.verify(&other), Err(SignatureError::OtherSigner { .. })));
    signed.body.0 = 2;
    assert!(signed.verify(&key().address()).is_err());
}

#[test]
fn the_malleable_twin_of_a_signature_is_refused() {
    let signed = Signed::new(Said(1), &key());
    let twin = twin(&signed.signature);
    let (compact, recovery) = twin.parts();
    assert_eq!(native::recover(compact, recovery, &Said(1).digest()), Some(key().address()), "it is a signature");
    assert_eq!(twin.recover(&Said(1).digest()), Err(SignatureError::Malformed));
}

#[test]
fn low_means_at_most_half_the_order() {
    // `-1/2 = (n - 1)/2` in the scalar field.
    let half = -k256::Scalar::from(2u64).invert().unwrap();
    assert_eq!(<[u8; 32]>::from(half.to_bytes()), HALF_ORDER);
}

#[test]
fn secrets_do_not_print() {
    assert!(!format!("{:?}", key()).contains("ac0974"));
    assert!(AccountKey::from_bytes(&[0; 32]).is_err());
}

/// Order of the curve, `2 * HALF_ORDER + 1`: the first number that is no scalar.
fn order() -> [u8; 32] {
    std::array::from_fn(|at| {
        let next = HALF_ORDER.get(at + 1).copied().unwrap_or(0x80);
        HALF_ORDER[at] << 1 | next >> 7
    })
}

/// Secrets, digests and signature parts, with the ends of the range more often than chance would have them.
fn word() -> impl Strategy<Value = [u8; 32]> {
    let order = order();
    let mut beyond = order;
    beyond[31] += 1;
    let one = std::array::from_fn(|at| u8::from(at == 31));
    let edges = [[0; 32], one, HALF_ORDER, order, beyond, [0xff; 32]];
    prop_oneof![5 => any::<[u8; 32]>(), 1 => prop::sample::select(edges.to_vec())]
}

proptest! {
    // Of a digest beyond the order (one in 2^128) libsecp256k1 draws its nonce from other bytes than RFC 6979 says; the
    // signature is as good.
    #[test]
    fn both_libraries_know_the_same_secrets_and_sign_alike(secret in word(), digest in word()) {
        prop_assume!(digest < order());
        let (native, portable) = (native::Secret::from_bytes(&secret), portable::Secret::from_bytes(&secret));
        prop_assert_eq!(native.is_some(), portable.is_some());
        let (Some(native), Some(portable)) = (native, portable) else { return Ok(()) };
        prop_assert_eq!(native.to_bytes(), portable.to_bytes());
        prop_assert_eq!(native.address(), portable.address());
        let (compact, recovery) = native.sign(&digest);
        prop_assert_eq!((compact, recovery), portable.sign(&digest));
        prop_assert!(compact[32..] <= HALF_ORDER[..]);
        prop_assert_eq!(native::recover(&compact, recovery, &digest), Some(native.address()));
        prop_assert_eq!(portable::recover(&compact, recovery, &digest), Some(native.address()));
    }

    // k256 refuses the high form by itself, libsecp256k1 does not: `Signature::recover` keeps it from both.
    #[test]
    fn both_libraries_recover_alike_from_anything(r in word(), mut s in word(), recovery in 0u8..8, digest in word()) {
        s[0] &= 0x7f;
        prop_assume!(s <= HALF_ORDER);
        let compact = std::array::from_fn(|at| if at < 32 { r[at] } else { s[at - 32] });
        prop_assert_eq!(native::recover(&compact, recovery, &digest), portable::recover(&compact, recovery, &digest));
    }

    #[test]
    fn both_libraries_recover_alike_from_a_damaged_signature(bit in 0usize..520, digest in any::<[u8; 32]>()) {
        let mut signature = key().sign_digest(&digest);
        signature.0[bit / 8] ^= 1 << (bit % 8);
        let (compact, recovery) = signature.parts();
        prop_assume!(compact[32..] <= HALF_ORDER[..]);
        let recovered = native::recover(compact, recovery, &digest);
        prop_assert_eq!(recovered, portable::recover(compact, recovery, &digest));
        prop_assert_ne!(recovered, Some(key().address()));
    }
}
