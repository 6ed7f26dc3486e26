//! A line in the log that says at a glance whether the miner earns.

use mujina_core::{share::ShareTotals, status::MinerStatus};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

pub(super) async fn run(status: watch::Receiver<Arc<MinerStatus>>, every: Duration, cancel: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let newest = Arc::clone(&status.borrow());
        say(&newest);
    }
}

fn say(status: &MinerStatus) {
    let ShareTotals { found, submitted, accepted, rejected, pending, lost, .. } = status.totals;
    info!(
        state = ?status.state,
        pool = status.live_pool.as_ref().map(tracing::field::display),
        rate_5s = rate(status, 5),
        rate_1m = rate(status, 60),
        rate_15m = rate(status, 900),
        found,
        submitted,
        accepted,
        rejected = rejected.sum(),
        pending,
        lost,
        "status"
    );
}

fn rate(status: &MinerStatus, window: u64) -> String {
    let estimate = status.rates.iter().find(|one| one.window == Duration::from_secs(window));
    estimate.and_then(|one| one.hash_rate).map_or_else(|| "-".into(), |rate| rate.to_string())
}
