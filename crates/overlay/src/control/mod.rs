//! What is said to a controller: `chainflix/control/1`.
//!
//! | who | says | answered with |
//! |---|---|---|
//! | anybody | [`PutAddress`](ControlRequest::PutAddress), [`GetAddress`](ControlRequest::GetAddress) | `Done`, `Address` |
//! | provider | [`Tell`](ControlRequest::Tell): an [announcement](ProviderWords::Announce), then its inventory in pages | `Done` |
//! | provider | `Tell`: [heartbeats](ProviderWords::Heartbeat), [changes](ProviderWords::Changes) | `Done`, or `Unknown`: announce again |
//! | controller | [`PassOn`](ControlRequest::PassOn), what a provider told it | `Done`, `Unknown`, or `Heard`: not needed |
//! | controller | [`Watched`](ControlRequest::Watched), how many viewers it counts itself | `Done` |
//! | publisher | [`Upload`](ControlRequest::Upload), then the sealed bytes | `SendBytes`, then `Stored` |
//! | viewer | [`FindSource`](ControlRequest::FindSource) | `Source` |
//! | viewer | [`Share`](ControlRequest::Share), while it serves what it watched | `Done` |
//!
//! Every request can be answered with `Refused`. Who speaks for a node is proved by the connection; who speaks for an
//! account is proved by its signature. A provider's words carry the sequence number of its announcement, so that an old
//! connection that speaks late changes nothing.

mod client;
mod telling;
mod words;

pub use client::{
    ControlError, Heed, Upload, UploadStream, find_source, get_address, pass_on, put_address, share, tell,
    tell_watched, upload_cell,
};
pub use telling::{PassedOn, ProviderWords, TELLING_MS, Telling, TellingError, Told};
pub use words::{
    Announcement, CardError, CellUpload, Changes, ControlAnswer, ControlRefusal, ControlRequest, Heartbeat, HeldCell,
    InventoryPage, ProviderCard, ProviderMode, Share, Source, Watched, WatchedFilm,
};

/// Longest frame of this protocol; bounds an inventory page.
pub const CONTROL_FRAME_BYTES_MAX: usize = 64 << 10;
/// Most cells of one inventory page or one set of changes.
pub const PAGE_CELLS_MAX: usize = 1024;
/// How long a controller believes a [`Share`], in milliseconds. Who shares says it again in half of that.
pub const SHARE_MS: u64 = 120_000;
/// Most films of one count of viewers.
pub const WATCHED_FILMS_MAX: usize = 1024;
/// Longest region name, in bytes.
pub const REGION_BYTES_MAX: usize = 32;
/// Longest name of a site, in bytes.
pub const SITE_BYTES_MAX: usize = 32;
/// Longest code or message of a refusal that comes from a validator, in bytes.
pub const REASON_BYTES_MAX: usize = 1024;
