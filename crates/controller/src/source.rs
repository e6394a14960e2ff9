//! Finding a viewer a source: step 1 of the protocol, as far as the controller is concerned.
//!
//! The controller says who holds the cell; a validator draws one of them and signs. So a controller can leave providers
//! out but neither choose one nor invent a grant. A validator does not know who is busy: those that are full are named only
//! where it takes none of the others.

use crate::{
    authority::{Authority, AuthorityError},
    registry::Registry,
};
use chainflix_overlay::control::{ControlRefusal, ProviderCard, Source};
use chainflix_placement::{Region, source::Ask};
use chainflix_primitives::{CHUNK_BYTES, Grant, GrantRequest, Signed, message::EXCLUDED_MAX};
use tracing::warn;

/// A validator's code where none of the candidates may serve.
const NO_SOURCE: &str = "no-source";
/// Most candidates that are named.
const CANDIDATES_MAX: usize = 32;
/// Of these a validator draws from so many at a time, without looking at their order: how free and how near they are
/// counts because the first ones are named first.
const DRAWN_FROM: usize = 2;

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
            state.census.asked(viewer, magnet, &registered.cell, &excluded, now_ms);
            // Nobody says where a viewer is.
            let ask = Ask { viewer, region: Region::UNKNOWN, cell: &registered.cell, excluded: &excluded };
            let mut free = state.census.sources(&ask, CANDIDATES_MAX, &state.draw(), now_ms);
            let full = free.split_off(free.partition_point(|card| !state.census.is_full(&card.body.node)));
            in_turns(free).chain(in_turns(full)).collect()
        })
        .await
        .map_err(|_| ControlRefusal::Busy)?;
    let grant = grant(authority, &request, candidates).await?;
    let provider = grant.body.provider_node;
    let address = registry
        .step(move |state, now_ms| {
            state.census.served(&provider, magnet, &registered.cell, viewer, now_ms);
            state.book.get(&provider)
        })
        .await
        .map_err(|_| ControlRefusal::Busy)?;
    Ok(Source { grant, address })
}

/// Those that are named together.
fn in_turns(candidates: Vec<Signed<ProviderCard>>) -> impl Iterator<Item = Vec<Signed<ProviderCard>>> {
    let mut rest = candidates.into_iter();
    std::iter::from_fn(move || Some(rest.by_ref().take(DRAWN_FROM).collect()))
        .take_while(|named: &Vec<_>| !named.is_empty())
}

/// Has one of the first candidates drawn, or one of the next where the validator takes none of them.
async fn grant(
    authority: &dyn Authority,
    request: &Signed<GrantRequest>,
    candidates: Vec<Vec<Signed<ProviderCard>>>,
) -> Result<Signed<Grant>, ControlRefusal> {
    let mut refused = ControlRefusal::NoSource;
    for named in candidates {
        let error = match authority.issue_grant(request.clone(), named).await {
            Ok(grant) => return Ok(grant),
            Err(error) => error,
        };
        let GrantRequest { magnet, cell_index, .. } = &request.body;
        warn!(%magnet, cell_index, %error, "no grant");
        refused = error.refusal();
        if !matches!(error, AuthorityError::Refused { code, .. } if code == NO_SOURCE) {
            break;
        }
    }
    Err(refused)
}
