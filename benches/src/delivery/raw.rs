//! Bytes on a bare iroh stream: from memory, to nowhere, between two endpoints of this process.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use iroh::{
    Endpoint, RelayMode,
    endpoint::{Connection, PortmapperConfig, presets},
};
use std::net::Ipv4Addr;
use tokio::task::JoinHandle;

const ALPN: &[u8] = b"chainflix bench raw";
/// Written and read at once: as much as a provider writes.
const PART_BYTES: usize = 128 << 10;

/// Two endpoints and the connection between them.
pub struct Raw {
    connection: Connection,
    serving: JoinHandle<()>,
    ends: [Endpoint; 2],
}

impl Raw {
    /// Connects. `cell` is what each request gets.
    pub async fn start(cell: Bytes) -> Result<Self> {
        let (server, client) = (bind().await?, bind().await?);
        let serving = tokio::spawn(serve(server.clone(), cell));
        let connection = client.connect(server.addr(), ALPN).await.context("no bare connection")?;
        Ok(Self { connection, serving, ends: [server, client] })
    }

    /// Fetches the cell `cells` times, one after the other; the bytes.
    pub async fn pass(&self, cells: u32) -> Result<u64> {
        let mut bytes = 0;
        for _ in 0..cells {
            let (mut send, mut receive) = self.connection.open_bi().await?;
            send.write_all(b"?").await?;
            send.finish()?;
            while let Some(part) = receive.read_chunk(PART_BYTES).await? {
                bytes += part.len() as u64;
            }
        }
        ensure!(bytes > 0, "nothing came");
        Ok(bytes)
    }

    pub async fn close(self) {
        for end in self.ends {
            end.close().await;
        }
        self.serving.abort();
    }
}

async fn bind() -> Result<Endpoint> {
    let builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .portmapper_config(PortmapperConfig::Disabled)
        .clear_ip_transports()
        .alpns(vec![ALPN.to_vec()])
        .bind_addr((Ipv4Addr::LOCALHOST, 0))?;
    builder.bind().await.context("no bare endpoint")
}

async fn serve(endpoint: Endpoint, cell: Bytes) {
    if let Err(error) = answer(endpoint, cell).await {
        // What asks sees the same.
        eprintln!("the bare stream ended: {error:#}");
    }
}

async fn answer(endpoint: Endpoint, cell: Bytes) -> Result<()> {
    let connection = endpoint.accept().await.context("closed before anybody came")?.await?;
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        receive.read_to_end(1).await?;
        for begin in (0..cell.len()).step_by(PART_BYTES) {
            send.write_chunk(cell.slice(begin..(begin + PART_BYTES).min(cell.len()))).await?;
        }
        send.finish()?;
    }
    Ok(())
}
