//! One data plane, from taking its places to leaving them in order.
//!
//! Puts the mining side, the spec, telemetry and the API together for `main.rs` and for hosts in another process. What the
//! service side does never decides whether hashing goes on: an API that fails is reported, and the miner mines.

use crate::{
    board::safe::make_all_safe,
    config::{Config, PoolSettings, Simulate},
    home::{self, Home},
    identity::{Identity, IdentityError},
    learnt,
    miner::{BoardsPlan, Miner, MinerError, MinerPlan},
    pool::MinerIdentity,
    program::{Ready, Surroundings},
    rpc::{Api, RpcPlan},
    spec::{self, StartError},
    state_dir::{StateDir, StateDirError},
    supervisor::{ExitPolicy, Supervisor, TaskFailed},
    telemetry::{self, TelemetryPlan},
};
use mujina_core::id::MinerId;
use mujina_proto::{
    dial::Address,
    serve::{Listeners, ServeError},
};
use std::{
    io,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time that calls under way have to end: the listeners' own second, and some.
const API_STOP: Duration = Duration::from_secs(3);
/// Time that the mining side has to stop: the sum of its own deadlines, and some.
const MINER_STOP: Duration = Duration::from_secs(20);
/// Time that what is counted has to reach the disk.
const SERVICE_STOP: Duration = Duration::from_secs(5);

/// Why a data plane did not come up, or went down by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state folder.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The miner id.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The places where the API listens.
    #[error(transparent)]
    Listen(#[from] ServeError),
    /// The mining side.
    #[error(transparent)]
    Mining(#[from] MinerError),
    /// The spec.
    #[error(transparent)]
    Spec(#[from] StartError),
    /// A task that must run ended.
    #[error(transparent)]
    Task(#[from] TaskFailed),
    /// The mining side ended although nobody asked it to.
    #[error("mining ended early; this is a bug, please report it with the log")]
    MiningEnded,
    /// The system.
    #[error("cannot read the state folder in the background; check the limits of the process")]
    Background(#[source] io::Error),
}

/// Runs a data plane until `cancel`, or until it cannot go on; by then everything has stopped in order.
///
/// # Errors
/// See [`RunError`]. A second instance on the same state folder or socket is refused before anything is touched.
pub async fn run(config: Config, surroundings: Surroundings, cancel: CancellationToken) -> Result<(), RunError> {
    let Config {
        state_dir,
        name,
        pool,
        cpu,
        usb,
        simulate,
        api,
        log: _,
        status_line,
        synthetic,
        share_every,
        pool_limits,
        pool_limits_v1,
        scheduler_limits,
        failover,
        otlp_endpoint: _,
    } = config;
    let Surroundings { spans, ready, guests } = surroundings;
    let (folder, identity, learnt, home) = in_background(move || {
        let folder = StateDir::open(&state_dir)?;
        let identity = Identity::load(&folder, name.as_deref())?;
        let learnt = learnt::find(&folder, SystemTime::now());
        let home = find_home(&folder);
        Ok::<_, RunError>((folder, identity, learnt, home))
    })
    .await?;
    let listeners = Listeners::bind(&api).await?;
    let addresses = listeners.addresses();
    log_start(&identity, &addresses, usb, &simulate);

    let plan = MinerPlan {
        cpu,
        synthetic,
        share_every,
        pool_limits,
        pool_limits_v1,
        scheduler_limits,
        source_policy: failover,
        identity: MinerIdentity {
            vendor: "Mujina".into(),
            hardware_version: "cpu".into(),
            firmware: env!("CARGO_PKG_VERSION").into(),
        },
        boards: BoardsPlan { usb, simulated: simulate.plugged(), learnt, ..BoardsPlan::default() },
    };
    let stops = Stops::default();
    let mut miner = Miner::start_with(plan, guests, stops.mining.clone()).await?;
    let mut supervisor = Supervisor::default();
    let service = Service { identity: &identity, folder: &folder, pool, status_line, spans, listeners, home };
    let started = service.start(&miner, &stops, &mut supervisor).await;
    let mut mining_ended = None;
    let failure = match started {
        Err(failure) => Some(failure),
        Ok(()) => {
            tell_ready(ready, addresses, identity.miner_id.clone());
            tokio::select! {
                () = cancel.cancelled() => None,
                failure = supervisor.first_failure() => Some(failure.into()),
                ended = miner.ended() => {
                    mining_ended = Some(());
                    Some(ended.err().map_or(RunError::MiningEnded, RunError::Mining))
                }
            }
        }
    };

    // In order: no new calls, no work and no open share, nothing uncounted.
    stops.api.cancel();
    let ended = supervisor.ended("rpc", API_STOP).await;
    if !supervisor.ended("home", API_STOP).await || !ended {
        error!("calls did not end in time and will be cut");
    }
    stops.mining.cancel();
    let mining = match mining_ended {
        Some(()) => Ok(()),
        None => stop_mining(&mut miner).await,
    };
    stops.service.cancel();
    let panicked = supervisor.finish(SERVICE_STOP).await;
    info!("stopped");
    match failure {
        Some(failure) => Err(failure),
        None => mining.and(panicked.map_or(Ok(()), |panicked| Err(panicked.into()))),
    }
}

/// What ends which part.
#[derive(Default)]
struct Stops {
    api: CancellationToken,
    mining: CancellationToken,
    service: CancellationToken,
}

/// What the service side is made of.
struct Service<'a> {
    identity: &'a Identity,
    folder: &'a StateDir,
    pool: Option<PoolSettings>,
    status_line: Option<Duration>,
    spans: mujina_proto::trace::SpanRing,
    listeners: Listeners,
    home: Option<Home>,
}

impl Service<'_> {
    /// Starts spec, telemetry and API, in the order of who needs whom.
    async fn start(self, miner: &Miner, stops: &Stops, supervisor: &mut Supervisor) -> Result<(), RunError> {
        let Self { identity, folder, pool, status_line, spans, listeners, home } = self;
        let configured = pool.map(|pool| pool.draft());
        let spec = spec::start(miner.handle(), folder, configured, supervisor, stops.service.clone()).await?;
        let plan = TelemetryPlan {
            identity: identity.clone(),
            miner: miner.handle(),
            spec: spec.state(),
            state_dir: folder.path().into(),
            status_line,
        };
        let keeping = learnt::keep(folder.clone(), miner.handle().boards.reports(), stops.service.clone());
        supervisor.spawn("learnt", ExitPolicy::Expendable, keeping);
        let telemetry = telemetry::start(plan, supervisor, &stops.service);
        let plan = RpcPlan { miner: miner.handle(), spec, telemetry, spans };
        let api = Api::new(plan, stops.api.clone());
        if let Some(home) = home {
            supervisor.spawn("home", ExitPolicy::Expendable, home::run(home, api.routes(), stops.api.clone()));
        }
        let serving = async move {
            if let Err(failure) = api.serve(listeners).await {
                let cause = &failure as &dyn std::error::Error;
                error!(cause, "the API ended; mining goes on, restart the service to steer it again");
            }
        };
        supervisor.spawn("rpc", ExitPolicy::Expendable, serving);
        Ok(())
    }
}

async fn stop_mining(miner: &mut Miner) -> Result<(), RunError> {
    match tokio::time::timeout(MINER_STOP, miner.ended()).await {
        Ok(ended) => ended.map_err(RunError::Mining),
        Err(_) => {
            error!(waited = ?MINER_STOP, "the mining side did not stop in time; it ends with the process");
            // Boards must not be left alone by it. A board that is safe already is not armed any more.
            let make_safe = || drop(make_all_safe("the mining side did not stop in time"));
            tokio::task::spawn_blocking(make_safe)
                .await
                .map_err(|failed| RunError::Background(io::Error::other(failed)))
        }
    }
}

/// Runs what blocks off the runtime.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|failed| RunError::Background(io::Error::other(failed)))?
}

/// The way home, if there is one. One that cannot be used keeps nobody from mining.
fn find_home(folder: &StateDir) -> Option<Home> {
    Home::find(folder.path()).unwrap_or_else(|error| {
        let cause = &error as &dyn std::error::Error;
        error!(cause, "this miner is enrolled but does not call home; mining goes on");
        None
    })
}

fn log_start(identity: &Identity, addresses: &[Address], usb: bool, simulate: &Simulate) {
    let addresses: Vec<_> = addresses.iter().map(Address::to_string).collect();
    info!(
        miner.id = %identity.miner_id,
        miner.name = identity.name,
        boot.id = identity.boot_id,
        version = env!("CARGO_PKG_VERSION"),
        api = addresses.join(", "),
        usb,
        "data plane starts"
    );
    let Simulate { boards, gate_bits, time_scale } = simulate;
    if !boards.is_empty() {
        let boards: Vec<_> = boards.iter().map(|board| board.as_str()).collect();
        info!(
            boards = boards.join(", "),
            gate_bits,
            time_scale,
            "emulated boards are configured: they are no hardware, and hash a small part of its rate"
        );
    }
}

fn tell_ready(ready: Option<tokio::sync::oneshot::Sender<Ready>>, addresses: Vec<Address>, miner_id: MinerId) {
    if let Some(ready) = ready {
        // Who asked may have lost interest.
        let _ = ready.send(Ready { addresses, miner_id });
    }
}
