use super::*;
use crate::{
    proxy::{Cut, Direction, FaultProxy, Flow},
    sv2_client::{Sv2Client, Work},
    template_provider::SOME_BLOCKS,
};
use stratum_apps::stratum_core::mining_sv2::OpenExtendedMiningChannelSuccessOwned;

/// Few enough hashes for a debug build: 2000 a share.
const HASH_RATE: f32 = 2000.0;

async fn miner(pool: &Sv2Pool) -> (Sv2Client, OpenExtendedMiningChannelSuccessOwned, Work) {
    miner_at(pool.address(), pool).await
}

async fn miner_at(address: SocketAddr, pool: &Sv2Pool) -> (Sv2Client, OpenExtendedMiningChannelSuccessOwned, Work) {
    let mut miner = Sv2Client::connect(address, pool.authority().key_bytes()).await.unwrap();
    miner.set_up(0).await.unwrap();
    let channel = miner.open("worker", HASH_RATE, 4).await.unwrap();
    let work = miner.work(&channel).await.unwrap();
    (miner, channel, work)
}

fn extranonce(work: &Work, number: u8) -> Vec<u8> {
    vec![number; usize::from(work.channel.extranonce_size)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pool_counts_exactly_the_verdicts_that_a_miner_gets() {
    let pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let (mut miner, channel, work) = miner(&pool).await;
    let (mut accepted, mut sequence) = (0, 0);
    for number in 0..8 {
        sequence += 1;
        miner.submit(work.mine(&extranonce(&work, number), 0), sequence).await.unwrap();
        accepted += u64::from(miner.verdict().await.unwrap().unwrap().new_submits_accepted_count);
    }
    let mut short = extranonce(&work, 1);
    short.pop();
    let unknown = Work {
        job: {
            let mut job = work.job.clone();
            job.job_id = 4711;
            job
        },
        ..work.clone()
    };
    let mut codes = Vec::new();
    for bad in [work.mine(&extranonce(&work, 3), 0), work.share(&short, 0), unknown.share(&extranonce(&work, 1), 0)] {
        sequence += 1;
        miner.submit(bad, sequence).await.unwrap();
        codes.push(miner.verdict().await.unwrap().unwrap_err().error_code.as_utf8_or_hex());
    }
    assert_eq!(codes, ["duplicate-share", "bad-extranonce-size", "invalid-job-id"]);

    pool.provider().new_block();
    let next = miner.work(&channel).await.unwrap();
    assert_ne!(next.tip.prev_hash, work.tip.prev_hash);
    sequence += 1;
    miner.submit(work.mine(&extranonce(&work, 20), 0), sequence).await.unwrap();
    assert_eq!(miner.verdict().await.unwrap().unwrap_err().error_code.as_utf8_or_hex(), "stale-share");

    let counts = pool.wait_for(|counts| counts.received == u64::from(sequence) && counts.balanced()).await.unwrap();
    assert_eq!((counts.accepted, accepted, counts.rejected_total()), (8, 8, 4));
    assert!(["duplicate-share", "stale-share"].iter().all(|code| counts.rejected.get(*code) == Some(&1)), "{counts:?}");
    assert_eq!((counts.blocks, counts.connections), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mined_block_satisfies_the_provider_and_moves_the_tip() {
    let chain = ProviderOptions { nbits: SOME_BLOCKS, merkle_depth: 5, ..Default::default() };
    let pool = Sv2Pool::start(PoolOptions { chain, share_batch_size: 5, ..Default::default() }).await.unwrap();
    let height = pool.provider().height();
    let (mut miner, channel, mut work) = miner(&pool).await;
    // Mined at the network target, which is a share too.
    let mut network = [0; 32];
    network[28..30].copy_from_slice(&[0xff, 0xff]);
    work.channel.target = network.into();
    miner.submit(work.mine(&extranonce(&work, 1), 0), 1).await.unwrap();
    assert_eq!(miner.verdict().await.unwrap().unwrap().new_submits_accepted_count, 1);
    let solutions = pool.provider().wait_for_solutions(1).await.unwrap();
    assert_eq!((solutions.len(), solutions[0].height), (1, height));
    let next = miner.work(&channel).await.unwrap();
    assert_eq!(next.tip.prev_hash.to_array(), *AsRef::<[u8; 32]>::as_ref(&solutions[0].block_hash));
    assert_eq!(pool.wait_for(|counts| counts.blocks == 1).await.unwrap().accepted, 1);
    assert_eq!(pool.provider().refused(), Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pool_dies_and_comes_back_on_its_port_with_its_counts() {
    let mut pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let (mut first, _, work) = miner(&pool).await;
    first.submit(work.mine(&extranonce(&work, 1), 0), 1).await.unwrap();
    first.verdict().await.unwrap().unwrap();
    pool.stop().await.unwrap();
    first.peer().ended().await.unwrap();
    assert!(tokio::net::TcpStream::connect(pool.address()).await.is_err(), "the port is closed");
    pool.provider().new_block();

    pool.start_again().await.unwrap();
    let (mut second, _, work) = miner(&pool).await;
    second.submit(work.mine(&extranonce(&work, 2), 0), 1).await.unwrap();
    second.verdict().await.unwrap().unwrap();
    let counts = pool.wait_for(|counts| counts.accepted == 2).await.unwrap();
    assert_eq!((counts.connections, counts.balanced()), (2, true));
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn template_refresh_and_merkle_depth_reach_the_miner() {
    let pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let (mut miner, _, work) = miner(&pool).await;
    pool.provider().set_merkle_depth(7);
    pool.provider().new_template();
    use stratum_apps::stratum_core::parsers_sv2::MiningOwned;
    let refreshed = miner.peer().expect_mining("a job on the same tip", |message| match message {
        MiningOwned::NewExtendedMiningJob(job) if !job.is_future() => Some(job.clone()),
        _ => None,
    });
    let job = refreshed.await.unwrap();
    assert_eq!(job.merkle_path.as_slice().len(), 7);
    // Late shares of the job before stay good on the same tip, as do those of the new one.
    let mut newer = work.clone();
    newer.job = job;
    for (sequence, work) in [(1, work), (2, newer)] {
        miner.submit(work.mine(&extranonce(&work, 9), 0), sequence).await.unwrap();
        miner.verdict().await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdict_that_is_lost_on_the_way_is_counted_all_the_same() {
    let pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let proxy = FaultProxy::start(pool.address()).await.unwrap();
    proxy.set_both(Flow::Split { bytes: 97, pause: std::time::Duration::from_millis(1) });
    let (mut miner, _, work) = miner_at(proxy.address(), &pool).await;
    for number in 1..=3 {
        miner.submit(work.mine(&extranonce(&work, number), 0), number.into()).await.unwrap();
        miner.verdict().await.unwrap().unwrap();
    }
    proxy.set(Direction::Downstream, Flow::Stall);
    miner.submit(work.mine(&extranonce(&work, 4), 0), 4).await.unwrap();
    let counts = pool.wait_for(|counts| counts.accepted == 4).await.unwrap();
    proxy.cut(Cut::Reset).await;
    assert!(miner.verdict().await.is_err());
    assert!(counts.balanced() && counts.fits(3, 0, 1) && !counts.fits(3, 0, 0), "{counts:?}");
}
