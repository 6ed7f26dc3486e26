//! Pool connections: their state, and how to renew one.
//!
//! The answers of a reconnect carry the span of the call: it lasts as long as somebody follows, and the span of the new
//! connection is its child.

use super::{
    check::{Checks, Refused},
    stream::{Answers, until_stop},
};
use crate::source::{ReconnectError, ReconnectOutcome, ReconnectRequest, SourceHandle};
use mujina_core::{
    id::PoolName,
    status::{ConnectPhase, MinerStatus},
};
use mujina_proto::{
    convert,
    dataplane::v1::{self, pool_service_server::PoolService, reconnect_pool_response::Event},
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::Span;

/// Phases that a slow reader may be behind: those of a few attempts. The result has them all in any case.
const PHASES: usize = 32;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) source: SourceHandle,
    pub(super) status: watch::Receiver<Arc<MinerStatus>>,
    pub(super) cancel: CancellationToken,
}

#[tonic::async_trait]
impl PoolService for Service {
    type ReconnectPoolStream = Answers<v1::ReconnectPoolResponse>;

    async fn list_pools(&self, _: Request<v1::ListPoolsRequest>) -> Result<Response<v1::ListPoolsResponse>, Status> {
        let tree = self.status.borrow().clone();
        Ok(Response::new(v1::ListPoolsResponse { pools: tree.pools.iter().map(Into::into).collect() }))
    }

    async fn reconnect_pool(
        &self,
        request: Request<v1::ReconnectPoolRequest>,
    ) -> Result<Response<Self::ReconnectPoolStream>, Status> {
        let mut steps = Reconnecting::begin(self.source.clone(), reconnect(request.into_inner())?);
        // Asked here, in the span of the call; and one that is refused is an error of the call, not of its stream.
        let first = steps.try_next().await?;
        let answers = tokio_stream::iter(first.map(Ok)).chain(steps);
        Ok(Response::new(until_stop(answers, &self.cancel)))
    }
}

fn reconnect(request: v1::ReconnectPoolRequest) -> Result<ReconnectRequest, Refused> {
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

type Answer = Result<ReconnectOutcome, ReconnectError>;

/// A reconnect that is followed: its phases, then its result. It goes on when this is dropped.
struct Reconnecting {
    phases: mpsc::Receiver<ConnectPhase>,
    /// `None` once it has answered.
    answer: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    /// Its answer, until it is told.
    result: Option<Answer>,
    /// Kept open, not used.
    _call: Span,
}

impl Reconnecting {
    fn begin(source: SourceHandle, request: ReconnectRequest) -> Self {
        let (sender, phases) = mpsc::channel(PHASES);
        let answer = Box::pin(async move { source.reconnect(request, sender).await });
        Self { phases, answer: Some(answer), result: None, _call: Span::current() }
    }
}

impl Stream for Reconnecting {
    type Item = Result<v1::ReconnectPoolResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(answer) = &mut this.answer
            && let Poll::Ready(result) = answer.as_mut().poll(context)
        {
            this.answer = None;
            this.result = Some(result);
        }
        // After the answer was looked for: what it told of before, it told of here.
        if let Poll::Ready(Some(phase)) = this.phases.poll_recv(context) {
            return Poll::Ready(Some(Ok(event(Event::Phase((&phase).into())))));
        }
        match this.result.take() {
            Some(Ok(outcome)) => Poll::Ready(Some(Ok(event(Event::Result(result(outcome)))))),
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            None if this.answer.is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn event(event: Event) -> v1::ReconnectPoolResponse {
    v1::ReconnectPoolResponse { event: Some(event) }
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
            let read = reconnect(request(pool, mode)).unwrap();
            assert_eq!((read.pool.as_ref().map_or("", PoolName::as_str), read.immediate), (pool, immediate));
        }
    }

    #[test]
    fn unknown_mode_bad_name_and_bad_id_are_reported_together() {
        let bad = v1::ReconnectPoolRequest { request_id: "a\tb".into(), ..request("No Name", 9) };
        assert_eq!(fields(&reconnect(bad).unwrap_err()), ["pool", "mode", "request_id"]);
    }

    #[tokio::test]
    async fn all_phases_come_before_the_result_and_nothing_after() {
        let phase = |name| ConnectPhase { name, elapsed: Duration::from_millis(2), detail: String::new() };
        let all = vec![phase(PhaseName::Tcp), phase(PhaseName::Noise)];
        let outcome = ReconnectOutcome {
            pool: "main".parse().unwrap(),
            connection: ConnectionId(7),
            switch: SwitchReport { work_gap: Duration::from_millis(3), ..SwitchReport::default() },
            shares_lost: 1,
            phases: all.clone(),
        };
        let (sender, phases) = mpsc::channel(PHASES);
        let answer = async move {
            for phase in all {
                sender.send(phase).await.unwrap();
            }
            Ok(outcome)
        };
        let steps = Reconnecting { phases, answer: Some(Box::pin(answer)), result: None, _call: Span::none() };
        let told: Vec<_> = steps.map(|step| step.unwrap().event.unwrap()).collect().await;
        let [Event::Phase(first), Event::Phase(second), Event::Result(result)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((first.name.as_str(), second.name.as_str()), ("tcp", "noise"));
        assert_eq!((result.connection_id, result.shares_lost, result.phases.len()), (7, 1, 2));
    }
}
