//! What is left after a process ends, well or not.

use std::{path::Path, process::Command};

use tempfile::tempdir;

use super::*;

/// More than the 128 blocks whose states ethrex keeps in memory, so that the genesis state is no longer on disk.
const BLOCKS: u64 = 150;
const VICTIM_DIR: &str = "CHAINFLIX_TEST_VICTIM_DIR";

async fn on_disk(dir: &Path, create: bool) -> Result<ExecutionLayer, OpenError> {
    let storage = Storage::Disk { dir: dir.to_owned(), create };
    let config =
        ExecutionConfig { block_cache_bytes: 8 << 20, checkpoint_blocks: BLOCKS, ..ExecutionConfig::default() };
    ExecutionLayer::open(storage, genesis(), config).await
}

/// A chain that everybody who runs this makes alike.
async fn grow(node: &ExecutionLayer, to: u64) -> Vec<Arc<Block>> {
    let alice = user(1);
    let mut blocks = Vec::new();
    while node.height() < to {
        let height = node.height();
        node.submit(alice.sign(height, Address::from_low_u64_be(height + 1), 1, vec![])).await;
        blocks.push(node.extend().await);
    }
    blocks
}

/// Not a test: the process that [`a_killed_node_continues`] starts.
#[tokio::test]
#[ignore = "ends its process"]
async fn victim() {
    let Ok(dir) = std::env::var(VICTIM_DIR) else { return };
    let node = on_disk(Path::new(&dir), true).await.unwrap();
    grow(&node, BLOCKS).await;
    std::process::abort(); // As kill -9: no destructor, no flush.
}

#[tokio::test]
async fn a_killed_node_continues() {
    let dir = tempdir().unwrap();
    let victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "execution::tests::restart::victim", "--ignored"])
        .env(VICTIM_DIR, dir.path())
        .output()
        .unwrap();
    assert!(!victim.status.success(), "the victim ends by a signal");
    let archive = grow(&in_memory().await, BLOCKS).await;

    let node = on_disk(dir.path(), false).await.unwrap();
    let height = node.height();
    assert!(height >= BLOCKS - 10, "only the newest blocks may be lost, head is {height}");
    assert_eq!(node.head().hash(), archive[height as usize - 1].hash());
    assert!(node.has(node.head().hash()).unwrap());
    assert_eq!(node.nonce(user(1).address).unwrap(), height);
    for block in &archive[height as usize..] {
        node.adopt(block).await;
    }
    assert_eq!(node.head().hash(), archive[BLOCKS as usize - 1].hash());
    grow(&node, BLOCKS + 5).await;
}

#[tokio::test]
async fn a_backup_is_a_chain() {
    let (dir, copy) = (tempdir().unwrap(), tempdir().unwrap());
    let node = on_disk(dir.path(), true).await.unwrap();
    let archive = grow(&node, BLOCKS).await;
    node.shutdown().await.unwrap();
    std::fs::rename(dir.path().join("checkpoint"), copy.path().join("ethrex")).unwrap();
    let restored = on_disk(copy.path(), false).await.unwrap();
    let height = restored.height() as usize;
    assert!(height >= BLOCKS as usize - 10, "only the newest blocks may be missing, head is {height}");
    assert_eq!(restored.head().hash(), archive[height - 1].hash());
    assert_eq!(restored.nonce(user(1).address).unwrap(), height as u64);
}

#[tokio::test]
async fn a_closed_node_continues_where_it_was() {
    let dir = tempdir().unwrap();
    let node = on_disk(dir.path(), true).await.unwrap();
    grow(&node, 3).await;
    let head = node.head();
    assert!(matches!(on_disk(dir.path(), false).await, Err(OpenError::Store(_))), "one process at a time");
    node.shutdown().await.unwrap();
    drop(node);
    let node = on_disk(dir.path(), false).await.unwrap();
    assert_eq!(node.head().hash(), head.hash());
    grow(&node, 5).await;
}

#[tokio::test]
async fn a_wrong_folder_is_noticed() {
    let dir = tempdir().unwrap();
    assert!(matches!(on_disk(dir.path(), false).await, Err(OpenError::Missing { .. })));
    drop(on_disk(dir.path(), true).await.unwrap());
    let storage = Storage::Disk { dir: dir.path().to_owned(), create: true };
    let other = ExecutionLayer::open(storage, genesis_of(1), ExecutionConfig::default()).await;
    assert!(matches!(other, Err(OpenError::OtherGenesis { .. })));
    on_disk(dir.path(), false).await.unwrap();
}
