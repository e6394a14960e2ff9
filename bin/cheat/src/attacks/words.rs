//! Breaking something with what is said. Nobody is paid here; what counts is that everybody else still is.

use super::Run;
use crate::{
    attempt::Attempt,
    caller::{No, said_no},
    client::{Client, End},
    stage::Stage,
};
use chainflix_overlay::Alpn;
use serde_json::{Value, json};

/// Every method of ours that takes words.
const METHODS: [&str; 18] = [
    "cfx_requestPlay",
    "cfx_submitReceipt",
    "cfx_submitProof",
    "cfx_submitOpening",
    "cfx_submitManifest",
    "cfx_submitEvidence",
    "cfx_disputes",
    "cfx_issueGrant",
    "cfx_play",
    "cfx_account",
    "cfx_served",
    "cfx_video",
    "cfx_videos",
    "cfx_manifest",
    "cfx_viewBlock",
    "cfx_viewBlocks",
    "eth_sendRawTransaction",
    "eth_call",
];
/// Every path of the gateway that takes a body.
const PATHS: [&str; 8] = [
    "/api/grants",
    "/api/plays",
    "/api/receipts",
    "/api/proofs",
    "/api/openings",
    "/api/evidence",
    "/api/deliveries",
    "/rpc",
];

/// Parameters that fit nothing.
fn broken() -> Vec<Value> {
    vec![
        json!(null),
        json!({}),
        json!({"params": [1]}),
        json!([]),
        json!([null]),
        json!([-1]),
        json!([1e300]),
        json!(["0x"]),
        json!(["0xzz"]),
        json!([{"body": {}, "signature": "0x"}]),
        json!([{"body": {"account": "0x00"}, "signature": format!("0x{}", "ff".repeat(65))}]),
        json!(["가".repeat(10_000)]),
        json!([[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]),
    ]
}

/// Bodies that are no JSON-RPC at all.
fn nonsense() -> Vec<Vec<u8>> {
    vec![
        vec![],
        b"\0\0\0\0".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"[1,2,3]".to_vec(),
        vec![b'['; 100_000],
        vec![0xff; 4_096],
        br#"{"jsonrpc":"1.0","id":[],"method":5}"#.to_vec(),
    ]
}

/// An honest viewer watches a cell after the attack.
async fn look_after(stage: &Stage, attempt: &mut Attempt) -> anyhow::Result<()> {
    stage.check_alive()?;
    let honest = Client::new(stage)?;
    let watched = honest.watch(&stage.film, 2).await;
    attempt.honest = (1, u64::from(!matches!(watched, Ok((_, End::Accepted)))));
    Ok(())
}

fn note(attempt: &mut Attempt, answer: Result<Vec<u8>, No>) {
    match answer {
        Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(answer) if answer.get("error").is_some_and(|error| !error.is_null()) => {
                attempt.hear(&said_no(&answer["error"]));
            }
            // Asking for what does not exist may be answered: there is none.
            Ok(answer) if answer["result"].is_null() => attempt.note("none"),
            Ok(_) | Err(_) => attempt.note("answered"),
        },
        Err(no) => attempt.hear(&no),
    }
}

/// Broken words at every method and path.
pub fn calls(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        for (number, method) in METHODS.iter().enumerate() {
            let url = &stage.rpcs[number % stage.rpcs.len()];
            for params in broken() {
                let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
                note(&mut attempt, client.caller.post(url, call.to_string().into_bytes()).await);
            }
        }
        for url in client.caller.rpcs() {
            for body in nonsense() {
                note(&mut attempt, client.caller.post(url, body).await);
            }
        }
        for path in PATHS {
            let url = format!("{}{path}", stage.layout.web_url);
            let bodies = broken().into_iter().map(|value| value.to_string().into_bytes()).chain(nonsense());
            for body in bodies {
                note(&mut attempt, client.caller.post(&url, body).await);
            }
        }
        look_after(stage, &mut attempt).await?;
        Ok(attempt)
    })
}

/// Bodies of 64 MiB.
pub fn oversized(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        const BYTES: usize = 64 << 20;
        let mut attempt = Attempt::by(1);
        let client = Client::new(stage)?;
        let manifest = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"cfx_submitManifest","params":["0x{}"]}}"#,
            "00".repeat(BYTES / 2)
        );
        let urls = [stage.rpcs[0].clone(), format!("{}/api/plays", stage.layout.web_url), stage.layout.web_url.clone()];
        for url in urls {
            for body in [vec![b' '; BYTES], manifest.clone().into_bytes()] {
                note(&mut attempt, client.caller.post(&url, body).await);
            }
        }
        look_after(stage, &mut attempt).await?;
        Ok(attempt)
    })
}

/// Frames that are none, and lengths of 4 GiB, at controller and providers.
pub fn streams(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let mut peers = vec![(stage.layout.controllers[0].node, Alpn::Control)];
        for provider in stage.rpc.providers().await? {
            peers.extend([(provider.node_id, Alpn::Cell), (provider.node_id, Alpn::Store)]);
        }
        let frames: [Vec<u8>; 6] = [
            vec![],
            vec![0],
            u32::MAX.to_le_bytes().to_vec(),
            [&1_000u32.to_le_bytes()[..], &[0xff; 1_000]].concat(),
            [&8u32.to_le_bytes()[..], &[0; 8]].concat(),
            vec![0xff; 200_000],
        ];
        for (node, alpn) in peers {
            for frame in &frames {
                let said = async {
                    let mut stream =
                        stage.dialer.open(node, alpn).await.map_err(|error| No::Peer(error.to_string()))?;
                    // A peer that stops listening in between is what is looked for.
                    let _stopped = stream.write(frame).await;
                    stream.finish();
                    let answer = stream.read_chunk(64).await;
                    answer.map_err(|_| No::Silent)
                };
                match said.await {
                    Ok(Some(_)) => attempt.note("refused in words"),
                    Ok(None) | Err(No::Silent) => attempt.note("stream closed"),
                    Err(no) => attempt.hear(&no),
                }
            }
        }
        look_after(stage, &mut attempt).await?;
        Ok(attempt)
    })
}
