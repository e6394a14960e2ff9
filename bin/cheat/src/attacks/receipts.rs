//! Being paid for deliveries that were none.

use super::{Run, downloads::finish, stuck};
use crate::{
    attempt::Attempt,
    caller::No,
    client::{Client, End},
    forge,
    stage::{Stage, now_ms},
};
use chainflix_cell::ChunkHashes;
use chainflix_primitives::{AccountKey, CHUNK_BYTES, Digest, Evidence, Grant, NodeId, PlayId, Receipt, Signed};
use chainflix_rpc::types::{DisputeReport, IssueGrant};
use chainflix_viewer::Playback;
use std::time::Duration;
use tokio::time::sleep;

/// The provider that the cheaters own.
const OWN_PROVIDER: u16 = 2;
/// How often a liar shows its evidence, and the pause between: as long as a cell of the bench.
const INSISTS: u32 = 30;
const INSIST: Duration = Duration::from_millis(250);

/// What either side signs.
fn words(grant: &Grant, end: u64, delivered_hash: Digest) -> Receipt {
    Receipt {
        grant: grant.id,
        viewer: grant.viewer,
        provider: grant.provider,
        cell: grant.cell,
        start: grant.from_byte,
        end,
        delivered_hash,
    }
}

/// Plays under a grant, waits the minute out, proves with an invented hash.
async fn play_and_invent(
    client: &Client<'_>,
    playback: &mut Playback,
    grant: &Signed<Grant>,
) -> Result<(PlayId, End), No> {
    let code = client.play(playback, grant.body.id).await?;
    let blocks = forge::blocks_of(client, &code).await;
    client.submit(&forge::proof(client, &code, blocks, forge::invented_hash()).await).await?;
    Ok((code.id, client.verdict(code.id, async || {}).await))
}

/// No download; the viewer's receipt, and the "provider's" with a key of one's own.
pub fn forged(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        let stranger = AccountKey::from_bytes(&rand::random())?;
        let mut playback = client.cell(&stage.film, 0)?;
        let mut answers = Vec::new();
        let tried = async {
            let grant = client.grant(&playback, vec![]).await?;
            playback.begin_delivery(&grant).map_err(stuck)?;
            let said = words(&grant.body, grant.body.size, forge::invented_hash());
            client.submit_receipt(&Signed::new(said.clone(), &client.key)).await?;
            if let Err(no) = client.submit_receipt(&Signed::new(said, &stranger)).await {
                answers.push(no);
            }
            play_and_invent(&client, &mut playback, &grant).await
        };
        let tried = tried.await;
        answers.iter().for_each(|no| attempt.hear(no));
        finish(&mut attempt, tried);
        Ok(attempt)
    })
}

/// Takes one chunk, and signs for the whole cell.
pub fn inflated(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 50, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let mut playback = client.cell(&stage.film, 0)?;
        let tried = async {
            let grant = client.grant(&playback, vec![]).await?;
            let mut stream = client.deliver(&mut playback, &grant).await?;
            while playback.verified_end() < CHUNK_BYTES {
                match stream.next().await {
                    Ok(Some(part)) => playback.push(&part).map_err(stuck)?,
                    Ok(None) => break,
                    Err(error) => return Err(No::Peer(error.to_string())),
                }
            }
            let honest = playback.end_delivery().ok_or_else(|| stuck("nothing came"))?.body;
            // The provider hears what it can sign for; the validators hear more.
            let _told = stream.finish(honest.end, honest.delivered_hash).await;
            let said = words(&grant.body, grant.body.size, honest.delivered_hash);
            client.submit_receipt(&Signed::new(said, &client.key)).await?;
            play_and_invent(&client, &mut playback, &grant).await
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}

/// Downloads all and watches, but signs for other bytes than the provider, and shows the hashes of its lie: once more than
/// an account may lose disputes in a day.
pub fn lying(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        for index in 0..4 {
            let tried = lie(&client, index, &mut attempt).await;
            finish(&mut attempt, tried);
        }
        Ok(attempt)
    })
}

