//! Pieces of stripes to make anew: from any four that can be had, to places that share no fate with the others.
//!
//! ```text
//! broken stripes ── watched ─▶ fewest pieces ─▶ …      four sources ▮▮▮▮ ─▶ whoever mends ─▶ ▮ ▮ ▮ one target for each piece
//! ```
//!
//! A stripe of a film that has just become one that is kept as stripes begins only where all its pieces find a place: a part of
//! the parity protects nothing, and the floor's copies stay as long. Lines are those of copies ([`super`]).

use super::{Repair, Round, duration_ms};
use crate::{
    Picture,
    choose::{Board, Wish},
    picture::{Piece, Provider, ProviderIndex, StripeState},
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{BlockHash, CellId, NodeId, stripe::STRIPE_CELLS};

/// Stripes that one plan looks at, for each that it may mend: some find no place.
const LOOKED_AT: usize = 16;

/// A piece of a stripe at somebody's disk, or on its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PieceAt {
    /// Its number in the stripe: 0 to 3 are cells, 4 to 9 parity cells.
    pub number: u8,
    /// Its name.
    pub cell: CellId,
    /// Its bytes.
    pub size: u32,
    /// Whose disk.
    pub node: NodeId,
}

/// Pieces to make anew.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RebuildOrder {
    /// Four pieces that give all others.
    pub from: [PieceAt; STRIPE_CELLS],
    /// What is made of them, and who gets it.
    pub to: Vec<PieceAt>,
    /// Whether somebody watches the film.
    pub urgent: bool,
    /// Not before this time, in the caller's milliseconds.
    pub start_ms: u64,
}

impl Repair {
    /// The stripes to mend within the window from `now_ms` on, at most `most`: those that somebody waits for first, and the
    /// others where it is `calm` enough. `seed` is one that nobody controls.
    pub fn plan_stripes(
        &mut self,
        now_ms: u64,
        picture: &Picture,
        seed: &BlockHash,
        most: usize,
        calm: bool,
    ) -> Vec<RebuildOrder> {
        let mut orders = Vec::new();
        if most == 0 || picture.broken_count() == 0 {
            return orders;
        }
        let mut round = Round {
            now_ms,
            picture,
            seed,
            board: Board::new(picture, self.rules.placement),
            plan: super::Plan::default(),
        };
        for stripe in picture.broken().take(most.saturating_mul(LOOKED_AT)) {
            if orders.len() >= most {
                break;
            }
            let state = picture.stripe(stripe).filter(|state| calm || state.watched);
            orders.extend(state.and_then(|state| self.rebuild(&mut round, &state)));
        }
        orders
    }

    fn rebuild(&mut self, round: &mut Round<'_>, state: &StripeState) -> Option<RebuildOrder> {
        let missing: Vec<usize> = state.missing().collect();
        let to = places(round, state, &missing);
        if to.is_empty() || (state.is_new() && to.len() < missing.len()) {
            return None;
        }
        let from = self.sources(round, state)?;
        let lines = from.iter().filter_map(|piece| self.sources.get(&piece.node));
        let lines_ms = lines.chain(to.iter().filter_map(|piece| self.targets.get(&piece.node))).max();
        let start_ms = self.total.free_from(round.now_ms.max(lines_ms.copied().unwrap_or_default()));
        if start_ms >= round.end_ms(&self.rules) {
            return None;
        }
        for piece in &from {
            let taken_ms = duration_ms(piece.size.into(), self.rules.source_bytes_per_s);
            self.sources.insert(piece.node, start_ms.saturating_add(taken_ms));
            self.total.take(start_ms, piece.size.into());
        }
        for piece in &to {
            let taken_ms = duration_ms(piece.size.into(), self.rules.target_bytes_per_s);
            self.targets.insert(piece.node, start_ms.saturating_add(taken_ms));
            self.total.take(start_ms, piece.size.into());
            if let Some(index) = round.picture.find_provider(&piece.node) {
                round.board.take(index, piece.size.into());
            }
        }
        Some(RebuildOrder { from, to, urgent: state.watched, start_ms })
    }

    /// Four pieces and who gives them: from lines that are free, and of those cells before parity, so that as little as possible
    /// has to be reckoned back. Who was asked a moment ago, and may have failed, is not asked again at once.
    fn sources(&self, round: &Round<'_>, state: &StripeState) -> Option<[PieceAt; STRIPE_CELLS]> {
        let free_ms =
            |holder: &Provider| self.sources.get(&holder.node).map_or(round.now_ms, |at| round.now_ms.max(*at));
        let worth = |holder: &Provider| (holder.resting, !holder.counts(), free_ms(holder));
        let source = |(number, piece): (usize, &Piece)| {
            let row = round.picture.cell(piece.cell)?;
            let holders = row.holders().filter_map(|index| round.picture.provider(index)).filter(|holder| holder.alive);
            let from = holders.min_by_key(|holder| (worth(holder), holder.key))?;
            Some((worth(from), at(number, row, from)))
        };
        let mut from: Vec<_> = state.pieces.iter().enumerate().filter_map(source).collect();
        from.sort_by_key(|(worth, piece)| (*worth, piece.number));
        from.truncate(STRIPE_CELLS);
        from.sort_by_key(|(_, piece)| piece.number);
        from.into_iter().map(|(_, piece)| piece).collect::<Vec<_>>().try_into().ok()
    }
}

/// Places for what is missing, apart from all that is there or coming, as many as there are.
fn places(round: &Round<'_>, state: &StripeState, missing: &[usize]) -> Vec<PieceAt> {
    let picture = round.picture;
    let rows: Vec<_> =
        missing.iter().filter_map(|number| Some((*number, picture.cell(state.pieces[*number].cell)?))).collect();
    let Some((_, first)) = rows.first() else { return Vec::new() };
    let kept = |piece: &Piece| piece.keeper.into_iter().chain(picture.coming_to(piece.cell)).collect::<Vec<_>>();
    let beside: Vec<ProviderIndex> = state.pieces.iter().flat_map(kept).collect();
    let size = rows.iter().map(|(_, row)| u64::from(row.size)).max().unwrap_or_default();
    let wish = Wish { size, ..Wish::more(picture, first, missing.len(), &beside) };
    let chosen = round.board.choose(round.seed, &wish);
    let places = rows.into_iter().zip(chosen.into_iter().filter_map(|index| picture.provider(index)));
    places.map(|((number, row), to)| at(number, row, to)).collect()
}

fn at(number: usize, row: &crate::picture::Cell, provider: &Provider) -> PieceAt {
    // One of ten.
    PieceAt { number: number as u8, cell: row.id, size: row.size, node: provider.node }
}
