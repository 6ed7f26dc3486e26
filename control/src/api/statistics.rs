//! Collected share statistics, read.

use super::{Answers, Parts, bad_token, miner_name, page_size, problem, refuse, storage, unknown_miner};
use crate::{
    statistics::TimeRange,
    store::{BucketPosition, SharesSummary},
};
use mujina_core::{id::MinerName, spec::Problem};
use mujina_proto::{
    control::v1::{self, statistics_service_server::StatisticsService},
    convert::share::totals,
};
use prost_types::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::{Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl StatisticsService for Service {
    async fn list_share_buckets(
        &self,
        request: Request<v1::ListShareBucketsRequest>,
    ) -> Result<Response<v1::ListShareBucketsResponse>, Status> {
        let v1::ListShareBucketsRequest { miner, begin, end, page_size: asked, page_token } = request.into_inner();
        let miner = self.known(&miner)?;
        let range = range(begin, end).map_err(refuse)?;
        let most = page_size(asked, 360, 3600);
        let after = if page_token.is_empty() { None } else { Some(position(&page_token).map_err(refuse)?) };
        let found = self.0.store.share_buckets(&miner, range, after, most + 1).await;
        let mut found = found.map_err(|error| storage(&error))?;
        let has_more = found.len() > most;
        found.truncate(most);
        let last = found.last().filter(|_| has_more).map(|last| last.position);
        Ok(Response::new(v1::ListShareBucketsResponse {
            buckets: found.iter().map(|one| (&one.bucket).into()).collect(),
            next_page_token: last.map(|at| format!("{}/{}", at.begin_ms, at.row)).unwrap_or_default(),
        }))
    }

    async fn summarize_shares(
        &self,
        request: Request<v1::SummarizeSharesRequest>,
    ) -> Result<Response<v1::SummarizeSharesResponse>, Status> {
        let v1::SummarizeSharesRequest { miner, begin, end } = request.into_inner();
        let miner = if miner.is_empty() { None } else { Some(self.known(&miner)?) };
        let range = range(begin, end).map_err(refuse)?;
        let summary = self.0.store.summarize_shares(miner.as_ref(), range).await.map_err(|error| storage(&error))?;
        let SharesSummary { totals: sums, since, buckets, missing, hashes } = summary;
        Ok(Response::new(v1::SummarizeSharesResponse {
            totals: Some(totals(&sums, since.or(range.begin).unwrap_or(UNIX_EPOCH))),
            buckets,
            missing_buckets: missing,
            hashes,
        }))
    }

    async fn query_statistics(
        &self,
        _: Request<v1::QueryStatisticsRequest>,
    ) -> Result<Response<v1::QueryStatisticsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    type ExportStatisticsStream = Answers<v1::ExportStatisticsResponse>;

    async fn export_statistics(
        &self,
        _: Request<v1::ExportStatisticsRequest>,
    ) -> Result<Response<Self::ExportStatisticsStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
}

impl Service {
    fn known(&self, name: &str) -> Result<MinerName, Status> {
        let name = miner_name("miner", name).map_err(refuse)?;
        if self.0.registry.get(&name).is_some() { Ok(name) } else { Err(unknown_miner(&name).into()) }
    }
}

fn range(begin: Option<Timestamp>, end: Option<Timestamp>) -> Result<TimeRange, Problem> {
    let time = |field: &str, at: Option<Timestamp>| {
        at.map(|at| SystemTime::try_from(at).map_err(|_| problem(field, "is no time; use RFC 3339"))).transpose()
    };
    let range = TimeRange { begin: time("begin", begin)?, end: time("end", end)? };
    match (range.begin, range.end) {
        (Some(begin), Some(end)) if end < begin => Err(problem("end", "lies before `begin`")),
        _ => Ok(range),
    }
}

fn position(token: &str) -> Result<BucketPosition, Problem> {
    let (begin, row) = token.split_once('/').ok_or_else(bad_token)?;
    let number = |text: &str| text.parse().map_err(|_| bad_token());
    Ok(BucketPosition { begin_ms: number(begin)?, row: number(row)? })
}
