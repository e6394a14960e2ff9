//! Numbers the operations that JavaScript can call, and sends each call to its function.
//!
//! An operation takes bytes (or JSON, for small structured values) and appends its answer to `out`. One that works on
//! something that lives longer keeps it in [`Objects`] and answers its handle.
//!
//! # To add one
//!
//! 1. Give it a number below, in the block of its area. Numbers are never used again for another meaning.
//! 2. Write its function in the area's file: `fn(input or object, out) -> Result<(), Refusal>`.
//!    Errors of other crates become `Refusal::new("stable-code", &error)`; JSON comes and goes by [`read_json`] and
//!    [`write_json`].
//! 3. Add its arm to [`run`].
//! 4. Add the number and a typed method to `web/packages/core/src/wasm.ts`.
//!
//! Changing what an existing number means takes a new [`ABI_VERSION`], which the TypeScript twin checks when it loads.

mod viewing;

use crate::{
    objects::Objects,
    refusal::{CallError, Refusal},
};
use serde::{Serialize, de::DeserializeOwned};

/// Version of the exports, the numbers and what they mean; `wasm.ts` holds the same value.
pub const ABI_VERSION: u32 = 1;

/// Nothing → JSON `{"abi", "version"}`.
pub const DESCRIBE: u32 = 0x0001;
/// Handle of any kind → nothing; the object is dropped.
pub const CLOSE: u32 = 0x0002;

/// JSON `{"secret", "genesis"}` → JSON `{"handle", "account"}` of a viewer.
pub const VIEWER_OPEN: u32 = 0x0301;
/// Viewer, 32-byte Magnet followed by the manifest → JSON `{"handle", "manifest"}` of a film.
pub const FILM_OPEN: u32 = 0x0302;
/// Film, JSON `{"cellIndex"}` → JSON `{"handle"}` of a cell.
pub const CELL_OPEN: u32 = 0x0303;
/// Cell, JSON `{"excluded", "nowMs"}` → JSON of a signed GrantRequest.
pub const GRANT_REQUEST: u32 = 0x0304;
/// Cell, JSON of a signed Grant → nothing.
pub const DELIVERY_BEGIN: u32 = 0x0305;
/// Cell, bytes of the delivery → JSON `{"verifiedEnd", "complete"}`.
pub const DELIVERY_PUSH: u32 = 0x0306;
/// Cell → JSON of a signed Receipt, or null when nothing was verified.
pub const DELIVERY_END: u32 = 0x0307;
/// Cell, JSON `{"grant", "supersedes", "layers", "nowMs"}` → JSON of a signed PlayRequest. No layers: none are shown.
pub const PLAY_REQUEST: u32 = 0x0308;
/// Cell, JSON of a PlayAnswer → JSON `{"code"}`: the PlayCode, or null for an unpaid play.
pub const PLAY_BEGIN: u32 = 0x0309;
/// Cell, JSON `{"start", "end"}` → opened bytes.
pub const READ: u32 = 0x030a;
/// Cell, JSON `{"positionMs", "number", "hash"}` → JSON `{"folded", "points"}`.
pub const ADVANCE: u32 = 0x030b;
/// Cell, JSON `{"from", "count"}` → JSON `{"nonce"}`, which is null if none was found.
pub const MINE: u32 = 0x030c;
/// Cell, JSON `{"slot", "nonce"}` → JSON of signed Play Data.
pub const PROVE: u32 = 0x030d;
/// Cell whose points are all folded → JSON of the signed Opening that answers an audit of its play.
pub const OPENING: u32 = 0x030e;
/// Cell, JSON `{"receipt", "chunk"}` → JSON of signed Evidence for the receipt, with a disputed chunk opened or null.
pub const EVIDENCE: u32 = 0x030f;
/// Cell with a delivery under way → the 32-byte key of its layer, for a caller with a faster cipher.
pub const DELIVERY_LAYER: u32 = 0x0310;
/// Cell, whole chunks as they were delivered and then the same without their layer → as [`DELIVERY_PUSH`], which takes the
/// chunk hashes before.
pub const DELIVERY_PUSH_STRIPPED: u32 = 0x0311;
/// Cell, JSON `{"start", "end"}` → bytes under the layer of [`CONTENT_LAYER`].
pub const READ_SEALED: u32 = 0x0312;
/// Cell whose play began → the 32-byte key of the layer of what [`READ_SEALED`] gives.
pub const CONTENT_LAYER: u32 = 0x0313;

