//! `vectors/standing.json`.

use super::golden::{Calls, address, amount, bytes, number, storage};
use alloy_primitives::U256;
use chainflix_contracts::{IStanding, STANDING_ADDRESS, decode, standing_predeploy};
use chainflix_primitives::StandingParams;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../vectors/standing.json")).unwrap()
}

#[test]
fn calls_match_the_vectors() {
    let mut calls = Calls::of(&vectors());
    calls.check("bond", |_| IStanding::bondCall {});
    calls.check("requestUnbond", |args| IStanding::requestUnbondCall { amountWei: amount(&args["amountWei"]) });
    calls.check("withdraw", |_| IStanding::withdrawCall {});
    calls.check("bondOf", |args| IStanding::bondOfCall { account: address(&args["account"]) });
    calls.check("standingOf", |args| IStanding::standingOfCall { account: address(&args["account"]) });
    calls.check("vouch", |args| IStanding::vouchCall { account: address(&args["account"]) });
    calls.check("revokeVouch", |args| IStanding::revokeVouchCall { account: address(&args["account"]) });
    calls.check("voucherOf", |args| IStanding::voucherOfCall { account: address(&args["account"]) });
    calls.check("vouchesLeft", |args| IStanding::vouchesLeftCall { supervisor: address(&args["supervisor"]) });
    calls.check("unbondDelayS", |_| IStanding::unbondDelaySCall {});
    calls.check("vouchesPerDay", |_| IStanding::vouchesPerDayCall {});
    calls.finish();
}

#[test]
fn answers_match_the_vectors() {
    let answers = &vectors()["answers"];
    for name in ["standingOf", "standingOfStranger"] {
        let standing = decode::<IStanding::standingOfCall>(&bytes(&answers[name]["returndata"])).unwrap();
        let value = &answers[name]["value"];
        assert_eq!((standing.bondWei, Some(standing.vouched)), (amount(&value["bondWei"]), value["vouched"].as_bool()));
    }
    let value = &answers["bondOf"]["value"];
    let expected = IStanding::Bond {
        bondedWei: amount(&value["bondedWei"]),
        leavingWei: amount(&value["leavingWei"]),
        releaseTimeS: U256::from(number(&value["releaseTimeS"])),
    };
    assert_eq!(decode::<IStanding::bondOfCall>(&bytes(&answers["bondOf"]["returndata"])).unwrap(), expected);
    let left = decode::<IStanding::vouchesLeftCall>(&bytes(&answers["vouchesLeft"]["returndata"])).unwrap();
    assert_eq!(left, U256::from(number(&answers["vouchesLeft"]["value"])));
}

#[test]
fn genesis_storage_matches_the_vectors() {
    let genesis = &vectors()["genesis"];
    let params = StandingParams {
        unbond_s: number(&genesis["unbondDelayS"]),
        vouches_per_day: number(&genesis["vouchesPerDay"]).try_into().unwrap(),
    };
    let predeploy = standing_predeploy(&params);
    assert_eq!(predeploy.address, STANDING_ADDRESS);
    assert_eq!(address(&vectors()["address"]), STANDING_ADDRESS);
    assert_eq!(predeploy.storage, storage(genesis));
    assert_eq!(params, StandingParams::default());
}
