//! One cell on its way from providers to the screen.

use crate::{Viewer, room::Room};
use chainflix_cell::{ChunkHashes, Delivery, DeliveryError, Keystream};
use chainflix_primitives::{
    AnswerKey, BlockHash, CHUNK_BYTES, CellEntry, CellKey, DownloadKey, Evidence, Grant, GrantId, GrantRequest, Magnet,
    NodeId, OpenedChunk, Opening, PlayAnswer, PlayCode, PlayData, PlayId, PlayOutcome, PlayRequest, Receipt, Signed,
    UnsealError, ViewerSecret,
};
use chainflix_proof_of_view::{Advice, Watch, WatchError};
use std::sync::Arc;

/// What can go wrong between a grant and a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The grant or PlayCode is not signed by a validator of this network.
    #[error("the {what} is not signed by a validator of this network")]
    NotAValidator { what: &'static str },
    /// The grant or PlayCode is for another account, cell or place.
    #[error("the {what} is for another account or cell")]
    NotForUs { what: &'static str },
    /// A key was sealed to somebody else.
    #[error("the {what} does not open")]
    Unseal {
        what: &'static str,
        #[source]
        source: UnsealError,
    },
    /// The provider lied.
    #[error("the provider sent something else than the cell")]
    Delivery(#[from] DeliveryError),
    /// There is no delivery under way.
    #[error("no delivery is under way")]
    NoDelivery,
    /// These bytes have not arrived.
    #[error("bytes {start} to {end} have not arrived; {verified_end} bytes have")]
    NotArrived { start: u64, end: u64, verified_end: u64 },
    /// The CellKey has not been released.
    #[error("the cell cannot be opened before its play has begun")]
    NoCellKey,
    /// The play is not a paid one.
    #[error("this play is not mined")]
    NotMining,
    /// The play is not where a proof needs it to be.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

impl ViewError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAValidator { .. } => "not-a-validator",
            Self::NotForUs { .. } => "not-for-us",
            Self::Unseal { .. } => "unseal",
            Self::Delivery(DeliveryError::Shape { .. }) => "stripped",
            Self::Delivery(_) => "corrupt",
            Self::NoDelivery => "no-delivery",
            Self::NotArrived { .. } => "not-arrived",
            Self::NoCellKey => "no-cell-key",
            Self::NotMining => "not-mining",
            Self::Watch(_) => "watch",
        }
    }

    /// What to do next: a provider that lied is never asked again, a validator's nonsense is asked elsewhere.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Delivery(DeliveryError::Shape { .. }) => Advice::GiveUp,
            Self::Delivery(_) | Self::NotAValidator { .. } | Self::NotForUs { .. } | Self::Unseal { .. } => {
                Advice::TryAnother
            }
            _ => Advice::GiveUp,
        }
    }
}

/// How far a play's points are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Points folded.
    pub folded: u8,
    /// Points in all.
    pub points: u8,
}

struct Underway {
    grant: Grant,
    delivery: Delivery,
}

/// One cell, from its first grant to its proof.
pub struct Playback {
    viewer: Arc<Viewer>,
    magnet: Magnet,
    index: u32,
    entry: CellEntry,
    layers: Vec<Magnet>,
    /// Verified sealed bytes from the start of the cell.
    sealed: Vec<u8>,
    /// Where the memory for them comes from, and goes back to.
    room: Room,
    /// The cell's chunk hashes, once a provider sent the right ones.
    hashes: Option<ChunkHashes>,
    underway: Option<Underway>,
    download_key: Option<DownloadKey>,
    answer_key: Option<AnswerKey>,
    cell_key: Option<CellKey>,
    watch: Option<Watch>,
}

impl Playback {
    pub(crate) fn new(viewer: Arc<Viewer>, magnet: Magnet, index: u32, entry: CellEntry, room: Room) -> Self {
        let (underway, download_key, answer_key, cell_key, watch) = (None, None, None, None, None);
        let (layers, sealed, hashes) = (Vec::new(), Vec::new(), None);
        Self {
            viewer,
            magnet,
            index,
            entry,
            layers,
            sealed,
            room,
            hashes,
            underway,
            download_key,
            answer_key,
            cell_key,
            watch,
        }
    }

