//! Names the contracts that genesis places on the chain: their addresses, calls, code and first storage.
//!
//! ```text
//!  contracts/src/*.sol --npm run generate--> artifacts/ ----> predeploys --------> genesis (chain)
//!          |                                                                          |
//!          +------ sol! reads I*.sol ------> I*::*Call ----------> eth_call, transactions (rpc, gateway)
//!                                    +-----> events: Change ----> which answers a block made stale (node)
//! ```
//!
//! A call is encoded, and its arguments are decoded, by the types in [`IRegistry`] and [`IStanding`]; answers that may say
//! "unknown" by [`decode_video`], [`decode_layer`] and [`decode_provider`], others by [`decode`]; refusals by
//! [`decode_refusal`] and [`decode_standing_refusal`], and told to people by [`refusal_in_words`]:
//!
//! ```
//! use alloy_primitives::B256;
//! use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
//!
//! let magnet = B256::repeat_byte(7);
//! let (to, calldata) = (REGISTRY_ADDRESS, IRegistry::isPlayableCall { magnet }.abi_encode());
//! assert_eq!(calldata.len(), 4 + 32);
//! assert_eq!(to.to_string(), "0x0000000000000000000000000000000000CF0001");
//! let playable = IRegistry::isPlayableCall::abi_decode_returns(B256::with_last_byte(1).as_slice())?;
//! assert!(playable);
//! # Ok::<(), alloy_sol_types::Error>(())
//! ```
//!
//! Left out: executing a call (the `chain` crate holds the EVM) and signing or sending one (`rpc`, `gateway`).

mod answer;
mod bindings;
mod change;
mod predeploy;
mod words;

pub use alloy_sol_types::{SolCall, SolEvent, SolInterface};

pub use answer::{
    AnswerError, decode, decode_layer, decode_provider, decode_refusal, decode_standing_refusal, decode_video,
};
pub use bindings::{IRegistry, IStanding};
pub use change::Change;
pub use predeploy::{
    Predeploy, PredeployError, REGISTRY_ADDRESS, STANDING_ADDRESS, predeploys, registry_predeploy, standing_predeploy,
};
pub use words::refusal_in_words;

/// Largest number of cells the registry accepts for one video: seven days of one-minute cells.
pub const CELLS_MAX: u32 = 10_080;

/// Longest play time the registry accepts for one video, in milliseconds: seven days.
pub const PLAY_TIME_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Exact size of the sealed video secret, in bytes: 32 of secret and 48 of box.
pub const SEALED_VIDEO_SECRET_BYTES: usize = 80;

/// Longest reason of a takedown, in bytes of UTF-8; the shortest is one byte.
pub const REASON_BYTES_MAX: usize = 1_024;

/// Most operation participants in all.
pub const PARTICIPANTS_MAX: usize = 16;

/// Most operation participants that one supervisor names; the governor may fill the list.
pub const PARTICIPANTS_PER_SUPERVISOR_MAX: usize = 4;
