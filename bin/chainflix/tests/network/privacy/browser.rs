//! A viewer that speaks the gateway's HTTP API from an address of its own, as a browser does.

use super::until;
use crate::demo::Demo;
use chainflix_primitives::{AccountAddress, BlockHash, Grant, Magnet, PlayAnswer, PlayCode, PlayData, Signed};
use chainflix_viewer::{Playback, Viewer};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Room for validators that heard of the PlayCode a little later.
const PROOF_DELAY: Duration = Duration::from_millis(150);

pub struct Browser {
    http: reqwest::Client,
    web: String,
    viewer: Arc<Viewer>,
    magnet: Magnet,
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

impl Browser {
    /// The viewer number `number` at `home`.
    pub async fn at(home: Ipv4Addr, number: u8, demo: &Demo) -> Self {
        // Installs what reqwest needs.
        let _client = demo.client();
        let http = reqwest::Client::builder().local_address(IpAddr::from(home)).build().unwrap();
        let web = demo.json()["web"].as_str().unwrap().trim_end_matches('/').to_owned();
        let network: Value = http.get(format!("{web}/api/network")).send().await.unwrap().json().await.unwrap();
        let genesis = serde_json::from_value(network["genesis"].clone()).unwrap();
        let viewer = Viewer::new(&[number; 32], genesis).unwrap();
        Self { http, web, viewer, magnet: demo.magnet().parse().unwrap() }
    }

    pub fn account(&self) -> AccountAddress {
        self.viewer.account()
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.web)).send().await.unwrap().json().await.unwrap()
    }

    /// The answer, or the words of the refusal.
    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Vec<u8>, Value> {
        let answer = self.http.post(format!("{}{path}", self.web)).json(body).send().await.unwrap();
        let ok = answer.status().is_success();
        let bytes = answer.bytes().await.unwrap().to_vec();
        if ok { Ok(bytes) } else { Err(serde_json::from_slice(&bytes).unwrap()) }
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Value> {
        Ok(serde_json::from_slice(&self.post(path, body).await?).unwrap())
    }

    /// Cell `index`, and the permission to fetch it.
    pub async fn cell(&self, index: u32) -> (Playback, Signed<Grant>) {
        let path = format!("{}/api/films/{}/manifest", self.web, self.magnet);
        let manifest = self.http.get(path).send().await.unwrap().bytes().await.unwrap();
        let mut playback = self.viewer.film(self.magnet, &manifest).unwrap().cell(index).unwrap();
        let request = playback.grant_request(Vec::new(), now_ms());
        let grant: Signed<Grant> = self.ask("/api/grants", &request).await.unwrap();
        playback.begin_delivery(&grant).unwrap();
        (playback, grant)
    }

    /// Starts to play it, or hears why not.
    pub async fn begin(&self, playback: &mut Playback, grant: &Signed<Grant>) -> Result<PlayCode, Value> {
        let request = playback.play_request(grant.body.id, None, now_ms());
        let answer: PlayAnswer = self.ask("/api/plays", &request).await?;
        Ok(playback.begin_play(&answer).unwrap().expect("a paid play").clone())
    }

    /// Watches the first cell to its end, and waits until it is paid.
    pub async fn mine(&self) {
        let (mut playback, grant) = self.cell(0).await;
        playback.push(&self.post("/api/deliveries", &grant).await.unwrap()).unwrap();
        let receipt = playback.end_delivery().unwrap();
        self.post("/api/receipts", &receipt).await.unwrap();
        let code = self.begin(&mut playback, &grant).await.unwrap();
        let proof = self.watch(&mut playback, &code).await;
        self.post("/api/proofs", &proof).await.unwrap();
        let opening = playback.opening().unwrap();
        until("the play to be paid", async || {
            let report = self.get(&format!("/api/plays/{}", code.id)).await;
            if report["status"] == "auditing" {
                // A second one finds the audit over.
                let _answered = self.post("/api/openings", &opening).await;
            }
            assert_ne!(report["status"], "refused", "{report}");
            report["status"] == "accepted"
        })
        .await;
    }

    async fn watch(&self, playback: &mut Playback, code: &PlayCode) -> Signed<PlayData> {
        let started = tokio::time::Instant::now();
        let mut position_ms = 0;
        while position_ms < code.play_ms {
            tokio::time::sleep(Duration::from_millis(100)).await;
            position_ms = (started.elapsed().as_millis() as u64).min(code.play_ms);
            let head = &self.get("/api/network").await["head"];
            let hash: BlockHash = serde_json::from_value(head["hash"].clone()).unwrap();
            playback.advance(position_ms, (head["number"].as_u64().unwrap() as u32, hash)).unwrap();
        }
        let nonce = playback.search_nonce(0, u64::from(u32::MAX)).unwrap().unwrap();
        tokio::time::sleep_until(started + Duration::from_millis(code.play_ms) + PROOF_DELAY).await;
        let genesis = self.viewer.genesis();
        playback.prove(genesis.params.slot_at(genesis.genesis_time_ms, now_ms()), nonce).unwrap()
    }
}