    /// The cell as the manifest lists it.
    pub fn entry(&self) -> &CellEntry {
        &self.entry
    }

    /// How many bytes from the start have arrived and are verified.
    pub fn verified_end(&self) -> u64 {
        self.sealed.len() as u64
    }

    /// Whether the whole cell has arrived.
    pub fn is_complete(&self) -> bool {
        self.verified_end() == self.entry.size
    }

    /// Asks for (the rest of) the cell, from anybody but `excluded`.
    pub fn grant_request(&self, excluded: Vec<NodeId>, now_ms: u64) -> Signed<GrantRequest> {
        let request = GrantRequest {
            account: self.viewer.account(),
            magnet: self.magnet,
            cell_index: self.index,
            // Verified bytes come in whole chunks, except at the end of the cell.
            from_byte: self.verified_end() / CHUNK_BYTES * CHUNK_BYTES,
            viewer_box_key: self.viewer.box_key.public_key(),
            excluded,
            requested_ms: now_ms,
        };
        Signed::new(request, &self.viewer.key)
    }

    /// Begins to receive under a grant. A delivery that was under way is given up; see [`Self::end_delivery`].
    pub fn begin_delivery(&mut self, grant: &Signed<Grant>) -> Result<(), ViewError> {
        self.check_validator("grant", grant)?;
        let body = &grant.body;
        let here = (self.viewer.account(), self.entry.id, self.entry.size, self.verified_end());
        if (body.viewer, body.cell, body.size, body.from_byte) != here {
            return Err(ViewError::NotForUs { what: "grant" });
        }
        let opened = self.viewer.box_key.unseal(&body.viewer_secret);
        let secret = opened.map_err(|source| ViewError::Unseal { what: "viewer secret", source })?;
        let secret = ViewerSecret::from_bytes(secret);
        let key = secret.download_key();
        let delivery = Delivery::new(body.cell, body.size, body.from_byte, &key)?;
        if self.sealed.capacity() == 0 {
            self.sealed = self.room.take();
        }
        // At once: a list that doubles has the whole cell copied again and again. At most CELL_BYTES_MAX, as just checked.
        self.sealed.reserve_exact((body.size - self.verified_end()) as usize);
        self.download_key = Some(key);
        self.answer_key = Some(secret.answer_key());
        self.underway = Some(Underway { grant: body.clone(), delivery });
        Ok(())
    }

