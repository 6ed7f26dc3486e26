//! A control plane in this process, with its clients.

use crate::{host::Hosted, miner::FakeMiner};
use mujina_control::{Config, MinerConfig, Surroundings};
use mujina_proto::{
    control::v1::{
        self, event_service_client::EventServiceClient, miner_registry_service_client::MinerRegistryServiceClient,
        operation_service_client::OperationServiceClient, profile_service_client::ProfileServiceClient,
        rollout_service_client::RolloutServiceClient, spec_service_client::SpecServiceClient,
        statistics_service_client::StatisticsServiceClient,
    },
    dial::{Address, Client, dial},
    trace::SpanRing,
    types,
};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// A running control plane; dropping it kills it.
pub(crate) struct Control {
    pub(crate) client: Client,
    /// Where it is on the network.
    pub(crate) tls: Option<SocketAddr>,
    cancel: CancellationToken,
    hosted: Hosted,
}

pub(crate) fn config(folder: &Path, miners: &[(&str, &FakeMiner)]) -> Config {
    let mut config = Config::new(folder);
    config.miners = miners
        .iter()
        .map(|(name, miner)| {
            let address = Address::Unix(miner.socket.clone());
            (name.parse().unwrap(), MinerConfig { address, labels: [("site".into(), "cellar".into())].into() })
        })
        .collect();
    config
}

impl Control {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with(config, SpanRing::new("mujina-control", &[])).await
    }

    pub(crate) async fn start_with(config: Config, spans: SpanRing) -> Self {
        let cancel = CancellationToken::new();
        let (ready, answers) = oneshot::channel();
        let surroundings = Surroundings { spans, ready: Some(ready) };
        let stop = cancel.clone();
        let hosted =
            Hosted::start(move || async move { mujina_control::run(config, surroundings, stop).await.unwrap() });
        let ready = timeout(PATIENCE, answers).await.unwrap().unwrap();
        let client = dial(ready.addresses.first().unwrap(), PATIENCE).await.unwrap();
        Self { client, tls: ready.tls, cancel, hosted }
    }

    /// Stops it as a signal would.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        timeout(PATIENCE, self.hosted.finished()).await.unwrap();
    }

    /// Ends it without a word, at whatever await it is.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// How many tasks it has: one for each call that it answers, and some of its own.
    pub(crate) fn tasks(&self) -> usize {
        self.hosted.tasks()
    }

    pub(crate) fn specs(&self) -> SpecServiceClient<Client> {
        SpecServiceClient::new(self.client.clone())
    }

    pub(crate) fn operations(&self) -> OperationServiceClient<Client> {
        OperationServiceClient::new(self.client.clone())
    }

    pub(crate) fn statistics(&self) -> StatisticsServiceClient<Client> {
        StatisticsServiceClient::new(self.client.clone())
    }

    pub(crate) fn registry(&self) -> MinerRegistryServiceClient<Client> {
        MinerRegistryServiceClient::new(self.client.clone())
    }

    pub(crate) fn profiles(&self) -> ProfileServiceClient<Client> {
        ProfileServiceClient::new(self.client.clone())
    }

    pub(crate) fn rollouts(&self) -> RolloutServiceClient<Client> {
        RolloutServiceClient::new(self.client.clone())
    }

    /// The newest events, newest first.
    pub(crate) async fn events(&self) -> Vec<v1::Event> {
        let mut client = EventServiceClient::new(self.client.clone());
        client.list_events(v1::ListEventsRequest::default()).await.unwrap().into_inner().events
    }

    pub(crate) async fn watch_events(&self, after_sequence: u64) -> tonic::Streaming<v1::WatchEventsResponse> {
        let mut client = EventServiceClient::new(self.client.clone());
        let request = v1::WatchEventsRequest { after_sequence, miner: String::new() };
        client.watch_events(request).await.unwrap().into_inner()
    }

    /// Waits for an event of this kind, which may have been told before.
    pub(crate) async fn until_event(&self, kind: &str) -> v1::Event {
        let wait = async {
            let mut stream = self.watch_events(0).await;
            loop {
                let news = stream.message().await.unwrap().expect("the watch goes on");
                let kept = self.events().await;
                if let Some(event) = news.events.into_iter().chain(kept).find(|event| event.kind == kind) {
                    return event;
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never told: {kind}"))
    }

    pub(crate) async fn apply(&self, request: v1::ApplySpecRequest) -> v1::ApplySpecResponse {
        self.specs().apply_spec(request).await.unwrap().into_inner()
    }

    /// Waits until a miner looks as `holds` says.
    pub(crate) async fn until(&self, name: &str, what: &str, holds: impl Fn(&v1::Miner) -> bool) -> v1::Miner {
        let mut stream = self.registry().watch_miners(v1::WatchMinersRequest::default()).await.unwrap().into_inner();
        let mut last = None;
        let wait = async {
            loop {
                let news = stream.message().await.unwrap().expect("the watch goes on");
                for miner in news.miners.into_iter().filter(|miner| miner.name == name) {
                    if holds(&miner) {
                        return miner;
                    }
                    last = Some(miner);
                }
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(miner) => miner,
            Err(_) => panic!("never: {what}; the last was {last:?}"),
        }
    }

    pub(crate) async fn until_sync(&self, name: &str, state: v1::SyncState) -> v1::Miner {
        self.until(name, &format!("{state:?}"), |miner| miner.sync_state() == state).await
    }

    pub(crate) async fn until_connected(&self, name: &str) -> v1::Miner {
        let connected = v1::MinerReachability::Connected;
        self.until(name, "connected", |miner| miner.reachability() == connected && miner.status.is_some()).await
    }
}

pub(crate) fn spec(password: Option<&str>) -> types::v1::MinerSpec {
    let pool = types::v1::PoolSpec {
        name: "main".into(),
        url: URL.into(),
        user: "alice".into(),
        password: password.map(Into::into),
        password_set: false,
        ..Default::default()
    };
    let group = types::v1::PoolGroup {
        name: "main".into(),
        strategy: types::v1::PoolStrategy::Failover.into(),
        pools: vec![pool],
    };
    types::v1::MinerSpec { pool_groups: vec![group], ..types::v1::MinerSpec::default() }
}

pub(crate) fn whole(miner: &str, password: Option<&str>) -> v1::ApplySpecRequest {
    v1::ApplySpecRequest { miner: miner.into(), spec: Some(spec(password)), ..v1::ApplySpecRequest::default() }
}

/// The same, which is not taken back whatever becomes of it.
pub(crate) fn unbound(miner: &str) -> v1::ApplySpecRequest {
    v1::ApplySpecRequest { confirm_within: Some(prost_types::Duration::default()), ..whole(miner, None) }
}

pub(crate) fn paused(miner: &str) -> v1::ApplySpecRequest {
    v1::ApplySpecRequest {
        miner: miner.into(),
        spec: Some(types::v1::MinerSpec { paused: true, ..types::v1::MinerSpec::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["paused".into()] }),
        ..v1::ApplySpecRequest::default()
    }
}
