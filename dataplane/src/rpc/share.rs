//! Shares: ledgers, the newest shares and rejects, shares as they come, and closed statistics buckets.

mod filter;

use self::filter::{OutcomeFilter, PageToken};
use super::{
    check::{Checks, Refused, page_size},
    failure::shutting_down,
    stream::{Answers, endless},
};
use crate::{
    scheduler::{PoolScope, SchedulerHandle, Scope, Snapshot},
    telemetry::{BucketPage, BucketRequest, MOST_REJECTS, Reject, TelemetryHandle},
};
use mujina_core::{
    id::{PoolName, ShareId},
    share::Share,
    status::MinerStatus,
};
use mujina_proto::{
    convert,
    dataplane::v1::{self, share_service_server::ShareService, watch_shares_response::Event},
};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio_stream::{
    StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Shares of a page, when nothing is said and at most.
const SHARES: (u32, u32) = (50, 1000);
/// Rejects that are told when nothing is said.
const REJECTS: u32 = 32;
/// Buckets of a page, when nothing is said and at most.
const BUCKETS: (u32, u32) = (360, 3600);
/// Longest time that a reader of buckets may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Service {
    pub(super) scheduler: SchedulerHandle,
    pub(super) telemetry: TelemetryHandle,
    pub(super) cancel: CancellationToken,
}

#[tonic::async_trait]
impl ShareService for Service {
    type WatchSharesStream = Answers<v1::WatchSharesResponse>;

    async fn get_share_statistics(
        &self,
        _: Request<v1::GetShareStatisticsRequest>,
    ) -> Result<Response<v1::GetShareStatisticsResponse>, Status> {
        let tree = self.telemetry.status().borrow().clone();
        let counted = self.scheduler.snapshot().borrow().clone();
        Ok(Response::new(statistics(&tree, &counted)))
    }

    async fn list_shares(
        &self,
        request: Request<v1::ListSharesRequest>,
    ) -> Result<Response<v1::ListSharesResponse>, Status> {
        let SharesWanted { limit, before, filter } = shares_wanted(request.into_inner())?;
        // One more than asked for tells whether there is a next page.
        let found = self.telemetry.list_shares(before, limit.saturating_add(1), &|outcome| filter.wants(outcome));
        Ok(Response::new(page(&found, limit, filter)))
    }

    async fn list_rejects(
        &self,
        request: Request<v1::ListRejectsRequest>,
    ) -> Result<Response<v1::ListRejectsResponse>, Status> {
        let RejectsWanted { limit, pool } = rejects_wanted(request.into_inner())?;
        let reject = |Reject { at, share }: &Reject| v1::Reject {
            rejected_at: Some(convert::timestamp(*at)),
            share: Some((&**share).into()),
        };
        let rejects = self.telemetry.list_rejects(pool.as_ref(), limit).iter().map(reject).collect();
        Ok(Response::new(v1::ListRejectsResponse { rejects }))
    }

    async fn watch_shares(
        &self,
        request: Request<v1::WatchSharesRequest>,
    ) -> Result<Response<Self::WatchSharesStream>, Status> {
        let filter = watch_filter(&request.into_inner())?;
        let events = BroadcastStream::new(self.scheduler.watch_shares().ok_or_else(shutting_down)?);
        let wanted = events.filter_map(move |event| match event {
            Ok(share) => filter.wants(share.outcome).then(|| Event::Share(Box::new((&share).into()))),
            Err(BroadcastStreamRecvError::Lagged(missed)) => Some(Event::Missed(missed)),
        });
        let answers = wanted.map(|event| v1::WatchSharesResponse { event: Some(event) });
        Ok(Response::new(endless(answers, &self.cancel)))
    }

    async fn list_share_buckets(
        &self,
        request: Request<v1::ListShareBucketsRequest>,
    ) -> Result<Response<v1::ListShareBucketsResponse>, Status> {
        let wanted = buckets_wanted(request.into_inner())?;
        let page = tokio::select! {
            page = self.telemetry.buckets(wanted) => page?,
            () = self.cancel.cancelled() => return Err(shutting_down()),
        };
        let BucketPage { database_id, buckets, oldest_sequence } = page;
        let buckets = buckets.iter().map(Into::into).collect();
        Ok(Response::new(v1::ListShareBucketsResponse { database_id, buckets, oldest_sequence }))
    }
}

