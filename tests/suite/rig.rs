//! A data plane for a test, in a folder of its own, with a watch on its log.

use mujina_dataplane::{
    board::cpu::CpuConfig,
    thread::sha256d::{Kernel, KernelChoice},
};
use mujina_proto::types::v1::{MinerStatus, ShareTotals};
use mujina_testbed::{
    log_watcher::LogWatcher,
    world::{HostedMiner, Telling, miner_config},
};
use std::path::Path;
use tempfile::TempDir;

pub(crate) struct Rig {
    pub(crate) miner: HostedMiner,
    pub(crate) log: LogWatcher,
    pub(crate) folder: TempDir,
}

impl Rig {
    /// One hash thread on this pool.
    pub(crate) async fn on(pool_url: &str) -> Self {
        Self::with(Some(pool_url), &Telling::default()).await
    }

    /// One hash thread that hashes one version as fast as many, on this pool. The other kernels are fast by rolling.
    pub(crate) async fn plain(pool_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = LogWatcher::new("miner");
        let mut config = miner_config(folder.path(), Some(pool_url), 1);
        config.cpu = config.cpu.map(|cpu| CpuConfig { kernel: KernelChoice::Only(Kernel::Portable), ..cpu });
        let miner = HostedMiner::start(config, &Telling::default(), Some(&log)).await.unwrap();
        Self { miner, log, folder }
    }

    pub(crate) async fn with(pool_url: Option<&str>, telling: &Telling) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = LogWatcher::new("miner");
        let miner = start(folder.path(), pool_url, telling, &log).await;
        Self { miner, log, folder }
    }

    /// Stops the data plane and starts it again on the same folder.
    pub(crate) async fn restart(self, pool_url: Option<&str>) -> Self {
        let Self { miner, log, folder } = self;
        miner.stop().await.unwrap();
        let miner = start(folder.path(), pool_url, &Telling::default(), &log).await;
        Self { miner, log, folder }
    }

    pub(crate) async fn wait_for(&self, wanted: impl FnMut(&MinerStatus) -> bool) -> MinerStatus {
        self.miner.clients.wait_for(wanted).await.unwrap_or_else(|seen| panic!("{seen}"))
    }

    /// Stops everything, and looks at what the log said.
    pub(crate) async fn finish(self) {
        self.miner.stop().await.unwrap();
        self.log.finish();
    }
}

async fn start(folder: &Path, pool_url: Option<&str>, telling: &Telling, log: &LogWatcher) -> HostedMiner {
    HostedMiner::start(miner_config(folder, pool_url, 1), telling, Some(log)).await.unwrap()
}

/// The ledger of the miner.
pub(crate) fn totals(status: &MinerStatus) -> &ShareTotals {
    let totals = status.totals.as_ref().expect("a tree has its totals");
    assert!(totals.balanced, "{totals:?}");
    totals
}

/// The ledger of a pool.
pub(crate) fn pool_totals<'a>(status: &'a MinerStatus, pool: &str) -> &'a ShareTotals {
    let pool = status.pools.iter().find(|one| one.name == pool).expect("the pool is in the spec");
    pool.totals.as_ref().expect("a pool has its totals")
}
