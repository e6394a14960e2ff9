//! Deliveries about which viewer and provider say different things, with real providers that answer for theirs.

use super::*;
use anyhow::{anyhow, ensure};
use chainflix_cell::ChunkHashes;
use chainflix_node::keys;
use chainflix_overlay::{ControllerInfo, Dialer, NodeKey, Overlay, OverlayConfig, control::find_source, fetch_cell};
use chainflix_primitives::{
    Digest, Evidence, Grant, PlayCode, PlayId, PlayOutcome, ProviderShare, Receipt, Signed, SlotPayload,
};
use chainflix_rpc::types::{DisputeReport, PlayReport};
use chainflix_viewer::{Playback, Viewer};

/// Who signs for bytes that never came, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Liar {
    /// The viewer, before the provider hears how far it got.
    ViewerFirst,
    /// The viewer, after that: the provider's receipt may be there already, and it is told nothing.
    ViewerLast,
    /// Whoever has the provider's key, in place of the running provider, which hears of no end and signs nothing.
    Provider,
}

/// One viewer, its key at hand.
struct Watcher<'a> {
    network: &'a Network,
    dialer: Dialer,
    key: AccountKey,
}

/// A side's receipt and its evidence.
struct Story {
    receipt: Signed<Receipt>,
    evidence: Signed<Evidence>,
}