/// One call: operation number, the object it works on (0: none), and its input.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) op: u32,
    pub(crate) handle: u32,
    pub(crate) input: &'a [u8],
}

/// Runs one operation; its answer is appended to `out`, which is worthless after an error.
pub(crate) fn run(objects: &mut Objects, call: Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Call { op, handle, input } = call;
    match op {
        DESCRIBE => describe(out)?,
        CLOSE => objects.close(handle)?,
        VIEWER_OPEN => viewing::viewer_open(objects, input, out)?,
        FILM_OPEN => viewing::film_open(objects, handle, input, out)?,
        CELL_OPEN => viewing::cell_open(objects, handle, input, out)?,
        GRANT_REQUEST => viewing::grant_request(objects.get(handle)?, input, out)?,
        DELIVERY_BEGIN => viewing::delivery_begin(objects.get(handle)?, input)?,
        DELIVERY_PUSH => viewing::delivery_push(objects.get(handle)?, input, out)?,
        DELIVERY_END => viewing::delivery_end(objects.get(handle)?, out)?,
        PLAY_REQUEST => viewing::play_request(objects.get(handle)?, input, out)?,
        PLAY_BEGIN => viewing::play_begin(objects.get(handle)?, input, out)?,
        READ => viewing::read(objects.get(handle)?, input, out)?,
        ADVANCE => viewing::advance(objects.get(handle)?, input, out)?,
        MINE => viewing::mine(objects.get(handle)?, input, out)?,
        PROVE => viewing::prove(objects.get(handle)?, input, out)?,
        OPENING => viewing::opening(objects.get(handle)?, out)?,
        EVIDENCE => viewing::evidence(objects.get(handle)?, input, out)?,
        DELIVERY_LAYER => viewing::delivery_layer(objects.get(handle)?, out)?,
        DELIVERY_PUSH_STRIPPED => viewing::delivery_push_stripped(objects.get(handle)?, input, out)?,
        READ_SEALED => viewing::read_sealed(objects.get(handle)?, input, out)?,
        CONTENT_LAYER => viewing::content_layer(objects.get(handle)?, out)?,
        op => return Err(CallError::UnknownOperation { op }.into()),
    }
    Ok(())
}

/// Reads an operation's structured input.
fn read_json<T: DeserializeOwned>(input: &[u8]) -> Result<T, CallError> {
    Ok(serde_json::from_slice(input)?)
}

/// Appends an operation's structured answer.
fn write_json<T: Serialize>(out: &mut Vec<u8>, answer: &T) -> Result<(), CallError> {
    Ok(serde_json::to_writer(out, answer)?)
}

#[derive(Serialize)]
struct Description {
    abi: u32,
    version: &'static str,
}

fn describe(out: &mut Vec<u8>) -> Result<(), CallError> {
    write_json(out, &Description { abi: ABI_VERSION, version: env!("CARGO_PKG_VERSION") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_describes_itself() {
        let mut out = Vec::new();
        run(&mut Objects::default(), Call { op: DESCRIBE, handle: 0, input: &[] }, &mut out).unwrap();
        let description: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(description["abi"], ABI_VERSION);
    }

    #[test]
    fn closing_twice_is_refused() {
        let mut objects = Objects::default();
        let handle = objects.open(()).unwrap();
        let close = Call { op: CLOSE, handle, input: &[] };
        run(&mut objects, close, &mut Vec::new()).unwrap();
        assert_eq!(run(&mut objects, close, &mut Vec::new()).unwrap_err().code, "unknown-handle");
    }
}
