//! A census that forgot everything but its trust.

use super::*;
use chainflix_placement::reputation::Reputation;

/// What a census hands on, as a file would.
fn handed_on(census: &mut Census, now_ms: u64) -> crate::Remembered {
    crate::Remembered::decode(&census.remember(now_ms).encode()).unwrap()
}

/// The rules of [`audited_census`], under which a thousandth more or less decides nothing.
fn lenient(config: &mut CensusConfig) {
    config.reputation = ReputationRules {
        memory_permille: 500,
        vetting_audits: 2,
        vetting_ms: 1,
        disqualified_permille: 0,
        ..config.reputation
    };
}

fn restarted(trust: crate::Remembered, now_ms: u64) -> Census {
    let mut census = census_with_film(1, lenient);
    census.recall(trust, now_ms);
    census
}

#[test]
fn trust_outlives_a_restart() {
    let (mut census, audit) = audited_census(lenient);
    let of = |number| Audit { challenge: Challenge { node: node(number), ..audit.challenge }, ..audit };
    (1..=2).for_each(|now_ms| census.audited(&of(1), Some(true), now_ms));
    census.audited(&of(2), Some(false), 2);
    let before = census.status();
    assert_eq!((before.providers_vetted, before.providers_suspended), (1, 1));
    let trust = handed_on(&mut census, 3);

    // Ten days later; each comes back with what it holds.
    let now_ms = 10 * DAY_MS;
    let mut census = restarted(trust, now_ms);
    assert_eq!(census.status().providers, 0, "who has not come back has no cells");
    (1..=3).for_each(|number| enter(&mut census, number, &[1], now_ms));
    let after = census.status();
    assert_eq!((after.providers_vetted, after.providers_suspended, after.providers_alive), (1, 1, 3));
    assert_eq!(sources(&census, 1), [node(1), node(3)], "the suspended one is named to nobody");
    // What it needs to be trusted again it needs as before.
    let records = handed_on(&mut census, now_ms).providers;
    let scores: Vec<u64> = records.iter().map(|known| known.reputation.score_permille()).collect();
    assert!(scores[0] == 1_000 && scores[1] < 980 && scores[2] == 1_000, "{scores:?}");
    assert!(records.iter().all(|known| known.reputation.presence_permille() == 1_000), "nobody listened");
}

#[test]
fn who_is_out_stays_out() {
    let (mut census, audit) = audited_census(|_| ());
    census.audited(&audit, Some(false), 1);
    let again_ms = 1 + ReputationRules::default().banned_ms;
    let mut census = restarted(handed_on(&mut census, 2), 3);
    assert_eq!(census.announce(announcement(1, 9, SIZE), 4), Err(CensusError::Out { again_ms }));
    assert_eq!(census.announce(announcement(1, 9, SIZE), again_ms), Ok(()));
}

#[test]
fn who_does_not_come_back_is_forgotten_or_out() {
    let (mut census, audit) = audited_census(lenient);
    census.audited(&audit, Some(false), 1);
    let trust = handed_on(&mut census, 2);
    let rules = ReputationRules::default();
    let mut census = restarted(trust.clone(), 2);
    census.tick(2 + rules.forgotten_after_ms);
    assert_eq!(census.remember(2 + rules.forgotten_after_ms).providers, [], "silent for a week");

    // It has a day to get better, and is not there.
    let mut config = CensusConfig::default();
    lenient(&mut config);
    config.reputation.suspension_ms = DAY_MS;
    let mut census = Census::new(config, 2);
    census.recall(trust, 2);
    let now_ms = 2 + DAY_MS;
    let left = census.remember(now_ms);
    let account = announcement(1, 1, SIZE).card.body.account;
    assert_eq!((left.providers.len(), left.out), (2, vec![(account, now_ms + rules.banned_ms)]));
}

#[test]
fn where_there_are_too_many_those_silent_the_longest_are_not_taken_along() {
    let mut config = CensusConfig::default();
    config.picture.providers_max = 3;
    let mut census = Census::new(config, 0);
    let record = |number: u8, heard_ms| crate::KnownProvider {
        node: node(number),
        account: AccountAddress([number; 20]),
        reputation: Reputation::new(heard_ms, &config.reputation),
    };
    let providers = (1..=5).map(|number| record(number, u64::from(number))).collect();
    census.recall(crate::Remembered { providers, ..Default::default() }, 10);
    assert_eq!(census.absent.len(), 3);
    (10..=11).for_each(|number| enter(&mut census, number, &[], 20));
    census.absent.get_mut(&node(2)).unwrap().reputation.heard(15, &config.reputation);
    let kept: Vec<NodeId> = census.remember(20).providers.iter().map(|known| known.node).collect();
    assert_eq!(kept, [node(10), node(11), node(2)]);
}
