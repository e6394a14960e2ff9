//! What a grant must say before a byte is served.

use chainflix_overlay::cell::{CellRequest, Refusal};
use chainflix_primitives::{AccountAddress, BoxKey, CHUNK_BYTES, DownloadKey, NodeId};
use zeroize::Zeroizing;

/// Whom this provider believes, and who it is.
#[derive(Clone, Debug)]
pub struct GrantPolicy {
    /// Our node.
    pub node: NodeId,
    /// Our account.
    pub account: AccountAddress,
    /// The genesis' validators: the only ones whose grants count.
    pub validators: Vec<AccountAddress>,
}

impl GrantPolicy {
    /// Checks a request by our own clock. Cheap checks come first; the signature is the last and costs the most.
    pub fn check(&self, request: &CellRequest, now_ms: u64) -> Result<(), Refusal> {
        let grant = &request.grant.body;
        if grant.provider_node != self.node || grant.provider != self.account {
            return Err(Refusal::OtherProvider);
        }
        if now_ms >= grant.expires_ms {
            return Err(Refusal::Expired);
        }
        let inside = request.from_byte >= grant.from_byte && request.from_byte < grant.size;
        if !inside || !request.from_byte.is_multiple_of(CHUNK_BYTES) {
            return Err(Refusal::Range);
        }
        match request.grant.signer() {
            Ok(signer) if self.validators.contains(&signer) => Ok(()),
            _ => Err(Refusal::Forged),
        }
    }

    /// Opens the provider's copy of the DownloadKey.
    pub fn download_key(&self, request: &CellRequest, key: &BoxKey) -> Result<DownloadKey, Refusal> {
        let opened = Zeroizing::new(key.unseal(&request.grant.body.provider_key).map_err(|_| Refusal::Key)?);
        Ok(DownloadKey::from_bytes(*opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountKey, CellId, Grant, GrantId, Magnet, SealedKey, Signed};

    const NOW: u64 = 1_000_000;

    fn request(signer: u8, change: impl FnOnce(&mut Grant)) -> CellRequest {
        let mut grant = Grant {
            id: GrantId([1; 16]),
            viewer: AccountAddress([2; 20]),
            magnet: Magnet([3; 32]),
            cell_index: 0,
            cell: CellId([4; 32]),
            size: 100_000,
            from_byte: CHUNK_BYTES,
            provider: AccountAddress([5; 20]),
            provider_node: NodeId([6; 32]),
            expires_ms: NOW + 1,
            viewer_secret: SealedKey([0; 80]),
            provider_key: BoxKey::from_bytes([7; 32]).public_key().seal(&[8; 32], [9; 32]),
        };
        change(&mut grant);
        let key = AccountKey::from_bytes(&[signer; 32]).unwrap();
        CellRequest { grant: Signed::new(grant, &key), from_byte: CHUNK_BYTES }
    }

    fn policy() -> GrantPolicy {
        let validators = vec![AccountKey::from_bytes(&[1; 32]).unwrap().address()];
        GrantPolicy { node: NodeId([6; 32]), account: AccountAddress([5; 20]), validators }
    }

    #[test]
    fn a_validators_word_for_us_and_for_now() {
        let check = |signer, change: fn(&mut Grant)| policy().check(&request(signer, change), NOW);
        assert_eq!(check(1, |_| ()), Ok(()));
        assert_eq!(check(2, |_| ()), Err(Refusal::Forged));
        assert_eq!(check(1, |grant| grant.expires_ms = NOW), Err(Refusal::Expired));
        assert_eq!(check(1, |grant| grant.provider_node.0[0] ^= 1), Err(Refusal::OtherProvider));
        assert_eq!(check(1, |grant| grant.provider.0[0] ^= 1), Err(Refusal::OtherProvider));
        assert_eq!(check(1, |grant| grant.from_byte = 2 * CHUNK_BYTES), Err(Refusal::Range));
        assert_eq!(check(1, |grant| grant.size = CHUNK_BYTES), Err(Refusal::Range));
    }

    #[test]
    fn changed_words_are_forged_words() {
        let mut changed = request(1, |_| ());
        changed.grant.body.size += 1;
        assert_eq!(policy().check(&changed, NOW), Err(Refusal::Forged));
        let mut inside_a_chunk = request(1, |_| ());
        inside_a_chunk.from_byte += 1;
        assert_eq!(policy().check(&inside_a_chunk, NOW), Err(Refusal::Range));
    }

    #[test]
    fn the_key_opens_for_us_alone() {
        let key = policy().download_key(&request(1, |_| ()), &BoxKey::from_bytes([7; 32])).unwrap();
        assert_eq!(key.expose(), &[8; 32]);
        let other = policy().download_key(&request(1, |_| ()), &BoxKey::from_bytes([1; 32]));
        assert_eq!(other, Err(Refusal::Key));
    }
}