/// Signs for `delivered` with one byte of it flipped.
fn lie(honest: &Receipt, shown: &Evidence, mut delivered: Vec<u8>, signer: &AccountKey) -> Story {
    let middle = delivered.len() / 2;
    delivered[middle] ^= 1;
    let hashes = ChunkHashes::of(&delivered);
    let receipt = Receipt { delivered_hash: Digest(hashes.root().0), ..honest.clone() };
    let evidence = Evidence { hashes: hashes.encode(), opened: None, ..shown.clone() };
    Story { receipt: Signed::new(receipt, signer), evidence: Signed::new(evidence, signer) }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

async fn join(network: &Network) -> Result<Overlay> {
    let controller = &network.layout.controllers[0];
    let mut config = OverlayConfig::new(NodeKey::from_bytes(&[9; 32]), ([127, 0, 0, 1], 0).into());
    config.controllers =
        vec![ControllerInfo { node: controller.node, direct: controller.addresses.clone(), relay: None }];
    Ok(Overlay::bind(config).await?)
}

impl Watcher<'_> {
    /// Fetches a cell, has one side sign for something else, plays the cell, and sees the dispute judged.
    async fn dispute(&self, mut playback: Playback, liar: Liar) -> Result<(Grant, PlayCode, Playback)> {
        let rpc = &self.network.client;
        let request = playback.grant_request(vec![], now_ms());
        let grant = find_source(&self.dialer, self.network.layout.controllers[0].node, request).await?.grant;
        playback.begin_delivery(&grant)?;
        let mut stream = fetch_cell(&self.dialer, &grant, 0).await?;
        let mut came = Vec::new();
        while let Some(part) = stream.next().await? {
            playback.push(&part)?;
            came.extend_from_slice(&part);
        }
        let delivered = came.split_off(ChunkHashes::encoded_len(grant.body.size));
        let honest = playback.end_delivery().context("a whole cell came")?;
        let shown = playback.evidence(&honest.body, None)?;
        let provider = self.provider_key(&grant.body)?;
        let signer = if liar == Liar::Provider { &provider } else { &self.key };
        let lie = lie(&honest.body, &shown.body, delivered, signer);
        match liar {
            Liar::ViewerFirst => {
                rpc.submit_receipt(&lie.receipt).await?;
                stream.finish(honest.body.end, honest.body.delivered_hash).await?;
            }
            Liar::ViewerLast => {
                stream.finish(honest.body.end, honest.body.delivered_hash).await?;
                // Refused where the provider's is there already, and kept.
                let _either = rpc.submit_receipt(&lie.receipt).await;
            }
            Liar::Provider => {
                rpc.submit_receipt(&honest).await?;
                ensure!(rpc.submit_receipt(&lie.receipt).await.is_err(), "the two differ");
                drop(stream);
            }
        }
        let request = playback.play_request(grant.body.id, None, now_ms());
        let answer = rpc.request_play(&request).await?;
        let PlayOutcome::Mining(_) = &answer.outcome else { return Err(anyhow!("not mined: {:?}", answer.outcome)) };
        let code = playback.begin_play(&answer)?.cloned().context("it is mined")?;
        let viewer_lies = liar != Liar::Provider;
        let judged = DisputeReport::Judged { viewer_false: viewer_lies, provider_false: !viewer_lies };
        let state = async || {
            // The liar shows what it can; the other side answers. A viewer that tells the truth opens the chunk itself.
            match rpc.submit_evidence(&lie.evidence).await? {
                DisputeReport::Open { chunk } if !viewer_lies => rpc
                    .submit_evidence(&playback.evidence(&honest.body, Some(chunk))?)
                    .await
                    .map_err(anyhow::Error::from),
                DisputeReport::Waiting if !viewer_lies => Ok(rpc.submit_evidence(&shown).await?),
                state => Ok(state),
            }
        };
        self.network.wait_until("the verdict", || async { Ok(state().await? == judged) }).await?;
        Ok((grant.body, code, playback))
    }

    fn provider_key(&self, grant: &Grant) -> Result<AccountKey> {
        let read = |number| keys::read_account(&self.network.layout.dir.join(format!("provider-{number}/account.key")));
        let all = (0..3).map(read).collect::<Result<Vec<_>, _>>()?;
        all.into_iter().find(|key| key.address() == grant.provider).context("one of the three")
    }

    /// Lets the minute pass and proves it, as every honest viewer does.
    async fn prove(&self, playback: &mut Playback, code: &PlayCode) -> Result<()> {
        let (rpc, params) = (&self.network.client, &self.network.layout.genesis.params);
        let starts_ms = now_ms() + code.starts_ms.saturating_sub(code.issued_ms);
        loop {
            let position_ms = now_ms().saturating_sub(starts_ms).min(code.play_ms);
            let head = rpc.head().await?;
            let progress = playback.advance(position_ms, (head.number as u32, head.hash))?;
            if position_ms == code.play_ms && progress.folded == progress.points {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let nonce = (0..).find_map(|turn| playback.search_nonce(turn << 12, 1 << 12).transpose());
        let slot = params.slot_at(self.network.layout.genesis.genesis_time_ms, now_ms());
        rpc.submit_proof(&playback.prove(slot, nonce.context("nonces do not end")??)?).await?;
        Ok(())
    }

    /// Opens what the audit asks for, until the play is accepted. Answers who was recorded as its providers.
    async fn settle(&self, playback: &Playback, play: PlayId) -> Result<Vec<ProviderShare>> {
        let rpc = &self.network.client;
        let opening = playback.opening()?;
        let accepted = async || match rpc.play(play).await? {
            PlayReport::Accepted { view_block } => Ok(Some(view_block)),
            PlayReport::Refused { code, .. } => Err(anyhow!("refused: {code}")),
            PlayReport::Auditing { .. } => {
                // Taken twice is taken once.
                let _again = rpc.submit_opening(&opening).await;
                Ok(None)
            }
            _ => Ok(None),
        };
        self.network.wait_until("the vote", || async { Ok(accepted().await?.is_some()) }).await?;
        let number = accepted().await?.context("it is accepted")?;
        let block = rpc.view_block(number).await?.context("it is there")?;
        let Some(SlotPayload { proposal, .. }) = block.payload.slot else { return Err(anyhow!("no plays")) };
        let record = proposal.plays.into_iter().find(|record| record.code.body.id == play);
        Ok(record.context("the play is in it")?.providers)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_about_a_delivery_is_found_out() -> Result<()> {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir()?;
    let network = Network::start(&folder.path().join("network"), KeyMode::Shared).await?;
    network.admit().await?;
    let film = network.publish(film(folder.path(), 9)).await?;
    let manifest = network.client.manifest(film.magnet).await?.context("it was published")?;
    let secret = [44; 32];
    let viewer = Viewer::new(&secret, network.layout.genesis.clone())?;
    let cells = viewer.film(film.magnet, &manifest)?;
    let overlay = join(&network).await?;
    let watcher = Watcher { network: &network, dialer: overlay.dialer(), key: AccountKey::from_bytes(&secret)? };

    for (index, liar) in [(0, Liar::ViewerFirst), (1, Liar::ViewerLast), (2, Liar::Provider)] {
        let cell = cells.cell(index).context("three cells")?;
        let disputed = watcher.dispute(cell, liar).await;
        let (grant, code, mut playback) = disputed.with_context(|| format!("{liar:?}"))?;
        watcher.prove(&mut playback, &code).await.with_context(|| format!("{liar:?}"))?;
        let paid = watcher.settle(&playback, code.id).await.with_context(|| format!("{liar:?}"))?;
        let whole = ProviderShare { provider: grant.provider, bytes: grant.size };
        let expected = if liar == Liar::Provider { vec![] } else { vec![whole] };
        assert_eq!(paid, expected, "{liar:?}");
    }
    overlay.close().await;
    network.stop().await
}
