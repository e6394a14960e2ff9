//! Seals VideoCells, layers them for one delivery, and verifies them while they stream.
//!
//! ```text
//!             CellKey                    DownloadKey                    DownloadKey            CellKey
//! fragments ──seal──▶ sealed cell (disk) ──layer──▶ delivered bytes ──strip──▶ sealed, verified ──open──▶ fragments
//!                     └ BLAKE3 root = VideoCell ID   └ BLAKE3 = delivered hash
//! ```
//!
//! Both layers are AES-256-CTR with a zero initial counter: any range can be stripped or opened alone, in hardware and in
//! WebCrypto. A zero counter is safe because no key ever meets two plaintexts: a CellKey is derived from a secret drawn
//! per video and from the cell's index, a DownloadKey from the account and from the *hash of what it encrypts*.
//!
//! A delivery carries the list of the cell's [`ChunkHashes`] in front of the bytes. The list is checked once against the
//! VideoCell ID; after that every 16 KiB is checked on its own as it arrives, whatever the order, in native code and in
//! the browser alike. A stranger who has neither the list nor the cell believes a single chunk by the hashes on its way up
//! to the root ([`verify_path`]): audits and disputes use it. Nothing here does I/O. Grants, receipts and payment are elsewhere.

mod chunks;
mod delivery;
mod keystream;

pub use chunks::{ChunkError, ChunkHasher, ChunkHashes, verify_path};
pub use delivery::{Delivery, DeliveryError};
pub use keystream::Keystream;
