//! Watching: viewers, films and cells of `chainflix-viewer`, for a worker.

use super::{read_json, write_json};
use crate::{
    objects::Objects,
    refusal::{CallError, Refusal},
};
use chainflix_primitives::{
    AccountAddress, BlockHash, Digest, Grant, GrantId, Magnet, Manifest, NetworkGenesis, NodeId, PlayAnswer, PlayCode,
    PlayId, Receipt, Signed,
};
use chainflix_viewer::{Film, Playback, ViewError, Viewer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroize as _;

/// Most nonces tried by one call: well under a tenth of a second on a laptop.
const COUNT_MAX: u64 = 1 << 18;

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        Self::new(error.code(), &error)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpenViewer {
    /// 32 secret bytes as hex.
    secret: Digest,
    genesis: NetworkGenesis,
}

#[derive(Serialize)]
struct OpenedViewer {
    handle: u32,
    account: AccountAddress,
}

pub(super) fn viewer_open(objects: &mut Objects, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let OpenViewer { mut secret, genesis } = read_json(input)?;
    genesis.check().map_err(|error| Refusal::new("genesis", &error))?;
    let viewer = Viewer::new(&secret.0, genesis).map_err(|error| Refusal::new("secret", &error));
    secret.0.zeroize();
    let viewer = viewer?;
    let account = viewer.account();
    let handle = objects.open(viewer)?;
    Ok(write_json(out, &OpenedViewer { handle, account })?)
}

#[derive(Serialize)]
struct OpenedFilm<'a> {
    handle: u32,
    manifest: &'a Manifest,
}

pub(super) fn film_open(objects: &mut Objects, viewer: u32, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (magnet, manifest) =
        input.split_first_chunk::<32>().ok_or(CallError::TooShort { len: input.len(), least: 32 })?;
    let viewer: &mut Arc<Viewer> = objects.get(viewer)?;
    let film = viewer.film(Magnet(*magnet), manifest).map_err(|error| Refusal::new("manifest", &error))?;
    let handle = objects.open(film.clone())?;
    Ok(write_json(out, &OpenedFilm { handle, manifest: film.manifest() })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpenCell {
    cell_index: u32,
}

#[derive(Serialize)]
struct OpenedCell {
    handle: u32,
}

pub(super) fn cell_open(objects: &mut Objects, film: u32, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let OpenCell { cell_index } = read_json(input)?;
    let film: &mut Film = objects.get(film)?;
    let max = film.manifest().cells.len().saturating_sub(1) as u64;
    let above = CallError::AboveMax { field: "cellIndex", value: cell_index.into(), max };
    let cell = film.cell(cell_index).ok_or(above)?;
    let handle = objects.open(cell)?;
    Ok(write_json(out, &OpenedCell { handle })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestGrant {
    excluded: Vec<NodeId>,
    now_ms: u64,
}

pub(super) fn grant_request(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let RequestGrant { excluded, now_ms } = read_json(input)?;
    Ok(write_json(out, &cell.grant_request(excluded, now_ms))?)
}

pub(super) fn delivery_begin(cell: &mut Playback, input: &[u8]) -> Result<(), Refusal> {
    let grant: Signed<Grant> = read_json(input)?;
    Ok(cell.begin_delivery(&grant)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pushed {
    verified_end: u64,
    complete: bool,
}

pub(super) fn delivery_push(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    cell.push(input)?;
    Ok(write_json(out, &Pushed { verified_end: cell.verified_end(), complete: cell.is_complete() })?)
}

pub(super) fn delivery_layer(cell: &mut Playback, out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.extend_from_slice(cell.delivery_layer()?.expose());
    Ok(())
}

pub(super) fn delivery_push_stripped(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (delivered, sealed) = input.split_at(input.len() / 2);
    cell.push_stripped(delivered, sealed)?;
    Ok(write_json(out, &Pushed { verified_end: cell.verified_end(), complete: cell.is_complete() })?)
}

pub(super) fn delivery_end(cell: &mut Playback, out: &mut Vec<u8>) -> Result<(), Refusal> {
    Ok(write_json(out, &cell.end_delivery())?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestPlay {
    grant: GrantId,
    supersedes: Option<PlayId>,
    #[serde(default)]
    layers: Vec<Magnet>,
    now_ms: u64,
}

pub(super) fn play_request(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let RequestPlay { grant, supersedes, layers, now_ms } = read_json(input)?;
    cell.show(layers);
    Ok(write_json(out, &cell.play_request(grant, supersedes, now_ms))?)
}

#[derive(Serialize)]
struct BegunPlay<'a> {
    code: Option<&'a PlayCode>,
}

pub(super) fn play_begin(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let answer: PlayAnswer = read_json(input)?;
    Ok(write_json(out, &BegunPlay { code: cell.begin_play(&answer)? })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadBytes {
    start: u64,
    end: u64,
}

pub(super) fn read(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let ReadBytes { start, end } = read_json(input)?;
    out.extend(cell.read(start, end)?);
    Ok(())
}

pub(super) fn read_sealed(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let ReadBytes { start, end } = read_json(input)?;
    out.extend_from_slice(cell.read_sealed(start, end)?);
    Ok(())
}

pub(super) fn content_layer(cell: &mut Playback, out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.extend_from_slice(cell.content_layer()?.expose());
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    position_ms: u64,
    number: u32,
    hash: BlockHash,
}

#[derive(Serialize)]
struct Advanced {
    folded: u8,
    points: u8,
}

pub(super) fn advance(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Advance { position_ms, number, hash } = read_json(input)?;
    let progress = cell.advance(position_ms, (number, hash))?;
    Ok(write_json(out, &Advanced { folded: progress.folded, points: progress.points })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mine {
    from: u64,
    count: u64,
}

#[derive(Serialize)]
struct Mined {
    nonce: Option<u64>,
}

pub(super) fn mine(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Mine { from, count } = read_json(input)?;
    if count > COUNT_MAX {
        return Err(CallError::AboveMax { field: "count", value: count, max: COUNT_MAX }.into());
    }
    Ok(write_json(out, &Mined { nonce: cell.search_nonce(from, count)? })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prove {
    slot: u64,
    nonce: u64,
}

pub(super) fn prove(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Prove { slot, nonce } = read_json(input)?;
    Ok(write_json(out, &cell.prove(slot, nonce)?)?)
}

pub(super) fn opening(cell: &mut Playback, out: &mut Vec<u8>) -> Result<(), Refusal> {
    Ok(write_json(out, &cell.opening()?)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ShowEvidence {
    receipt: Receipt,
    chunk: Option<u32>,
}

pub(super) fn evidence(cell: &mut Playback, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let ShowEvidence { receipt, chunk } = read_json(input)?;
    Ok(write_json(out, &cell.evidence(&receipt, chunk)?)?)
}