#[derive(Debug, PartialEq)]
struct RejectsWanted {
    limit: usize,
    pool: Option<PoolName>,
}

fn rejects_wanted(request: v1::ListRejectsRequest) -> Result<RejectsWanted, Refused> {
    let v1::ListRejectsRequest { page_size: size, pool } = request;
    let mut checks = Checks::default();
    let pool = (!pool.is_empty()).then(|| pool.parse::<PoolName>()).transpose().unwrap_or_else(|error| {
        checks.refuse("pool", format!("{error}, or nothing for all pools"));
        None
    });
    let most = u32::try_from(MOST_REJECTS).unwrap_or(u32::MAX);
    checks.done().map(|()| RejectsWanted { limit: page_size(size, REJECTS, most), pool })
}

/// Everything from one snapshot, so that the scopes add up; pools of the spec that nothing was counted for are empty.
fn statistics(tree: &MinerStatus, counted: &Snapshot) -> v1::GetShareStatisticsResponse {
    let Snapshot { since, miner, pools, boards, threads, .. } = counted;
    let scope = |name: &dyn fmt::Display, scope: &Scope| v1::ShareScope {
        name: name.to_string(),
        totals: Some(convert::share::totals(&scope.totals, *since)),
        rates: scope.rates.iter().map(Into::into).collect(),
    };
    let nothing = PoolScope::default();
    let mut all: BTreeMap<_, _> = tree.pools.iter().map(|pool| (&pool.name, &nothing)).collect();
    all.extend(pools);
    v1::GetShareStatisticsResponse {
        miner: Some(scope(&tree.name, miner)),
        pools: all.into_iter().map(|(name, pool)| scope(name, &pool.scope)).collect(),
        boards: boards.iter().map(|(id, board)| scope(id, board)).collect(),
        threads: threads.iter().map(|thread| scope(&thread.id, &thread.scope)).collect(),
    }
}

#[derive(Debug, PartialEq)]
struct SharesWanted {
    limit: usize,
    before: Option<ShareId>,
    filter: OutcomeFilter,
}

fn shares_wanted(request: v1::ListSharesRequest) -> Result<SharesWanted, Refused> {
    let v1::ListSharesRequest { page_size: size, page_token, outcomes } = request;
    let mut checks = Checks::default();
    let filter = OutcomeFilter::read(&mut checks, "outcomes", &outcomes);
    let before = PageToken::read(&mut checks, "page_token", &page_token, filter);
    checks.done().map(|()| SharesWanted { limit: page_size(size, SHARES.0, SHARES.1), before, filter })
}

/// The first `limit` of what was found; with a token if that is not all.
fn page(found: &[Arc<Share>], limit: usize, filter: OutcomeFilter) -> v1::ListSharesResponse {
    let shown = found.get(..limit).unwrap_or(found);
    let next = shown.last().filter(|_| shown.len() < found.len());
    v1::ListSharesResponse {
        shares: shown.iter().map(|share| (&**share).into()).collect(),
        next_page_token: next.map(|last| PageToken { before: last.id, filter }.to_string()).unwrap_or_default(),
    }
}

fn watch_filter(request: &v1::WatchSharesRequest) -> Result<OutcomeFilter, Refused> {
    let v1::WatchSharesRequest { outcomes } = request;
    let mut checks = Checks::default();
    let filter = OutcomeFilter::read(&mut checks, "outcomes", outcomes);
    checks.done().map(|()| filter)
}

fn buckets_wanted(request: v1::ListShareBucketsRequest) -> Result<BucketRequest, Refused> {
    let v1::ListShareBucketsRequest { database_id, after_sequence, page_size: size, wait } = request;
    let mut checks = Checks::default();
    let database_id = checks.text("database_id", database_id);
    let wait = checks.wait("wait", wait, LONGEST_WAIT);
    let limit = page_size(size, BUCKETS.0, BUCKETS.1);
    checks.done().map(|()| BucketRequest { database_id, after_sequence, limit, wait })
}

#[cfg(test)]
mod tests;
