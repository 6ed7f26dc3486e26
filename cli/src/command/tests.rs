//! Commands from their words to their exit code, against small services on real sockets.

mod fake_control;
mod fake_fleet;
mod fake_miner;
mod sample;

use crate::{Environment, exit};
use fake_control::FakeControl;
use fake_miner::FakeMiner;
use mujina_proto::{
    control::v1 as control,
    dataplane::v1 as dataplane,
    dial::Address,
    serve::{ListenOn, Listeners},
};
use std::{ffi::OsString, io::Cursor, path::PathBuf};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

mod boards;
mod contexts;
mod door;
mod fleet;
mod login;
mod looking;
mod people;
mod pools;
mod steering;
mod trouble;
mod unread;

/// Services in a state folder of their own, stopped when it goes away.
struct World {
    folder: TempDir,
    miner: FakeMiner,
    control: FakeControl,
    _serving: JoinSet<()>,
}

/// How a command ended.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl World {
    /// A miner alone.
    async fn of_miner() -> Self {
        Self::empty().with_miner().await
    }

    /// The same with a miner.
    async fn with_miner(mut self) -> Self {
        let mut routes = Routes::builder();
        add_miner(&mut routes, &self.miner);
        self.serve("api.sock", routes.routes()).await;
        self
    }

    /// A control plane with these miners.
    async fn of_control(names: &[&'static str]) -> Self {
        let mut world = Self::empty();
        world.control.state().names = names.to_vec();
        let routes = world.routes_of_control();
        world.serve("control.sock", routes).await;
        world
    }

    fn routes_of_control(&self) -> Routes {
        let mut routes = Routes::builder();
        add_miner(&mut routes, &self.miner);
        let control = || self.control.clone();
        routes
            .add_service(control::miner_registry_service_server::MinerRegistryServiceServer::new(control()))
            .add_service(control::spec_service_server::SpecServiceServer::new(control()))
            .add_service(control::operation_service_server::OperationServiceServer::new(control()))
            .add_service(control::enrollment_service_server::EnrollmentServiceServer::new(control()))
            .add_service(control::access_service_server::AccessServiceServer::new(control()))
            .add_service(control::audit_service_server::AuditServiceServer::new(control()))
            .add_service(control::profile_service_server::ProfileServiceServer::new(control()))
            .add_service(control::rollout_service_server::RolloutServiceServer::new(control()))
            .add_service(control::event_service_server::EventServiceServer::new(control()))
            .add_service(control::statistics_service_server::StatisticsServiceServer::new(control()))
            .add_service(control::diagnostics_service_server::DiagnosticsServiceServer::new(control()));
        routes.routes()
    }

    /// Nobody at all.
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (miner, control) = (FakeMiner::default(), FakeControl::default());
        Self { folder, miner, control, _serving: JoinSet::new() }
    }

    async fn serve(&mut self, socket: &str, routes: Routes) {
        let on = ListenOn { socket: Some(self.path(socket)), tcp: None };
        let listeners = Listeners::bind(&on).await.unwrap();
        self._serving.spawn(async move { listeners.serve(routes, CancellationToken::new()).await.unwrap() });
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn address(&self, socket: &str) -> Address {
        Address::Unix(self.path(socket))
    }

    /// A file with this content, as a word of a command line.
    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    fn environment(&self) -> Environment {
        Environment::bare(self.folder.path())
    }

    async fn run(&self, line: &str) -> Ran {
        self.run_in(self.environment(), line).await
    }

    async fn run_with_stdin(&self, line: &str, stdin: &'static str) -> Ran {
        let environment = Environment { stdin: Box::new(Cursor::new(stdin)), ..self.environment() };
        self.run_in(environment, line).await
    }

    async fn run_in(&self, environment: Environment, line: &str) -> Ran {
        let words = std::iter::once("mujinactl").chain(line.split_whitespace()).map(OsString::from);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = crate::run(words, environment, &mut out, &mut err).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }

    /// The answer of a command that must go well.
    async fn answer(&self, line: &str) -> String {
        let Ran { code, out, err } = self.run(line).await;
        assert_eq!((code, err.as_str()), (exit::OK, ""), "{line}");
        out
    }

    async fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.answer(&format!("{line} -o json")).await).unwrap()
    }

    fn pools(&self) -> Vec<String> {
        let state = self.miner.state();
        state.shelf.spec.pools().map(|pool| pool.name.to_string()).collect()
    }
}

fn add_miner(routes: &mut tonic::service::RoutesBuilder, miner: &FakeMiner) {
    routes
        .add_service(dataplane::miner_service_server::MinerServiceServer::new(miner.clone()))
        .add_service(dataplane::pool_service_server::PoolServiceServer::new(miner.clone()))
        .add_service(dataplane::board_service_server::BoardServiceServer::new(miner.clone()))
        .add_service(dataplane::share_service_server::ShareServiceServer::new(miner.clone()))
        .add_service(dataplane::diagnostics_service_server::DiagnosticsServiceServer::new(miner.clone()));
}
