//! What a play weighs against the others of its slot (protocol page, "Weight: why faking does not pay").
//!
//! Weight = time played x identity factor x network factor. Both factors are one in this version: every proved minute
//! weighs the same, whoever watched it.

use chainflix_primitives::PlayCode;

/// The weight of an accepted play: its milliseconds.
pub fn weight(code: &PlayCode) -> u64 {
    code.play_ms
}
