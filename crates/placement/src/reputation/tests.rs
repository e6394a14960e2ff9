//! A provider's life, on a virtual clock.

use super::*;
use proptest::prelude::*;

const HOUR_MS: u64 = 3_600_000;

/// Beats every ten seconds would make a long test: an hour between beats, and patience for two.
fn rules() -> ReputationRules {
    let patience = PatienceRules { silent_after_ms: 2 * HOUR_MS, ..PatienceRules::default() };
    ReputationRules { patience, ..ReputationRules::default() }
}

/// Lives `hours` hours from `from_ms` on, heard and audited well, and tells what changed.
fn live(reputation: &mut Reputation, from_ms: u64, hours: u64) -> Vec<Change> {
    let hour = |hour| from_ms + hour * HOUR_MS;
    (1..=hours)
        .flat_map(|at| {
            let mut changes = reputation.heard(hour(at), &rules());
            changes.extend(reputation.audited(hour(at), Outcome::Shown, &rules()));
            changes
        })
        .collect()
}

#[test]
fn a_hundred_audits_and_three_weeks_make_a_provider() {
    let mut reputation = Reputation::new(0, &rules());
    assert_eq!(live(&mut reputation, 0, 21 * 24 - 1), []);
    assert_eq!(live(&mut reputation, (21 * 24 - 1) * HOUR_MS, 1), [Change::Trusted(Standing::Vetted)]);
}

#[test]
fn silence_is_noticed_and_forgiven_and_in_the_end_forgotten() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    assert_eq!(reputation.deadline_ms(&rules), 2 * HOUR_MS + 1);
    assert_eq!(reputation.tick(2 * HOUR_MS, &rules), []);
    assert_eq!(reputation.tick(2 * HOUR_MS + 1, &rules), [Change::Silent]);
    assert_eq!(reputation.deadline_ms(&rules), 6 * HOUR_MS + 1);
    assert_eq!(reputation.heard(5 * HOUR_MS, &rules), [Change::Back]);
    assert_eq!(reputation.tick(7 * HOUR_MS + 1, &rules), [Change::Silent]);
    assert_eq!(reputation.tick(11 * HOUR_MS, &rules), []);
    assert_eq!(reputation.tick(11 * HOUR_MS + 1, &rules), [Change::Lost]);
    assert_eq!(reputation.heard(12 * HOUR_MS, &rules), [Change::Back]);
    let silent = reputation.tick(12 * HOUR_MS + rules.forgotten_after_ms + 1, &rules);
    assert_eq!(silent, [Change::Lost, Change::Forgotten]);
    assert_eq!(reputation.heard(u64::MAX / 2, &rules), [], "it has to enter anew");
}

#[test]
fn lost_cells_suspend_and_then_disqualify() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    let fail = |reputation: &mut Reputation| reputation.audited(0, Outcome::Wrong, &rules);
    let changes: Vec<_> =
        (0..60).flat_map(|number| fail(&mut reputation).into_iter().map(move |change| (number, change))).collect();
    let again_ms = rules.banned_ms;
    assert_eq!(changes, [(20, Change::Trusted(Standing::Suspended)), (40, Change::Disqualified { again_ms })]);
}

#[test]
fn a_slow_disk_is_asked_three_times() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    for outcome in [Outcome::Late, Outcome::Late, Outcome::Shown, Outcome::Late, Outcome::Late, Outcome::Away] {
        reputation.audited(0, outcome, &rules);
        assert_eq!(reputation.score_permille(), 1_000);
    }
    reputation.audited(0, Outcome::Late, &rules);
    assert_eq!(reputation.score_permille(), 999 - 1 + 1, "one in a thousand");
}

#[test]
fn whoever_is_away_too_much_is_suspended_and_vetted_anew_when_it_stays() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    live(&mut reputation, 0, 30 * 24);
    assert_eq!(reputation.standing(), Standing::Vetted);
    let mut now_ms = 30 * DAY_MS;
    let mut changes = Vec::new();
    // One hour in twelve, for two weeks and more.
    while reputation.standing() == Standing::Vetted {
        now_ms += 12 * HOUR_MS;
        changes = reputation.heard(now_ms, &rules);
    }
    assert!(changes.contains(&Change::Trusted(Standing::Suspended)));
    assert!((43..48).contains(&(now_ms / DAY_MS)), "{} days", now_ms / DAY_MS);
    let changes = live(&mut reputation, now_ms, 60 * 24);
    assert_eq!(changes.last(), Some(&Change::Trusted(Standing::Vetted)));
    assert!(changes.contains(&Change::Trusted(Standing::Vetting)));
}

