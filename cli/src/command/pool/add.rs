//! `pool add`: one pool more.

use super::{
    password,
    set::{FIRST_GROUP, group},
};
use crate::{args::PoolAdd, command::edit, context::Context, error::CliError};
use mujina_proto::types::v1::{MinerSpec, PoolSpec};

pub(crate) async fn run(args: PoolAdd, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolAdd { account, name, group, first, dry_run } = args;
    let pool = password::pool(context, &account, name.as_deref().unwrap_or_default()).await?;
    let change = move |spec: &mut MinerSpec| insert(spec, pool.clone(), group.as_deref(), first);
    edit::pools(context, change, dry_run).await
}

/// Adds a pool to a group: at its end, or first of all of it. A nameless one gets the first free name.
fn insert(spec: &mut MinerSpec, mut pool: PoolSpec, into: Option<&str>, first: bool) -> Result<(), CliError> {
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
        Some(group) if first => group.pools.insert(0, pool),
        Some(group) => group.pools.push(pool),
        None => {
            let at = if first { 0 } else { spec.pool_groups.len() };
            spec.pool_groups.insert(at, group(into.unwrap_or(FIRST_GROUP), pool));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        insert(&mut spec, pool(""), None, false).unwrap();
        insert(&mut spec, pool(""), None, false).unwrap();
        insert(&mut spec, pool("best"), None, true).unwrap();
        insert(&mut spec, pool(""), Some("spare"), false).unwrap();
        insert(&mut spec, pool("night"), Some("cheap"), true).unwrap();
        let expected =
            [("cheap", vec!["night"]), ("main", vec!["best", "primary", "pool-2"]), ("spare", vec!["pool-3"])];
        assert_eq!(order(&spec), expected);
    }

    #[test]
    fn name_that_is_taken_is_refused_in_any_group() {
        let mut spec = MinerSpec::default();
        insert(&mut spec, pool("a"), None, false).unwrap();
        let error = insert(&mut spec, pool("a"), Some("other"), false).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit::PRECONDITION);
        assert_eq!(order(&spec), [("main", vec!["a"])]);
    }
}
