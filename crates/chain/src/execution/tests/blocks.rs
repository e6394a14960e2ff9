//! Building, executing, finality.

use super::*;

#[tokio::test]
async fn two_nodes_agree_on_every_block() {
    let (proposer, verifier) = (in_memory().await, in_memory().await);
    let (alice, bob) = (user(1), Address::repeat_byte(0xb0));
    for nonce in 0..3 {
        let sent = proposer.submit(alice.sign(nonce, bob, 5, vec![])).await;
        let block = proposer.extend().await;
        assert_eq!(hashes(&block), [sent]);
        let travelled = decode_block(&encode_block(&block)).unwrap();
        assert_eq!((travelled.hash(), hashes(&travelled)), (block.hash(), vec![sent]));
        verifier.adopt(&Arc::new(travelled)).await;
        assert_eq!(verifier.head().hash(), proposer.head().hash());
    }
    for node in [&proposer, &verifier] {
        assert_eq!((node.height(), node.balance(bob).unwrap(), node.nonce(alice.address).unwrap()), (3, 15.into(), 3));
        assert_eq!(node.block_by_number(2).await.unwrap().unwrap().hash(), node.head().parent_hash);
        assert_eq!(node.block_by_number(4).await.unwrap(), None);
    }
}

#[tokio::test]
async fn withdrawals_mint_exactly_their_gwei() {
    let node = in_memory().await;
    let (viewer, creator) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xa2));
    let mint = |index, address, amount| Withdrawal { index, validator_index: 0, address, amount };
    let withdrawals = vec![mint(0, viewer, 1), mint(1, creator, u64::MAX), mint(2, viewer, 45_000_000_000)];
    let block = node.propose(BlockRequest { withdrawals, ..request(&node.head()) }).await;
    assert_eq!(node.balance(viewer).unwrap(), 0.into(), "not final yet");
    node.finalize(&block).await.unwrap();
    let gwei = U256::from(1_000_000_000);
    assert_eq!(node.balance(viewer).unwrap(), gwei * 45_000_000_001u64);
    assert_eq!(node.balance(creator).unwrap(), gwei * u64::MAX);
}

#[tokio::test]
async fn contracts_read_the_beacon_root() {
    let node = in_memory().await;
    let block = node.extend().await;
    let mut time = [0; 32];
    time[24..].copy_from_slice(&block.header.timestamp.to_be_bytes());
    let beacon_roots = Address::from_slice(&hex("000f3df6d732807ef1319fb7b8bb8522d0beac02"));
    assert_eq!(node.call(beacon_roots, time.to_vec()).unwrap(), H256::from_low_u64_be(1).as_bytes());
}

