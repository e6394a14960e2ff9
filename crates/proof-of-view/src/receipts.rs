//! Grants that are out, and what viewer and provider say was delivered under each.
//!
//! A range counts when both signed the same words for it. Where one provider fell over in mid-cell without signing, the
//! bytes it served stay uncovered and its share goes to nobody of the storage role.

use crate::Refusal;
use chainflix_primitives::{
    AccountAddress, CellId, Grant, GrantId, ProtocolParams, ProviderShare, Receipt, Signed,
    message::PROVIDER_SHARES_MAX,
};
use std::collections::{BTreeMap, HashMap};

/// Most grants a validator remembers at a time; a full house answers "busy".
pub const GRANTS_MAX: usize = 1 << 20;

#[derive(Debug)]
struct Entry {
    grant: Grant,
    viewer: Option<Receipt>,
    provider: Option<Receipt>,
    forget_ms: u64,
}

/// The grants a validator knows of.
#[derive(Debug, Default)]
pub struct Grants {
    entries: HashMap<GrantId, Entry>,
    /// Grants by whom and what they serve, so that a play finds all its deliveries.
    by_cell: HashMap<(AccountAddress, CellId), Vec<GrantId>>,
    by_time: BTreeMap<u64, Vec<GrantId>>,
}

impl Grants {
    /// Remembers a grant until its receipts can no longer matter.
    pub fn add(&mut self, params: &ProtocolParams, grant: Grant) -> Result<(), Refusal> {
        if self.entries.len() >= GRANTS_MAX {
            return Err(Refusal::Busy { retry_ms: params.slot_ms });
        }
        if self.entries.contains_key(&grant.id) {
            return Ok(());
        }
        // A play may start when the grant ends, and is proved at most `late_permille` of a cell later.
        let forget_ms = grant.expires_ms + params.cell_ms * params.late_permille / 1000 + 2 * params.slot_ms;
        self.by_cell.entry((grant.viewer, grant.cell)).or_default().push(grant.id);
        self.by_time.entry(forget_ms).or_default().push(grant.id);
        self.entries.insert(grant.id, Entry { grant, viewer: None, provider: None, forget_ms });
        Ok(())
    }

    /// A grant that is still remembered.
    pub fn get(&self, id: &GrantId) -> Option<&Grant> {
        self.entries.get(id).map(|entry| &entry.grant)
    }

    /// Takes a receipt from whoever signed it: the grant's viewer or its provider. Answers whether it is new.
    pub fn receive(&mut self, receipt: &Signed<Receipt>) -> Result<bool, Refusal> {
        let said = &receipt.body;
        let entry = self.entries.get_mut(&said.grant).ok_or(Refusal::UnknownGrant)?;
        let grant = &entry.grant;
        if (said.viewer, said.provider, said.cell) != (grant.viewer, grant.provider, grant.cell) {
            return Err(Refusal::OtherGrant);
        }
        if said.start != grant.from_byte || said.end <= said.start || said.end > grant.size {
            return Err(Refusal::Malformed { what: "the receipt's range" });
        }
        let signer = receipt.signer().map_err(|_| Refusal::BadSignature)?;
        let mut new = false;
        // One account may be both: it then signs once for each side.
        for (party, side) in [(grant.viewer, &mut entry.viewer), (grant.provider, &mut entry.provider)] {
            if signer == party && side.is_none() {
                *side = Some(said.clone());
                new = true;
            }
        }
        if signer != grant.viewer && signer != grant.provider {
            return Err(Refusal::BadSignature);
        }
        Ok(new)
    }

    /// What both sides agree was delivered of `cell` to `viewer`, by provider; the refusal when it is not enough.
    pub fn shares(
        &self,
        params: &ProtocolParams,
        viewer: &AccountAddress,
        cell: &CellId,
        size: u64,
    ) -> Result<Vec<ProviderShare>, Refusal> {
        let mut ranges = Vec::new();
        let mut differ = false;
        for id in self.by_cell.get(&(*viewer, *cell)).into_iter().flatten() {
            let Some(Entry { viewer: Some(viewer), provider: Some(provider), .. }) = self.entries.get(id) else {
                continue;
            };
            match viewer == provider {
                true => ranges.push((viewer.start, viewer.end, viewer.provider)),
                false => differ = true,
            }
        }
        let (shares, covered) = disjoint(ranges);
        let covered_permille = covered * 1000 / size.max(1);
        if covered_permille >= params.receipt_coverage_permille {
            return Ok(shares);
        }
        if differ {
            return Err(Refusal::ReceiptsDiffer);
        }
        Err(Refusal::ReceiptsMissing { covered_permille, needed_permille: params.receipt_coverage_permille })
    }

    /// Forgets what can no longer matter.
    pub fn expire(&mut self, now_ms: u64) {
        while let Some(due) = self.by_time.first_entry().filter(|due| *due.key() <= now_ms) {
            for id in due.remove() {
                let Some(entry) = self.entries.remove(&id) else { continue };
                debug_assert!(entry.forget_ms <= now_ms);
                let cell = (entry.grant.viewer, entry.grant.cell);
                if let Some(ids) = self.by_cell.get_mut(&cell) {
                    ids.retain(|other| *other != id);
                    if ids.is_empty() {
                        self.by_cell.remove(&cell);
                    }
                }
            }
        }
    }
}

/// Adds up agreed ranges so that no byte counts twice: the first to claim it has it.
fn disjoint(mut ranges: Vec<(u64, u64, AccountAddress)>) -> (Vec<ProviderShare>, u64) {
    ranges.sort_unstable();
    let mut shares = BTreeMap::<AccountAddress, u64>::new();
    let (mut upto, mut covered) = (0, 0);
    for (start, end, provider) in ranges {
        let bytes = end.saturating_sub(start.max(upto));
        if bytes > 0 && (shares.len() < PROVIDER_SHARES_MAX || shares.contains_key(&provider)) {
            *shares.entry(provider).or_default() += bytes;
            covered += bytes;
            upto = end;
        }
    }
    (shares.into_iter().map(|(provider, bytes)| ProviderShare { provider, bytes }).collect(), covered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_paid_twice() {
        let account = |n| AccountAddress([n; 20]);
        let (shares, covered) = disjoint(vec![(50, 100, account(2)), (0, 60, account(1)), (0, 10, account(3))]);
        assert_eq!(covered, 100);
        assert_eq!(shares.iter().map(|share| share.bytes).sum::<u64>(), 100);
    }
}
