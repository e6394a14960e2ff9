//! Stripes: four cells of one film that share six parity cells, so that any four of the ten give all of them.
//!
//! ```text
//! cells by size   70 68 61 60 | 58 57 57 55 | 50 49 47 46 | 12          the smallest that are left over are in none
//!                 └ stripe 0 ┘ └ stripe 1 ┘ └ stripe 2 ┘
//!                   ▒▒▒▒▒▒       ▒▒▒▒▒▒       ▒▒▒▒▒▒                    parity cells, as large as the largest of the four
//! ```
//!
//! Which cells belong together follows from their sizes, so nobody has to say it. Cells of about one size do, because parity
//! is as large as the largest of them. Left out: the code itself (`chainflix-parity`), and when a film is kept as stripes
//! (`chainflix-placement`).

use std::cmp::Reverse;

/// Cells of one stripe. Any so many of its pieces, cells or parity, give all of them.
pub const STRIPE_CELLS: usize = 4;
/// Parity cells of one stripe.
pub const STRIPE_PARITY: usize = 6;
/// A parity cell's length is a multiple of this: the block of the code, in bytes.
pub const PARITY_BLOCK_BYTES: u64 = 64;

/// Four cells that share parity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Their numbers in the film, in the order in which they are coded: the largest first, of equals the earlier one.
    pub cells: [u32; STRIPE_CELLS],
    /// Bytes of each of its parity cells.
    pub parity_bytes: u64,
}

impl Stripe {
    /// The stripes of a film whose cells have these sizes, in playing order.
    pub fn of(sizes: &[u64]) -> Vec<Self> {
        let mut numbers: Vec<u32> = (0..).take(sizes.len()).collect();
        numbers.sort_by_key(|number| (Reverse(sizes[*number as usize]), *number));
        let (stripes, _) = numbers.as_chunks::<STRIPE_CELLS>();
        let stripe = |cells: &[u32; STRIPE_CELLS]| {
            let largest = sizes[cells[0] as usize];
            Self { cells: *cells, parity_bytes: largest.next_multiple_of(PARITY_BLOCK_BYTES) }
        };
        stripes.iter().map(stripe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_of_one_size_share_a_stripe_and_the_smallest_are_left_over() {
        let stripes = Stripe::of(&[100, 10, 100, 90, 7, 99, 12, 11, 10, 3]);
        assert_eq!(stripes[0], Stripe { cells: [0, 2, 5, 3], parity_bytes: 128 });
        assert_eq!(stripes[1], Stripe { cells: [6, 7, 1, 8], parity_bytes: 64 });
        assert_eq!(stripes.len(), 2);
        assert_eq!(Stripe::of(&[1, 2, 3]), []);
    }

    proptest! {
        #[test]
        fn no_cell_is_in_two_stripes_and_parity_is_no_shorter_than_any(sizes in prop::collection::vec(1u64..1_000, 0..60)) {
            let stripes = Stripe::of(&sizes);
            let mut seen: Vec<u32> = stripes.iter().flat_map(|stripe| stripe.cells).collect();
            prop_assert_eq!(seen.len(), sizes.len() / STRIPE_CELLS * STRIPE_CELLS);
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), stripes.len() * STRIPE_CELLS);
            for stripe in stripes {
                prop_assert!(stripe.cells.iter().all(|cell| sizes[*cell as usize] <= stripe.parity_bytes));
                prop_assert_eq!(stripe.parity_bytes % PARITY_BLOCK_BYTES, 0);
            }
        }
    }
}
