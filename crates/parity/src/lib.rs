//! Computes the pieces of a stripe from any four of its ten.
//!
//! ```text
//! piece      0    1    2    3  │  4    5    6    7    8    9
//!           cells of a stripe  │        parity cells
//!            ▒    ▒    ▒    ▒  │  ▒    ▒    ▒    ▒    ▒    ▒   a block of 64 bytes at the same offset in each:
//!            ▒    ▒    ▒    ▒  │  ▒    ▒    ▒    ▒    ▒    ▒   any four of a row give the row,
//!            ▒    ▒    ▒    0  │  ▒    ▒    ▒    ▒    ▒    ▒   and no row knows of another
//!            ▒    0    0    0  │  ▒    ▒    ▒    ▒    ▒    ▒   a cell that ended counts as followed by zeros
//! ```
//!
//! Which cells form a stripe is in [`chainflix_primitives::stripe`]. Pieces are sealed cells as they lie on disks, so whoever
//! codes needs no key. They are coded [slice](SLICE_BYTES) by slice: nobody needs a whole one in memory.
//!
//! A slice may end at any multiple of 64 bytes, because the code (`reed-solomon-simd`, there `src/algorithm.md`) works on
//! blocks of so many: byte `i` of a block is the low half of its number `i`, byte `32 + i` the high half, for `i` below 32,
//! and a number of a piece is computed from the numbers at the same place of four others. Only a block that is shorter would be
//! laid out otherwise, and there is none here. `docs/protocol.md` ("Stripes") says which code it is.
//!
//! Left out: reading, sealing and storing; and whether what is given is right. From wrong bytes come wrong bytes, so whoever
//! computes a piece compares it with the name that the manifest has for it.

mod recovery;
mod slice;

pub use recovery::{ParityError, Recovery};
pub use slice::padded_slice;

use chainflix_primitives::stripe::{PARITY_BLOCK_BYTES, STRIPE_CELLS, STRIPE_PARITY};

/// Most bytes of a piece that are coded at a time. A [`Recovery`] works in up to 24 times as much memory. Where a cell is
/// computed, each slice costs some work that does not depend on its length, so short ones are slow.
pub const SLICE_BYTES: usize = 1 << 20;
/// Pieces of a stripe: its cells, in the stripe's order, then its parity, in the manifest's.
pub const PIECES: usize = STRIPE_CELLS + STRIPE_PARITY;
/// The numbers of the pieces that are cells.
pub const CELL_PIECES: [usize; STRIPE_CELLS] = [0, 1, 2, 3];
/// The numbers of the pieces that are parity.
pub const PARITY_PIECES: [usize; STRIPE_PARITY] = [4, 5, 6, 7, 8, 9];

/// The block of the code, in bytes.
const BLOCK_BYTES: usize = PARITY_BLOCK_BYTES as usize;

const _: () = assert!(SLICE_BYTES.is_multiple_of(BLOCK_BYTES));
