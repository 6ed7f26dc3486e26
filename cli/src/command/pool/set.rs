//! `pool set`: one pool in place of all others.

use super::account;
use crate::{
    args::{Part, PoolSet, Strategy},
    command::edit,
    context::Context,
    error::CliError,
};
use mujina_proto::types::v1::{MinerSpec, PoolGroup, PoolSpec};

/// Group of the first pool.
pub(super) const FIRST_GROUP: &str = "main";

pub(crate) async fn run(args: PoolSet, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolSet { account, part, name, dry_run } = args;
    let pool = account::pool(context, account, &name, part).await?;
    let change = move |spec: &mut MinerSpec| {
        spec.pool_groups = vec![group(FIRST_GROUP, pool.clone(), part)];
        Ok(())
    };
    edit::pools(context, change, dry_run).await
}

/// A group of one pool: with the strategy that was asked for, else with the one in which its quota counts.
pub(super) fn group(name: &str, pool: PoolSpec, part: Part) -> PoolGroup {
    let fitting = if part.quota.is_some() { Strategy::Quota } else { Strategy::Failover };
    let strategy = account::strategy(part.strategy.unwrap_or(fitting)).into();
    PoolGroup { name: name.to_owned(), strategy, pools: vec![pool] }
}
