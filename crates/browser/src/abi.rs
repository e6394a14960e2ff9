//! Exports [`Core`] to JavaScript as plain WebAssembly functions.
//!
//! This is the only file in which `unsafe` may be written, and only in one form: an export under a fixed name is
//! `#[unsafe(no_mangle)]`, because two libraries could claim one name (here nothing else is linked in). No pointer
//! is ever dereferenced: an address from JavaScript is looked up among the live [buffers](crate::buffers), so a wrong
//! one is refused instead of read.
//!
//! | export | takes | gives |
//! |---|---|---|
//! | `alloc` | bytes | address of a zeroed buffer, 0 if refused |
//! | `dealloc` | address | 1 if it was live, else 0; the buffer is wiped |
//! | `call` | operation, handle, address, bytes | reply: address in the upper 32 bits, bytes in the lower 32 |
//! | `panic_text` | | after a trap: address and bytes of the UTF-8 text, packed in the same way; else 0 |
//!
//! An address stays valid until `dealloc`, but any call may grow the memory: JavaScript's views must be made anew.

#![allow(unsafe_code)]

use crate::Core;
use std::{cell::RefCell, sync::OnceLock};

/// Text of the panic that ended this instance.
static PANIC_TEXT: OnceLock<String> = OnceLock::new();

thread_local! {
    static CORE: RefCell<Core> = RefCell::new(start());
}

fn start() -> Core {
    std::panic::set_hook(Box::new(|panic| {
        // The first panic ends the instance, so there is no second one to keep.
        let _ = PANIC_TEXT.set(panic.to_string());
    }));
    Core::default()
}

/// Reserves `len` bytes for the caller to write into; 0 if [`alloc`](crate::buffers::Buffers::alloc) refuses.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: u32) -> u32 {
    CORE.with_borrow_mut(|core| core.buffers().alloc(len as usize).map_or(0, |address| address as u32))
}

/// Wipes and releases the buffer or reply at `address`.
#[unsafe(no_mangle)]
pub extern "C" fn dealloc(address: u32) -> u32 {
    CORE.with_borrow_mut(|core| core.buffers().free(address as usize).into())
}

/// Runs one operation; see [`Core::call`].
#[unsafe(no_mangle)]
pub extern "C" fn call(op: u32, handle: u32, address: u32, len: u32) -> u64 {
    pack(CORE.with_borrow_mut(|core| core.call(op, handle, address as usize, len as usize)))
}

/// Where the text of the panic that trapped is, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn panic_text() -> u64 {
    PANIC_TEXT.get().map_or(0, |text| pack((text.as_ptr().addr(), text.len())))
}

/// Both fit: this file is only compiled for wasm32, where `usize` has 32 bits.
fn pack((address, len): (usize, usize)) -> u64 {
    (address as u64) << 32 | len as u64
}
