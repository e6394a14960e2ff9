//! Being paid for many where one is.

use super::{Run, downloads::finish, stuck};
use crate::{
    attempt::Attempt,
    client::{Client, End},
    stage::{Film, Stage, WEI_PER_CFX, now_ms, send},
};
use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use chainflix_contracts::{IStanding, STANDING_ADDRESS};
use chainflix_primitives::{AccountAddress, GrantId, PlayAnswer};
use futures::future::join_all;
use std::net::Ipv4Addr;

/// Requests of the flood.
const FLOOD: usize = 1_000;
/// As many of them under way at a time.
const FLOOD_WIDTH: usize = 64;

/// Watches the first `cells` cells with each client at the same time.
async fn all_watch(clients: &[Client<'_>], film: &Film, cells: u32) -> Attempt {
    let one = async |client: &Client<'_>| {
        let mut part = Attempt::by(1);
        for index in 0..cells {
            finish(&mut part, client.watch(film, index).await);
        }
        part
    };
    let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(clients.len() as u64) };
    for part in join_all(clients.iter().map(one)).await {
        attempt.add(part);
    }
    attempt
}

/// Twelve addresses of one /24.
pub fn one_network(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let [a, b, c, _] = stage.address().octets();
        let clients = (0..12).map(|host| Client::at(stage, Ipv4Addr::new(a, b, c, 10 + host)));
        Ok(all_watch(&clients.collect::<anyhow::Result<Vec<_>>>()?, &stage.film, 1).await)
    })
}

/// Twenty accounts at one address.
pub fn one_home(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let home = stage.address();
        let clients = (0..20).map(|_| Client::at(stage, home)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(all_watch(&clients, &stage.film, 1).await)
    })
}

/// Twelve accounts at one address, each with a header that names another.
pub fn invented_addresses(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let home = stage.address();
        let client = |number| {
            let mut client = Client::at(stage, home)?;
            client.caller = client.caller.pretending(Ipv4Addr::new(203, 0, 113, number));
            anyhow::Ok(client)
        };
        let clients = (0..12).map(client).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(all_watch(&clients, &stage.film, 1).await)
    })
}

/// Five accounts, each at home in a /24 of its own, watch nothing but their own creator.
pub fn ring(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let clients = (0..5).map(|_| Client::new(stage)).collect::<anyhow::Result<Vec<_>>>()?;
        let cells = stage.ring.published.cells.min(6);
        Ok(all_watch(&clients, &stage.ring, cells).await)
    })
}

/// Bonds in full, begins to play, asks the bond back, and sends what it can to the next account.
pub fn moving_bond(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt { downloaded_permille: 1000, ..Attempt::by(1) };
        let client = Client::new(stage)?;
        let bond = stage.params().weights.bond_full_cfx;
        stage.fund(client.account(), bond + 1).await?;
        let contract = AccountAddress(STANDING_ADDRESS.into_array());
        send(&stage.rpc, &client.key, contract, bond, IStanding::bondCall {}.abi_encode()).await?;
        let mut playback = client.cell(&stage.film, 0)?;
        let tried = async {
            let grant = client.fetch(&mut playback).await?;
            let code = client.play(&mut playback, grant).await?;
            let wei = U256::from(bond) * U256::from(WEI_PER_CFX);
            let back = IStanding::requestUnbondCall { amountWei: wei }.abi_encode();
            send(&stage.rpc, &client.key, contract, 0, back).await.map_err(stuck)?;
            let withdraw = IStanding::withdrawCall {}.abi_encode();
            let withdrawn = send(&stage.rpc, &client.key, contract, 0, withdraw).await;
            client.sit(&mut playback, &code).await?;
            client.submit(&client.proof(&playback).await?).await?;
            Ok((withdrawn.is_ok(), code.id, client.settle(&playback, code.id).await))
        };
        match tried.await {
            Ok((withdrawn, play, end)) => {
                attempt.note(if withdrawn { "the bond came back at once" } else { "the bond stays for its delay" });
                finish(&mut attempt, Ok((play, end)));
            }
            Err(no) => finish(&mut attempt, Err(no)),
        }
        Ok(attempt)
    })
}

/// Asks for plays as fast as it can, while an honest viewer watches beside it.
pub fn flood(stage: &Stage) -> Run<'_> {
    Box::pin(async move {
        let mut attempt = Attempt::by(1);
        let (flooder, honest) = (Client::new(stage)?, Client::new(stage)?);
        let playback = flooder.cell(&stage.film, 0)?;
        let ask = async |number: usize| {
            let request = playback.play_request(GrantId(rand::random()), None, now_ms());
            flooder.caller.ask::<PlayAnswer>(number % stage.rpcs.len(), "cfx_requestPlay", &request).await
        };
        let flooding = async {
            let mut answers = Vec::new();
            for wave in 0..FLOOD / FLOOD_WIDTH {
                answers.extend(join_all((0..FLOOD_WIDTH).map(|number| ask(wave * FLOOD_WIDTH + number))).await);
            }
            answers
        };
        let (answers, watched) = futures::join!(flooding, honest.watch(&stage.film, 1));
        for answer in answers {
            match answer {
                Ok(_) => attempt.note("a PlayCode was issued"),
                Err(no) => attempt.hear(&no),
            }
        }
        attempt.honest = (1, u64::from(!matches!(watched, Ok((_, End::Accepted)))));
        Ok(attempt)
    })
}