#[tokio::test]
async fn contracts_are_read_at_the_head() {
    let node = in_memory().await;
    assert_eq!(node.call(GETTER, vec![]).unwrap(), [7; 32]);
    assert_eq!(node.call(Address::repeat_byte(9), vec![1]).unwrap(), [0; 0]);
    match node.call(REVERTER, vec![]) {
        Err(CallError::Reverted { to, output }) => assert_eq!((to, output), (REVERTER, hex("deadbeef"))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_of_a_contract_are_found_in_their_block() {
    let node = in_memory().await;
    let mut blocks = Vec::new();
    for (nonce, to) in [(0, LOGGER), (1, GETTER), (2, LOGGER)] {
        node.submit(user(1).sign(nonce, to, 0, vec![])).await;
        blocks.push(node.extend().await.hash());
    }
    for (number, emitted) in [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)] {
        let events = node.events(number, &[GETTER, LOGGER]).await.unwrap();
        assert_eq!(events.len(), emitted, "block {number}");
        assert!(events.iter().all(|event| event.address == LOGGER));
        assert_eq!(node.events(number, &[GETTER]).await.unwrap(), []);
        let hash = number.checked_sub(1).and_then(|index| blocks.get(index as usize)).copied();
        assert_eq!(node.block_hash(number).unwrap().filter(|_| number > 0), hash);
    }
}

#[tokio::test]
async fn invalid_blocks_are_told_from_failures() {
    let node = in_memory().await;
    let good = node.build(request(&node.head())).await.unwrap();
    let spoilt = |spoil: &dyn Fn(&mut Block)| {
        // Through the wire, because a header keeps its hash once computed.
        let mut block = decode_block(&encode_block(&good)).unwrap();
        spoil(&mut block);
        Arc::new(decode_block(&encode_block(&block)).unwrap())
    };
    let invalid = [
        spoilt(&|block| block.header.state_root = H256::repeat_byte(1)),
        spoilt(&|block| block.header.gas_used = 1),
        spoilt(&|block| block.header.timestamp = GENESIS_TIME_S),
        spoilt(&|block| block.header.gas_limit += 1),
        spoilt(&|block| block.header.extra_data = vec![1].into()),
        spoilt(&|block| block.header.number = 2),
        spoilt(&|block| block.header.parent_beacon_block_root = None),
        spoilt(&|block| {
            let withdrawal = Withdrawal { index: 0, validator_index: 0, address: GETTER, amount: 1 };
            block.body.withdrawals = Some(vec![withdrawal]);
        }),
    ];
    for block in invalid {
        let error = node.import(block.clone()).await.unwrap_err();
        assert!(error.is_invalid(), "{error:?}");
        assert!(!node.has(block.hash()).unwrap());
    }
    let orphan = spoilt(&|block| block.header.parent_hash = H256::repeat_byte(2));
    let error = node.import(orphan).await.unwrap_err();
    assert!(matches!(error, ImportError::UnknownParent { .. }) && !error.is_invalid(), "{error:?}");
    node.import(Arc::new(good)).await.unwrap();
}

#[tokio::test]
async fn import_survives_its_future_and_company() {
    let node = in_memory().await;
    let genesis = node.head();
    let one = Arc::new(node.build(request(&genesis)).await.unwrap());
    let late = BlockRequest { timestamp_s: genesis.timestamp + 9, ..request(&genesis) };
    let other = Arc::new(node.build(late).await.unwrap());
    drop(node.import(one.clone()));
    let (a, b, c) = tokio::join!(node.import(other.clone()), node.import(one.clone()), node.import(other.clone()));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert!(node.has(one.hash()).unwrap() && node.has(other.hash()).unwrap());
    assert_eq!(node.height(), 0);
}

#[tokio::test]
async fn final_blocks_come_in_order_and_stay() {
    let node = in_memory().await;
    let genesis = node.head();
    let one = node.propose(request(&genesis)).await;
    let rival = node.propose(BlockRequest { timestamp_s: genesis.timestamp + 5, ..request(&genesis) }).await;
    let two = node.propose(request(&one.header)).await;
    let unknown = Arc::new(node.build(BlockRequest { prev_randao: H256::zero(), ..request(&genesis) }).await.unwrap());

    assert!(matches!(node.finalize(&two).await, Err(FinalizeError::NotNext { number: 2, head: 0 })));
    assert!(matches!(node.finalize(&unknown).await, Err(FinalizeError::NotImported { .. })));
    let mut heads = node.subscribe_heads();
    node.finalize(&one).await.unwrap();
    heads.changed().await.unwrap();
    assert_eq!(heads.borrow().hash(), one.hash());
    node.finalize(&two).await.unwrap();
    node.finalize(&one).await.unwrap();
    assert!(matches!(node.finalize(&rival).await, Err(FinalizeError::Conflict { number: 1, .. })));
    assert_eq!(node.head().hash(), two.hash());

    node.import(one.clone()).await.unwrap();
    let error = node.import(unknown).await.unwrap_err();
    assert!(matches!(error, ImportError::Invalid { reason: InvalidBlock::NotFinal { number: 1, head: 2 }, .. }));
}

#[tokio::test]
async fn a_build_needs_an_executed_earlier_parent() {
    let node = in_memory().await;
    let head = node.head();
    let unknown = BlockRequest { parent: H256::repeat_byte(3), ..request(&head) };
    assert!(matches!(node.build(unknown).await, Err(BuildError::UnknownParent { .. })));
    let early = BlockRequest { timestamp_s: head.timestamp, ..request(&head) };
    assert!(matches!(node.build(early).await, Err(BuildError::Timestamp { .. })));
    let tiny = BlockRequest { max_rlp_bytes: 100, ..request(&head) };
    assert!(matches!(node.build(tiny).await, Err(BuildError::TooLarge { max: 100, .. })));
}

#[tokio::test]
async fn nothing_is_executed_after_shutdown() {
    let node = in_memory().await;
    let block = node.extend().await;
    let next = Arc::new(node.build(request(&block.header)).await.unwrap());
    node.shutdown().await.unwrap();
    node.shutdown().await.unwrap();
    assert!(matches!(node.import(next).await, Err(ImportError::Closed)));
    assert_eq!(node.block_by_number(1).await.unwrap().unwrap().hash(), block.hash());
}

#[test]
fn ethereum_time_rises_by_a_second() {
    assert_eq!(next_timestamp_s(100, 250_999), 250);
    assert_eq!(next_timestamp_s(250, 250_999), 251);
    assert_eq!(next_timestamp_s(300, 250_999), 301);
}
