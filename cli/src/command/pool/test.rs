//! `pool test`: a pool tried out from the miner's own position, phase by phase. Nothing hashes for it.

use super::account;
use crate::{
    args::PoolTest,
    command::{
        message,
        peer::{Peer, Target},
        view,
    },
    context::Context,
    error::CliError,
};
use mujina_proto::{
    dataplane::v1::{TestPoolRequest, TestPoolResponse, TestPoolResult, test_pool_request, test_pool_response::Event},
    types::v1::{ConnectPhase, PoolSpec},
};

/// What to do, for a person.
const DOING: &str = "test the pool";
/// Account of a test that names none. Accounts of the spec are nobody else's business.
const NOBODY: &str = "test";

pub(crate) async fn run(args: PoolTest, context: &mut Context<'_>) -> Result<(), CliError> {
    let request = TestPoolRequest { target: Some(wanted(args, context).await?) };
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let result = follow(&target, request, |phase| context.confirm(&view::phase(phase))).await?;
    let response = TestPoolResponse { event: Some(Event::Result(Box::new(result.clone()))) };
    message::show(context, &response, |paint| view::tested(&result, paint))?;
    if result.usable { Ok(()) } else { Err(CliError::PoolUnusable(result.failure)) }
}

/// A URL, or the name of a pool that the miner knows.
async fn wanted(args: PoolTest, context: &mut Context<'_>) -> Result<test_pool_request::Target, CliError> {
    let PoolTest { pool, user, password, options } = args;
    let (password, options) = (account::password(context, &password).await?, account::options(options));
    if pool.contains("://") {
        let user = user.unwrap_or_else(|| NOBODY.into());
        let spec = PoolSpec { url: pool, user, password, options, ..PoolSpec::default() };
        return Ok(test_pool_request::Target::Spec(spec));
    }
    if user.is_some() || password.is_some() || options.is_some() {
        let message =
            format!("{pool} is the name of a pool, which is tested as the spec has it; give a URL to test another");
        return Err(CliError::Usage(message));
    }
    Ok(test_pool_request::Target::Pool(pool))
}

/// The phases as they end, then the result.
async fn follow(
    target: &Target,
    request: TestPoolRequest,
    mut tell: impl FnMut(&ConnectPhase) -> Result<(), CliError> + Send,
) -> Result<TestPoolResult, CliError> {
    let failed = || CliError::call(DOING);
    let request = target.request(request)?;
    let mut stream = target.pools().test_pool(request).await.map_err(failed())?.into_inner();
    while let Some(message) = stream.message().await.map_err(failed())? {
        match message.event {
            Some(Event::Phase(phase)) => tell(&phase)?,
            Some(Event::Result(result)) => return Ok(*result),
            None => {}
        }
    }
    Err(CliError::Ended { doing: DOING.into() })
}