#[test]
fn whoever_does_not_get_better_is_out() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    let mut changes = Vec::new();
    for day in 1..60 {
        changes.extend(reputation.heard(day * DAY_MS, &rules));
    }
    let judged: Vec<_> =
        changes.into_iter().filter(|change| !matches!(change, Change::Silent | Change::Lost | Change::Back)).collect();
    let again_ms = (3 + 37) * DAY_MS + rules.banned_ms;
    assert_eq!(judged, [Change::Trusted(Standing::Suspended), Change::Disqualified { again_ms }]);
}

#[test]
fn who_leaves_says_so() {
    let mut reputation = Reputation::new(0, &rules());
    assert_eq!(reputation.leaving(), [Change::Trusted(Standing::Leaving)]);
    assert_eq!(live(&mut reputation, 0, 40 * 24), [], "it is not vetted any more");
    assert_eq!(reputation.staying(0, &rules()), [Change::Trusted(Standing::Vetting)], "a young one has earned nothing");
    assert_eq!(reputation.staying(0, &rules()), [], "it stays already");
}

#[test]
fn who_thinks_better_of_leaving_is_trusted_as_before() {
    let mut reputation = Reputation::new(0, &rules());
    live(&mut reputation, 0, 40 * 24);
    assert_eq!(reputation.standing(), Standing::Vetted);
    reputation.leaving();
    assert_eq!(reputation.staying(40 * DAY_MS, &rules()), [Change::Trusted(Standing::Vetted)]);
}

#[test]
fn a_record_that_was_put_away_goes_on_where_it_was() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    live(&mut reputation, 0, 20 * 24);
    for _ in 0..25 {
        reputation.audited(20 * DAY_MS, Outcome::Wrong, &rules);
    }
    assert_eq!(reputation.standing(), Standing::Suspended);
    let bytes = borsh::to_vec(&reputation).unwrap();
    let kept: Reputation = borsh::from_slice(&bytes).unwrap();
    assert_eq!(kept, reputation);
    // A month in which nobody listened is no month of silence, and none in which it did not get better.
    let mut resumed = kept.resumed(50 * DAY_MS);
    assert_eq!(resumed.tick(50 * DAY_MS, &rules), []);
    assert_eq!((resumed.standing(), resumed.score_permille()), (Standing::Suspended, reputation.score_permille()));
    assert_eq!(resumed.presence_permille(), 1_000);
    assert_eq!(resumed.deadline_ms(&rules), 50 * DAY_MS + 2 * HOUR_MS + 1);
    let changes = resumed.tick(50 * DAY_MS + rules.forgotten_after_ms + 1, &rules);
    assert_eq!(changes, [Change::Lost, Change::Forgotten]);
}

#[test]
fn a_provider_grows_older_while_nobody_listens() {
    let rules = rules();
    let mut reputation = Reputation::new(0, &rules);
    live(&mut reputation, 0, 5 * 24);
    let mut resumed = reputation.clone().resumed(21 * DAY_MS);
    assert_eq!(resumed.heard(21 * DAY_MS, &rules), [Change::Trusted(Standing::Vetted)]);
    let mut ahead = reputation.resumed(DAY_MS);
    assert_eq!(ahead.heard(DAY_MS, &rules), [], "the clock was ahead");
    assert_eq!((ahead.heard_ms(), ahead.presence_permille()), (DAY_MS, 1_000));
}

proptest! {
    /// Whatever happens, silence grows until somebody is back, and nothing follows the end.
    #[test]
    fn a_record_is_consistent(steps in prop::collection::vec((0u8..6, 0u64..30 * HOUR_MS), 0..200)) {
        let rules = rules();
        let mut reputation = Reputation::new(0, &rules);
        let (mut now_ms, mut silence, mut out) = (0, Silence::Heard, false);
        for (step, later_ms) in steps {
            now_ms += later_ms;
            let changes = match step {
                0 => reputation.audited(now_ms, Outcome::Shown, &rules),
                1 => reputation.audited(now_ms, Outcome::Wrong, &rules),
                2 => reputation.audited(now_ms, Outcome::Late, &rules),
                3 => reputation.tick(now_ms, &rules),
                _ => reputation.heard(now_ms, &rules),
            };
            for change in changes {
                prop_assert!(!out);
                match change {
                    Change::Silent => prop_assert_eq!(std::mem::replace(&mut silence, Silence::Silent), Silence::Heard),
                    Change::Lost => prop_assert!(std::mem::replace(&mut silence, Silence::Lost) < Silence::Lost),
                    Change::Back => prop_assert!(std::mem::replace(&mut silence, Silence::Heard) > Silence::Heard),
                    Change::Trusted(standing) => prop_assert_eq!(standing, reputation.standing()),
                    Change::Disqualified { .. } | Change::Forgotten => out = true,
                }
            }
        }
    }
}
