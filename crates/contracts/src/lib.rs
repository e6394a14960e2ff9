//! Names the contracts that genesis places on the chain: their addresses, calls, code and first storage.
//!
//! ```text
//!  contracts/src/*.sol --npm run generate--> artifacts/ ----> registry_predeploy ----> genesis (chain)
//!          |                                                                             |
//!          +-------- sol! reads IRegistry.sol ------> IRegistry::*Call ---> eth_call, transactions (rpc, gateway)
//! ```
//!
//! A call is encoded, and its arguments are decoded, by the types in [`IRegistry`]; answers that may say "unknown" by
//! [`decode_video`] and [`decode_provider`]; refusals by [`decode_refusal`]:
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
mod predeploy;

pub use alloy_sol_types::{SolCall, SolEvent, SolInterface};

pub use answer::{AnswerError, decode_provider, decode_refusal, decode_video};
pub use bindings::IRegistry;
pub use predeploy::{Predeploy, PredeployError, REGISTRY_ADDRESS, registry_predeploy};

/// Largest number of cells the registry accepts for one video: seven days of one-minute cells.
pub const CELLS_MAX: u32 = 10_080;

/// Longest play time the registry accepts for one video, in milliseconds: seven days.
pub const PLAY_TIME_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Exact size of the sealed video secret, in bytes: a `crypto_box` sealed box (ephemeral key 32, tag 16) of 32 bytes.
pub const SEALED_VIDEO_SECRET_BYTES: usize = 80;

/// Longest reason of a takedown, in bytes of UTF-8; the shortest is one byte.
pub const REASON_BYTES_MAX: usize = 1_024;
