//! Being paid without having the bytes.

use super::{Run, stuck};
use crate::{
    attempt::Attempt,
    caller::No,
    client::{Client, End},
    forge,
    stage::Stage,
};
use chainflix_primitives::{CHUNK_BYTES, Digest, GrantId, OpenedChunk, Opening, PlayCode, PlayId, Signed};
use chainflix_proof_of_view::points;
use chainflix_viewer::Playback;

/// How old a block is that a point may name, with something in hand.
const BLOCKS_BACK: u32 = 6;

/// A grant and a PlayCode without a single byte.
async fn begin_empty(client: &Client<'_>, playback: &mut Playback) -> Result<(GrantId, PlayCode), No> {
    let grant = client.grant(playback, vec![]).await?;
    playback.begin_delivery(&grant).map_err(stuck)?;
    let code = client.play(playback, grant.body.id).await?;
    Ok((grant.body.id, code))
}

/// Proves with `hash` and waits for the end; a wrong opening is sent when the audit asks, if there is one.
async fn prove_and_wait(
    client: &Client<'_>,
    code: &PlayCode,
    blocks: Vec<u32>,
    hash: Digest,
    opening: Option<Opening>,
) -> Result<End, No> {
    let proof = forge::proof(client, code, blocks, hash).await;
    client.submit(&proof).await?;
    let answer = async || {
        if let Some(opening) = &opening {
            // How it is answered shows in the verdict.
            let _refused = client.open(&Signed::new(opening.clone(), &client.key)).await;
        }
    };
    Ok(client.verdict(code.id, answer).await)
}

/// No download: waits, invents a hash.
pub fn nothing(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        for index in 0..2 {
            let mut playback = client.cell(&stage.film, index)?;
            let tried = async {
                let (_, code) = begin_empty(&client, &mut playback).await?;
                let blocks = forge::blocks_of(&client, &code).await;
                let end = prove_and_wait(&client, &code, blocks, forge::invented_hash(), None).await?;
                Ok((code.id, end))
            };
            finish(&mut attempt, tried.await);
        }
        Ok(attempt)
    })
}

/// Downloads, and takes the hash of a friend who watched the same cell.
pub fn friends_hash(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let (friend, client) = (Client::new(stage)?, Client::new(stage)?);
        let mut hers = friend.cell(&stage.film, 0)?;
        let mut his = client.cell(&stage.film, 0)?;
        let tried = async {
            let grant = friend.fetch(&mut hers).await?;
            let her_code = friend.play(&mut hers, grant).await?;
            let grant = client.fetch(&mut his).await?;
            let code = client.play(&mut his, grant).await?;
            let (sat, blocks) = futures::join!(friend.sit(&mut hers, &her_code), forge::blocks_of(&client, &code));
            sat?;
            let hash = friend.proof(&hers).await?.body.hash;
            let end = prove_and_wait(&client, &code, blocks, hash, None).await?;
            Ok((code.id, end))
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}

/// One account downloads; others play its bytes under grants of their own.
pub fn one_for_many(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 250, ..Attempt::by(4) };
        let first = Client::new(stage)?;
        match first.watch(&stage.film, 0).await {
            Ok((play, end)) => {
                attempt.spend();
                attempt.end(play, &end);
            }
            Err(no) => attempt.hear(&no),
        }
        let others = (0..3).map(|_| async {
            let client = Client::new(stage)?;
            let mut part = Attempt::by(1);
            let mut playback = client.cell(&stage.film, 0)?;
            let tried = async {
                let (_, code) = begin_empty(&client, &mut playback).await?;
                let blocks = forge::blocks_of(&client, &code).await;
                // With the sealed bytes of the first account it could fold all points; nobody signed that they came.
                let end = prove_and_wait(&client, &code, blocks, forge::invented_hash(), None).await?;
                Ok((code.id, end))
            };
            finish(&mut part, tried.await);
            anyhow::Ok(part)
        });
        for part in futures::future::join_all(others).await {
            attempt.add(part?);
        }
        Ok(attempt)
    })
}

/// Downloads all, folds nothing, invents the hash, and says nothing when it is audited.
pub fn skips_the_points(stage: &Stage) -> Run<'_> {
    invents(stage, |_, _| None)
}

