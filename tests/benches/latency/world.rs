//! A data plane on a scripted pool, with hash threads of the benchmark.

use mujina_core::pool::{DEFAULT_QUOTA, PoolGroup, PoolOptions, PoolSpec, PoolStrategy};
use mujina_dataplane::{
    board::cpu::CpuConfig,
    miner::{BoardsPlan, Guests, Miner, MinerPlan},
    pool::{MinerIdentity, sv1, sv2},
    scheduler,
    source::SourcePolicy,
    thread::{ThreadEntry, ThreadEvent},
};
use mujina_testbed::{
    percentile::percentile,
    scripted_pool::{ChannelPlan, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now},
};
use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};
use stratum_apps::stratum_core::parsers_sv2::MiningOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time between two measurements, so that each begins with everything at rest. Not a multiple of anything.
pub(crate) const BETWEEN: Duration = Duration::from_micros(5_170);

/// A data plane on a scripted pool.
pub(crate) struct World {
    _pool: ScriptedPool,
    pub(crate) session: Session,
    pub(crate) channel: ChannelPlan,
    cancel: CancellationToken,
    miner: Miner,
}

impl World {
    /// With these threads beside those of the CPU board. `join` runs on the mining thread.
    pub(crate) async fn start(
        cpu: Option<CpuConfig>,
        channel: ChannelPlan,
        join: impl FnOnce(mpsc::Sender<ThreadEvent>) -> Vec<ThreadEntry> + Send + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let pool = ScriptedPool::start(ScriptedOptions::default()).await?;
        // None of the bounds on floods: what is measured comes oftener than any pool's jobs.
        let pool_limits =
            sv2::Limits { job_rate: 1_000_000, many_tips: 1_000_000, tip_flood: 2_000_000, ..sv2::Limits::default() };
        let scheduler_limits =
            scheduler::Limits { share_rate: 1e6, share_burst: 1e6, dispatch_rate: 1e6, ..scheduler::Limits::default() };
        let plan = MinerPlan {
            cpu,
            synthetic: None,
            share_every: None,
            source_policy: SourcePolicy::default(),
            pool_limits,
            pool_limits_v1: sv1::Limits::default(),
            scheduler_limits,
            identity: MinerIdentity { vendor: "bench".into(), hardware_version: "none".into(), firmware: "0".into() },
            boards: BoardsPlan::default(),
        };
        let cancel = CancellationToken::new();
        let miner =
            Miner::start_with(plan, Guests { threads: Some(Box::new(join)), devices: None }, cancel.clone()).await?;
        let spec = PoolSpec {
            name: "bench".parse()?,
            endpoint: pool.url().parse()?,
            user: "bench".into(),
            password: None,
            nominal_hash_rate: None,
            quota: DEFAULT_QUOTA,
            options: PoolOptions::default(),
        };
        let group = PoolGroup { name: "main".parse()?, strategy: PoolStrategy::Failover, pools: vec![spec] };
        miner.handle().source.configure(vec![group]).await?;
        let mut session = pool.session().await?;
        session.bring_up(&channel).await?;
        Ok(Self { _pool: pool, session, channel, cancel, miner })
    }

    /// Sends a future job and, when it has surely arrived, the tip that makes it the job; returns when that began.
    pub(crate) async fn tip(&mut self, number: u32) -> Result<Instant, Box<dyn Error>> {
        let job = JobPlan::future(number, self.channel.extranonce_length());
        self.session.send(message::job(self.channel.id, &job)).await?;
        tokio::time::sleep(BETWEEN).await;
        let begin = Instant::now();
        self.session.send(tip(self.channel.id, number)).await?;
        Ok(begin)
    }

    /// When the next bytes came into the pool's socket, by the kernel's time stamp; `None` after a second without. Spins.
    pub(crate) fn arrival(&self) -> Result<Option<SystemTime>, Box<dyn Error>> {
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            if let Some(at) = self.session.arrivals().next()? {
                return Ok(Some(at));
            }
            std::hint::spin_loop();
        }
        Ok(None)
    }

    /// `before_end` runs between the order to end and the end.
    pub(crate) async fn stop(mut self, before_end: impl FnOnce()) {
        self.cancel.cancel();
        drop(self.session);
        before_end();
        // It ends as it was told to; what it says of a pool that left is of no interest here.
        let _ = self.miner.ended().await;
    }
}

/// The tip that makes a future job the job. Its previous hash begins with the number.
pub(crate) fn tip(channel_id: u32, number: u32) -> MiningOwned {
    let mut prev_hash = [0x22; 32];
    prev_hash.split_at_mut(4).0.copy_from_slice(&number.to_le_bytes());
    message::tip(channel_id, number, prev_hash, now())
}

/// A row of seconds, told in milliseconds.
pub(crate) fn report(what: &str, times: &[f64]) {
    let at = |part: f64| percentile(times, part) * 1e3;
    println!(
        "{what:48}  {} times  p50 {:.3} ms  p90 {:.3} ms  p99 {:.3} ms  max {:.3} ms",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
