//! Collected share statistics, read.

mod series;

use super::{Answers, Parts, bad_token, export, miner_name, page_size, problem, refuse, storage, unknown_miner};
use crate::{
    access::{Caller, Permission},
    statistics::{
        TimeRange,
        export::{Csv, ExportError, Format, Parquet},
    },
    store::{BucketPosition, SharesSummary, StoreError},
};
use mujina_core::{id::MinerName, spec::Problem};
use mujina_proto::{
    control::v1::{self, statistics_service_server::StatisticsService},
    convert::share::totals,
    failure::Failure,
};
use prost_types::Timestamp;
use series::Question;
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::{Code, Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl StatisticsService for Service {
    async fn list_share_buckets(
        &self,
        request: Request<v1::ListShareBucketsRequest>,
    ) -> Result<Response<v1::ListShareBucketsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let v1::ListShareBucketsRequest { miner, begin, end, page_size: asked, page_token } = request.into_inner();
        let miner = self.known(&miner, &caller)?;
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
            next_page_token: last.map(token).unwrap_or_default(),
        }))
    }

    async fn summarize_shares(
        &self,
        request: Request<v1::SummarizeSharesRequest>,
    ) -> Result<Response<v1::SummarizeSharesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let v1::SummarizeSharesRequest { miner, begin, end } = request.into_inner();
        let miners = if !miner.is_empty() {
            Some(vec![self.known(&miner, &caller)?])
        } else if caller.may(Permission::Read, None).is_ok() {
            None
        } else {
            let all = self.0.registry.all();
            Some(all.values().filter(|miner| caller.sees(&miner.labels())).map(|miner| miner.name.clone()).collect())
        };
        let range = range(begin, end).map_err(refuse)?;
        let summary = self.0.store.summarize_shares(miners.as_deref(), range).await;
        let summary = summary.map_err(|error| unread(&error))?;
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
        request: Request<v1::QueryStatisticsRequest>,
    ) -> Result<Response<v1::QueryStatisticsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let question = Question::new(&self.0, request.into_inner(), &caller).await?;
        Ok(Response::new(question.answer().await?))
    }

    type ExportStatisticsStream = Answers<v1::ExportStatisticsResponse>;

    async fn export_statistics(
        &self,
        request: Request<v1::ExportStatisticsRequest>,
    ) -> Result<Response<Self::ExportStatisticsStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let format = request.format();
        let question = Question::new(&self.0, request.query.unwrap_or_default(), &caller).await?;
        let file: Box<dyn Format> = match format {
            v1::ExportFormat::Unspecified | v1::ExportFormat::Csv => {
                Box::new(Csv::new(&question.names(), question.step()))
            }
            v1::ExportFormat::Parquet => {
                Box::new(Parquet::new(&question.names(), question.step()).map_err(|error| unwritten(&error))?)
            }
        };
        let begin = question.begin_ms();
        let answers = export(self.0.cancel.clone(), Some((question, file, begin)), |state| async move {
            let (question, mut file, begin) = state?;
            match piece(&question, file.as_mut(), begin).await {
                Ok((data, next)) => {
                    let answer = Ok(v1::ExportStatisticsResponse { data });
                    Some((answer, next.map(|next| (question, file, next))))
                }
                Err(failure) => Some((Err(failure.into()), None)),
            }
        });
        Ok(Response::new(answers))
    }
}

/// The next piece of a file, and where the one after begins; `None` = it was the last.
async fn piece(question: &Question, file: &mut dyn Format, begin: i64) -> Result<(Vec<u8>, Option<i64>), Failure> {
    match question.piece(begin).await? {
        Some((rows, next)) => Ok((file.rows(&rows).map_err(|error| unwritten(&error))?, Some(next))),
        None => Ok((file.end().map_err(|error| unwritten(&error))?, None)),
    }
}

/// Why sums were not read. That somebody asked for too much is no failure of the database.
fn unread(error: &StoreError) -> Failure {
    match error {
        StoreError::TooLong => Failure::new(Code::ResourceExhausted, "TOO_LONG", error.to_string()),
        error => storage(error),
    }
}

fn unwritten(error: &ExportError) -> Failure {
    tracing::error!(error = error as &(dyn std::error::Error + 'static), "statistics cannot be exported");
    Failure::new(Code::Internal, "EXPORT_FAILED", error.to_string())
}

impl Service {
    fn known(&self, name: &str, caller: &Caller) -> Result<MinerName, Status> {
        let name = miner_name("miner", name).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        caller.decide(Some(&miner.labels())).map_err(Failure::from)?;
        Ok(name)
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

fn token(at: BucketPosition) -> String {
    let BucketPosition { begin_ms, database, sequence } = at;
    format!("{begin_ms}/{database}/{sequence}")
}

fn position(token: &str) -> Result<BucketPosition, Problem> {
    let numbers = token.split('/').map(str::parse).collect::<Result<Vec<i64>, _>>().map_err(|_| bad_token())?;
    match *numbers.as_slice() {
        [begin_ms, database, sequence] => Ok(BucketPosition { begin_ms, database, sequence }),
        _ => Err(bad_token()),
    }
}
