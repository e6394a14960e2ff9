//! The web app: files that were embedded when the gateway was built, and how browsers may keep them.
//!
//! Files under `assets/` carry a hash of their content in their name and may be kept for ever; all others are asked for
//! again each time and mostly answered with "not modified". A path that names no file is a place inside the app, unless
//! it looks like a file: a missing script must not be answered with a page.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::borrow::Cow;

/// What the root says where no app was embedded.
const NOT_BUILT: &str = "This gateway was built without the web app: run `npm --prefix web install && npm --prefix web run build`, then build the gateway again.\n";
/// The page of the app.
const INDEX: &str = "index.html";

#[derive(rust_embed::Embed)]
#[folder = "../../web/apps/site/dist"]
#[allow_missing = true]
struct Dist;

/// One file.
pub(crate) struct Asset {
    pub bytes: Cow<'static, [u8]>,
    /// Names the content.
    pub hash: [u8; 32],
}

/// All files, by a function from path to file: embedded ones, or a test's.
pub(crate) struct WebApp(fn(&str) -> Option<Asset>);

impl WebApp {
    pub fn embedded() -> Self {
        Self(|path| {
            let file = Dist::get(path)?;
            Some(Asset { hash: file.metadata.sha256_hash(), bytes: file.data })
        })
    }

    #[cfg(test)]
    pub fn of(files: fn(&str) -> Option<Asset>) -> Self {
        Self(files)
    }

    /// Answers a `GET` of `path`, which starts with a slash.
    pub fn get(&self, path: &str, headers: &HeaderMap) -> Response {
        let name = path.trim_start_matches('/');
        if let Some(asset) = self.0(name).filter(|_| !name.is_empty()) {
            return send(name, asset, headers);
        }
        if name.rsplit('/').next().is_some_and(|last| last.contains('.')) {
            return (StatusCode::NOT_FOUND, "no such file\n").into_response();
        }
        match self.0(INDEX) {
            Some(page) => send(INDEX, page, headers),
            None => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
        }
    }
}

fn send(name: &str, asset: Asset, headers: &HeaderMap) -> Response {
    // Weak: the bytes on the wire may be compressed.
    let tag: String = asset.hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{tag}\"");
    let fresh = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = match known {
        Some(known) if known.split(',').any(|known| known.trim() == tag) => StatusCode::NOT_MODIFIED.into_response(),
        _ => ([(header::CONTENT_TYPE, media_type(name))], Body::from(asset.bytes)).into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(fresh));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The media types of what Vite writes. Modules and WASM are refused by browsers under any other.
fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
