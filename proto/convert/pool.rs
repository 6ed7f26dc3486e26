//! How work moved between pools.

use super::{duration, timestamp};
use crate::dataplane::v1;
use mujina_core::{
    id::{ConnectionId, PoolName},
    status::{PoolTransition, TransitionReason},
};

impl From<&PoolTransition> for v1::PoolTransition {
    fn from(transition: &PoolTransition) -> Self {
        let PoolTransition { sequence, at, from, to, reason, detail, work_gap, threads, shares_lost, phases } =
            transition;
        let named = |(pool, connection): &(PoolName, ConnectionId)| (pool.to_string(), connection.0);
        let (from_pool, from_connection_id) = from.as_ref().map(named).unwrap_or_default();
        let (to_pool, to_connection_id) = named(to);
        Self {
            sequence: *sequence,
            at: Some(timestamp(*at)),
            from_pool,
            from_connection_id,
            to_pool,
            to_connection_id,
            reason: v1::TransitionReason::from(*reason).into(),
            detail: detail.clone(),
            work_gap: Some(duration(*work_gap)),
            threads: *threads,
            shares_lost: *shares_lost,
            phases: phases.iter().map(Into::into).collect(),
        }
    }
}

impl From<TransitionReason> for v1::TransitionReason {
    fn from(reason: TransitionReason) -> Self {
        match reason {
            TransitionReason::Started => Self::Started,
            TransitionReason::Configured => Self::Configured,
            TransitionReason::FailedOver => Self::FailedOver,
            TransitionReason::Rejects => Self::Rejects,
            TransitionReason::Returned => Self::Returned,
            TransitionReason::Pinned => Self::Pinned,
            TransitionReason::Unpinned => Self::Unpinned,
            TransitionReason::Reconnected => Self::Reconnected,
            TransitionReason::Quota => Self::Quota,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::status::{ConnectPhase, PhaseName};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn transition_keeps_both_ends_and_the_first_has_one() {
        let phase = ConnectPhase { name: PhaseName::Tcp, elapsed: Duration::from_millis(2), detail: "x".into() };
        let later = PoolTransition {
            sequence: 2,
            at: UNIX_EPOCH,
            from: Some(("a".parse().unwrap(), ConnectionId(3))),
            to: ("b".parse().unwrap(), ConnectionId(4)),
            reason: TransitionReason::FailedOver,
            detail: "reset".into(),
            work_gap: Duration::from_micros(7),
            threads: 5,
            shares_lost: 6,
            phases: vec![phase],
        };
        let told = v1::PoolTransition::from(&later);
        assert_eq!((told.from_pool.as_str(), told.from_connection_id), ("a", 3));
        assert_eq!((told.to_pool.as_str(), told.to_connection_id), ("b", 4));
        assert_eq!((told.reason(), told.work_gap.unwrap().nanos), (v1::TransitionReason::FailedOver, 7000));
        assert_eq!((told.threads, told.shares_lost, told.phases[0].name.as_str()), (5, 6, "tcp"));
        let first = v1::PoolTransition::from(&PoolTransition { from: None, ..later });
        assert_eq!((first.from_pool.as_str(), first.from_connection_id), ("", 0));
    }
}
