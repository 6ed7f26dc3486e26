//! How a pool is tested from the miner's own position.

use crate::{
    pool::probe::{Prober, Report},
    rpc::{
        check::{Checks, Refused},
        steps::{STEPS, Step, Steps},
    },
};
use mujina_core::{
    id::PoolName,
    pool::{PoolSpec, PoolStrategy},
    spec::{GroupDraft, MinerSpec, PoolDraft, Problem, SpecDraft},
    status::ConnectPhase,
};
use mujina_proto::{
    dataplane::v1::{self, test_pool_request::Target, test_pool_response::Event},
    failure::Failure,
    types,
};
use tokio::sync::mpsc;
use tonic::{Code, Status};

/// Name of a tested pool that has none; it is shown nowhere.
const NAMELESS: &str = "test";

/// Which pool to test.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    OfSpec(PoolName),
    Other(Box<PoolSpec>),
}

impl Wanted {
    /// The pool, with the password that is stored for it if it is one of the spec.
    pub(super) fn find(self, spec: &MinerSpec) -> Result<PoolSpec, Status> {
        let name = match self {
            Self::Other(pool) => return Ok(*pool),
            Self::OfSpec(name) => name,
        };
        let found = spec.pools().find(|pool| pool.name == name).cloned();
        found.ok_or_else(|| {
            let message =
                format!("pool `{name}` is not in the spec; `pool list` shows which are, or give a URL to test");
            Failure::new(Code::NotFound, "POOL_NOT_FOUND", message).with("pool", name).into()
        })
    }
}

pub(super) fn read(request: v1::TestPoolRequest) -> Result<Wanted, Refused> {
    let v1::TestPoolRequest { target } = request;
    let mut checks = Checks::default();
    let wanted = match target {
        None => {
            checks.refuse("target", "is missing; send the name of a pool of the spec, or a pool");
            None
        }
        Some(Target::Pool(name)) => match name.parse() {
            Ok(name) => Some(Wanted::OfSpec(name)),
            Err(error) => {
                checks.refuse("pool", error.to_string());
                None
            }
        },
        Some(Target::Spec(pool)) => other(&mut checks, pool),
    };
    checks.done()?;
    wanted.ok_or_else(|| Refused(mujina_core::spec::Problems(Vec::new())))
}

/// Checks a pool by the rules of a spec that has nothing else in it.
fn other(checks: &mut Checks, pool: types::v1::PoolSpec) -> Option<Wanted> {
    let draft = PoolDraft { name: NAMELESS.into(), ..pool.into() };
    // Where a quota means nothing, any will do.
    let group = GroupDraft { name: NAMELESS.into(), strategy: Some(PoolStrategy::Quota), pools: vec![draft] };
    let path = format!("pool_groups[{NAMELESS}].pools[{NAMELESS}]");
    match (SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }).check(None) {
        Ok(spec) => spec.pools().next().cloned().map(|pool| Wanted::Other(Box::new(pool))),
        Err(problems) => {
            for Problem { field, reason } in problems.0 {
                checks.refuse(&field.replace(&path, "spec"), reason);
            }
            None
        }
    }
}

/// Begins a test. It ends when the steps are dropped.
pub(super) fn begin(
    prober: &Prober,
    pool: PoolSpec,
) -> Result<Steps<ConnectPhase, Report, v1::TestPoolResponse>, Status> {
    let (sender, phases) = mpsc::channel(STEPS);
    let probe = prober.probe(pool, sender)?;
    Ok(Steps::new(phases, probe, |step| {
        let event = match step {
            Step::Told(phase) => Event::Phase((&phase).into()),
            Step::Outcome(report) => Event::Result(Box::new(result(&report))),
        };
        Ok(v1::TestPoolResponse { event: Some(event) })
    }))
}

fn result(report: &Report) -> v1::TestPoolResult {
    let Report { failure, connection } = report;
    let state = failure.as_ref().map_or(types::v1::PoolState::Unspecified, |one| one.kind.pool_state().into());
    let phase = failure.as_ref().and_then(|failure| failure.phase);
    v1::TestPoolResult {
        usable: failure.is_none(),
        failure: failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default(),
        failure_state: state.into(),
        failed_phase: phase.map(|phase| phase.as_str().to_owned()).unwrap_or_default(),
        connection: Some(connection.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;
    use mujina_core::text::Secret;

    const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

    fn named(name: &str) -> v1::TestPoolRequest {
        v1::TestPoolRequest { target: Some(Target::Pool(name.into())) }
    }

    fn pool(url: &str, user: &str) -> v1::TestPoolRequest {
        let spec = types::v1::PoolSpec { url: url.into(), user: user.into(), quota: 3, ..Default::default() };
        v1::TestPoolRequest { target: Some(Target::Spec(spec)) }
    }

    #[test]
    fn pool_of_the_spec_is_tested_with_its_password_and_another_is_not_found() {
        let draft = PoolDraft {
            name: "main".into(),
            url: URL.into(),
            user: "alice".into(),
            password: Some(Secret::from("x")),
            ..PoolDraft::default()
        };
        let group = GroupDraft { name: "g".into(), strategy: Some(PoolStrategy::Failover), pools: vec![draft] };
        let spec = SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }.check(None).unwrap();
        let found = read(named("main")).unwrap().find(&spec).unwrap();
        assert_eq!(found.password.as_ref().map(Secret::expose), Some("x"));
        let missing = Failure::from(&read(named("other")).unwrap().find(&spec).unwrap_err());
        assert_eq!((missing.code, missing.reason.as_str()), (Code::NotFound, "POOL_NOT_FOUND"));
    }

    #[test]
    fn pool_that_is_not_in_the_spec_needs_no_name() {
        let Wanted::Other(read) = read(pool(URL, "bob")).unwrap() else { panic!() };
        assert_eq!((read.user.as_str(), read.endpoint.to_string().as_str()), ("bob", URL));
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_its_field() {
        assert_eq!(fields(&read(v1::TestPoolRequest { target: None }).unwrap_err()), ["target"]);
        assert_eq!(fields(&read(named("No Name")).unwrap_err()), ["pool"]);
        assert_eq!(fields(&read(pool("http://x", "")).unwrap_err()), ["spec.url", "spec.user"]);
    }
}
