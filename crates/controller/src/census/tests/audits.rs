//! Who shows what it holds, and who does not.

use super::*;

#[test]
fn who_shows_what_it_holds_is_asked_every_hour_and_vetted() {
    let (mut census, audit) = audited_census(|config| {
        config.reputation = ReputationRules { vetting_audits: 2, vetting_ms: 1, ..config.reputation };
    });
    assert_eq!(
        (audit.challenge.node, audit.challenge.cell, audit.size),
        (node(1), cell(1), SIZE),
        "no film has cell 2"
    );
    assert_eq!(audit.challenge.deadline_ms, AuditRules::default().patience_ms);
    census.audit_all_at(u64::MAX);
    census.audited(&audit, Some(true), 1);
    assert_eq!(census.status().providers_vetted, 0);
    census.audited(&audit, Some(true), 2);
    assert_eq!(census.status().providers_vetted, 1);
    census.audit_all_at(5);
    assert_eq!(census.audits(4, &SEED, 10), []);
    assert_eq!(census.audits(5, &SEED, 2).len(), 2, "as many as there are hands");
    assert_eq!(census.audits(5, &SEED, 10).len(), 1);
    assert_eq!(census.audits(5 + 3_599_999, &SEED, 10), []);
    assert_eq!(census.audits(5 + 3_600_000, &SEED, 10).len(), 3);
}

#[test]
fn who_shows_something_else_is_not_named_and_gets_nothing() {
    let (mut census, audit) = audited_census(|config| config.reputation.disqualified_permille = 0);
    assert_eq!(sources(&census, 2), [node(1)]);
    census.audited(&audit, Some(false), 1);
    assert_eq!((census.status().providers_suspended, sources(&census, 1)), (1, vec![node(2), node(3)]));
    assert_eq!(sources(&census, 2), [], "its other cells are not believed either");
    assert!((10..30).all(|number| !place(&mut census, number, SIZE, &[]).targets.contains(&node(1))));
    // It gets better: vetted anew.
    (2..20).for_each(|now_ms| census.audited(&audit, Some(true), now_ms));
    assert_eq!((census.status().providers_suspended, sources(&census, 2)), (0, vec![node(1)]));
}

#[test]
fn who_dropped_it_meanwhile_and_said_so_is_not_to_blame() {
    let (mut census, audit) = audited_census(|_| ());
    let changes = Changes { sequence: 1, gained: vec![], lost: vec![cell(1)] };
    census.changes(&node(1), changes, 1).unwrap();
    census.audited(&audit, Some(false), 2);
    assert_eq!(census.status().providers_suspended, 0);
}

#[test]
fn who_is_late_is_asked_the_same_thrice_and_then_has_an_hour() {
    let (mut census, audit) = audited_census(|config| config.reputation.disqualified_permille = 0);
    census.audit_all_at(u64::MAX);
    let other_seed = BlockHash([8; 32]);
    for now_ms in [60_000, 120_000] {
        census.audited(&audit, None, now_ms - 60_000);
        let deadline_ms = now_ms + AuditRules::default().patience_ms;
        let again = Audit { challenge: Challenge { deadline_ms, ..audit.challenge }, ..audit };
        assert_eq!(census.audits(now_ms, &other_seed, 10), [again]);
        assert_eq!(census.status().providers_suspended, 0);
    }
    census.audited(&audit, None, 120_001);
    assert_eq!(census.status().providers_suspended, 1);
    assert_eq!(census.audits(180_001, &other_seed, 10), []);
    assert_eq!(census.audits(120_000 + 3_600_000, &other_seed, 10).len(), 1);
}

#[test]
fn who_lost_too_much_is_out_with_its_account() {
    let (mut census, audit) = audited_census(|_| ());
    census.audited(&audit, Some(false), 1);
    assert_eq!(census.status().providers, 2);
    let again_ms = 1 + ReputationRules::default().banned_ms;
    let mut words = announcement(1, 9, SIZE);
    assert_eq!(census.announce(words.clone(), 2), Err(CensusError::Out { again_ms }));
    let key = AccountKey::from_bytes(&[1; 32]).unwrap();
    words.card = Signed::new(ProviderCard { node: node(77), ..words.card.body }, &key);
    assert_eq!(census.announce(words.clone(), 2), Err(CensusError::Out { again_ms }), "with another node, too");
    assert_eq!(census.announce(words, again_ms), Ok(()));
}

#[test]
fn who_rests_or_is_silent_is_not_asked() {
    let (mut census, _) = audited_census(|_| ());
    beat_as(&mut census, 2, 1, ProviderMode::Quiet, 1).unwrap();
    beat(&mut census, 1, 1, 2).unwrap();
    census.tick(DAY_MS + 1);
    census.audit_all_at(0);
    let asked: Vec<NodeId> = census.audits(DAY_MS + 1, &SEED, 10).iter().map(|audit| audit.challenge.node).collect();
    assert_eq!(asked, [node(1)]);
}