/// One cell, and one lie about it.
async fn lie(client: &Client<'_>, index: u32, attempt: &mut Attempt) -> Result<(PlayId, End), No> {
    let mut playback = client.cell(&client.stage.film, index).map_err(stuck)?;
    let grant = client.grant(&playback, vec![]).await?;
    let mut stream = client.deliver(&mut playback, &grant).await?;
    let mut came = Vec::new();
    while let Some(part) = stream.next().await.map_err(stuck)? {
        playback.push(&part).map_err(stuck)?;
        came.extend_from_slice(&part);
    }
    let honest = playback.end_delivery().ok_or_else(|| stuck("nothing came"))?.body;
    let mut delivered = came.split_off(ChunkHashes::encoded_len(grant.body.size));
    delivered[0] ^= 1;
    let hashes = ChunkHashes::of(&delivered);
    let said = words(&grant.body, honest.end, Digest(hashes.root().0));
    client.submit_receipt(&Signed::new(said, &client.key)).await?;
    stream.finish(honest.end, honest.delivered_hash).await.map_err(stuck)?;
    let code = client.play(&mut playback, grant.body.id).await?;
    let shown = playback.evidence(&honest, None).map_err(stuck)?.body;
    let shown = Signed::new(Evidence { hashes: hashes.encode(), ..shown }, &client.key);
    let (came_to, sat) = futures::join!(insist(client, &shown), client.sit(&mut playback, &code));
    attempt.note(came_to);
    sat?;
    client.submit(&client.proof(&playback).await?).await?;
    Ok((code.id, client.settle(&playback, code.id).await))
}

/// Shows evidence until it is judged, or the cell is over: before the other side has answered there is nothing to judge.
/// Answers what it came to.
async fn insist(client: &Client<'_>, shown: &Signed<Evidence>) -> String {
    let mut came_to = String::new();
    for _ in 0..INSISTS {
        let answer = client.caller.ask(client.validator, "cfx_submitEvidence", shown).await;
        came_to = match answer {
            Ok(DisputeReport::Judged { viewer_false: true, provider_false: false }) => {
                return "dispute: viewer false".into();
            }
            Ok(state) => format!("dispute: {state:?}"),
            Err(no) => no.to_string(),
        };
        sleep(INSIST).await;
    }
    came_to
}

/// All providers' nodes but the cheaters' own one.
async fn other_providers(stage: &Stage) -> anyhow::Result<(AccountKey, Vec<NodeId>)> {
    let own = stage.provider_key(OWN_PROVIDER)?;
    let all = stage.rpc.providers().await?;
    let others = all.iter().filter(|provider| provider.account != own.address());
    Ok((own.clone(), others.map(|provider| provider.node_id).collect()))
}

/// Excludes providers until its own one is drawn; then both sign, and nothing is delivered.
pub fn colluding_provider(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        let (provider, others) = other_providers(stage).await?;
        for index in 0..stage.film.published.cells {
            let mut playback = client.cell(&stage.film, index)?;
            let tried = async {
                let grant = client.grant(&playback, others.clone()).await?;
                if grant.body.provider != provider.address() {
                    return Err(stuck("another provider was drawn"));
                }
                playback.begin_delivery(&grant).map_err(stuck)?;
                let said = words(&grant.body, grant.body.size, forge::invented_hash());
                client.submit_receipt(&Signed::new(said.clone(), &client.key)).await?;
                client.submit_receipt(&Signed::new(said, &provider)).await?;
                play_and_invent(&client, &mut playback, &grant).await
            };
            match tried.await {
                // Costs no minute: the next cell may be on the right disk.
                Err(no @ (No::Refused(_) | No::Stuck(_))) if attempt.plays.is_empty() => attempt.hear(&no),
                ended => finish(&mut attempt, ended),
            }
            if attempt.minutes >= 2 {
                break;
            }
        }
        Ok(attempt)
    })
}

/// Excludes all other providers, and counts how often its own one is drawn.
pub fn picks_its_provider(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let (provider, others) = other_providers(stage).await?;
        for index in 0..stage.film.published.cells {
            let playback = client.cell(&stage.film, index)?;
            match client.grant(&playback, others.clone()).await {
                Ok(grant) if grant.body.provider == provider.address() => attempt.note("its own provider was drawn"),
                Ok(_) => attempt.note("another provider was drawn"),
                Err(no) => attempt.hear(&no),
            }
        }
        Ok(attempt)
    })
}

/// Asks for a grant as controllers do, and names its own provider as the only holder.
pub fn names_the_holders(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        let (provider, _) = other_providers(stage).await?;
        let all = stage.rpc.providers().await?;
        let own: Vec<_> = all.iter().filter(|one| one.account == provider.address()).map(|one| one.node_id).collect();
        let playback = client.cell(&stage.film, 0)?;
        for validator in 0..stage.rpcs.len() {
            let request = playback.grant_request(vec![], now_ms());
            let asked = IssueGrant { request, holders: own.clone() };
            match client.caller.ask::<Signed<Grant>>(validator, "cfx_issueGrant", &asked).await {
                Ok(_) => attempt.note("a grant was issued"),
                Err(no) => attempt.hear(&no),
            }
        }
        Ok(attempt)
    })
}
