//! How a pool connection is renewed.

use crate::{
    rpc::{
        check::{Checks, Refused},
        steps::{STEPS, Step, Steps},
    },
    source::{ReconnectError, ReconnectOutcome, ReconnectRequest, SourceHandle},
};
use mujina_core::{id::PoolName, status::ConnectPhase};
use mujina_proto::{
    convert,
    dataplane::v1::{self, reconnect_pool_response::Event},
};
use tokio::sync::mpsc;
use tonic::Status;

type Answer = Result<ReconnectOutcome, ReconnectError>;

/// Begins a reconnect that is followed. It goes on when the steps are dropped.
pub(super) fn begin(
    source: SourceHandle,
    request: ReconnectRequest,
) -> Steps<ConnectPhase, Answer, v1::ReconnectPoolResponse> {
    let (sender, phases) = mpsc::channel(STEPS);
    Steps::new(phases, async move { source.reconnect(request, sender).await }, tell)
}

fn tell(step: Step<ConnectPhase, Answer>) -> Result<v1::ReconnectPoolResponse, Status> {
    let event = match step {
        Step::Told(phase) => Event::Phase((&phase).into()),
        Step::Outcome(answer) => Event::Result(result(answer?)),
    };
    Ok(v1::ReconnectPoolResponse { event: Some(event) })
}

pub(super) fn read(request: v1::ReconnectPoolRequest) -> Result<ReconnectRequest, Refused> {
    let v1::ReconnectPoolRequest { pool, mode, request_id } = request;
    let mut checks = Checks::default();
    let named = (!pool.is_empty()).then(|| pool.parse::<PoolName>()).transpose().unwrap_or_else(|error| {
        checks.refuse("pool", format!("{error}, or nothing for the live pool"));
        None
    });
    let immediate = match v1::ReconnectMode::try_from(mode) {
        Ok(v1::ReconnectMode::Unspecified | v1::ReconnectMode::Graceful) => false,
        Ok(v1::ReconnectMode::Immediate) => true,
        Err(_) => {
            checks.refuse("mode", format!("{mode} is not known to this version; use graceful (1) or immediate (2)"));
            false
        }
    };
    let request_id = checks.text("request_id", request_id);
    checks.done().map(|()| ReconnectRequest { pool: named, immediate, request_id })
}

fn result(outcome: ReconnectOutcome) -> v1::ReconnectResult {
    let ReconnectOutcome { pool, connection, switch, shares_lost, phases } = outcome;
    v1::ReconnectResult {
        pool: pool.to_string(),
        connection_id: connection.0,
        work_gap: Some(convert::duration(switch.work_gap)),
        shares_lost,
        phases: phases.iter().map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rpc::check::fields, scheduler::SwitchReport};
    use mujina_core::{id::ConnectionId, status::PhaseName};
    use std::time::Duration;

    fn request(pool: &str, mode: i32) -> v1::ReconnectPoolRequest {
        v1::ReconnectPoolRequest { pool: pool.into(), mode, request_id: String::new() }
    }

    #[test]
    fn modes_and_names_are_read() {
        for (pool, mode, immediate) in [("", 0, false), ("main", 1, false), ("main", 2, true)] {
            let read = read(request(pool, mode)).unwrap();
            assert_eq!((read.pool.as_ref().map_or("", PoolName::as_str), read.immediate), (pool, immediate));
        }
    }

    #[test]
    fn unknown_mode_bad_name_and_bad_id_are_reported_together() {
        let bad = v1::ReconnectPoolRequest { request_id: "a\tb".into(), ..request("No Name", 9) };
        assert_eq!(fields(&read(bad).unwrap_err()), ["pool", "mode", "request_id"]);
    }

    #[test]
    fn result_has_the_gap_the_losses_and_all_phases() {
        let phase = ConnectPhase { name: PhaseName::Tcp, elapsed: Duration::from_millis(2), detail: String::new() };
        let outcome = ReconnectOutcome {
            pool: "main".parse().unwrap(),
            connection: ConnectionId(7),
            switch: SwitchReport { work_gap: Duration::from_millis(3), ..SwitchReport::default() },
            shares_lost: 1,
            phases: vec![phase],
        };
        let told = tell(Step::Outcome(Ok(outcome))).unwrap().event.unwrap();
        let Event::Result(result) = told else { panic!("{told:?}") };
        assert_eq!((result.connection_id, result.shares_lost, result.phases.len()), (7, 1, 1));
        assert_eq!(result.work_gap.unwrap().nanos, 3_000_000);
    }
}
