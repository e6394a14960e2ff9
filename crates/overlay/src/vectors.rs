//! `vectors/overlay.json`: everything the three protocols put on a stream, as bytes.
//!
//! One example of each request, answer, head and refusal, framed as it travels, and read back by the code that reads it from
//! a stream. After a deliberate change of the wire, `UPDATE_VECTORS=1` writes the file anew; the diff is then part of the
//! review.

use crate::{
    AddressRecord, Addresses, Alpn, NodeKey,
    cell::{self, CELL_REQUEST_BYTES_MAX, CellRequest, DONE_BYTES_MAX, Done, Refusal},
    control::{
        Announcement, CONTROL_FRAME_BYTES_MAX, CellUpload, Changes, ControlAnswer, ControlRefusal, ControlRequest,
        Heartbeat, HeldCell, InventoryPage, PassedOn, ProviderCard, ProviderMode, ProviderWords, Share, Source,
        Telling, Told, Watched, WatchedFilm,
    },
    store::{STORE_FRAME_BYTES_MAX, StoreAnswer, StoreRefusal, StoreRequest},
    stream::frame,
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxPublicKey, CellId, Digest, Grant, GrantId, GrantRequest, Magnet, NodeId, SealedKey,
    Signable, Signed,
};
use serde_json::{Map, Value, json};
use std::{fmt::Debug, path::PathBuf};

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// A message as a frame; what reads it back must find the same, within its limit.
fn framed<T: BorshSerialize + BorshDeserialize + PartialEq + Debug>(message: &T, bytes_max: usize) -> Value {
    let bytes = frame(message).unwrap();
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    assert!(length == bytes.len() - 4 && length <= bytes_max, "{message:?}");
    assert_eq!(&borsh::from_slice::<T>(&bytes[4..]).unwrap(), message);
    hex(&bytes).into()
}

/// Messages of one kind by name, each with its number as its first byte.
fn numbered<T: BorshSerialize + BorshDeserialize + PartialEq + Debug>(
    messages: Vec<(&str, T)>,
    bytes_max: usize,
) -> Value {
    let mut all = Map::new();
    for (number, (name, message)) in messages.into_iter().enumerate() {
        assert_eq!(usize::from(frame(&message).unwrap()[4]), number, "{name}: an example is missing before it");
        all.insert(name.into(), framed(&message, bytes_max));
    }
    all.into()
}

fn signed<T: Signable + Clone + BorshSerialize>(body: &T) -> Value {
    let digest = body.digest();
    json!({
        "context": T::CONTEXT,
        "borsh": hex(&borsh::to_vec(body).unwrap()),
        "digest": hex(&digest),
        "signed": hex(&borsh::to_vec(&Signed::new(body.clone(), &key())).unwrap()),
    })
}

fn key() -> AccountKey {
    AccountKey::from_bytes(&[1; 32]).unwrap()
}

fn node() -> NodeKey {
    NodeKey::from_bytes(&[2; 32])
}

fn grant() -> Grant {
    Grant {
        id: GrantId([3; 16]),
        viewer: key().address(),
        magnet: Magnet([4; 32]),
        cell_index: 5,
        cell: CellId([6; 32]),
        size: 300_000,
        from_byte: 16_384,
        provider: AccountAddress([7; 20]),
        provider_node: node().node_id(),
        expires_ms: 1_800_000_180_000,
        viewer_secret: SealedKey([8; 80]),
        provider_key: SealedKey([9; 80]),
    }
}

fn grant_request() -> GrantRequest {
    GrantRequest {
        account: key().address(),
        magnet: Magnet([4; 32]),
        cell_index: 5,
        from_byte: 16_384,
        viewer_box_key: BoxPublicKey([10; 32]),
        excluded: vec![NodeId([11; 32])],
        requested_ms: 1_800_000_000_000,
    }
}

fn card() -> ProviderCard {
    ProviderCard {
        account: key().address(),
        node: node().node_id(),
        box_key: BoxPublicKey([12; 32]),
        region: "kr-11".into(),
    }
}

fn upload() -> CellUpload {
    CellUpload { account: key().address(), cell: CellId([6; 32]), size: 300_000, expires_ms: 1_800_000_180_000 }
}

fn addresses() -> AddressRecord {
    let body = Addresses {
        node: node().node_id(),
        sequence: 1_800_000_000_000,
        relay: Some("https://relay.example:3443/".into()),
        direct: vec!["192.0.2.1:4000".parse().unwrap(), "[2001:db8::1]:4001".parse().unwrap()],
    };
    AddressRecord::new(body, &node())
}

const HELD: HeldCell = HeldCell { cell: CellId([6; 32]), size: 300_000 };
const SEQUENCE: u64 = 1_800_000_000_000;

