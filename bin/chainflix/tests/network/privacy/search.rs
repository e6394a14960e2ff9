//! Looks for addresses in files, in every notation that a program would write them in.

use memchr::memmem;
use std::{
    fmt, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// An address and what it looks like on a disk.
pub struct Address {
    address: Ipv4Addr,
    /// Long enough never to be met by chance.
    texts: Vec<Vec<u8>>,
    /// Four bytes, which a large file of ciphertext may hold by chance.
    bytes: [[u8; 4]; 2],
}

impl Address {
    pub fn of(address: Ipv4Addr) -> Self {
        let octets = address.octets();
        let hex = octets.map(|octet| format!("{octet:02x}"));
        let mapped = address.to_ipv6_mapped().segments();
        let texts = [
            address.to_string(),
            hex.concat(),
            // As `::ffff:7f4d:309`, the last two groups of an IPv6 address that stands for it.
            format!("{:x}:{:x}", mapped[6], mapped[7]),
        ];
        let mut reversed = octets;
        reversed.reverse();
        Self { address, texts: texts.map(String::into_bytes).to_vec(), bytes: [octets, reversed] }
    }

    /// Every notation, as bytes.
    pub fn notations(&self) -> Vec<Vec<u8>> {
        self.texts.iter().cloned().chain(self.bytes.iter().map(|bytes| bytes.to_vec())).collect()
    }

    /// Whether a text names it.
    pub fn is_told(&self, text: &str) -> bool {
        self.has_text(text.as_bytes())
    }

    fn has_text(&self, haystack: &[u8]) -> bool {
        self.texts.iter().any(|text| memmem::find(haystack, text).is_some())
    }

    fn has_bytes(&self, haystack: &[u8]) -> bool {
        self.bytes.iter().any(|bytes| memmem::find(haystack, bytes).is_some())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// All files below `folder`.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { open.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found
}

/// Files that hold one of the addresses as text, or all of them as bytes: four bytes of one are found by chance in one of
/// forty files of 100 MB, those of both in one of a thousand.
pub fn written<'a>(files: &'a [PathBuf], addresses: &[Address]) -> Vec<&'a PathBuf> {
    let holds = |file: &&PathBuf| {
        let bytes = fs::read(file).unwrap();
        addresses.iter().any(|address| address.has_text(&bytes))
            || addresses.iter().all(|address| address.has_bytes(&bytes))
    };
    files.iter().filter(holds).collect()
}