    /// Takes bytes of the delivery. What was verified before a lie stays.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ViewError> {
        let underway = self.underway.as_mut().ok_or(ViewError::NoDelivery)?;
        let outcome = underway.delivery.push(bytes, &mut self.sealed);
        if self.hashes.is_none() {
            self.hashes = underway.delivery.hashes().cloned();
        }
        Ok(outcome?)
    }

    /// Takes whole chunks of the delivery from a caller that stripped them of their layer itself; see
    /// [`Delivery::push_stripped`].
    pub fn push_stripped(&mut self, delivered: &[u8], sealed: &[u8]) -> Result<(), ViewError> {
        let underway = self.underway.as_mut().ok_or(ViewError::NoDelivery)?;
        Ok(underway.delivery.push_stripped(delivered, sealed, &mut self.sealed)?)
    }

    /// The key of the layer of the delivery under way: AES-256-CTR from a zero counter at the start of the cell.
    pub fn delivery_layer(&self) -> Result<&DownloadKey, ViewError> {
        self.underway.as_ref().and(self.download_key.as_ref()).ok_or(ViewError::NoDelivery)
    }

    /// The key of the layer that rests on disks, in the same way.
    pub fn content_layer(&self) -> Result<&CellKey, ViewError> {
        self.cell_key.as_ref().ok_or(ViewError::NoCellKey)
    }

    /// Verified bytes from `start` to `end` under the [`Self::content_layer`].
    pub fn read_sealed(&self, start: u64, end: u64) -> Result<&[u8], ViewError> {
        self.arrived(start, end)
    }

    /// Ends the delivery under way and signs for what it verified; `None` when that is nothing.
    pub fn end_delivery(&mut self) -> Option<Signed<Receipt>> {
        let Underway { grant, delivery } = self.underway.take()?;
        let (start, end) = (delivery.start(), delivery.verified_end());
        let receipt = Receipt {
            grant: grant.id,
            viewer: grant.viewer,
            provider: grant.provider,
            cell: grant.cell,
            start,
            end,
            delivered_hash: delivery.delivered_hash(),
        };
        (end > start).then(|| Signed::new(receipt, &self.viewer.key))
    }

    /// Shows these layers (subtitles, dubs, effects) with the cell: their makers share in the reward. At most
    /// [`LAYERS_MAX`](chainflix_primitives::message::LAYERS_MAX), chosen before [`Self::play_request`].
    pub fn show(&mut self, layers: Vec<Magnet>) {
        self.layers = layers;
    }

    /// Asks to play the cell that is fetched under `grant`.
    pub fn play_request(&self, grant: GrantId, supersedes: Option<PlayId>, now_ms: u64) -> Signed<PlayRequest> {
        let request = PlayRequest {
            account: self.viewer.account(),
            magnet: self.magnet,
            cell_index: self.index,
            grant,
            supersedes,
            layers: self.layers.clone(),
            requested_ms: now_ms,
        };
        Signed::new(request, &self.viewer.key)
    }

    /// Takes a validator's answer: the cell can be read from now on, and is mined if the answer has a PlayCode.
    pub fn begin_play(&mut self, answer: &PlayAnswer) -> Result<Option<&PlayCode>, ViewError> {
        let key = self.answer_key.as_ref().ok_or(ViewError::NoDelivery)?.unwrap(&answer.cell_key);
        self.cell_key = Some(key.map_err(|source| ViewError::Unseal { what: "cell key", source })?);
        self.watch = match &answer.outcome {
            PlayOutcome::Unpaid(_) => None,
            PlayOutcome::Mining(code) => {
                self.check_validator("PlayCode", code.as_ref())?;
                let body = &code.body;
                let ours = (self.viewer.account(), self.entry.id, self.entry.size, self.entry.duration_ms);
                if (body.account, body.cell, body.size, body.play_ms) != ours {
                    return Err(ViewError::NotForUs { what: "PlayCode" });
                }
                Some(Watch::new(body.clone(), &self.viewer.genesis.params))
            }
        };
        Ok(self.watch.as_ref().map(Watch::code))
    }

    /// The opened bytes from `start` to `end`: whole fragments, for a decoder.
    pub fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, ViewError> {
        let key = self.cell_key.as_ref().ok_or(ViewError::NoCellKey)?;
        let mut bytes = self.arrived(start, end)?.to_vec();
        Keystream::sealing(key).apply(start, &mut bytes);
        Ok(bytes)
    }

    /// Tells how far the cell is played; folds the points that are due, in their order, up to one whose chunk has not
    /// arrived. Several are due for a viewer that was held up.
    pub fn advance(&mut self, position_ms: u64, head: (u32, BlockHash)) -> Result<Progress, ViewError> {
        let points = self.viewer.genesis.params.play_points;
        let watch = self.watch.as_mut().ok_or(ViewError::NotMining)?;
        while let Some(due) = watch.advance(position_ms, head) {
            let end = (due.offset() + CHUNK_BYTES).min(self.entry.size);
            let (Ok(sealed), Some(key)) = (arrived(&self.sealed, due.offset(), end), &self.download_key) else { break };
            let mut delivered = sealed.to_vec();
            Keystream::delivery(key).apply(due.offset(), &mut delivered);
            watch.fold(due.index, &delivered)?;
        }
        Ok(Progress { folded: watch.folded(), points })
    }

    /// Tries `count` nonces from `from` on, once all points are folded.
    pub fn search_nonce(&self, from: u64, count: u64) -> Result<Option<u64>, ViewError> {
        Ok(self.watch.as_ref().ok_or(ViewError::NotMining)?.search_nonce(from, count)?)
    }

    /// The signed Play Data of the finished play, in `slot` by the viewer's clock.
    pub fn prove(&self, slot: u64, nonce: u64) -> Result<Signed<PlayData>, ViewError> {
        let watch = self.watch.as_ref().ok_or(ViewError::NotMining)?;
        let key = self.download_key.as_ref().ok_or(ViewError::NoDelivery)?;
        Ok(Signed::new(watch.play_data(slot, key, nonce)?, &self.viewer.key))
    }

    /// What answers an audit of the play: the chunks it folded, with their ways up to the VideoCell ID. It can be made from
    /// the last play point on, needs nothing of the cell after that, and is worth keeping until the play is paid.
    pub fn opening(&self) -> Result<Signed<Opening>, ViewError> {
        let watch = self.watch.as_ref().ok_or(ViewError::NotMining)?;
        let key = self.download_key.as_ref().ok_or(ViewError::NoDelivery)?;
        let chunks = watch.chunks()?.iter().map(|chunk| self.opened(*chunk)).collect::<Result<_, _>>()?;
        let opening = Opening { play: watch.code().id, download_key: *key.expose(), chunks };
        Ok(Signed::new(opening, &self.viewer.key))
    }

    /// What proves `receipt`, which this viewer signed, where the provider signed for something else; with `chunk` opened
    /// if the two are known to differ there.
    pub fn evidence(&self, receipt: &Receipt, chunk: Option<u32>) -> Result<Signed<Evidence>, ViewError> {
        let key = self.download_key.as_ref().ok_or(ViewError::NoDelivery)?;
        let mut delivered = self.arrived(receipt.start, receipt.end)?.to_vec();
        Keystream::delivery(key).apply(receipt.start, &mut delivered);
        let opened = chunk.map(|chunk| Ok::<_, ViewError>((chunk, self.opened(chunk)?))).transpose()?;
        let hashes = ChunkHashes::of(&delivered).encode();
        let evidence = Evidence { grant: receipt.grant, hashes, opened, download_key: *key.expose() };
        Ok(Signed::new(evidence, &self.viewer.key))
    }

    fn opened(&self, chunk: u32) -> Result<OpenedChunk, ViewError> {
        let start = u64::from(chunk) * CHUNK_BYTES;
        let sealed = self.arrived(start, (start + CHUNK_BYTES).min(self.entry.size))?.to_vec();
        let path = self.hashes.as_ref().and_then(|hashes| hashes.path(chunk)).ok_or(ViewError::NoDelivery)?;
        Ok(OpenedChunk { sealed, path })
    }

    fn arrived(&self, start: u64, end: u64) -> Result<&[u8], ViewError> {
        arrived(&self.sealed, start, end)
    }

    fn check_validator<T: chainflix_primitives::Signable>(
        &self,
        what: &'static str,
        said: &Signed<T>,
    ) -> Result<(), ViewError> {
        let signer = said.signer().ok();
        let known = signer.and_then(|signer| self.viewer.genesis.validator_index(&signer));
        known.map(|_| ()).ok_or(ViewError::NotAValidator { what })
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.room.give(std::mem::take(&mut self.sealed));
    }
}