/// The same, and answers the audit with noise.
pub fn garbage_opening(stage: &Stage) -> Run<'_> {
    invents(stage, |code, points| {
        let chunk = || OpenedChunk { sealed: vec![7; CHUNK_BYTES as usize], path: vec![Digest([7; 32]); 4] };
        let chunks = (0..points).map(|_| chunk()).collect();
        Some(Opening { play: code.id, download_key: [7; 32], chunks })
    })
}

fn invents(stage: &Stage, opening: fn(&PlayCode, u8) -> Option<Opening>) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        for index in 0..2 {
            let mut playback = client.cell(&stage.film, index)?;
            let tried = async {
                let grant = client.fetch(&mut playback).await?;
                let code = client.play(&mut playback, grant).await?;
                let blocks = forge::blocks_of(&client, &code).await;
                let opening = opening(&code, stage.params().play_points);
                let end = prove_and_wait(&client, &code, blocks, forge::invented_hash(), opening).await?;
                Ok((code.id, end))
            };
            finish(&mut attempt, tried.await);
        }
        Ok(attempt)
    })
}

/// Watches in order, and keeps silent when it is audited.
pub fn silent_at_the_audit(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let mut playback = client.cell(&stage.film, 0)?;
        let tried = async {
            let grant = client.fetch(&mut playback).await?;
            let code = client.play(&mut playback, grant).await?;
            client.sit(&mut playback, &code).await?;
            client.submit(&client.proof(&playback).await?).await?;
            Ok((code.id, client.verdict(code.id, async || {}).await))
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}

/// Downloads only the part that receipts must cover, and names those blocks at its points that draw from it.
pub fn part_of_the_cell(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let coverage = stage.params().receipt_coverage_permille;
        let mut attempt = Attempt { downloaded_permille: coverage, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        for index in 0..2 {
            let mut playback = client.cell(&stage.film, index)?;
            let tried = async {
                let grant = client.grant(&playback, vec![]).await?;
                let stream = client.deliver(&mut playback, &grant).await?;
                let size = playback.entry().size;
                client.take(&mut playback, stream, (size * coverage).div_ceil(1000) + CHUNK_BYTES).await?;
                let code = client.play(&mut playback, grant.body.id).await?;
                sit_and_choose(&client, &mut playback, &code).await?;
                client.submit(&client.proof(&playback).await?).await?;
                Ok((code.id, client.settle(&playback, code.id).await))
            };
            finish(&mut attempt, tried.await);
        }
        Ok(attempt)
    })
}

/// At each point, offers the player one block after the other until it draws a chunk that is there.
async fn sit_and_choose(client: &Client<'_>, playback: &mut Playback, code: &PlayCode) -> Result<(), No> {
    let count = client.stage.params().play_points;
    let mut heads = Vec::new();
    let starts_ms = crate::stage::now_ms() + code.starts_ms.saturating_sub(code.issued_ms);
    let mut folded = 0;
    loop {
        let position_ms = crate::stage::now_ms().saturating_sub(starts_ms).min(code.play_ms);
        let head = *client.stage.head.borrow();
        if heads.last() != Some(&head) {
            heads.push(head);
        }
        let due = folded < count && position_ms >= points::position_ms(code.play_ms, folded, count);
        let here = |(_, block): &&(u32, _)| {
            let chunk = points::chunk(code, folded, count, block);
            (u64::from(chunk) + 1) * CHUNK_BYTES <= playback.verified_end()
        };
        if let Some(chosen) = heads.iter().find(here).copied().filter(|_| due) {
            folded = playback.advance(position_ms, chosen).map_err(stuck)?.folded;
            // Points name blocks that never go back.
            heads.retain(|(number, _)| *number >= chosen.0);
        }
        // Validators take blocks that are a little old.
        heads.retain(|(number, _)| number + BLOCKS_BACK >= head.0);
        if position_ms == code.play_ms && folded == count {
            return Ok(());
        }
        if crate::stage::now_ms() > starts_ms + code.play_ms * 2 {
            return Err(No::Stuck("no block draws from what is there".into()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A minute that was tried: its end, or the no that came before.
pub(super) fn finish(attempt: &mut Attempt, tried: Result<(PlayId, End), No>) {
    attempt.spend();
    match tried {
        Ok((play, end)) => attempt.end(play, &end),
        Err(no) => attempt.hear(&no),
    }
}
