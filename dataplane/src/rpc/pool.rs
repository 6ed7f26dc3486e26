//! Pool connections: their state, how to renew, test and pin one, and how the work moved between them.

mod list;
mod pin;
mod reconnect;
mod test;

use super::stream::{Answers, until_stop};
use crate::{pool::probe::Prober, scheduler::SchedulerHandle, source::SourceHandle};
use mujina_core::{spec::SpecState, status::MinerStatus};
use mujina_proto::dataplane::v1::{self, pool_service_server::PoolService};
use std::{sync::Arc, time::SystemTime};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) source: SourceHandle,
    pub(super) scheduler: SchedulerHandle,
    pub(super) prober: Prober,
    pub(super) spec: watch::Receiver<Arc<SpecState>>,
    pub(super) status: watch::Receiver<Arc<MinerStatus>>,
    pub(super) cancel: CancellationToken,
}

#[tonic::async_trait]
impl PoolService for Service {
    type ReconnectPoolStream = Answers<v1::ReconnectPoolResponse>;
    type TestPoolStream = Answers<v1::TestPoolResponse>;

    async fn list_pools(&self, _: Request<v1::ListPoolsRequest>) -> Result<Response<v1::ListPoolsResponse>, Status> {
        let tree = self.status.borrow().clone();
        Ok(Response::new(v1::ListPoolsResponse { pools: tree.pools.iter().map(Into::into).collect() }))
    }

    async fn reconnect_pool(
        &self,
        request: Request<v1::ReconnectPoolRequest>,
    ) -> Result<Response<Self::ReconnectPoolStream>, Status> {
        let mut steps = reconnect::begin(self.source.clone(), reconnect::read(request.into_inner())?);
        // Asked here, in the span of the call; and one that is refused is an error of the call, not of its stream.
        let first = steps.try_next().await?;
        let answers = tokio_stream::iter(first.map(Ok)).chain(steps);
        Ok(Response::new(until_stop(answers, &self.cancel)))
    }

    async fn test_pool(&self, request: Request<v1::TestPoolRequest>) -> Result<Response<Self::TestPoolStream>, Status> {
        let wanted = test::read(request.into_inner())?;
        let stored = self.spec.borrow().clone();
        let steps = test::begin(&self.prober, wanted.find(&stored.spec)?)?;
        Ok(Response::new(until_stop(steps, &self.cancel)))
    }

    async fn pin_pool(&self, request: Request<v1::PinPoolRequest>) -> Result<Response<v1::PinPoolResponse>, Status> {
        let (pool, duration) = pin::read(request.into_inner())?;
        let pin = self.source.pin(pool, duration).await?;
        Ok(Response::new(v1::PinPoolResponse { pin: Some((&pin).into()) }))
    }

    async fn unpin_pool(&self, _: Request<v1::UnpinPoolRequest>) -> Result<Response<v1::UnpinPoolResponse>, Status> {
        let ended = self.source.unpin().await?;
        Ok(Response::new(v1::UnpinPoolResponse { ended: ended.as_ref().map(Into::into) }))
    }

    async fn list_pool_transitions(
        &self,
        request: Request<v1::ListPoolTransitionsRequest>,
    ) -> Result<Response<v1::ListPoolTransitionsResponse>, Status> {
        let snapshot = self.source.snapshot().borrow().clone();
        Ok(Response::new(list::transitions(request.into_inner(), &snapshot)))
    }

    async fn list_pool_channels(
        &self,
        _: Request<v1::ListPoolChannelsRequest>,
    ) -> Result<Response<v1::ListPoolChannelsResponse>, Status> {
        let (snapshot, counted) = (self.source.snapshot().borrow().clone(), self.scheduler.snapshot().borrow().clone());
        Ok(Response::new(list::channels(&snapshot, &counted, SystemTime::now())))
    }
}