fn tell(number: u64, words: ProviderWords) -> Telling {
    Telling::new(Told { node: node().node_id(), number, at_ms: SEQUENCE + number, words }, &node())
}

fn cell_protocol() -> Value {
    let request = CellRequest { grant: Signed::new(grant(), &key()), from_byte: 32_768 };
    let done = Done { end: 300_000, delivered_hash: Digest([13; 32]) };
    let refusals = [
        ("notHeld", Refusal::NotHeld),
        ("forged", Refusal::Forged),
        ("expired", Refusal::Expired),
        ("otherProvider", Refusal::OtherProvider),
        ("range", Refusal::Range),
        ("key", Refusal::Key),
        ("busy", Refusal::Busy),
        ("spent", Refusal::Spent),
        ("failed", Refusal::Failed),
        ("malformed", Refusal::Malformed),
    ];
    let refused = refusals.map(|(name, refusal)| (name.to_owned(), hex(&cell::refusing_head(refusal)).into()));
    json!({
        "alpn": String::from_utf8_lossy(Alpn::Cell.bytes()),
        "request": framed(&request, CELL_REQUEST_BYTES_MAX),
        "accepted": hex(&cell::accepting_head(300_000)),
        "refused": Map::from_iter(refused),
        "done": framed(&done, DONE_BYTES_MAX),
    })
}

fn store_protocol() -> Value {
    let cell = CellId([6; 32]);
    let requests = vec![
        ("Put", StoreRequest::Put { cell, size: 300_000 }),
        ("Get", StoreRequest::Get { cell }),
        ("Delete", StoreRequest::Delete { cell }),
        ("Show", StoreRequest::Show { cell, chunk: 7 }),
    ];
    let answers = vec![
        ("Ready", StoreAnswer::Ready),
        ("AlreadyHeld", StoreAnswer::AlreadyHeld),
        ("Stored", StoreAnswer::Stored),
        ("Sending", StoreAnswer::Sending { size: 300_000 }),
        ("Deleted", StoreAnswer::Deleted),
        ("Refused", StoreAnswer::Refused(StoreRefusal::NotAllowed)),
        ("Showing", StoreAnswer::Showing),
    ];
    let refusals = vec![
        ("NotAllowed", StoreRefusal::NotAllowed),
        ("NoRoom", StoreRefusal::NoRoom),
        ("Size", StoreRefusal::Size),
        ("WrongBytes", StoreRefusal::WrongBytes),
        ("NotHeld", StoreRefusal::NotHeld),
        ("Busy", StoreRefusal::Busy),
        ("Disk", StoreRefusal::Disk),
        ("Malformed", StoreRefusal::Malformed),
    ];
    json!({
        "alpn": String::from_utf8_lossy(Alpn::Store.bytes()),
        "requests": numbered(requests, STORE_FRAME_BYTES_MAX),
        "answers": numbered(answers, STORE_FRAME_BYTES_MAX),
        "refusals": codes(refusals, |refusal| StoreAnswer::Refused(*refusal)),
    })
}

/// The bytes of each refusal inside the answer that carries it, which has one byte before them.
fn codes<T: BorshSerialize, A: BorshSerialize>(refusals: Vec<(&str, T)>, answer: impl Fn(&T) -> A) -> Value {
    let mut all = Map::new();
    for (number, (name, refusal)) in refusals.into_iter().enumerate() {
        let bytes = borsh::to_vec(&refusal).unwrap();
        assert_eq!(usize::from(bytes[0]), number, "{name}: an example is missing before it");
        assert_eq!(borsh::to_vec(&answer(&refusal)).unwrap()[1..], bytes);
        all.insert(name.into(), hex(&bytes).into());
    }
    all.into()
}

