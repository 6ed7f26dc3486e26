//! A data plane in one process: real mining side, spec, telemetry and services, and a client of them.

use super::*;
use crate::{
    board::cpu::CpuConfig,
    identity::Identity,
    miner::{BoardsPlan, Miner, MinerPlan},
    pool::MinerIdentity,
    source::{SourcePolicy, synthetic::SyntheticWork},
    spec,
    state_dir::StateDir,
    supervisor::Supervisor,
    telemetry::{self, TelemetryPlan},
};
use mujina_proto::{
    dataplane::v1::{
        board_service_client::BoardServiceClient, diagnostics_service_client::DiagnosticsServiceClient,
        miner_service_client::MinerServiceClient, pool_service_client::PoolServiceClient,
        share_service_client::ShareServiceClient,
    },
    dial::{Address, Client, dial},
    serve::ListenOn,
};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::{path::Path, time::Duration};
use tokio::task::JoinSet;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tracing_subscriber::layer::SubscriberExt;

/// Far more than anything here takes.
pub(in crate::rpc) const DEADLINE: Duration = Duration::from_secs(60);
/// Between two trees of a watch.
pub(in crate::rpc) const INTERVAL: Duration = Duration::from_millis(100);

pub(in crate::rpc) struct World {
    pub(super) telemetry: TelemetryHandle,
    pub(super) stop: CancellationToken,
    client: Client,
    /// Where it is besides its socket.
    pub(super) tcp: Address,
    miner: Miner,
    stop_mining: CancellationToken,
    stop_rest: CancellationToken,
    serving: JoinSet<Result<(), ServeError>>,
    supervisor: Supervisor,
    _folder: tempfile::TempDir,
    _tracing: tracing::subscriber::DefaultGuard,
}

impl World {
    pub(super) async fn new() -> Self {
        let spans = SpanRing::new("mujina-dataplane", &["share"]);
        let provider = SdkTracerProvider::builder().with_span_processor(spans.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let tracing = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

        let folder = tempfile::tempdir().unwrap();
        let (stop, stop_mining, stop_rest) = Default::default();
        let mining = MinerPlan {
            cpu: Some(CpuConfig { threads: 1.into(), ..CpuConfig::default() }),
            synthetic: Some(SyntheticWork { share_every: Duration::from_millis(50), ..SyntheticWork::default() }),
            share_every: None,
            pool_limits: Default::default(),
            pool_limits_v1: Default::default(),
            scheduler_limits: Default::default(),
            source_policy: SourcePolicy::default(),
            identity: MinerIdentity { vendor: "Mujina".into(), hardware_version: "cpu".into(), firmware: "0".into() },
            boards: BoardsPlan::default(),
        };
        let miner = Miner::start(mining, CancellationToken::clone(&stop_mining)).await.unwrap();
        let mut supervisor = Supervisor::default();
        let state_dir = StateDir::open(&folder.path().join("state")).unwrap();
        let spec = spec::start(miner.handle(), &state_dir, None, &mut supervisor, CancellationToken::clone(&stop_rest))
            .await
            .unwrap();
        let plan = TelemetryPlan {
            identity: identity(),
            miner: miner.handle(),
            spec: spec.state(),
            state_dir: folder.path().join("state"),
            status_line: None,
        };
        let telemetry = telemetry::start(plan, &mut supervisor, &stop_rest);

        let (address, listeners) = listen(folder.path()).await;
        let tcp = listeners.addresses().remove(1);
        let plan = RpcPlan { miner: miner.handle(), spec, telemetry: telemetry.clone(), spans };
        let mut serving = JoinSet::new();
        serving.spawn(Api::new(plan, CancellationToken::clone(&stop)).serve(listeners));
        let client = dial(&address, DEADLINE).await.unwrap();
        Self {
            telemetry,
            stop,
            client,
            tcp,
            miner,
            stop_mining,
            stop_rest,
            serving,
            supervisor,
            _folder: folder,
            _tracing: tracing,
        }
    }

    pub(super) fn miner(&self) -> MinerServiceClient<Client> {
        MinerServiceClient::new(self.client.clone())
    }

    pub(super) fn pools(&self) -> PoolServiceClient<Client> {
        PoolServiceClient::new(self.client.clone())
    }

    pub(super) fn boards(&self) -> BoardServiceClient<Client> {
        BoardServiceClient::new(self.client.clone())
    }

    pub(super) fn shares(&self) -> ShareServiceClient<Client> {
        ShareServiceClient::new(self.client.clone())
    }

    pub(super) fn diagnostics(&self) -> DiagnosticsServiceClient<Client> {
        DiagnosticsServiceClient::new(self.client.clone())
    }

    pub(super) async fn health(&self, service: &str) -> ServingStatus {
        let request = HealthCheckRequest { service: service.into() };
        status(&HealthClient::new(self.client.clone()).check(request).await.unwrap().into_inner())
    }

    /// Takes everything down in order.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        within(self.serving.join_next()).await.unwrap().unwrap().unwrap();
        self.stop_mining.cancel();
        within(self.miner.ended()).await.unwrap();
        self.stop_rest.cancel();
        assert_eq!(self.supervisor.finish(DEADLINE).await, None);
    }
}

fn identity() -> Identity {
    Identity { miner_id: "m1".parse().unwrap(), name: "rig".into(), boot_id: "b".into() }
}

/// A socket in a folder, and a loopback port beside it.
pub(in crate::rpc) async fn listen(folder: &Path) -> (Address, Listeners) {
    let on = ListenOn { socket: Some(folder.join("api.sock")), tcp: Some(([127, 0, 0, 1], 0).into()) };
    let listeners = Listeners::bind(&on).await.unwrap();
    (listeners.addresses().remove(0), listeners)
}

/// What the health service tells, one state after the other.
pub(in crate::rpc) struct HealthWatch(Streaming<HealthCheckResponse>);

impl HealthWatch {
    pub(super) async fn next(&mut self) -> ServingStatus {
        status(&self.0.message().await.unwrap().unwrap())
    }
}

pub(in crate::rpc) async fn watch_health(address: &Address, service: &str) -> HealthWatch {
    let client = dial(address, DEADLINE).await.unwrap();
    let request = HealthCheckRequest { service: service.into() };
    HealthWatch(HealthClient::new(client).watch(request).await.unwrap().into_inner())
}

fn status(answer: &HealthCheckResponse) -> ServingStatus {
    match answer.status {
        1 => ServingStatus::Serving,
        2 => ServingStatus::NotServing,
        _ => ServingStatus::Unknown,
    }
}

/// Waits, but not forever.
pub(in crate::rpc) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("ends in time")
}

/// Why a call failed.
pub(in crate::rpc) fn failure<T>(answer: Result<T, Status>) -> Failure {
    Failure::from(&answer.map(|_| ()).expect_err("the call fails"))
}
