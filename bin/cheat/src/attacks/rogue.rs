//! Being paid as a validator that lies.

use super::{Run, downloads::finish, stuck};
use crate::{
    attempt::Attempt,
    caller::No,
    client::{Client, End},
    forge,
    stage::{Stage, now_ms},
};
use chainflix_primitives::{
    AccountKey, BoxKey, CellKey, Grant, GrantId, NodeId, PlayAnswer, PlayCode, PlayId, PlayOutcome, PlayRequest,
    Receipt, Signed,
};
use chainflix_proof_of_view::{OriginTag, ValidatorMessage};
use chainflix_viewer::Playback;
use futures::future::join_all;
use std::time::Duration;

/// A home that nobody else has.
fn invented_home() -> OriginTag {
    OriginTag { home: rand::random(), network: rand::random(), allocation: None }
}

/// What an honest validator would issue for this request now, signed by the rogue.
fn code_for(stage: &Stage, playback: &Playback, request: &PlayRequest, issued_ms: u64) -> Signed<PlayCode> {
    let entry = playback.entry();
    let code = PlayCode {
        id: PlayId(rand::random()),
        account: request.account,
        magnet: request.magnet,
        cell_index: request.cell_index,
        cell: entry.id,
        size: entry.size,
        grant: request.grant,
        download_key: stage.rogue.viewer_secret(&request.account, &request.magnet, &entry.id).download_key().id(),
        constant: rand::random(),
        difficulty_bits: stage.params().difficulty_bits,
        issued_ms,
        starts_ms: issued_ms,
        play_ms: entry.duration_ms,
        creator: stage.film.creator,
        supervisor: stage.genesis.supervisors[0].account,
        split: stage.params().split,
        activators: vec![],
    };
    Signed::new(code, &stage.rogue.key)
}

fn tell(stage: &Stage, code: &Signed<PlayCode>, request: &Signed<PlayRequest>) -> Result<(), No> {
    let (code, request) = (Box::new(code.clone()), Box::new(request.clone()));
    stage.rogue.say(&ValidatorMessage::Play { code, request, origin: invented_home() }).map_err(stuck)
}

/// Issues a PlayCode for an account whose key it does not have: the request is signed by somebody else.
pub fn unasked(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let (victim, other) = (Client::new(stage)?, Client::new(stage)?);
        let mut playback = victim.cell(&stage.film, 0)?;
        let tried = async {
            let grant = victim.fetch(&mut playback).await?;
            let asked = playback.play_request(grant, None, now_ms()).body;
            let request = Signed::new(asked, &other.key);
            let code = code_for(stage, &playback, &request.body, now_ms());
            tell(stage, &code, &request)?;
            let blocks = forge::blocks_of(&victim, &code.body).await;
            victim.submit(&forge::proof(&victim, &code.body, blocks, forge::invented_hash()).await).await?;
            Ok((code.body.id, victim.verdict(code.body.id, async || {}).await))
        };
        finish(&mut attempt, tried.await);
        Ok(attempt)
    })
}

/// Issues PlayCodes that say they started half a minute of the cell ago.
pub fn backdated(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        for index in 0..2 {
            let mut playback = client.cell(&stage.film, index)?;
            let tried = async {
                let grant = client.fetch(&mut playback).await?;
                let request = playback.play_request(grant, None, now_ms());
                let half_ms = playback.entry().duration_ms / 2;
                let code = code_for(stage, &playback, &request.body, now_ms() - half_ms);
                tell(stage, &code, &request)?;
                tokio::time::sleep(Duration::from_millis(code.body.play_ms - half_ms)).await;
                let block = stage.head.borrow().0;
                let blocks = vec![block; stage.params().play_points.into()];
                client.submit(&forge::proof(&client, &code.body, blocks, forge::invented_hash()).await).await?;
                Ok((code.body.id, client.verdict(code.body.id, async || {}).await))
            };
            finish(&mut attempt, tried.await);
        }
        Ok(attempt)
    })
}

