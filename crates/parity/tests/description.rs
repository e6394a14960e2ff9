//! `docs/protocol.md` ("Stripes") describes the code; here is what another implementer would make of it, and it gives the same
//! bytes. Slow and plain: polynomials through four points, one number after the other.

use chainflix_parity::{CELL_PIECES, PARITY_PIECES, Recovery};

/// x^16 + x^5 + x^3 + x^2 + 1.
const POLYNOMIAL: u32 = 0x1_002D;
/// Number `2^i` stands for the `i`-th of these.
const BASIS: [u16; 16] = [
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012, 0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34,
    0xFF38, 0x991E,
];
const BLOCK_BYTES: usize = 64;

/// The field, with its elements numbered in the basis.
struct Field {
    elements: Vec<u16>,
    numbers: Vec<u16>,
}

impl Field {
    fn new() -> Self {
        let element = |number: u16| (0..16).filter(|bit| number >> bit & 1 == 1).fold(0, |sum, bit| sum ^ BASIS[bit]);
        let elements: Vec<u16> = (0..=u16::MAX).map(element).collect();
        let mut numbers = vec![0; elements.len()];
        for (number, element) in (0..=u16::MAX).zip(&elements) {
            numbers[usize::from(*element)] = number;
        }
        Self { elements, numbers }
    }

    fn product(&self, a: u16, b: u16) -> u16 {
        let (a, b) = (self.elements[usize::from(a)], self.elements[usize::from(b)]);
        let mut product = 0u32;
        for bit in (0..16).rev() {
            product <<= 1;
            if product >> 16 == 1 {
                product ^= POLYNOMIAL;
            }
            if b >> bit & 1 == 1 {
                product ^= u32::from(a);
            }
        }
        self.numbers[product as usize]
    }

    /// To the power of 2^16 - 2.
    fn inverse(&self, a: u16) -> u16 {
        let (mut power, mut square) = (1, a);
        for _ in 1..16 {
            square = self.product(square, square);
            power = self.product(power, square);
        }
        power
    }

    /// At `at`, the polynomial that is 1 at the cell's own number and 0 at those of the three others.
    fn weight(&self, cell: u16, at: u16) -> u16 {
        let others = (0..4).filter(|other| *other != cell);
        others.fold(1, |weight, other| {
            let part = self.product(at ^ other, self.inverse(cell ^ other));
            self.product(weight, part)
        })
    }
}

/// The numbers of a piece, of two bytes each.
fn numbers(piece: &[u8]) -> Vec<u16> {
    let block = |block: &[u8]| (0..32).map(|i| u16::from_le_bytes([block[i], block[32 + i]])).collect::<Vec<_>>();
    piece.chunks(BLOCK_BYTES).flat_map(block).collect()
}

#[test]
fn the_protocol_page_describes_the_code() {
    let field = Field::new();
    let cells = CELL_PIECES.map(|cell| {
        let mut bytes = [0; 3 * BLOCK_BYTES];
        blake3::Hasher::new().update(&[cell as u8]).finalize_xof().fill(&mut bytes);
        bytes
    });
    let parity = Recovery::new(CELL_PIECES, &PARITY_PIECES).unwrap().slice(cells.each_ref().map(|cell| &cell[..]));
    let cells = cells.map(|cell| numbers(&cell));
    for (piece, found) in (4..).zip(parity.unwrap()) {
        let weights = [0, 1, 2, 3].map(|cell| field.weight(cell, piece));
        let number = |at: usize| {
            let parts = weights.iter().zip(&cells).map(|(weight, cell)| field.product(*weight, cell[at]));
            parts.fold(0, |sum, part| sum ^ part)
        };
        let described: Vec<u16> = (0..cells[0].len()).map(number).collect();
        assert_eq!(numbers(&found), described, "piece {piece}");
    }
}
