//! What leaving a pool costs: `cargo bench -p mujina-testbed --bench pools`.
//!
//! Two real pools and a miner with its CPU board. First the spec changes from one pool to the other and back, each time over
//! a new connection. Then a pool with a reserve is cut off by a reset, and work returns. The gaps are those that the miner
//! records: the longest time that a hash thread had nothing to hash, from the moment when the loss was seen.

use clap::Parser;
use mujina_proto::{
    dataplane::v1::{
        ApplySpecRequest, ListPoolTransitionsRequest, PoolTransition, ReconnectPoolRequest, TransitionReason,
        miner_service_client::MinerServiceClient, pool_service_client::PoolServiceClient,
    },
    types::v1::{MinerSpec, MinerStatus, PoolGroup, PoolRole, PoolSpec, PoolStatus, PoolStrategy},
};
use mujina_testbed::{
    percentile::percentile,
    proxy::{Cut, FaultProxy},
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedMiner, Telling, miner_config},
};
use std::{error::Error, time::Duration};

/// Moves that a miner remembers, less some: read before the oldest is forgotten.
const BATCH: usize = 200;

#[derive(Debug, Parser)]
struct Args {
    /// Changes of the spec
    #[arg(long, default_value_t = 100)]
    switches: usize,
    /// Cuts
    #[arg(long, default_value_t = 30)]
    cuts: usize,
    /// Hash threads; one per core by default
    #[arg(long, default_value_t = 0)]
    threads: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure(&args))
}

async fn measure(args: &Args) -> Result<(), Box<dyn Error>> {
    let options = || PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() };
    let (mut first, mut second) = (Sv2Pool::start(options()).await?, Sv2Pool::start(options()).await?);
    let proxy = FaultProxy::start(first.address()).await?;
    let folder = tempfile::tempdir()?;
    let mut config = miner_config(folder.path(), None, args.threads);
    config.synthetic = None;
    config.failover.return_after = Duration::from_millis(100);
    config.failover.delays.first = Duration::from_millis(100);
    config.failover.delays.longest = Duration::from_millis(100);
    let miner = HostedMiner::start(config, &Telling::default(), None).await?;

    let pools = [("first", first.url()), ("second", second.url())];
    let [one, other] = &pools;
    apply(&miner, std::slice::from_ref(one)).await?;
    wait_for(&miner, |status| is_live(status, "first")).await?;
    let mut switches = Vec::new();
    for number in 0..args.switches {
        let to = if number.is_multiple_of(2) { other } else { one };
        apply(&miner, std::slice::from_ref(to)).await?;
        wait_for(&miner, |status| is_live(status, to.0) && status.pools.len() == 1).await?;
        if (number + 1) % BATCH == 0 || number + 1 == args.switches {
            switches.extend(moves(&miner, TransitionReason::Configured, switches.len()).await?);
        }
    }
    let lost = wait_for(&miner, |_| true).await?.totals.unwrap_or_default().lost;
    report("spec changed to another pool", &switches);
    println!("                              shares lost: {lost}");

    let reserve = [("first", first.url_at(proxy.address())), ("second", second.url())];
    apply(&miner, &reserve).await?;
    let mut cuts = Vec::new();
    for _ in 0..args.cuts {
        wait_for(&miner, |status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await?;
        proxy.cut(Cut::Reset).await;
        wait_for(&miner, |status| is_live(status, "second")).await?;
        renew(&miner, "first").await?;
    }
    cuts.extend(moves(&miner, TransitionReason::FailedOver, 0).await?);
    report("live pool reset, reserve ready", &cuts);

    miner.stop().await?;
    first.stop().await?;
    second.stop().await?;
    Ok(())
}

async fn apply(miner: &HostedMiner, pools: &[(&str, String)]) -> Result<(), Box<dyn Error>> {
    let pools = pools.iter().map(|(name, url)| PoolSpec {
        name: (*name).into(),
        url: url.clone(),
        user: "alice".into(),
        ..PoolSpec::default()
    });
    let group = PoolGroup { name: "main".into(), strategy: PoolStrategy::Failover.into(), pools: pools.collect() };
    let spec = MinerSpec { pool_groups: vec![group], ..MinerSpec::default() };
    let request = ApplySpecRequest { spec: Some(spec), ..ApplySpecRequest::default() };
    MinerServiceClient::new(miner.clients.channel()).apply_spec(request).await?;
    Ok(())
}

/// Asks for a new connection at once, so that nobody waits for growing intervals.
async fn renew(miner: &HostedMiner, pool: &str) -> Result<(), Box<dyn Error>> {
    let request = ReconnectPoolRequest { pool: pool.into(), ..ReconnectPoolRequest::default() };
    let mut client = PoolServiceClient::new(miner.clients.channel());
    let mut steps = client.reconnect_pool(request).await?.into_inner();
    while steps.message().await?.is_some() {}
    Ok(())
}

async fn wait_for(
    miner: &HostedMiner,
    wanted: impl FnMut(&MinerStatus) -> bool,
) -> Result<MinerStatus, Box<dyn Error>> {
    Ok(miner.clients.wait_for(wanted).await?)
}

fn role(status: &MinerStatus, pool: &str) -> PoolRole {
    status.pools.iter().find(|one| one.name == pool).map_or(PoolRole::None, PoolStatus::role)
}

fn is_live(status: &MinerStatus, pool: &str) -> bool {
    role(status, pool) == PoolRole::Live
}

/// Moves for this reason, newest first.
async fn moves(
    miner: &HostedMiner,
    reason: TransitionReason,
    known: usize,
) -> Result<Vec<PoolTransition>, Box<dyn Error>> {
    let request = ListPoolTransitionsRequest { page_size: 256 };
    let answer = PoolServiceClient::new(miner.clients.channel()).list_pool_transitions(request).await?.into_inner();
    let of_reason = answer.transitions.into_iter().filter(|one| one.reason() == reason);
    let all: Vec<_> = of_reason.collect();
    let new = all.len().saturating_sub(known);
    Ok(all.into_iter().take(new).collect())
}

fn report(what: &str, moves: &[PoolTransition]) {
    let gaps = moves.iter().filter_map(|one| Duration::try_from(one.work_gap?).ok());
    let gaps: Vec<_> = gaps.map(|gap| gap.as_secs_f64() * 1e3).collect();
    let at = |part: f64| percentile(&gaps, part);
    println!(
        "{what:30}  {} times, {} threads, work gap p50 {:.3} ms  p99 {:.3} ms  max {:.3} ms",
        moves.len(),
        moves.first().map_or(0, |one| one.threads),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
