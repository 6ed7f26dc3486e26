//! The rules of SV1 on a whole data plane, against a pool that a test controls: every share is rebuilt and judged by the
//! pool's own record of what it sent. Numbers like V9 are those of `docs/stratum.md`.

mod bring_up;
mod calls;
mod difficulty;
mod jobs;
mod lines;
mod shares;
mod tls;
mod versions;

use crate::rig::Rig;
use mujina_proto::{
    dataplane::v1::{ApplySpecRequest, miner_service_client::MinerServiceClient},
    types::v1::{MinerSpec, PoolGroup, PoolOptions, PoolSpec, PoolStrategy},
};
use mujina_testbed::scripted_sv1::{ScriptedSv1Pool, Sv1Job, Sv1Session, Welcome};

/// Where the miner says that a connection failed.
const SOURCE: &str = "mujina_dataplane::source";

/// Name of the pool in a miner's spec.
const POOL: &str = "primary";

async fn scripted() -> ScriptedSv1Pool {
    ScriptedSv1Pool::start().await.unwrap()
}

/// A miner on the pool, to which nothing was said yet.
async fn connected(pool: &ScriptedSv1Pool) -> (Rig, Sv1Session) {
    let url = pool.url();
    let (rig, session) = tokio::join!(Rig::on(&url), pool.session());
    (rig, session.unwrap())
}

/// A miner on the pool, with job "a" on tip 0x11.
async fn brought_up_as(pool: &ScriptedSv1Pool, welcome: &Welcome) -> (Rig, Sv1Session) {
    let (rig, mut session) = connected(pool).await;
    session.bring_up(welcome, &Sv1Job::new("a", 0x11)).await.unwrap();
    (rig, session)
}

async fn brought_up(pool: &ScriptedSv1Pool) -> (Rig, Sv1Session) {
    brought_up_as(pool, &Welcome::default()).await
}

/// A miner that has no pool yet.
async fn idle() -> Rig {
    Rig::with(None, &Default::default()).await
}

/// Gives the miner this pool in place of what it had.
async fn give(rig: &Rig, url: &str, options: PoolOptions) {
    let pool = PoolSpec {
        name: POOL.into(),
        url: url.into(),
        user: "alice".into(),
        options: Some(options),
        ..PoolSpec::default()
    };
    let group = PoolGroup { name: "main".into(), strategy: PoolStrategy::Failover.into(), pools: vec![pool] };
    let spec = Some(MinerSpec { pool_groups: vec![group], ..MinerSpec::default() });
    let request = ApplySpecRequest { spec, ..ApplySpecRequest::default() };
    MinerServiceClient::new(rig.miner.clients.channel()).apply_spec(request).await.unwrap();
}

/// The end of a test whose pool leaves first.
async fn part(rig: Rig, session: Sv1Session) {
    rig.log.allow_warn(SOURCE, "pool connection failed");
    drop(session);
    rig.finish().await;
}
