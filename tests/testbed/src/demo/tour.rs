//! A tour of two pools: a switch, a failover, a return and a pin, and the table of moves that the miner keeps of them.
//!
//! Everything that a person would do is done by the code of `mujinactl`, in this process.

use super::{DemoArgs, DemoError, Screen};
use crate::{
    PATIENCE,
    proxy::{Cut, FaultProxy},
    sv2_pool::{PoolOptions, Sv2Pool},
    template_provider::ProviderOptions,
    world::{HostedMiner, Said, Telling, miner_config, mujinactl},
};
use mujina_dataplane::board::cpu::{CpuConfig, ThreadPriority};
use mujina_proto::types::v1::{MinerStatus, PoolRole};
use serde::Serialize;
use std::{io, path::Path, time::Duration};

/// How long a pool that failed must hold a job before work returns to it: short, so that the tour is.
const RETURN_AFTER: Duration = Duration::from_secs(3);
/// How long the pin lasts.
const PIN: &str = "3s";
/// Shares to be accepted by a pool before it is left.
const SHARES: u64 = 5;

/// The object of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TourSummary {
    /// Shares that the pools accepted.
    pub(super) accepted: u64,
    /// Shares that they refused.
    pub(super) rejected: u64,
    /// Shares that never got a verdict.
    pub(super) lost: u64,
    /// Whether both sums of the ledger hold.
    pub(super) balanced: bool,
    /// What `mujinactl pool history -o json` says.
    pub(super) history: serde_json::Value,
}

struct Tour<'a> {
    miner: HostedMiner,
    folder: &'a Path,
    screen: &'a mut Screen,
}

/// Makes the tour and returns what came of it.
///
/// # Errors
/// A step that did not come about.
pub(super) async fn tour(args: &DemoArgs, folder: &Path, screen: &mut Screen) -> Result<TourSummary, DemoError> {
    let chain = || ProviderOptions { template_interval: Some(Duration::from_secs(30)), ..ProviderOptions::default() };
    let options =
        || PoolOptions { shares_per_minute: args.shares_per_minute, chain: chain(), ..PoolOptions::default() };
    let (mut first, mut second) = (Sv2Pool::start(options()).await?, Sv2Pool::start(options()).await?);
    let proxy = FaultProxy::start(first.address()).await?;
    let mut config = miner_config(&folder.join("miner"), None, args.threads);
    config.failover.return_after = RETURN_AFTER;
    // As an owner gets it, not as tests need it.
    config.cpu = config.cpu.map(|cpu| CpuConfig { priority: ThreadPriority::default(), ..cpu });
    let telling = Telling { log: args.log.clone(), otlp_endpoint: None };
    let miner = HostedMiner::start(config, &telling, None).await?;
    let tour = Tour { miner, folder, screen };
    let urls = [("first", first.url_at(proxy.address())), ("second", second.url())];

    tour.screen.say("two pools, the first preferred: it is worked for, the second stands by with a job");
    tour.order(&urls).await?;
    tour.works("first").await?;
    tour.screen.say("the order is turned round: both stay connected, the work moves");
    tour.order(&[urls[1].clone(), urls[0].clone()]).await?;
    tour.works("second").await?;
    tour.screen.say("and back");
    tour.order(&urls).await?;
    tour.works("first").await?;
    tour.screen.say("the first pool is cut off: the second takes over with the job it has");
    proxy.refuse().await?;
    proxy.cut(Cut::Reset).await;
    tour.works("second").await?;
    tour.screen.say(&format!("the first is back: after {} s with a job it is returned to", RETURN_AFTER.as_secs()));
    proxy.admit().await?;
    tour.works("first").await?;
    tour.screen.say(&format!("the second is pinned for {PIN}, and then the order holds again"));
    tour.control(&["pool", "pin", "second", "--for", PIN]).await?;
    tour.wait_for(|status| is_live(status, "second")).await?;
    tour.works("first").await?;

    let table = tour.control(&["pool", "history"]).await?;
    tour.screen.say(&format!("\n{}", table.out));
    let list = tour.control(&["pool", "list", "-o", "wide"]).await?;
    tour.screen.say(&list.out);
    let history = tour.control(&["pool", "history", "-o", "json"]).await?;
    let totals = tour.miner.clients.status().await?.totals.unwrap_or_default();
    tour.miner.stop().await?;
    proxy.stop().await;
    first.stop().await?;
    second.stop().await?;
    Ok(TourSummary {
        accepted: totals.accepted,
        rejected: totals.rejected,
        lost: totals.lost,
        balanced: totals.balanced,
        history: serde_json::from_str(&history.out).map_err(io::Error::from)?,
    })
}

impl Tour<'_> {
    async fn order(&self, pools: &[(&str, String)]) -> Result<(), DemoError> {
        let pools = pools.iter().map(|(name, url)| format!("{{name: {name}, url: {url}, user: demo}}"));
        let pools = pools.collect::<Vec<_>>().join(", ");
        let spec = format!("{{poolGroups: [{{name: main, strategy: POOL_STRATEGY_FAILOVER, pools: [{pools}]}}]}}");
        let file = self.folder.join("spec.yaml");
        std::fs::write(&file, spec)?;
        self.control(&["spec", "apply", "-f", &file.to_string_lossy()]).await.map(drop)
    }

    async fn control(&self, words: &[&str]) -> Result<Said, DemoError> {
        let said = mujinactl(&self.miner.address, words).await;
        if said.code == 0 { Ok(said) } else { Err(DemoError::Tour(format!("{}: {}", words.join(" "), said.err))) }
    }

    /// Waits until a pool is worked for, another stands by, and it has accepted some shares since.
    async fn works(&self, pool: &str) -> Result<(), DemoError> {
        let before = accepted(&self.miner.clients.status().await?, pool);
        self.wait_for(|status| is_live(status, pool) && accepted(status, pool) >= before + SHARES).await
    }

    async fn wait_for(&self, wanted: impl FnMut(&MinerStatus) -> bool) -> Result<(), DemoError> {
        match tokio::time::timeout(3 * PATIENCE, self.miner.clients.wait_for(wanted)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(seen)) => Err(DemoError::Tour(seen)),
            Err(_) => Err(DemoError::Tour("it took too long".into())),
        }
    }
}

fn is_live(status: &MinerStatus, pool: &str) -> bool {
    status.pools.iter().any(|one| one.name == pool && one.role() == PoolRole::Live)
}

fn accepted(status: &MinerStatus, pool: &str) -> u64 {
    let pool = status.pools.iter().find(|one| one.name == pool);
    pool.and_then(|one| one.totals.as_ref()).map_or(0, |totals| totals.accepted)
}