/// Grants, issues, and signs both receipts for accounts and a provider of its own: nothing is ever delivered.
pub fn minted(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(4);
        let clients = (0..4).map(|_| Client::new(stage)).collect::<anyhow::Result<Vec<_>>>()?;
        let provider = AccountKey::from_bytes(&rand::random())?;
        let mint = async |client: &Client<'_>| -> Result<(PlayId, End), No> {
            let playback = client.cell(&stage.film, 0).map_err(stuck)?;
            let grant = own_grant(stage, client, &playback, &provider);
            stage.rogue.say(&ValidatorMessage::Grant(Box::new(grant.clone()))).map_err(stuck)?;
            let request = playback.play_request(grant.body.id, None, now_ms());
            let code = code_for(stage, &playback, &request.body, now_ms());
            tell(stage, &code, &request)?;
            sign_both(stage, client, &grant.body, &provider).map_err(stuck)?;
            let blocks = forge::blocks_of(client, &code.body).await;
            client.submit(&forge::proof(client, &code.body, blocks, forge::invented_hash()).await).await?;
            Ok((code.body.id, client.verdict(code.body.id, async || {}).await))
        };
        for tried in join_all(clients.iter().map(mint)).await {
            finish(&mut attempt, tried);
        }
        Ok(attempt)
    })
}

fn own_grant(stage: &Stage, client: &Client<'_>, playback: &Playback, provider: &AccountKey) -> Signed<Grant> {
    let request = playback.grant_request(vec![], now_ms()).body;
    let (entry, box_key) = (playback.entry(), BoxKey::from_bytes(rand::random()).public_key());
    let grant = Grant {
        id: GrantId(rand::random()),
        viewer: client.account(),
        magnet: request.magnet,
        cell_index: request.cell_index,
        cell: entry.id,
        size: entry.size,
        from_byte: 0,
        provider: provider.address(),
        provider_node: NodeId(rand::random()),
        expires_ms: now_ms() + stage.params().grant_ttl_ms,
        viewer_secret: box_key.seal(&rand::random(), rand::random()),
        provider_key: box_key.seal(&rand::random(), rand::random()),
    };
    Signed::new(grant, &stage.rogue.key)
}

fn sign_both(stage: &Stage, client: &Client<'_>, grant: &Grant, provider: &AccountKey) -> anyhow::Result<()> {
    let receipt = Receipt {
        grant: grant.id,
        viewer: grant.viewer,
        provider: grant.provider,
        cell: grant.cell,
        start: 0,
        end: grant.size,
        delivered_hash: forge::invented_hash(),
    };
    for key in [&client.key, provider] {
        stage.rogue.say(&ValidatorMessage::Receipt(Signed::new(receipt.clone(), key)))?;
    }
    Ok(())
}

/// Twelve accounts at one address that watch in order; the rogue issues all their PlayCodes, each with a home of its own.
pub fn invented_homes(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(12) };
        let home = stage.address();
        let clients = (0..12).map(|_| Client::at(stage, home)).collect::<anyhow::Result<Vec<_>>>()?;
        let watch = async |client: &Client<'_>| -> Result<(PlayId, End), No> {
            let mut playback = client.cell(&stage.film, 0).map_err(stuck)?;
            let grant = client.fetch(&mut playback).await?;
            let request = playback.play_request(grant, None, now_ms());
            let code = code_for(stage, &playback, &request.body, now_ms());
            tell(stage, &code, &request)?;
            // The picture does not matter, so any CellKey does.
            let secret = stage.rogue.viewer_secret(&client.account(), &request.body.magnet, &playback.entry().id);
            let cell_key = secret.answer_key().wrap(&CellKey::from_bytes(rand::random()), rand::random());
            let outcome = PlayOutcome::Mining(Box::new(code.clone()));
            playback.begin_play(&PlayAnswer { cell_key, outcome }).map_err(stuck)?;
            client.sit(&mut playback, &code.body).await?;
            client.submit(&client.proof(&playback).await?).await?;
            Ok((code.body.id, client.settle(&playback, code.body.id).await))
        };
        for tried in join_all(clients.iter().map(watch)).await {
            finish(&mut attempt, tried);
        }
        Ok(attempt)
    })
}
