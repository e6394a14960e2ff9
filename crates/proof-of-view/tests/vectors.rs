//! `vectors/messages.json`: every message and every derivation of the protocol, as bytes.
//!
//! One example of each signed noun with its context, its bytes, what is signed and a signature; the nouns that travel
//! unsigned; and what every key, tag, name and draw comes to for given input. Somebody who writes another node can check
//! it against this file alone. After a deliberate change of the protocol, `UPDATE_VECTORS=1` writes it anew; the diff is
//! then part of the review.

use borsh::BorshSerialize;
use chainflix_cell::{ChunkHashes, Keystream, verify_path};
use chainflix_primitives::{
    AccountAddress, AccountKey, AddressRange, AuditPayload, AuditVote, BlockHash, BoxKey, BoxPublicKey, CellId, Digest,
    Evidence, Grant, GrantId, GrantRequest, Magnet, NetworkGenesis, NetworkKeys, NetworkSecret, NodeId, OpenedChunk,
    Opening, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, PlayRequest, ProtocolParams, ProviderShare, Receipt,
    RewardSplit, SealedKey, Signable, Signed, SlotPayload, SlotProposal, SlotVote, ValidatorIdentity, VideoSecret,
    ViewPayload, VoteEntry,
};
use chainflix_proof_of_view::{
    KeyMessage, MinedCell, OriginTag, ValidatorMessage,
    audit::draw::{Draw, drawn_digest},
    points,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{net::IpAddr, path::PathBuf};

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn borsh(value: &impl BorshSerialize) -> String {
    hex(&borsh::to_vec(value).unwrap())
}

fn key() -> AccountKey {
    AccountKey::from_bytes(&[1; 32]).unwrap()
}

fn grant_request() -> GrantRequest {
    GrantRequest {
        account: key().address(),
        magnet: Magnet([2; 32]),
        cell_index: 3,
        from_byte: 16_384,
        viewer_box_key: BoxPublicKey([4; 32]),
        excluded: vec![NodeId([5; 32]), NodeId([6; 32])],
        requested_ms: 1_800_000_000_007,
    }
}

fn grant() -> Grant {
    Grant {
        id: GrantId([8; 16]),
        viewer: key().address(),
        magnet: Magnet([2; 32]),
        cell_index: 3,
        cell: CellId([9; 32]),
        size: 300_000,
        from_byte: 16_384,
        provider: AccountAddress([10; 20]),
        provider_node: NodeId([11; 32]),
        expires_ms: 1_800_000_180_007,
        viewer_secret: SealedKey([12; 80]),
        provider_key: SealedKey([13; 80]),
    }
}

fn play_request() -> PlayRequest {
    PlayRequest {
        account: key().address(),
        magnet: Magnet([2; 32]),
        cell_index: 3,
        grant: GrantId([8; 16]),
        supersedes: Some(PlayId([14; 16])),
        layers: vec![Magnet([15; 32])],
        requested_ms: 1_800_000_000_100,
    }
}

fn play_code() -> PlayCode {
    PlayCode {
        id: PlayId([16; 16]),
        account: key().address(),
        magnet: Magnet([2; 32]),
        cell_index: 3,
        cell: CellId([9; 32]),
        size: 300_000,
        grant: GrantId([8; 16]),
        download_key: [17; 16],
        constant: [18; 16],
        difficulty_bits: 10,
        issued_ms: 1_800_000_000_120,
        starts_ms: 1_800_000_004_120,
        play_ms: 60_000,
        creator: AccountAddress([19; 20]),
        supervisor: AccountAddress([20; 20]),
        split: RewardSplit::DEFAULT,
        activators: vec![AccountAddress([21; 20])],
    }
}

fn receipt() -> Receipt {
    Receipt {
        grant: GrantId([8; 16]),
        viewer: key().address(),
        provider: AccountAddress([10; 20]),
        cell: CellId([9; 32]),
        start: 16_384,
        end: 300_000,
        delivered_hash: Digest([22; 32]),
    }
}

fn play_data() -> PlayData {
    PlayData {
        play: PlayId([16; 16]),
        slot: 4,
        download_key: [17; 16],
        hash: Digest([23; 32]),
        point_blocks: vec![2, 7, 12, 17, 22, 27],
        nonce: 1_234,
    }
}

fn opened() -> OpenedChunk {
    OpenedChunk { sealed: vec![24; 5], path: vec![Digest([25; 32]), Digest([26; 32])] }
}

fn opening() -> Opening {
    Opening { play: PlayId([16; 16]), download_key: [27; 32], chunks: vec![opened(), opened()] }
}

fn evidence() -> Evidence {
    let hashes = vec![28; 64];
    Evidence { grant: GrantId([8; 16]), hashes, opened: Some((3, opened())), download_key: [27; 32] }
}

fn proposal() -> SlotProposal {
    let record = PlayRecord {
        code: Signed::new(play_code(), &key()),
        data: Signed::new(play_data(), &key()),
        providers: vec![ProviderShare { provider: AccountAddress([10; 20]), bytes: 283_616 }],
        factors: PlayFactors { standing_permille: 250, network_permille: 666 },
        issuer: 2,
    };
    SlotProposal { slot: 4, attempt: 1, plays: vec![record], operation: vec![AccountAddress([29; 20])] }
}

fn slot_vote() -> SlotVote {
    SlotVote::new(4, Digest(proposal().digest()), &[true])
}

fn audit_vote() -> AuditVote {
    AuditVote::new(1, drawn_digest(1, [PlayId([16; 16])].iter()), &[false])
}

fn payload() -> ViewPayload {
    let vote = |held_true: Vec<u8>| VoteEntry { validator: 2, held_true, signature: key().sign_digest(&[30; 32]) };
    let proposal = proposal();
    let proposer_signature = key().sign_digest(&proposal.digest());
    ViewPayload {
        slot: Some(SlotPayload { proposal, proposer_signature, votes: vec![vote(vec![1])] }),
        audits: vec![AuditPayload { view_block: 1, votes: vec![vote(vec![0])] }],
    }
}

fn signed<T: Signable + Serialize>(body: T) -> Value {
    let signature = key().sign_digest(&body.digest());
    json!({ "context": T::CONTEXT, "json": body, "borsh": borsh(&body), "digest": hex(&body.digest()), "signature": signature })
}

fn messages() -> Value {
    json!({
        "GrantRequest": signed(grant_request()),
        "Grant": signed(grant()),
        "PlayRequest": signed(play_request()),
        "PlayCode": signed(play_code()),
        "Receipt": signed(receipt()),
        "PlayData": signed(play_data()),
        "Opening": signed(opening()),
        "Evidence": signed(evidence()),
        "SlotProposal": signed(proposal()),
        "SlotVote": signed(slot_vote()),
        "AuditVote": signed(audit_vote()),
    })
}

/// What validators tell each other, by the number of its kind.
fn gossip() -> Value {
    let key = key();
    let said = [
        ("Grant", ValidatorMessage::Grant(Box::new(Signed::new(grant(), &key)))),
        (
            "Play",
            ValidatorMessage::Play {
                code: Box::new(Signed::new(play_code(), &key)),
                request: Box::new(Signed::new(play_request(), &key)),
                origin: OriginTag { home: [31; 8], network: [32; 8], allocation: Some([33; 8]) },
            },
        ),
        ("Receipt", ValidatorMessage::Receipt(Signed::new(receipt(), &key))),
        ("Proof", ValidatorMessage::Proof(Signed::new(play_data(), &key))),
        ("Proposal", ValidatorMessage::Proposal(Signed::new(proposal(), &key))),
        ("Vote", ValidatorMessage::Vote(Signed::new(slot_vote(), &key))),
        ("Opening", ValidatorMessage::Opening(Box::new(Signed::new(opening(), &key)))),
        ("AuditVote", ValidatorMessage::AuditVote(Signed::new(audit_vote(), &key))),
        ("Evidence", ValidatorMessage::Evidence(Box::new(Signed::new(evidence(), &key)))),
        ("Key", ValidatorMessage::Key(KeyMessage(vec![33; 3]))),
    ];
    let mut all = Map::new();
    for (number, (name, message)) in said.into_iter().enumerate() {
        let bytes = message.encode();
        assert_eq!(usize::from(bytes[0]), number);
        assert_eq!(ValidatorMessage::decode(&bytes), Some(message));
        all.insert(name.into(), hex(&bytes).into());
    }
    all.into()
}

fn genesis() -> NetworkGenesis {
    NetworkGenesis {
        chain_id: 4_408_920,
        genesis_time_ms: 1_800_000_000_000,
        params: ProtocolParams::default(),
        validators: vec![ValidatorIdentity { account: key().address(), consensus_key: NodeId([34; 32]) }],
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([35; 32]) },
        governor: AccountAddress([36; 20]),
        supervisors: vec![],
        allocations: vec![],
    }
}