fn arrived(sealed: &[u8], start: u64, end: u64) -> Result<&[u8], ViewError> {
    let verified_end = sealed.len() as u64;
    // Both fit when they are within what is held in memory.
    let range = (start <= end && end <= verified_end).then_some(start as usize..end as usize);
    range.map(|range| &sealed[range]).ok_or(ViewError::NotArrived { start, end, verified_end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{
        AccountAddress, AccountKey, BoxKey, Digest, Fragment, Manifest, NetworkGenesis, NetworkKeys, NetworkSecret,
        ProtocolParams, RewardSplit, Track, TrackKind, ValidatorIdentity, VideoSecret, WrappedKey,
    };
    use chainflix_proof_of_view::{
        DisputeState, Verdict,
        audit::verify,
        dispute::{Claim, compare, judge},
    };

    const PLAIN: usize = 100_000;

    struct Stage {
        secret: NetworkSecret,
        video: VideoSecret,
        validator: AccountKey,
        sealed: Vec<u8>,
        playback: Playback,
    }

    fn stage() -> Stage {
        let secret = NetworkSecret::from_bytes([1; 32]);
        let video = VideoSecret::from_bytes([2; 32]);
        let validator = AccountKey::from_bytes(&[3; 32]).unwrap();
        let mut sealed: Vec<u8> = (0..PLAIN).map(|i| i as u8).collect();
        Keystream::sealing(&video.cell_key(0)).apply(0, &mut sealed);
        let entry = CellEntry {
            id: ChunkHashes::of(&sealed).root(),
            size: PLAIN as u64,
            start_ms: 0,
            duration_ms: 60_000,
            fragments: vec![Fragment { track: 0, size: PLAIN as u32, start_ms: 0 }],
        };
        let track =
            Track { kind: TrackKind::Video, media_type: "video/mp4".into(), width: 1, height: 1, init: vec![0] };
        let manifest = Manifest {
            title: "film".into(),
            creator: AccountAddress([4; 20]),
            play_time_ms: 60_000,
            tracks: vec![track],
            cells: vec![entry],
            parity: Vec::new(),
        };
        let genesis = NetworkGenesis {
            chain_id: 1,
            genesis_time_ms: 0,
            params: ProtocolParams { difficulty_bits: 4, ..Default::default() },
            validators: vec![ValidatorIdentity { account: validator.address(), consensus_key: NodeId([0; 32]) }],
            keys: NetworkKeys::Shared { box_key: secret.box_key().public_key() },
            governor: AccountAddress([0; 20]),
            supervisors: vec![],
            allocations: vec![],
        };
        let viewer = Viewer::new(&[5; 32], genesis).unwrap();
        let playback = viewer.film(manifest.magnet(), &manifest.encode()).unwrap().cell(0).unwrap();
        Stage { secret, video, validator, sealed, playback }
    }

    impl Stage {
        fn grant(&self) -> Signed<Grant> {
            let request = self.playback.grant_request(vec![], 1);
            let secret = self.viewer_secret();
            let grant = Grant {
                id: GrantId([6; 16]),
                viewer: request.body.account,
                magnet: request.body.magnet,
                cell_index: 0,
                cell: self.playback.entry.id,
                size: PLAIN as u64,
                from_byte: request.body.from_byte,
                provider: AccountAddress([7; 20]),
                provider_node: NodeId([7; 32]),
                expires_ms: 1_000,
                viewer_secret: request.body.viewer_box_key.seal(secret.expose(), [8; 32]),
                provider_key: BoxKey::from_bytes([9; 32]).public_key().seal(self.key().expose(), [10; 32]),
            };
            Signed::new(grant, &self.validator)
        }

        fn viewer_secret(&self) -> ViewerSecret {
            let view_key = self.secret.view_key(&self.playback.viewer.account(), &self.playback.magnet);
            view_key.viewer_secret(&self.playback.entry.id)
        }

        fn key(&self) -> DownloadKey {
            self.viewer_secret().download_key()
        }

        fn stream(&self, from: u64) -> Vec<u8> {
            let key = self.key();
            let mut bytes = self.sealed[from as usize..].to_vec();
            Keystream::delivery(&key).apply(from, &mut bytes);
            [ChunkHashes::of(&self.sealed).encode(), bytes].concat()
        }

        fn block_of(&self, number: u32) -> BlockHash {
            BlockHash([number as u8; 32])
        }

        fn cell_key(&self) -> WrappedKey {
            self.viewer_secret().answer_key().wrap(&self.video.cell_key(0), [11; 24])
        }

        fn code(&self) -> PlayCode {
            PlayCode {
                id: PlayId([12; 16]),
                account: self.playback.viewer.account(),
                magnet: self.playback.magnet,
                cell_index: 0,
                cell: self.playback.entry.id,
                size: PLAIN as u64,
                grant: GrantId([6; 16]),
                download_key: self.key().id(),
                constant: [13; 16],
                difficulty_bits: 4,
                issued_ms: 0,
                starts_ms: 0,
                play_ms: 60_000,
                creator: AccountAddress([4; 20]),
                supervisor: AccountAddress([4; 20]),
                split: RewardSplit::DEFAULT,
                activators: vec![],
            }
        }
    }

    #[test]
    fn a_cell_is_read_while_it_arrives_and_proved_at_its_end() {
        let mut stage = stage();
        let answer = PlayAnswer {
            cell_key: stage.cell_key(),
            outcome: PlayOutcome::Mining(Box::new(Signed::new(stage.code(), &stage.validator))),
        };
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        stage.playback.begin_play(&answer).unwrap();
        let stream = stage.stream(0);
        stage.playback.push(&stream[..40_000]).unwrap();
        assert_eq!(stage.playback.read(5, 10).unwrap(), [5, 6, 7, 8, 9]);
        assert!(matches!(stage.playback.read(39_000, 50_000), Err(ViewError::NotArrived { .. })));

        stage.playback.push(&stream[40_000..]).unwrap();
        let receipt = stage.playback.end_delivery().unwrap();
        assert_eq!((receipt.body.start, receipt.body.end), (0, PLAIN as u64));
        assert_eq!(receipt.signer().unwrap(), stage.playback.viewer.account());

        for second in 1..=60u32 {
            let head = (second / 2, stage.block_of(second / 2));
            let progress = stage.playback.advance(u64::from(second) * 1_000, head).unwrap();
            assert_eq!(progress.folded == progress.points, second >= 55);
            assert_eq!(stage.playback.opening().is_ok(), second >= 55);
        }
        let nonce = stage.playback.search_nonce(0, 10_000).unwrap().unwrap();
        let proof = stage.playback.prove(4, nonce).unwrap();
        assert_eq!(proof.body.point_blocks.len(), 6);
        assert_eq!(proof.signer().unwrap(), stage.playback.viewer.account());
        let opening = stage.playback.opening().unwrap();
        assert_eq!(opening.signer().unwrap(), stage.playback.viewer.account());
        let block_hash = |number: u32| proof.body.point_blocks.contains(&number).then(|| stage.block_of(number));
        assert_eq!(verify(&stage.code(), &proof.body, &opening.body, block_hash), Ok(()));
    }

    #[test]
    fn who_was_held_up_folds_all_points_that_are_due() {
        let mut stage = stage();
        let outcome = PlayOutcome::Mining(Box::new(Signed::new(stage.code(), &stage.validator)));
        let answer = PlayAnswer { cell_key: stage.cell_key(), outcome };
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        stage.playback.begin_play(&answer).unwrap();
        let folded = |stage: &mut Stage, second: u64| {
            let head = (second as u32, stage.block_of(second as u32));
            stage.playback.advance(second * 1_000, head).unwrap().folded
        };
        assert_eq!(folded(&mut stage, 26), 0, "no chunk is here");
        let stream = stage.stream(0);
        stage.playback.push(&stream).unwrap();
        assert_eq!(folded(&mut stage, 26), 3, "at 5, 15 and 25 seconds");
        assert_eq!(folded(&mut stage, 60), 6);
        let nonce = stage.playback.search_nonce(0, 10_000).unwrap().unwrap();
        let proof = stage.playback.prove(4, nonce).unwrap().body;
        assert_eq!(proof.point_blocks, [26, 26, 26, 60, 60, 60]);
        let opening = stage.playback.opening().unwrap();
        let block_hash = |number: u32| Some(stage.block_of(number));
        assert_eq!(verify(&stage.code(), &proof, &opening.body, block_hash), Ok(()));
    }

    #[test]
    fn a_true_receipt_can_be_proved() {
        let mut stage = stage();
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        stage.playback.push(&stage.stream(0)).unwrap();
        let receipt = stage.playback.end_delivery().unwrap().body;
        let mine = stage.playback.evidence(&receipt, Some(3)).unwrap();
        assert_eq!(mine.signer().unwrap(), stage.playback.viewer.account());
        // The provider signs for a byte that it never sent.
        let mut lie = stage.stream(0)[ChunkHashes::encoded_len(PLAIN as u64)..].to_vec();
        lie[50_000] ^= 1;
        let lie = ChunkHashes::of(&lie);
        let theirs = Receipt { delivered_hash: Digest(lie.root().0), ..receipt.clone() };
        let mine_said = Claim::new(&receipt, &mine.body.hashes).unwrap();
        let theirs = Claim::new(&theirs, &lie.encode()).unwrap();
        assert_eq!(compare(&mine_said, &theirs), DisputeState::Open { chunk: 3 });
        let (chunk, opened) = mine.body.opened.unwrap();
        let verdict =
            judge((&receipt.cell, PLAIN as u64), &stage.key(), (&mine_said, &theirs), (chunk, &opened)).unwrap();
        assert_eq!(verdict, Verdict::ProviderFalse);
    }

    #[test]
    fn a_caller_with_a_cipher_of_its_own_comes_to_the_same() {
        let mut stage = stage();
        let layer = |key: &[u8; 32], bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            Keystream::delivery(&DownloadKey::from_bytes(*key)).apply(0, &mut bytes);
            bytes
        };
        assert!(matches!(stage.playback.delivery_layer(), Err(ViewError::NoDelivery)));
        assert!(matches!(stage.playback.content_layer(), Err(ViewError::NoCellKey)));
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        let (list, delivered) = {
            let mut list = stage.stream(0);
            let delivered = list.split_off(ChunkHashes::encoded_len(PLAIN as u64));
            (list, delivered)
        };
        stage.playback.push(&list).unwrap();
        let sealed = layer(stage.playback.delivery_layer().unwrap().expose(), &delivered);
        stage.playback.push_stripped(&delivered, &sealed).unwrap();
        assert!(stage.playback.is_complete());
        let receipt = stage.playback.end_delivery().unwrap();
        assert_eq!(receipt.body.delivered_hash.0, *blake3::hash(&delivered).as_bytes());

        let outcome = PlayOutcome::Unpaid("overlapping".into());
        stage.playback.begin_play(&PlayAnswer { cell_key: stage.cell_key(), outcome }).unwrap();
        let content = *stage.playback.content_layer().unwrap().expose();
        let sealed = stage.playback.read_sealed(0, PLAIN as u64).unwrap();
        assert_eq!(layer(&content, sealed), stage.playback.read(0, PLAIN as u64).unwrap());
        assert!(matches!(stage.playback.read_sealed(0, PLAIN as u64 + 1), Err(ViewError::NotArrived { .. })));
    }

    #[test]
    fn another_provider_goes_on_where_a_liar_was_caught() {
        let mut stage = stage();
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        let mut lie = stage.stream(0);
        let at = lie.len() - 20_000;
        lie[at] ^= 1;
        let error = stage.playback.push(&lie).unwrap_err();
        assert_eq!((error.code(), error.advice()), ("corrupt", Advice::TryAnother));
        let honest_part = stage.playback.verified_end();
        assert_eq!(honest_part, 65_536);
        assert_eq!(stage.playback.end_delivery().unwrap().body.end, honest_part);

        stage.playback.begin_delivery(&stage.grant()).unwrap();
        stage.playback.push(&stage.stream(honest_part)).unwrap();
        assert!(stage.playback.is_complete());
        assert_eq!(stage.playback.sealed, stage.sealed);
    }

    #[test]
    fn the_next_cell_takes_the_memory_of_the_last_one() {
        let mut stage = stage();
        let room = stage.playback.room.clone();
        room.give(Vec::with_capacity(2 * PLAIN));
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        stage.playback.push(&stage.stream(0)).unwrap();
        assert_eq!(room.take().capacity(), 0, "it is in use");
        assert!(stage.playback.sealed.capacity() >= 2 * PLAIN);
        drop(stage);
        let left = room.take();
        assert!(left.is_empty() && left.capacity() >= 2 * PLAIN);
    }

    #[test]
    fn grants_and_play_codes_of_strangers_are_refused() {
        let mut stage = stage();
        let stranger = AccountKey::from_bytes(&[99; 32]).unwrap();
        let forged = Signed::new(stage.grant().body, &stranger);
        assert!(matches!(stage.playback.begin_delivery(&forged), Err(ViewError::NotAValidator { .. })));
        let mut other = stage.grant().body;
        other.size += 1;
        let other = Signed::new(other, &stage.validator);
        assert!(matches!(stage.playback.begin_delivery(&other), Err(ViewError::NotForUs { .. })));
        assert!(matches!(stage.playback.push(&[0]), Err(ViewError::NoDelivery)));
        let forged = PlayOutcome::Mining(Box::new(Signed::new(stage.code(), &stranger)));
        let answer = PlayAnswer { cell_key: stage.cell_key(), outcome: forged };
        assert!(matches!(stage.playback.begin_play(&answer), Err(ViewError::NoDelivery)), "no grant, no AnswerKey");
        stage.playback.begin_delivery(&stage.grant()).unwrap();
        assert!(matches!(stage.playback.begin_play(&answer), Err(ViewError::NotAValidator { .. })));
        let damaged = PlayAnswer { cell_key: WrappedKey([0; 72]), ..answer };
        assert!(matches!(stage.playback.begin_play(&damaged), Err(ViewError::Unseal { .. })));
    }
}
