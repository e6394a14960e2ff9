//! Finding a viewer a source: step 1 of the protocol, as far as the controller is concerned.
//!
//! The controller says who holds the cell; a validator draws one of them and signs. So a controller can leave providers
//! out but neither choose one nor invent a grant.

use crate::{authority::Authority, registry::Registry};
use chainflix_overlay::control::{ControlRefusal, Source};
use chainflix_placement::{Region, source::Ask};
use chainflix_primitives::{CHUNK_BYTES, GrantRequest, Signed, message::EXCLUDED_MAX};
use tracing::warn;

/// Most candidates a validator draws from.
const CANDIDATES_MAX: usize = 32;

pub(crate) async fn find(
    registry: &Registry,
    authority: &dyn Authority,
    request: Signed<GrantRequest>,
) -> Result<Source, ControlRefusal> {
    let body = &request.body;
    if body.excluded.len() > EXCLUDED_MAX || !body.from_byte.is_multiple_of(CHUNK_BYTES) {
        return Err(ControlRefusal::Malformed);
    }
    request.verify(&body.account).map_err(|_| ControlRefusal::Forged)?;
    let registered = authority.cell(body.magnet, body.cell_index).await.map_err(|error| error.refusal())?;
    let registered = registered.ok_or(ControlRefusal::UnknownCell)?;
    let (viewer, magnet, excluded) = (body.account, body.magnet, body.excluded.clone());
    let candidates = registry
        .step(move |state, now_ms| {
            // Nobody says where a viewer is.
            let ask = Ask { viewer, region: Region::UNKNOWN, cell: &registered.cell, excluded: &excluded };
            state.census.sources(&ask, CANDIDATES_MAX, &state.draw(), now_ms)
        })
        .await
        .map_err(|_| ControlRefusal::Busy)?;
    if candidates.is_empty() {
        return Err(ControlRefusal::NoSource);
    }
    let grant = authority.issue_grant(request, candidates).await.map_err(|error| {
        warn!(cell = %registered.cell, %error, "no grant");
        error.refusal()
    })?;
    let provider = grant.body.provider_node;
    let address = registry
        .step(move |state, now_ms| {
            state.census.served(&provider, magnet, viewer, now_ms);
            state.book.get(&provider)
        })
        .await
        .map_err(|_| ControlRefusal::Busy)?;
    Ok(Source { grant, address })
}
