//! Plays one cell by the wall clock, and proves it.

use super::{
    Events, WatchEvent, Watching,
    fetch::{Arrival, Fetching},
    settle::Finished,
};
use crate::now_ms;
use anyhow::{Context as _, Result};
use chainflix_primitives::{PlayId, PlayOutcome};
use chainflix_viewer::Playback;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::sync::mpsc;

/// The player's heartbeat.
const STEP_MS: u64 = 50;
/// Nonces tried between two heartbeats.
const NONCES: u64 = 1 << 15;
/// A cell of which nothing arrives for so long is given up, and the film with it.
const SILENCE_MS: u64 = 60_000;

/// What a view has come to so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub played: u32,
    pub stalled_ms: u64,
    pub bytes: u64,
    /// When the running cell ends, by the clock.
    ends_ms: u64,
}

/// Plays one cell to its end; `finished` is where it goes then.
pub(super) async fn play(
    watching: &Watching,
    mut fetching: Fetching,
    index: u32,
    finished: &mpsc::Sender<Finished>,
    tally: &mut Tally,
    events: Events<'_>,
) -> Result<()> {
    let first_bytes = first_fragment_bytes(&*fetching.playback.lock().await);
    let arrived = fetching.arrival.wait_for(|arrival| arrival.grant.is_some() && arrival.verified_end >= first_bytes);
    let patience = Duration::from_millis(SILENCE_MS);
    let first =
        tokio::time::timeout(patience, arrived).await.with_context(|| format!("cell {index} does not arrive"))?;
    let grant = first.context("the fetching ended")?.grant.context("a delivery has a grant")?;
    let waited_ms = now_ms().saturating_sub(tally.ends_ms);
    if tally.ends_ms > 0 && waited_ms > STEP_MS {
        stall(index, waited_ms, tally, events);
    }

    let request = fetching.playback.lock().await.play_request(grant, None, now_ms());
    let answer = match watching.client.request_play(&request).await {
        Ok(answer) => answer,
        Err(error) => return Err(error).with_context(|| format!("cell {index} may not be played")),
    };
    let mut playback = fetching.playback.lock().await;
    let code = playback.begin_play(&answer)?.cloned();
    let duration_ms = playback.entry().duration_ms;
    drop(playback);
    // Only the first fragment of the film sets it.
    let _set = watching.first_frame_ms.compare_exchange(0, now_ms(), Relaxed, Relaxed);
    let reason = match &answer.outcome {
        PlayOutcome::Mining(_) => None,
        PlayOutcome::Unpaid(reason) => Some(reason.clone()),
    };
    events(WatchEvent::PlayStarted { index, mining: code.is_some(), reason });
    // The PlayCode's own words on how far ahead its minute starts, on this machine's clock.
    let ahead_ms = code.as_ref().map_or(0, |code| code.starts_ms.saturating_sub(code.issued_ms));
    let starts_ms = now_ms() + ahead_ms;
    run(watching, &mut fetching, index, (starts_ms, duration_ms), tally, events).await?;
    tally.ends_ms = now_ms();
    tally.played += 1;
    report_arrival(&fetching, index, tally, events).await;
    if let Some(code) = code {
        let play = prove(watching, &fetching, index, code.id).await?;
        finished.send(play).await.ok().context("nobody hands in proofs any more")?;
    }
    Ok(())
}

/// Lets media time run from the start of the cell to its end.
async fn run(
    watching: &Watching,
    fetching: &mut Fetching,
    index: u32,
    (starts_ms, duration_ms): (u64, u64),
    tally: &mut Tally,
    events: Events<'_>,
) -> Result<()> {
    let mut stalled_ms = 0;
    let mut reported = 0;
    loop {
        let now = now_ms();
        let position_ms = now.saturating_sub(starts_ms + stalled_ms).min(duration_ms);
        let arrival = fetching.arrival.borrow().clone();
        for (provider, from_byte, reason) in arrival.changes.iter().skip(reported).cloned() {
            events(WatchEvent::ProviderChanged { index, provider, from_byte, reason });
        }
        reported = arrival.changes.len();
        let mut playback = fetching.playback.lock().await;
        if can_show(&playback, &arrival, position_ms, duration_ms) {
            let head = *watching.head.borrow();
            // An unpaid play has no points to fold.
            let _unpaid = playback.advance(position_ms, head);
            if position_ms == duration_ms {
                break;
            }
        } else {
            stalled_ms += STEP_MS;
            anyhow::ensure!(stalled_ms < SILENCE_MS, "cell {index} stopped arriving");
        }
        drop(playback);
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
    if stalled_ms > 0 {
        stall(index, stalled_ms, tally, events);
    }
    Ok(())
}

/// Bytes of the cell's first fragment, before which nothing can be shown; all of the cell where the manifest lists none.
fn first_fragment_bytes(playback: &Playback) -> u64 {
    let entry = playback.entry();
    entry.fragments.first().map_or(entry.size, |fragment| fragment.size.into())
}

/// Whether the bytes of this moment have arrived, if bytes were spread evenly over time.
fn can_show(playback: &Playback, arrival: &Arrival, position_ms: u64, duration_ms: u64) -> bool {
    let needed = playback.entry().size * position_ms / duration_ms.max(1);
    arrival.complete || playback.is_complete() || playback.verified_end() >= needed.max(1)
}

fn stall(index: u32, ms: u64, tally: &mut Tally, events: Events<'_>) {
    tally.stalled_ms += ms;
    events(WatchEvent::Stalled { index, ms });
}

async fn report_arrival(fetching: &Fetching, index: u32, tally: &mut Tally, events: Events<'_>) {
    let bytes = fetching.playback.lock().await.verified_end();
    tally.bytes += bytes;
    let provider = fetching.arrival.borrow().provider;
    if let Some((provider, direct)) = provider {
        events(WatchEvent::CellFetched { index, bytes, provider, direct });
    }
}

/// Makes the proof, and what answers an audit of it.
async fn prove(watching: &Watching, fetching: &Fetching, index: u32, play: PlayId) -> Result<Finished> {
    let playback = fetching.playback.lock().await;
    let mut from = 0;
    let nonce = loop {
        match playback.search_nonce(from, NONCES)? {
            Some(nonce) => break nonce,
            None => from += NONCES,
        }
        tokio::task::yield_now().await;
    };
    let genesis = watching.viewer.genesis();
    let slot = genesis.params.slot_at(genesis.genesis_time_ms, now_ms());
    let (proof, opening) = (playback.prove(slot, nonce)?, playback.opening()?);
    drop(playback);
    let receipts = fetching.arrival.borrow().receipts.clone();
    Ok(Finished { index, play, proof, opening, receipts, playback: fetching.playback.clone() })
}
