//! What sockets a process has, as Linux tells.

use std::{collections::HashSet, fs};

/// Whether the process has a UDP socket now.
pub fn has_udp(pid: u32) -> bool {
    let tables = ["udp", "udp6"].map(|name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default());
    // proc(5): the tenth column is the inode.
    let inodes: HashSet<&str> =
        tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|row| row.split_whitespace().nth(9)).collect();
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let targets = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets = targets.filter_map(|target| {
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(inode.to_owned())
    });
    sockets.into_iter().any(|inode| inodes.contains(inode.as_str()))
}