fn derivations() -> Value {
    let network = NetworkSecret::from_bytes([37; 32]);
    let (account, magnet, cell) = (key().address(), Magnet([2; 32]), CellId([9; 32]));
    let view_key = network.view_key(&account, &magnet);
    let viewer_secret = view_key.viewer_secret(&cell);
    let download_key = viewer_secret.download_key();
    let origin_key = network.origin_key(3);
    let tag = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let tag = OriginTag::of(address, &origin_key);
        json!({
            "address": address,
            "homeRange": hex(&AddressRange::home(address).to_bytes()),
            "networkRange": hex(&AddressRange::network(address).to_bytes()),
            "allocationRange": AddressRange::allocation(address).map(|range| hex(&range.to_bytes())),
            "home": hex(&tag.home),
            "network": hex(&tag.network),
            "allocation": tag.allocation.map(|tag| hex(&tag)),
        })
    };
    let box_key = BoxKey::from_bytes([38; 32]);
    let mut stream = [0; 40];
    Keystream::delivery(&download_key).apply(16_384, &mut stream);
    json!({
        "networkSecret": hex(network.expose()),
        "account": account,
        "magnet": magnet,
        "cell": cell,
        "viewKey": hex(view_key.expose()),
        "viewerSecret": hex(viewer_secret.expose()),
        "answerKey": hex(viewer_secret.answer_key().expose()),
        "downloadKey": hex(download_key.expose()),
        "downloadKeyName": hex(&download_key.id()),
        "deliveryKeystreamAt16384": hex(&stream),
        "networkBoxKey": network.box_key().public_key(),
        "videoSecret": hex(&[39; 32]),
        "creator": AccountAddress([19; 20]),
        "sealedVideoSecret": network.box_key().public_key().seal_video(
            &VideoSecret::from_bytes([39; 32]),
            &AccountAddress([19; 20]),
            &magnet,
            [42; 32],
        ),
        "cellKey3": hex(VideoSecret::from_bytes([39; 32]).cell_key(3).expose()),
        "wrappedCellKey3": viewer_secret
            .answer_key()
            .wrap(&VideoSecret::from_bytes([39; 32]).cell_key(3), [43; 24]),
        "boxSecret": hex(&[38; 32]),
        "boxPublicKey": box_key.public_key(),
        "sealed": box_key.public_key().seal(&[40; 32], [41; 32]),
        "originKeyOfDay3": hex(origin_key.expose()),
        "originTags": [tag("198.51.100.7"), tag("2001:db8:1:2::3")],
        "genesis": genesis(),
        "genesisBorsh": borsh(&genesis()),
        "genesisName": genesis().digest(),
        "minedCell": hex(&MinedCell { account, magnet, cell_index: 3 }.name()),
    })
}

