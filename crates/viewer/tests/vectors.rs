//! `vectors/viewing.json`: one whole view, from the first request to the proof, as bytes.
//!
//! The same file is replayed in the browser's module by `web/packages/core/test/wasm.test.mjs`. After a deliberate
//! change of the protocol, `UPDATE_VECTORS=1` writes it anew; the diff is then part of the review.

use chainflix_cell::{ChunkHashes, Keystream};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxKey, CellEntry, Fragment, Grant, GrantId, Magnet, Manifest,
    NetworkGenesis, NetworkKeys, NetworkSecret, NodeId, PlayAnswer, PlayCode, PlayId, PlayOutcome, ProtocolParams,
    RewardSplit, Signed, Track, TrackKind, ValidatorIdentity, VideoSecret,
};
use chainflix_viewer::Viewer;
use serde_json::{Value, json};
use std::path::PathBuf;

const SIZE: usize = 20_000;
const VIEWER: [u8; 32] = [5; 32];

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn view() -> Value {
    let network = NetworkSecret::from_bytes([1; 32]);
    let video = VideoSecret::from_bytes([2; 32]);
    let validator = AccountKey::from_bytes(&[3; 32]).unwrap();
    let genesis = NetworkGenesis {
        chain_id: 4_408_920,
        genesis_time_ms: 1_800_000_000_000,
        params: ProtocolParams { difficulty_bits: 10, ..Default::default() },
        validators: vec![ValidatorIdentity { account: validator.address(), consensus_key: NodeId([4; 32]) }],
        keys: NetworkKeys::Shared { box_key: network.box_key().public_key() },
        governor: AccountAddress([6; 20]),
        supervisors: vec![],
        allocations: vec![],
    };
    let plain: Vec<u8> = (0..SIZE).map(|i| (i % 251) as u8).collect();
    let mut sealed = plain.clone();
    Keystream::sealing(&video.cell_key(0)).apply(0, &mut sealed);
    let cell = ChunkHashes::of(&sealed).root();
    let track =
        Track { kind: TrackKind::Video, media_type: "video/mp4".into(), width: 16, height: 9, init: vec![1, 2] };
    let fragments = vec![Fragment { track: 0, size: SIZE as u32, start_ms: 0 }];
    let entry = CellEntry { id: cell, size: SIZE as u64, start_ms: 0, duration_ms: 60_000, fragments };
    let manifest = Manifest {
        title: "사이 film".into(),
        creator: AccountAddress([7; 20]),
        play_time_ms: 60_000,
        tracks: vec![track],
        cells: vec![entry],
        parity: Vec::new(),
    };
    let now_ms = genesis.genesis_time_ms + 5_000;

    let viewer = Viewer::new(&VIEWER, genesis.clone()).unwrap();
    let film = viewer.film(manifest.magnet(), &manifest.encode()).unwrap();
    let mut playback = film.cell(0).unwrap();
    let grant_request = playback.grant_request(vec![NodeId([8; 32])], now_ms);

    let secret = network.view_key(&viewer.account(), &manifest.magnet()).viewer_secret(&cell);
    let key = secret.download_key();
    let box_key = grant_request.body.viewer_box_key;
    let grant = Grant {
        id: GrantId([9; 16]),
        viewer: viewer.account(),
        magnet: manifest.magnet(),
        cell_index: 0,
        cell,
        size: SIZE as u64,
        from_byte: 0,
        provider: AccountAddress([10; 20]),
        provider_node: NodeId([11; 32]),
        expires_ms: now_ms + 180_000,
        viewer_secret: box_key.seal(secret.expose(), [12; 32]),
        provider_key: BoxKey::from_bytes([13; 32]).public_key().seal(key.expose(), [14; 32]),
    };
    let grant = Signed::new(grant, &validator);
    let mut delivered = sealed.clone();
    Keystream::delivery(&key).apply(0, &mut delivered);
    let stream = [ChunkHashes::of(&sealed).encode(), delivered].concat();
    playback.begin_delivery(&grant).unwrap();
    playback.push(&stream).unwrap();
    let receipt = playback.end_delivery().unwrap();

    playback.show(vec![Magnet([24; 32])]);
    let play_request = playback.play_request(grant.body.id, Some(PlayId([15; 16])), now_ms + 100);
    let code = PlayCode {
        id: PlayId([16; 16]),
        account: viewer.account(),
        magnet: manifest.magnet(),
        cell_index: 0,
        cell,
        size: SIZE as u64,
        grant: grant.body.id,
        download_key: key.id(),
        constant: [17; 16],
        difficulty_bits: 10,
        issued_ms: now_ms + 120,
        starts_ms: now_ms + 120,
        play_ms: 60_000,
        creator: AccountAddress([7; 20]),
        supervisor: AccountAddress([18; 20]),
        split: RewardSplit::DEFAULT,
        activators: vec![AccountAddress([23; 20])],
    };
    let outcome = PlayOutcome::Mining(Box::new(Signed::new(code, &validator)));
    let answer = PlayAnswer { cell_key: secret.answer_key().wrap(&video.cell_key(0), [19; 24]), outcome };
    playback.begin_play(&answer).unwrap();
    assert_eq!(playback.read(0, SIZE as u64).unwrap(), plain);

    let heads: Vec<_> = (1..=6u32).map(|point| (point, BlockHash([point as u8 + 20; 32]))).collect();
    let positions = heads.iter().map(|(point, _)| u64::from(*point) * 10_000 - 5_000);
    let points: Vec<_> = positions
        .zip(&heads)
        .map(|(position_ms, head)| {
            let progress = playback.advance(position_ms, *head).unwrap();
            assert_eq!(u32::from(progress.folded), head.0);
            json!({ "positionMs": position_ms, "number": head.0, "hash": head.1 })
        })
        .collect();
    let nonce = playback.search_nonce(0, 1 << 18).unwrap().unwrap();
    let proof = playback.prove(4, nonce).unwrap();
    let opening = playback.opening().unwrap();
    let evidence = playback.evidence(&receipt.body, Some(1)).unwrap();

    json!({
        "secret": bytes(&VIEWER),
        "genesis": genesis,
        "magnet": manifest.magnet(),
        "manifest": bytes(&manifest.encode()),
        "account": viewer.account(),
        "nowMs": now_ms,
        "excluded": [NodeId([8; 32])],
        "grantRequest": grant_request,
        "grant": grant,
        "stream": bytes(&stream),
        "receipt": receipt,
        "supersedes": PlayId([15; 16]),
        "layers": [Magnet([24; 32])],
        "playRequest": play_request,
        "playAnswer": answer,
        "plainHash": bytes(blake3::hash(&plain).as_bytes()),
        "points": points,
        "slot": 4,
        "nonce": nonce,
        "proof": proof,
        "opening": opening,
        "disputedChunk": 1,
        "evidence": evidence,
    })
}

#[test]
fn a_view_has_the_same_bytes_for_ever() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/viewing.json");
    let view = view();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&view).unwrap() + "\n").unwrap();
    }
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(view, golden, "the protocol's bytes changed; see the head of this file");
}
