//! Decisions can be asked for again: a log that is replayed gives the same bytes.

use crate::{
    Event, Log, Picture, PictureConfig, Wants,
    choose::Rules,
    newcomer,
    rehearsal::{Rehearsal, magnet, node},
    repair::{Repair, RepairRules},
    source::{Ask, SourceRules, Sources},
    trim::{self, TrimRules},
};
use chainflix_primitives::{AccountAddress, BlockHash};
use proptest::prelude::*;

const DAY_MS: u64 = 86_400_000;

/// Every decision that a picture leads to, as bytes.
fn decisions(picture: &Picture, seed: &BlockHash) -> Vec<u8> {
    let plan = Repair::new(RepairRules::default()).plan(0, picture, seed);
    let drops = trim::plan(2 * DAY_MS, picture, &TrimRules::default());
    let newcomer = picture.find_provider(&node(1)).unwrap();
    let fill = newcomer::fill(picture, &Rules::default(), seed, newcomer, 1 << 34, 20);
    let sources = Sources::new(SourceRules::default());
    let cell = crate::rehearsal::cell(7);
    let ask = Ask { viewer: AccountAddress([9; 20]), region: "kr-11".parse().unwrap(), cell: &cell, excluded: &[] };
    borsh::to_vec(&(plan, drops, fill, sources.name(0, picture, seed, &ask, 9))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_log_gives_the_same_plan_again(silent in prop::collection::vec(2u32..120, 0..12), lost in prop::collection::vec(2u32..120, 0..12), back in prop::collection::vec(2u32..120, 0..4), seed in any::<[u8; 32]>()) {
        let rehearsal = Rehearsal { providers: 120, cells: 900, copies: 4, ..Rehearsal::default() };
        let silent = silent.iter().map(|number| Event::Silent(node(*number)));
        let lost = lost.iter().map(|number| Event::Lost(node(*number)));
        let heard = back.iter().map(|number| Event::Back(node(*number)));
        let wants = Wants { total: 5, regional: vec![("kr-11".parse().unwrap(), 3)] };
        let wanted = Event::Wanted { magnet: magnet(2), wants };
        let log: Log = rehearsal.events().chain(silent).chain(lost).chain(heard).chain([wanted]).map(|event| (0, event)).collect();
        let first = decisions(&Picture::replay(PictureConfig::default(), &log).unwrap(), &BlockHash(seed));
        let written = borsh::to_vec(&log).unwrap();
        let read: Log = borsh::from_slice(&written).unwrap();
        let again = decisions(&Picture::replay(PictureConfig::default(), &read).unwrap(), &BlockHash(seed));
        prop_assert!(first == again && first.len() > 100);
    }
}
