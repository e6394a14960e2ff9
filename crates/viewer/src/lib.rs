//! Watches a cell: fetches under grants, verifies, decrypts, folds play points and proves, without any I/O.
//!
//! The same code runs in the browser's worker (as WASM) and in the headless viewer. Each has its own sockets, its own
//! screen and its own clock; what to ask, what to believe and what to sign is decided here.
//!
//! ```text
//! grant_request ─▶ begin_delivery ─▶ push … ─▶ end_delivery (receipt)      again from the next byte with another grant
//! play_request  ─▶ begin_play     ─▶ read fragments, advance …  ─▶ prove ─▶ opening, if the audit asks for it
//! ```
//!
//! Both lines run side by side: a cell plays from its first verified fragment on.

mod playback;
mod room;

pub use playback::{Playback, Progress, ViewError};

use chainflix_primitives::{
    AccountAddress, AccountKey, BoxKey, Magnet, Manifest, ManifestError, NetworkGenesis, SignatureError,
};
use room::Room;
use std::sync::Arc;

/// One account that watches.
#[derive(Debug)]
pub struct Viewer {
    key: AccountKey,
    box_key: BoxKey,
    genesis: NetworkGenesis,
}

impl Viewer {
    /// The viewer that owns `secret`, on the network of `genesis`.
    pub fn new(secret: &[u8; 32], genesis: NetworkGenesis) -> Result<Arc<Self>, SignatureError> {
        // The box key is the account's own, so that keys sealed to it open again after a restart.
        let box_key = BoxKey::from_bytes(blake3::derive_key("chainflix 2026 viewer box key v1", secret));
        Ok(Arc::new(Self { key: AccountKey::from_bytes(secret)?, box_key, genesis }))
    }

    /// Who watches.
    pub fn account(&self) -> AccountAddress {
        self.key.address()
    }

    /// The network's rules.
    pub fn genesis(&self) -> &NetworkGenesis {
        &self.genesis
    }

    /// Reads and checks the manifest of a film.
    pub fn film(self: &Arc<Self>, magnet: Magnet, manifest: &[u8]) -> Result<Film, ManifestError> {
        let manifest = Arc::new(Manifest::decode(manifest, &magnet)?);
        Ok(Film { viewer: self.clone(), magnet, manifest, room: Room::default() })
    }
}

/// One film and who watches it.
#[derive(Clone, Debug)]
pub struct Film {
    viewer: Arc<Viewer>,
    magnet: Magnet,
    manifest: Arc<Manifest>,
    room: Room,
}

impl Film {
    /// What the film consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Which film it is.
    pub fn magnet(&self) -> Magnet {
        self.magnet
    }

    /// Gets ready to fetch and watch one cell; `None` when the film has fewer.
    pub fn cell(&self, index: u32) -> Option<Playback> {
        let entry = self.manifest.cells.get(index as usize)?.clone();
        Some(Playback::new(self.viewer.clone(), self.magnet, index, entry, self.room.clone()))
    }
}
