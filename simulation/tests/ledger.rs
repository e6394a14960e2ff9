//! What the model says is what the real ledger pays.

use chainflix_primitives::ProtocolParams;
use chainflix_simulation::{
    account::Habit,
    audits::{paid_share, plays_per_provider},
    farm::FILM_BYTES_PER_MINUTE,
    replay::{Earned, Person, run},
};

const VIEWER: Person = Person {
    hours_per_day: 2,
    grown: true,
    network_permille: 1000,
    creators: 5,
    honest: true,
    cell_bytes: FILM_BYTES_PER_MINUTE,
    provider: 1,
};

fn habit(params: &ProtocolParams, person: &Person) -> Habit {
    Habit {
        minutes_per_day: 60 * person.hours_per_day,
        creators: person.creators.into(),
        bytes_per_minute: person.cell_bytes,
        ..Habit::honest(params)
    }
}

#[test]
fn weights_of_the_model_are_those_of_the_ledger() {
    let params = ProtocolParams::default();
    let people = [
        VIEWER,
        Person { hours_per_day: 24, creators: 20, ..VIEWER },
        Person { network_permille: 250, ..VIEWER },
        Person { hours_per_day: 8, creators: 1, ..VIEWER },
        Person { cell_bytes: FILM_BYTES_PER_MINUTE / 8, ..VIEWER },
        // Somebody watches in every slot, so that view blocks count time.
        Person { hours_per_day: 24, ..VIEWER },
        Person { hours_per_day: 24, ..VIEWER },
        Person { hours_per_day: 24, ..VIEWER },
        Person { hours_per_day: 24, ..VIEWER },
    ];
    let earned = run(&params, 1, &people, 1).unwrap();
    for (person, earned) in people.iter().zip(&earned) {
        let day = habit(&params, person).average_day(&params, 1);
        let model = day.weight_hours * f64::from(person.network_permille) / 1000.0;
        let ledger = earned.weight as f64 / 3_600_000.0;
        // The ledger's day may cut off the last minute of those who play around the clock.
        assert!((ledger / model - 1.0).abs() < 0.01, "{person:?}: {ledger} in the ledger, {model} in the model");
    }
}

#[test]
fn audits_of_the_model_are_those_of_the_ledger() {
    let mut params = ProtocolParams::default();
    params.audit.provider_audits_min = u32::MAX;
    // All plays alike, so that only audits make a difference.
    params.weights.full_ms_per_day = u64::MAX >> 24;
    params.weights.creator_full_ms_per_period = u64::MAX >> 24;
    let honest = Person { hours_per_day: 24, ..VIEWER };
    let liar = Person { honest: false, ..honest };
    let people: Vec<_> = [[honest; 20], [liar; 20]].concat();
    let earned = run(&params, 2, &people, 1).unwrap();
    let sum = |part: &[Earned]| part.iter().map(|earned| earned.gwei).sum::<u64>() as f64;
    let paid = sum(&earned[20..]) / sum(&earned[..20]);
    // A day of plays. While the liars are paid they share with the honest; then the honest share among themselves.
    let (minutes, shared) = (1440.0, paid_share(&params, 1.0, 1440) * 1440.0);
    let expected = (shared / 40.0) / (shared / 40.0 + (minutes - shared) / 20.0);
    assert!((paid / expected - 1.0).abs() < 0.3, "the ledger paid {paid}, the model says {expected}");
}

#[test]
fn a_provider_of_liars_lasts_as_long_as_the_model_says() {
    let mut params = ProtocolParams::default();
    // Accounts are not struck out here: what ends is their provider.
    params.audit.strikes_max = u8::MAX;
    let honest = Person { hours_per_day: 3, ..VIEWER };
    let liar = Person { honest: false, provider: 2, ..honest };
    let weighty = |seed| {
        let people: Vec<_> = [[honest; 4], [liar; 4]].concat();
        let earned = run(&params, seed, &people, 1).unwrap();
        assert!(earned[..4].iter().all(|earned| earned.weight > 0));
        // Two hours have full weight, and the liars do not last so long.
        earned[4..].iter().map(|earned| earned.weight).sum::<u64>() as f64 / params.cell_ms as f64
    };
    let seeds = 6;
    let average = (0..seeds).map(weighty).sum::<f64>() / f64::from(seeds as u32);
    let model = plays_per_provider(&params);
    // The lots of six histories spread by a seventh.
    assert!((average / model - 1.0).abs() < 0.35, "{average} plays in the ledger, {model} in the model");
}
