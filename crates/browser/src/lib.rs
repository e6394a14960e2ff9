//! Runs the viewer's half of the protocol inside a browser's worker, as one WebAssembly module that imports nothing.
//!
//! ```text
//!  worker (web/packages/core/src/wasm.ts)          this crate
//!  ─────────────────────────────────────           ──────────────────────────────
//!  alloc(len)                        ───────────>   a buffer the caller writes into
//!  call(op, handle, address, len)    ───────────>   Core::call ──> operation::run ──> objects by handle
//!                                    <───────────   reply: 0 + payload | 1 + {"code", "message"}
//!  dealloc(reply)                    ───────────>   wiped and gone
//! ```
//!
//! **The module is pure**: no clock, no random source, no network. Time and fresh random bytes arrive as arguments,
//! so whatever runs here runs the same in a native test. **Large bytes are never text**: sealed cells are streamed
//! as they are, in pieces of 64-256 KiB, into an object known by its handle. Small structured values are JSON.
//! **One module serves one worker**: nothing here locks, and an operation is over when `call` returns.
//!
//! To add an operation, see [`operation`]. What the module leaves out: everything that needs the network or the screen,
//! which is TypeScript's part.
//!
//! # When it panics
//!
//! The `wasm` profile aborts: a panic becomes a trap, which JavaScript sees as a `WebAssembly.RuntimeError`. The
//! instance is then unusable (its state may be half changed) and must be replaced; the panic's text stays readable
//! through the export `panic_text`. No input may cause one: refusals are replies.

#![deny(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod buffers;
pub mod objects;
pub mod operation;
pub mod refusal;

use buffers::Buffers;
use objects::Objects;
use operation::Call;
use refusal::Refusal;

/// First byte of a reply whose payload is the operation's answer.
pub const REPLY_OK: u8 = 0;

/// First byte of a reply whose payload is a [`Refusal`] as JSON.
pub const REPLY_REFUSED: u8 = 1;

/// Everything a worker's module holds between two calls.
#[derive(Debug, Default)]
pub struct Core {
    buffers: Buffers,
    objects: Objects,
}

impl Core {
    /// The buffers shared with the caller.
    pub fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    /// Runs operation `op` on the first `len` bytes of the buffer at `address`, and returns the address and length of
    /// the reply, which the caller frees with [`Buffers::free`].
    ///
    /// `handle` names the object of an operation that has one, and is ignored elsewhere. A `len` of 0 needs no buffer.
    pub fn call(&mut self, op: u32, handle: u32, address: usize, len: usize) -> (usize, usize) {
        let mut reply = vec![REPLY_OK];
        let outcome = self
            .buffers
            .get(address, len)
            .map_err(Refusal::from)
            .and_then(|input| operation::run(&mut self.objects, Call { op, handle, input }, &mut reply));
        if let Err(refusal) = outcome {
            reply = vec![REPLY_REFUSED];
            refusal.write_json(&mut reply);
        }
        self.buffers.insert(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(core: &mut Core, op: u32, input: &[u8]) -> Vec<u8> {
        let (input_address, input_len) = core.buffers().insert(input.to_vec());
        let (address, len) = core.call(op, 0, input_address, input_len);
        let reply = core.buffers().get(address, len).unwrap().to_vec();
        assert!(core.buffers().free(address));
        assert!(core.buffers().free(input_address));
        reply
    }

    #[test]
    fn an_answer_follows_a_zero() {
        let reply = call(&mut Core::default(), operation::DESCRIBE, b"{}");
        assert_eq!(reply[0], REPLY_OK);
        assert_eq!(reply[1], b'{');
    }

    #[test]
    fn a_refusal_follows_a_one_as_json() {
        let reply = call(&mut Core::default(), u32::MAX, b"x");
        assert_eq!(reply[0], REPLY_REFUSED);
        let refusal: serde_json::Value = serde_json::from_slice(&reply[1..]).unwrap();
        assert_eq!(refusal["code"], "unknown-operation");
    }

    #[test]
    fn an_address_never_handed_out_is_refused() {
        let mut core = Core::default();
        let (address, len) = core.call(operation::DESCRIBE, 0, 0x1234, 8);
        let reply = core.buffers().get(address, len).unwrap();
        let refusal: serde_json::Value = serde_json::from_slice(&reply[1..]).unwrap();
        assert_eq!(refusal["code"], "unknown-buffer");
    }
}
