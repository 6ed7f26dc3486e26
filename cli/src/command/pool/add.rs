//! `pool add`: one pool more.

use super::{
    account,
    set::{FIRST_GROUP, group},
};
use crate::{
    args::{Part, PoolAdd},
    command::edit,
    context::Context,
    error::CliError,
};
use mujina_proto::types::v1::{MinerSpec, PoolSpec};

pub(crate) async fn run(args: PoolAdd, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolAdd { account, part, name, group, first, dry_run } = args;
    let pool = account::pool(context, account, name.as_deref().unwrap_or_default(), part).await?;
    let change = move |spec: &mut MinerSpec| insert(spec, pool.clone(), group.as_deref(), part, first);
    edit::pools(context, change, dry_run).await
}

/// Adds a pool to a group: at its end, or first of all of it. A nameless one gets the first free name.
fn insert(
    spec: &mut MinerSpec,
    mut pool: PoolSpec,
    into: Option<&str>,
    part: Part,
    first: bool,
) -> Result<(), CliError> {
    let taken = |name: &str| spec.pool_groups.iter().flat_map(|group| &group.pools).any(|pool| pool.name == name);
    if pool.name.is_empty() {
        let numbered = (2..).map(|number: u32| format!("pool-{number}"));
        pool.name = std::iter::once("primary".to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
    } else if taken(&pool.name) {
        let message = format!("a pool is called {} already; give another --name, or take it out first", pool.name);
        return Err(CliError::Precondition(message));
    }
    let found = match into {
        None => spec.pool_groups.first_mut(),
        Some(name) => spec.pool_groups.iter_mut().find(|group| group.name == name),
    };
    match found {
        Some(group) => {
            if let Some(strategy) = part.strategy {
                group.strategy = account::strategy(strategy).into();
            }
            let at = if first { 0 } else { group.pools.len() };
            group.pools.insert(at, pool);
        }
        None => {
            let at = if first { 0 } else { spec.pool_groups.len() };
            spec.pool_groups.insert(at, group(into.unwrap_or(FIRST_GROUP), pool, part));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Strategy;
    use mujina_proto::types::v1::{PoolGroup, PoolStrategy};

    fn pool(name: &str) -> PoolSpec {
        PoolSpec { name: name.into(), ..PoolSpec::default() }
    }

    fn order(spec: &MinerSpec) -> Vec<(&str, Vec<&str>)> {
        spec.pool_groups
            .iter()
            .map(|group| (group.name.as_str(), group.pools.iter().map(|pool| pool.name.as_str()).collect()))
            .collect()
    }

    #[test]
    fn pools_are_added_where_they_are_wanted() {
        let mut spec = MinerSpec::default();
        insert(&mut spec, pool(""), None, Part::default(), false).unwrap();
        insert(&mut spec, pool(""), None, Part::default(), false).unwrap();
        insert(&mut spec, pool("best"), None, Part::default(), true).unwrap();
        insert(&mut spec, pool(""), Some("spare"), Part::default(), false).unwrap();
        insert(&mut spec, pool("night"), Some("cheap"), Part::default(), true).unwrap();
        let expected =
            [("cheap", vec!["night"]), ("main", vec!["best", "primary", "pool-2"]), ("spare", vec!["pool-3"])];
        assert_eq!(order(&spec), expected);
    }

    #[test]
    fn name_that_is_taken_is_refused_in_any_group() {
        let mut spec = MinerSpec::default();
        insert(&mut spec, pool("a"), None, Part::default(), false).unwrap();
        let error = insert(&mut spec, pool("a"), Some("other"), Part::default(), false).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit::PRECONDITION);
        assert_eq!(order(&spec), [("main", vec!["a"])]);
    }

    #[test]
    fn new_group_shares_by_quota_when_one_is_given_and_an_old_one_turns_when_told_to() {
        let mut spec = MinerSpec::default();
        let part = |quota, strategy| Part { quota, strategy };
        let strategies = |spec: &MinerSpec| spec.pool_groups.iter().map(PoolGroup::strategy).collect::<Vec<_>>();
        insert(&mut spec, pool("a"), None, part(None, None), false).unwrap();
        insert(&mut spec, pool("b"), Some("shared"), part(Some(2), None), false).unwrap();
        assert_eq!(strategies(&spec), [PoolStrategy::Failover, PoolStrategy::Quota]);
        insert(&mut spec, pool("c"), Some("shared"), part(None, None), false).unwrap();
        insert(&mut spec, pool("d"), None, part(None, Some(Strategy::Quota)), false).unwrap();
        insert(&mut spec, pool("e"), Some("shared"), part(None, Some(Strategy::Failover)), false).unwrap();
        assert_eq!(strategies(&spec), [PoolStrategy::Quota, PoolStrategy::Failover]);
    }
}
