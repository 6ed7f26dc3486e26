//! The gRPC services of the data plane: the only door to it, and the only place that knows its wire types.
//!
//! ```text
//! client ─▶ proto/serve ─▶ rpc::{miner, pool, board, share, diagnostics} ─▶ spec · source · scheduler · backplane · telemetry
//! ```
//! Over loopback TCP nobody knows who calls, so only what looks is served there (`rpc/looking.rs`).
//! A method checks and converts its request, asks one handle, converts the answer; nothing is decided or kept here.
//! Endless watches hold one message at most: readers of state see the newest, readers of events are told what they missed,
//! and when the miner stops both end with UNAVAILABLE and the reason SHUTTING_DOWN, so that nobody takes the end of a
//! stream for the end of the news. Source: proto/mujina/dataplane/v1, gRPC health checking protocol.

mod board;
mod check;
mod diagnostics;
mod failure;
mod looking;
mod miner;
mod pool;
mod share;
mod steps;
mod stream;

use crate::{miner::MinerHandle, spec::SpecHandle, telemetry::TelemetryHandle};
use mujina_core::status::{MinerState, MinerStatus};
use mujina_proto::{
    dataplane::v1::{
        board_service_server::BoardServiceServer, diagnostics_service_server::DiagnosticsServiceServer,
        miner_service_server::MinerServiceServer, pool_service_server::PoolServiceServer,
        share_service_server::ShareServiceServer,
    },
    serve::{HealthReporter, Listeners, ServeError, ServingStatus, standard_routes},
    trace::SpanRing,
};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// Health of the mining itself: serving while work of a pool flows. The process as a whole answers to the empty name.
pub const MINING_HEALTH: &str = "mujina.dataplane.v1.Mining";

/// Everything that the services ask.
#[derive(Debug, Clone)]
pub struct RpcPlan {
    /// Pools, shares, ledgers.
    pub miner: MinerHandle,
    /// What is wanted.
    pub spec: SpecHandle,
    /// What is so.
    pub telemetry: TelemetryHandle,
    /// The newest spans of this process.
    pub spans: SpanRing,
}

/// All services, ready to be served in more than one place.
#[derive(Debug)]
pub struct Api {
    routes: Routes,
    reporter: HealthReporter,
    status: watch::Receiver<Arc<MinerStatus>>,
    cancel: CancellationToken,
}

impl Api {
    /// Puts the services together. When `cancel` comes their watches end.
    #[must_use]
    pub fn new(plan: RpcPlan, cancel: CancellationToken) -> Self {
        let RpcPlan { miner, spec, telemetry, spans } = plan;
        let status = telemetry.status();
        let (mut routes, reporter) = standard_routes();
        routes
            .add_service(PoolServiceServer::new(pool::Service {
                source: miner.source,
                scheduler: miner.scheduler.clone(),
                prober: miner.prober,
                spec: spec.state(),
                status: status.clone(),
                cancel: cancel.clone(),
            }))
            .add_service(BoardServiceServer::new(board::Service {
                boards: miner.boards,
                counted: miner.scheduler.snapshot(),
                cancel: cancel.clone(),
            }))
            .add_service(MinerServiceServer::new(miner::Service {
                spec,
                status: status.clone(),
                cancel: cancel.clone(),
            }))
            .add_service(ShareServiceServer::new(share::Service {
                scheduler: miner.scheduler,
                telemetry,
                cancel: cancel.clone(),
            }))
            .add_service(DiagnosticsServiceServer::new(diagnostics::Service { spans }));
        Self { routes: routes.routes(), reporter, status, cancel }
    }

    /// The services, to be served elsewhere too.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Serves them until the `cancel` that they were given, over TCP only those that change nothing. Calls under way have a second to end then; see
    /// [`Listeners::serve`].
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve(self, listeners: Listeners) -> Result<(), ServeError> {
        let Self { routes, reporter, status, cancel } = self;
        // Known before the first client asks.
        let state = status.borrow().state;
        reporter.set_service_status(MINING_HEALTH, health(state)).await;
        let reporting = async {
            tokio::select! {
                () = follow(&reporter, status) => {}
                () = cancel.cancelled() => {}
            }
            for name in [MINING_HEALTH, ""] {
                reporter.set_service_status(name, ServingStatus::NotServing).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            served = listeners.serve_apart(routes.clone(), looking::only(routes), cancel.clone()) => served,
            () = reporting => Ok(()),
        }
    }
}

/// Reports how the mining is, at once and when that changes, until nobody publishes it any more.
async fn follow(reporter: &HealthReporter, mut status: watch::Receiver<Arc<MinerStatus>>) {
    let mut told = None;
    loop {
        let state = status.borrow_and_update().state;
        let health = health(state);
        if told.replace(health) != Some(health) {
            reporter.set_service_status(MINING_HEALTH, health).await;
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

fn health(state: MinerState) -> ServingStatus {
    match state {
        MinerState::Mining => ServingStatus::Serving,
        MinerState::Starting | MinerState::Paused | MinerState::NoWork | MinerState::NoPool | MinerState::Stopping => {
            ServingStatus::NotServing
        }
    }
}

#[cfg(test)]
mod tests;
