//! `pool set`: one pool in place of all others.

use super::password;
use crate::{args::PoolSet, command::edit, context::Context, error::CliError};
use mujina_proto::types::v1::{MinerSpec, PoolGroup, PoolSpec, PoolStrategy};

/// Group of the first pool.
pub(super) const FIRST_GROUP: &str = "main";

pub(crate) async fn run(args: PoolSet, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolSet { account, name, dry_run } = args;
    let pool = password::pool(context, &account, &name).await?;
    let change = move |spec: &mut MinerSpec| {
        spec.pool_groups = vec![group(FIRST_GROUP, pool.clone())];
        Ok(())
    };
    edit::pools(context, change, dry_run).await
}

/// A group of one pool.
pub(super) fn group(name: &str, pool: PoolSpec) -> PoolGroup {
    PoolGroup { name: name.to_owned(), strategy: PoolStrategy::Failover.into(), pools: vec![pool] }
}