fn play_points() -> Value {
    let code = play_code();
    let start = points::start(&code);
    let mut running = start;
    let folds: Vec<_> = (0..6u8)
        .map(|index| {
            let (number, block) = (u32::from(index) * 5 + 2, BlockHash([50 + index; 32]));
            let chunk = points::chunk(&code, index, 6, &block);
            let delivered = [index; 100];
            running = points::fold(&running, index, number, &block, chunk, &delivered);
            json!({
                "positionMs": points::position_ms(code.play_ms, index, 6),
                "number": number,
                "block": block,
                "chunk": chunk,
                "delivered": hex(&delivered),
                "running": running,
            })
        })
        .collect();
    let nonce = points::search_nonce(&code, &running, 0, 1 << 20).unwrap();
    json!({ "start": start, "points": folds, "difficultyBits": code.difficulty_bits, "firstNonce": nonce })
}

fn audit() -> Value {
    let plays: Vec<PlayId> = (0..8).map(|n| PlayId([n; 16])).collect();
    let draw = Draw::new(&BlockHash([60; 32]), 7);
    let drawn: Vec<_> = plays.iter().filter(|play| draw.hits(play, 300)).collect();
    let cell: Vec<u8> = (0..100_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
    let hashes = ChunkHashes::of(&cell);
    let path = hashes.path(3).unwrap();
    assert!(verify_path(&hashes.root(), 100_000, 3, &cell[49_152..65_536], &path));
    json!({
        "nextBlock": BlockHash([60; 32]),
        "viewBlock": 7,
        "sharePermille": 300,
        "plays": plays,
        "drawn": drawn,
        "drawnDigest": drawn_digest(7, plays.iter()),
        "cell": { "byteAt": "((i * 7) >> 3) as u8", "size": 100_000, "id": hashes.root(), "chunk": 3, "path": path },
    })
}

#[test]
fn messages_and_derivations_have_the_same_bytes_for_ever() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/messages.json");
    let found = json!({
        "signingSecret": hex(&[1; 32]),
        "messages": messages(),
        "gossip": gossip(),
        "viewPayload": { "json": payload(), "borsh": borsh(&payload()) },
        "derivations": derivations(),
        "playPoints": play_points(),
        "audit": audit(),
    });
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden, "the protocol's bytes changed; see the head of this file");
}
