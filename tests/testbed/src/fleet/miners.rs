//! Real data planes, many in one process: they share its threads, and each has its own state, API, ledger and connection.

use super::{client::Operator, hasher::simulated};
use anyhow::Context as _;
use mujina_core::units::HashRate;
use mujina_dataplane::{
    Surroundings,
    config::Config,
    home::{EnrolRequest, enrol},
    miner::Guests,
    source::synthetic::SyntheticWork,
};
use mujina_proto::{
    control::v1::{self, enrollment_service_client::EnrollmentServiceClient},
    trace::SpanRing,
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Miners that enrol and start at the same time.
const AT_ONCE: usize = 32;
/// Mean time between two shares of a miner.
const SHARE_EVERY: Duration = Duration::from_secs(10);
/// Kinds that miners are labelled with, in turn.
const SITES: [&str; 4] = ["a", "b", "c", "d"];

/// All of them, running.
#[derive(Debug)]
pub(super) struct Miners {
    cancel: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
}

impl Miners {
    /// Enrols and starts them.
    pub(super) async fn start(
        folder: &Path,
        operator: &Operator,
        control: SocketAddr,
        count: usize,
        hash_rate: f64,
    ) -> anyhow::Result<Self> {
        let mut tokens = Vec::new();
        for site in SITES {
            let request = v1::CreateEnrollTokenRequest {
                uses: u32::try_from(count)?,
                labels: [("site".into(), site.into())].into(),
                ..v1::CreateEnrollTokenRequest::default()
            };
            let made = EnrollmentServiceClient::new(operator.client()).create_enroll_token(request).await?;
            tokens.push(made.into_inner().text);
        }
        let cancel = CancellationToken::new();
        let mut running = JoinSet::new();
        let mut coming = JoinSet::new();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for (number, token) in (0..count).zip(tokens.iter().cycle()) {
            let folder = folder.join(format!("m{number:05}"));
            let url = format!("https://localhost:{}", control.port());
            let name = Some(format!("m{number:05}"));
            let request = EnrolRequest { name, ..EnrolRequest::new(&folder, url, token) };
            let (up, is_up) = oneshot::channel();
            let (turns, cancel, folder) = (turns.clone(), cancel.clone(), folder.clone());
            running.spawn(async move {
                let turn = turns.acquire_owned().await?;
                if !folder.join("home/home.json").exists() {
                    enrol(request).await?;
                }
                let mut config = Config::new(&folder);
                config.cpu = None;
                config.usb = false;
                config.status_line = None;
                config.synthetic = Some(SyntheticWork { share_every: SHARE_EVERY, ..SyntheticWork::default() });
                let rate = HashRate::from_hashes_per_second(hash_rate);
                let guests = Guests { threads: Some(simulated(rate)), devices: None };
                let spans = SpanRing::new("mujina-dataplane", mujina_dataplane::FREQUENT_SPANS);
                let (ready, is_ready) = oneshot::channel();
                let surroundings = Surroundings { spans, ready: Some(ready), guests };
                let mut miner = Box::pin(mujina_dataplane::run(config, surroundings, cancel));
                tokio::select! {
                    ended = &mut miner => return ended.map_err(anyhow::Error::from),
                    ready = is_ready => drop(ready),
                }
                drop(turn);
                // Nobody may wait any more.
                let _ = up.send(());
                miner.await.map_err(anyhow::Error::from)
            });
            coming.spawn(is_up);
        }
        let mut miners = Self { cancel, running };
        while let Some(up) = coming.join_next().await {
            if up?.is_err() {
                let ended = miners.running.join_next().await.context("no miner runs")??;
                ended.context("a miner did not come up")?;
            }
        }
        Ok(miners)
    }

    /// Stops them in order.
    pub(super) async fn stop(mut self) {
        self.cancel.cancel();
        while let Some(ended) = self.running.join_next().await {
            if let Ok(Err(error)) = ended {
                eprintln!("a miner failed: {error:#}");
            }
        }
    }
}
