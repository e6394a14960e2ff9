//! Being paid with what belongs to another play.

use super::{Run, downloads::finish, stuck};
use crate::{
    attempt::Attempt,
    caller::No,
    client::{Client, End},
    forge,
    stage::{Stage, now_ms},
};
use chainflix_primitives::{PlayAnswer, PlayData, PlayId, Signed};

/// Watches in order, hands the proof in twice, and a third time when it is paid.
pub fn replay(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let mut playback = client.cell(&stage.film, 0)?;
        attempt.spend();
        let tried = async {
            let grant = client.fetch(&mut playback).await?;
            let code = client.play(&mut playback, grant).await?;
            client.sit(&mut playback, &code).await?;
            let proof = client.proof(&playback).await?;
            client.submit(&proof).await?;
            Ok::<_, No>((code, proof))
        };
        let (code, proof) = match tried.await {
            Ok(done) => done,
            Err(no) => {
                attempt.hear(&no);
                return Ok(attempt);
            }
        };
        if let Err(no) = client.submit(&proof).await {
            attempt.hear(&no);
        }
        let end = client.settle(&playback, code.id).await;
        attempt.end(code.id, &end);
        for validator in 0..stage.rpcs.len() {
            if let Err(no) = client.caller.ask::<bool>(validator, "cfx_submitProof", &proof).await {
                attempt.hear(&no);
            }
        }
        Ok(attempt)
    })
}

/// Watches a cell, and the same cell again.
pub fn second_play(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        for _ in 0..2 {
            finish(&mut attempt, client.watch(&stage.film, 0).await);
        }
        Ok(attempt)
    })
}

/// Another account watches; this one signs the proof and hands it in first.
pub fn stolen(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let (victim, thief) = (Client::new(stage)?, Client::new(stage)?);
        let mut playback = victim.cell(&stage.film, 0)?;
        let tried = async {
            let grant = victim.fetch(&mut playback).await?;
            let code = victim.play(&mut playback, grant).await?;
            victim.sit(&mut playback, &code).await?;
            let right = victim.proof(&playback).await?;
            let mut refusals = Vec::new();
            for data in [right.body.clone(), PlayData { slot: right.body.slot + 1, ..right.body.clone() }] {
                if let Err(no) = thief.submit(&Signed::new(data, &thief.key)).await {
                    refusals.push(no);
                }
            }
            victim.submit(&right).await?;
            Ok::<_, No>((refusals, victim.settle(&playback, code.id).await))
        };
        attempt.spend();
        match tried.await {
            Ok((refusals, victims_end)) => {
                refusals.iter().for_each(|no| attempt.hear(no));
                // The victim's play counts for the victim, whose minute it was.
                attempt.honest = (1, u64::from(victims_end != End::Accepted));
            }
            Err(no) => attempt.hear(&no),
        }
        Ok(attempt)
    })
}

/// A PlayCode with one's own signature, and a proof for it.
pub fn forged(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let mut playback = client.cell(&stage.film, 0)?;
        let tried = async {
            let grant = client.fetch(&mut playback).await?;
            let mut code = client.play(&mut playback, grant).await?;
            let blocks = forge::blocks_of(&client, &code).await;
            code.id = PlayId(rand::random());
            client.submit(&forge::proof(&client, &code, blocks, forge::invented_hash()).await).await?;
            Ok((code.id, client.verdict(code.id, async || {}).await))
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}

/// Names the grant of another account in the play request.
pub fn others_grant(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let (victim, thief) = (Client::new(stage)?, Client::new(stage)?);
        let mut theirs = victim.cell(&stage.film, 0)?;
        let mut own = thief.cell(&stage.film, 0)?;
        let tried = async {
            let grant = victim.fetch(&mut theirs).await?;
            let request = own.play_request(grant, None, now_ms());
            let answer: PlayAnswer = thief.caller.ask(thief.validator, "cfx_requestPlay", &request).await?;
            let code = own.begin_play(&answer).map_err(stuck)?.cloned().ok_or_else(|| stuck("unpaid"))?;
            let blocks = forge::blocks_of(&thief, &code).await;
            thief.submit(&forge::proof(&thief, &code, blocks, forge::invented_hash()).await).await?;
            Ok((code.id, thief.verdict(code.id, async || {}).await))
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}
