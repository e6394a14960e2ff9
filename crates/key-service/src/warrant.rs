//! What a validator checks before it signs a label for another: the viewer's own words, and the video they are about.

use crate::label::Label;
use chainflix_primitives::{AccountAddress, Magnet};
use chainflix_proof_of_view::{Catalogue, KeyWarrant};

/// Why a validator does not sign what another asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfounded {
    /// The viewer asked for another video.
    #[error("the viewer asked for another video")]
    OtherVideo,
    /// The words are of another account.
    #[error("the viewer is another account")]
    OtherAccount,
    /// The words are too old, or from the future.
    #[error("the viewer's words are {age_ms} ms away from this clock")]
    Stale {
        /// How far, in milliseconds.
        age_ms: u64,
    },
    /// Nobody registered the video, or its manifest is not here.
    #[error("the video is not known here")]
    UnknownVideo,
    /// The video has fewer cells.
    #[error("the video has no cell {index}")]
    UnknownCell {
        /// The asked cell.
        index: u32,
    },
    /// A supervisor stopped the video.
    #[error("a supervisor stopped the video")]
    TakenDown,
    /// The label names somebody else as the creator.
    #[error("the video is another creator's")]
    OtherCreator,
    /// The signature is not the viewer's.
    #[error("the signature is not the viewer's")]
    BadSignature,
    /// The other validator asks too often.
    #[error("it asks too often")]
    TooFast,
}

/// Whether `warrant` is a reason to sign `label` at `now_ms`. `life_ms` is how old words may be.
pub(crate) fn check(
    now_ms: u64,
    life_ms: u64,
    warrant: &KeyWarrant,
    label: &Label,
    catalogue: &dyn Catalogue,
) -> Result<(), Unfounded> {
    let (account, magnet, index, requested_ms) = words(warrant);
    let (Label::View { magnet: wanted, .. } | Label::Video { magnet: wanted, .. }) = label;
    if wanted != magnet {
        return Err(Unfounded::OtherVideo);
    }
    if matches!(label, Label::View { account: viewer, .. } if viewer != account) {
        return Err(Unfounded::OtherAccount);
    }
    let age_ms = now_ms.abs_diff(requested_ms);
    if age_ms > life_ms {
        return Err(Unfounded::Stale { age_ms });
    }
    let facts = catalogue.video(magnet, index).ok_or(Unfounded::UnknownVideo)?;
    if facts.taken_down {
        return Err(Unfounded::TakenDown);
    }
    if facts.cell.is_none() {
        return Err(Unfounded::UnknownCell { index });
    }
    if matches!(label, Label::Video { creator, .. } if *creator != facts.creator) {
        return Err(Unfounded::OtherCreator);
    }
    let signed = match warrant {
        KeyWarrant::Grant(words) => words.verify(account),
        KeyWarrant::Play(words) => words.verify(account),
    };
    signed.map_err(|_| Unfounded::BadSignature)
}

fn words(warrant: &KeyWarrant) -> (&AccountAddress, &Magnet, u32, u64) {
    match warrant {
        KeyWarrant::Grant(words) => {
            let body = &words.body;
            (&body.account, &body.magnet, body.cell_index, body.requested_ms)
        }
        KeyWarrant::Play(words) => {
            let body = &words.body;
            (&body.account, &body.magnet, body.cell_index, body.requested_ms)
        }
    }
}
