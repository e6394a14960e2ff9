//! Being paid without spending the time.

use super::{Run, downloads::finish, stuck};
use crate::{
    attempt::Attempt,
    caller::No,
    client::{Client, End},
    forge,
    stage::{Stage, now_ms},
};
use chainflix_primitives::{Digest, GrantId, PlayAnswer, PlayCode, PlayData, PlayId, PlayRequest, Signed};
use chainflix_viewer::Playback;
use std::time::Duration;

/// Ten minutes in milliseconds.
const SHIFT_MS: u64 = 600_000;

/// Fetches a cell and has its PlayCode.
async fn begin(client: &Client<'_>, playback: &mut Playback) -> Result<PlayCode, No> {
    let grant = client.fetch(playback).await?;
    client.play(playback, grant).await
}

/// One honest account that does one thing wrong with each of the first `cells` cells.
async fn each_cell<'a>(
    stage: &'a Stage,
    cells: u32,
    wrong: impl AsyncFn(&Client<'a>, &mut Playback) -> Result<(PlayId, End), No>,
) -> anyhow::Result<Attempt> {
    let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
    let client = Client::new(stage)?;
    for index in 0..cells {
        let mut playback = client.cell(&stage.film, index)?;
        finish(&mut attempt, wrong(&client, &mut playback).await);
    }
    Ok(attempt)
}

/// Proves at once, with all points folded over the newest block.
pub fn early(stage: &Stage) -> Run<'_> {
    Box::pin(each_cell(stage, 2, async |client, playback| {
        let code = begin(client, playback).await?;
        let head = *stage.head.borrow();
        playback.advance(code.play_ms, head).map_err(stuck)?;
        client.submit(&client.proof(playback).await?).await?;
        Ok((code.id, client.settle(playback, code.id).await))
    }))
}

/// Watches, and proves after the last moment.
pub fn late(stage: &Stage) -> Run<'_> {
    Box::pin(each_cell(stage, 1, async |client, playback| {
        let code = begin(client, playback).await?;
        client.sit(playback, &code).await?;
        let late_ms = code.play_ms * (stage.params().late_permille - 1000) / 1000 + 1_000;
        tokio::time::sleep(Duration::from_millis(late_ms)).await;
        client.submit(&client.proof(playback).await?).await?;
        Ok((code.id, client.settle(playback, code.id).await))
    }))
}

/// How one play went: its verdict, or what stopped it before.
type Played = Result<(PlayId, End), No>;

/// A cell as an honest viewer plays it, from grant to verdict.
async fn play_through(client: &Client<'_>, playback: &mut Playback) -> Played {
    let code = begin(client, playback).await?;
    client.sit(playback, &code).await?;
    client.submit(&client.proof(playback).await?).await?;
    Ok((code.id, client.settle(playback, code.id).await))
}

/// Two plays that ran side by side: they spent one minute of the clock, as an honest viewer does for one.
fn in_one_minute(attempt: &mut Attempt, (first, second): (Played, Played)) {
    finish(attempt, first);
    match second {
        Ok((play, end)) => attempt.end(play, &end),
        Err(no) => attempt.hear(&no),
    }
}

/// Two cells side by side.
pub fn parallel(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let one = async |index| {
            let mut playback = client.cell(&stage.film, index).map_err(stuck)?;
            play_through(&client, &mut playback).await
        };
        in_one_minute(&mut attempt, futures::join!(one(0), one(1)));
        Ok(attempt)
    })
}

/// The same cell from two validators in the same moment, before they can have told each other; both plays are proved.
pub fn two_validators(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let secret = rand::random();
        let address = stage.address();
        let one = async |validator: usize| -> Result<(PlayId, End), No> {
            let mut client = Client::of(stage, address, secret).map_err(stuck)?;
            client.validator = validator;
            let mut playback = client.cell(&stage.film, 0).map_err(stuck)?;
            play_through(&client, &mut playback).await
        };
        in_one_minute(&mut attempt, futures::join!(one(0), one(1)));
        Ok(attempt)
    })
}

/// Requests with a clock ten minutes ahead, and ten minutes behind.
pub fn shifted_clock(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let mut playback = client.cell(&stage.film, 0)?;
        let grant = match client.fetch(&mut playback).await {
            Ok(grant) => grant,
            Err(no) => {
                attempt.hear(&no);
                return Ok(attempt);
            }
        };
        for at_ms in [now_ms() + SHIFT_MS, now_ms() - SHIFT_MS] {
            let tried = ask_at(&client, &mut playback, grant, at_ms).await;
            finish(&mut attempt, tried);
        }
        Ok(attempt)
    })
}

async fn ask_at(client: &Client<'_>, playback: &mut Playback, grant: GrantId, at_ms: u64) -> Result<(PlayId, End), No> {
    let request: Signed<PlayRequest> = playback.play_request(grant, None, at_ms);
    let answer: PlayAnswer = client.caller.ask(client.validator, "cfx_requestPlay", &request).await?;
    let code = playback.begin_play(&answer).map_err(stuck)?.cloned().ok_or_else(|| stuck("unpaid"))?;
    client.sit(playback, &code).await?;
    client.submit(&client.proof(playback).await?).await?;
    Ok((code.id, client.settle(playback, code.id).await))
}

/// A right proof for a slot ten slots from now.
pub fn another_slot(stage: &Stage) -> Run<'_> {
    Box::pin(each_cell(stage, 1, async |client, playback| {
        let code = begin(client, playback).await?;
        client.sit(playback, &code).await?;
        let right = client.proof(playback).await?.body;
        let moved = PlayData { slot: right.slot + 10, ..right };
        client.submit(&Signed::new(moved, &client.key)).await?;
        Ok((code.id, client.settle(playback, code.id).await))
    }))
}

/// Folds every point over the block of the start, then waits the minute out somewhere else.
pub fn points_ahead(stage: &Stage) -> Run<'_> {
    Box::pin(each_cell(stage, 1, async |client, playback| {
        let code = begin(client, playback).await?;
        let head = *stage.head.borrow();
        playback.advance(code.play_ms, head).map_err(stuck)?;
        client.wait_out(&code).await;
        client.submit(&client.proof(playback).await?).await?;
        Ok((code.id, client.settle(playback, code.id).await))
    }))
}

/// Searches a nonce at the start, over a hash it hopes for, and uses it with the real one.
pub fn precomputed_nonce(stage: &Stage) -> Run<'_> {
    Box::pin(each_cell(stage, 1, async |client, playback| {
        let code = begin(client, playback).await?;
        let hoped: Digest = forge::invented_hash();
        let nonce = forge::nonce(&code, &hoped).await;
        client.sit(playback, &code).await?;
        let right = client.proof(playback).await?.body;
        client.submit(&Signed::new(PlayData { nonce, ..right }, &client.key)).await?;
        Ok((code.id, client.settle(playback, code.id).await))
    }))
}
