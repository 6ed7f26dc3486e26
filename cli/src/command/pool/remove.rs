//! `pool remove`: one pool less; a group that is left empty goes with it.

use crate::{args::PoolRemove, command::edit, context::Context, error::CliError};
use mujina_proto::types::v1::MinerSpec;

pub(crate) async fn run(args: PoolRemove, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolRemove { name, dry_run } = args;
    edit::pools(context, move |spec| take_out(spec, &name), dry_run).await
}

fn take_out(spec: &mut MinerSpec, name: &str) -> Result<(), CliError> {
    let names: Vec<_> = spec.pool_groups.iter().flat_map(|group| &group.pools).map(|pool| pool.name.clone()).collect();
    if !names.iter().any(|known| known == name) {
        let known = if names.is_empty() { "there are none".into() } else { format!("there are {}", names.join(", ")) };
        return Err(CliError::NotFound(format!("no pool is called {name}; {known}")));
    }
    for group in &mut spec.pool_groups {
        group.pools.retain(|pool| pool.name != name);
    }
    spec.pool_groups.retain(|group| !group.pools.is_empty());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::types::v1::{PoolGroup, PoolSpec};

    #[test]
    fn last_pool_takes_its_group_along() {
        let pool = |name: &str| PoolSpec { name: name.into(), ..PoolSpec::default() };
        let group = |name: &str, pools| PoolGroup { name: name.into(), strategy: 1, pools };
        let groups = vec![group("main", vec![pool("a"), pool("b")]), group("spare", vec![pool("c")])];
        let mut spec = MinerSpec { pool_groups: groups, ..MinerSpec::default() };
        take_out(&mut spec, "c").unwrap();
        take_out(&mut spec, "a").unwrap();
        assert_eq!(spec.pool_groups, [group("main", vec![pool("b")])]);
        let error = take_out(&mut spec, "c").unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().as_str()), (8, "no pool is called c; there are b"));
    }
}