fn control_protocol() -> Value {
    let announcement = Announcement {
        card: Signed::new(card(), &key()),
        sequence: SEQUENCE,
        quota_bytes: 200_000_000_000,
        used_bytes: 300_000,
        uplink_bytes_per_s: 2_500_000,
        site: "attic".into(),
    };
    let heartbeat =
        Heartbeat { sequence: SEQUENCE, mode: ProviderMode::Quiet, quota_bytes: 200_000_000_000, used_bytes: 300_000 };
    let page = InventoryPage { sequence: SEQUENCE, cells: vec![HELD], last: true };
    let changes = Changes { sequence: SEQUENCE, gained: vec![HELD], lost: vec![CellId([14; 32]), CellId([15; 32])] };
    let words = vec![
        ("Announce", ProviderWords::Announce(announcement.clone())),
        ("Inventory", ProviderWords::Inventory(page)),
        ("Changes", ProviderWords::Changes(changes)),
        ("Heartbeat", ProviderWords::Heartbeat(heartbeat)),
    ];
    let passed = PassedOn { telling: tell(1, ProviderWords::Heartbeat(heartbeat)), address: Some(addresses()) };
    let films = vec![
        WatchedFilm { magnet: Magnet([4; 32]), viewers: 1_200 },
        WatchedFilm { magnet: Magnet([16; 32]), viewers: 3 },
    ];
    let requests = vec![
        ("PutAddress", ControlRequest::PutAddress(addresses())),
        ("GetAddress", ControlRequest::GetAddress(node().node_id())),
        ("Tell", ControlRequest::Tell(Box::new(tell(0, ProviderWords::Announce(announcement.clone()))))),
        ("Upload", ControlRequest::Upload(Signed::new(upload(), &key()))),
        ("FindSource", ControlRequest::FindSource(Signed::new(grant_request(), &key()))),
        (
            "Share",
            ControlRequest::Share(Share { card: Signed::new(card(), &key()), slots: 8, cells: vec![CellId([6; 32])] }),
        ),
        ("PassOn", ControlRequest::PassOn(Box::new(passed))),
        ("Watched", ControlRequest::Watched(Watched { at_ms: SEQUENCE, films })),
    ];
    let source = Source { grant: Signed::new(grant(), &key()), address: Some(addresses()) };
    let answers = vec![
        ("Done", ControlAnswer::Done),
        ("Unknown", ControlAnswer::Unknown),
        ("Needed", ControlAnswer::Needed { cells: 7 }),
        ("Address", ControlAnswer::Address(None)),
        ("SendBytes", ControlAnswer::SendBytes),
        ("Stored", ControlAnswer::Stored { copies: 3 }),
        ("Source", ControlAnswer::Source(Box::new(source))),
        ("Refused", ControlAnswer::Refused(ControlRefusal::Malformed)),
        ("Heard", ControlAnswer::Heard),
    ];
    let refusals = vec![
        ("Malformed", ControlRefusal::Malformed),
        ("Forged", ControlRefusal::Forged),
        ("Older", ControlRefusal::Older),
        ("Expired", ControlRefusal::Expired),
        ("Busy", ControlRefusal::Busy),
        ("NotAdmitted", ControlRefusal::NotAdmitted),
        ("NoRoom", ControlRefusal::NoRoom),
        ("WrongBytes", ControlRefusal::WrongBytes),
        ("TooFewCopies", ControlRefusal::TooFewCopies { copies: 1, wanted: 3 }),
        ("UnknownCell", ControlRefusal::UnknownCell),
        ("NoSource", ControlRefusal::NoSource),
        ("Validator", ControlRefusal::validator("no-source", "nobody holds it")),
        ("ValidatorSilent", ControlRefusal::ValidatorSilent),
        ("Disqualified", ControlRefusal::Disqualified { again_ms: 1_800_000_180_000 }),
    ];
    json!({
        "alpn": String::from_utf8_lossy(Alpn::Control.bytes()),
        "words": numbered(words, CONTROL_FRAME_BYTES_MAX),
        "requests": numbered(requests, CONTROL_FRAME_BYTES_MAX),
        "answers": numbered(answers, CONTROL_FRAME_BYTES_MAX),
        "refusals": codes(refusals, |refusal| ControlAnswer::Refused(refusal.clone())),
    })
}

fn signatures() -> Value {
    let record = addresses();
    assert_eq!(record.verify(), Ok(()));
    let bytes = borsh::to_vec(&record).unwrap();
    let heartbeat = Heartbeat { sequence: SEQUENCE, mode: ProviderMode::Open, quota_bytes: 1, used_bytes: 0 };
    let telling = tell(0, ProviderWords::Heartbeat(heartbeat));
    assert_eq!(telling.verify(), Ok(()));
    let told = borsh::to_vec(&telling).unwrap();
    json!({
        "accountSecret": hex(&[1; 32]),
        "account": key().address(),
        "nodeSecret": hex(&[2; 32]),
        "node": node().node_id(),
        "ProviderCard": signed(&card()),
        "CellUpload": signed(&upload()),
        "AddressRecord": {
            "borsh": hex(&bytes[..bytes.len() - 64]),
            "signature": hex(&bytes[bytes.len() - 64..]),
        },
        "Telling": {
            "borsh": hex(&told[..told.len() - 64]),
            "signature": hex(&told[told.len() - 64..]),
        },
    })
}

#[test]
fn the_wire_has_the_same_bytes_for_ever() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/overlay.json");
    let found = json!({
        "cell": cell_protocol(),
        "store": store_protocol(),
        "control": control_protocol(),
        "signatures": signatures(),
    });
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden, "the wire's bytes changed; see the head of this file");
}
