//! Series over time, and files of them: which miners, which groups, which steps.

use super::{
    super::{Parts, problem, storage},
    unread,
};
use crate::{
    access::{Caller, Permission},
    registry::{Miner, select},
    selector::{Labels, check_label},
    statistics::{Plan, PlanError, Point, export::ExportRow, plan},
    store::{Points, SeriesRow},
};
use mujina_core::{id::MinerName, spec::Problem};
use mujina_proto::{
    control::v1,
    convert::{duration, timestamp},
    failure::Failure,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tonic::Code;

/// Points of one answer: beyond it a message would be too long for most clients.
const ANSWER: usize = 30_000;
/// Rows that an export reads at once.
const PIECE: usize = 20_000;
/// What may make groups together.
const MAX_GROUPINGS: usize = 8;

/// What makes a series of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Grouping {
    Miner,
    Pool,
    Label(String),
}

/// A question that was understood.
pub(super) struct Question {
    parts: Parts,
    plan: Plan,
    groupings: Vec<Grouping>,
    /// Values of each group by its number, in the order of the groupings; empty for pools.
    groups: Vec<Vec<String>>,
    miners: BTreeMap<MinerName, usize>,
}

impl Question {
    pub(super) async fn new(
        parts: &Parts,
        query: v1::QueryStatisticsRequest,
        caller: &Caller,
    ) -> Result<Self, Failure> {
        let v1::QueryStatisticsRequest { selection, begin, end, step, group_by } = query;
        let groupings = group_by.iter().enumerate().map(|(i, text)| grouping(i, text)).collect::<Result<Vec<_>, _>>();
        let groupings = groupings.map_err(one)?;
        if groupings.len() > MAX_GROUPINGS {
            return Err(Failure::invalid_field("group_by", format!("is long; use at most {MAX_GROUPINGS}")));
        }
        let range = super::range(begin, end).map_err(one)?;
        let step = step.map(Duration::try_from).transpose();
        let step = step.map_err(|_| one(problem("step", "is negative; use at least 10 s")))?;
        let plan = plan(range.begin, range.end, step, SystemTime::now()).map_err(|error| refused(&error))?;
        let labels = chosen(parts, selection, caller).await?;
        let (mut groups, mut numbers, mut miners) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (name, labels) in labels {
            let value = |grouping: &Grouping| match grouping {
                Grouping::Miner => name.to_string(),
                Grouping::Pool => String::new(),
                Grouping::Label(key) => labels.get(key).cloned().unwrap_or_default(),
            };
            let group: Vec<_> = groupings.iter().map(value).collect();
            let number = *numbers.entry(group.clone()).or_insert_with(|| {
                groups.push(group);
                groups.len() - 1
            });
            miners.insert(name, number);
        }
        Ok(Self { parts: parts.clone(), plan, groupings, groups, miners })
    }

    /// All of it.
    pub(super) async fn answer(&self) -> Result<v1::QueryStatisticsResponse, Failure> {
        let rows = self.rows(self.plan.begin_ms, self.plan.end_ms, ANSWER + 1).await?;
        if rows.len() > ANSWER {
            let reason = format!("gives more than {ANSWER} points; use a wider one, fewer groups, or an export");
            return Err(Failure::invalid_field("step", reason));
        }
        let mut series = BTreeMap::<Vec<String>, Vec<v1::StatisticsPoint>>::new();
        for row in rows {
            let ExportRow { group, point } = self.named(row)?;
            series.entry(group).or_default().push(self.message(&point));
        }
        let names = self.names();
        let series = series
            .into_iter()
            .map(|(group, points)| v1::StatisticsSeries { group: names.iter().cloned().zip(group).collect(), points });
        Ok(v1::QueryStatisticsResponse { series: series.collect(), step: Some(duration(self.plan.step())) })
    }

    /// The rows from a time on, and the time behind them; `None` = that was all. In order of time.
    pub(super) async fn piece(&self, begin_ms: i64) -> Result<Option<(Vec<ExportRow>, i64)>, Failure> {
        let Plan { end_ms, step_ms, .. } = self.plan;
        if begin_ms >= end_ms {
            return Ok(None);
        }
        // Of pools there are few in a group.
        let steps = i64::try_from(PIECE / self.groups.len().max(1)).unwrap_or(1).max(1);
        let next = begin_ms.saturating_add(steps.saturating_mul(step_ms)).min(end_ms);
        let rows = self.rows(begin_ms, next, usize::MAX).await?;
        let rows = rows.into_iter().map(|row| self.named(row)).collect::<Result<_, _>>()?;
        Ok(Some((rows, next)))
    }

    /// Where the first piece begins.
    pub(super) fn begin_ms(&self) -> i64 {
        self.plan.begin_ms
    }

    pub(super) fn step(&self) -> Duration {
        self.plan.step()
    }

    /// Of the groupings, as they were asked for.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |grouping: &Grouping| match grouping {
            Grouping::Miner => "miner".to_owned(),
            Grouping::Pool => "pool".to_owned(),
            Grouping::Label(key) => format!("label:{key}"),
        };
        self.groupings.iter().map(name).collect()
    }

    async fn rows(&self, begin_ms: i64, end_ms: i64, most: usize) -> Result<Vec<SeriesRow>, Failure> {
        let Plan { step_ms, resolution_ms, .. } = self.plan;
        let by_pool = self.groupings.contains(&Grouping::Pool);
        let points = Points { groups: self.miners.clone(), by_pool, begin_ms, end_ms, step_ms, resolution_ms };
        self.parts.store.share_series(&points, most).await.map_err(|error| unread(&error))
    }

    fn named(&self, row: SeriesRow) -> Result<ExportRow, Failure> {
        let SeriesRow {
            begin_ms,
            group,
            pool,
            covered_ms,
            submitted,
            accepted,
            rejected,
            stale,
            accepted_work,
            work_variance,
        } = row;
        let unknown = || Failure::new(Code::Internal, "UNKNOWN_GROUP", "a group is not known; please report this");
        let values = self.groups.get(group).ok_or_else(unknown)?;
        let value = |(grouping, value): (&Grouping, &String)| match grouping {
            Grouping::Pool => pool.clone(),
            Grouping::Miner | Grouping::Label(_) => value.clone(),
        };
        let group = self.groupings.iter().zip(values).map(value).collect();
        let point = Point { begin_ms, covered_ms, submitted, accepted, rejected, stale, accepted_work, work_variance };
        Ok(ExportRow { group, point })
    }

    fn message(&self, point: &Point) -> v1::StatisticsPoint {
        let (hash_rate_hps, hash_rate_error_hps) = point.hash_rate(self.plan.step());
        let Point { begin_ms: _, covered_ms, submitted, accepted, rejected, stale, accepted_work, work_variance: _ } =
            *point;
        v1::StatisticsPoint {
            begin: Some(timestamp(point.begin())),
            covered: Some(duration(Duration::from_millis(covered_ms))),
            submitted,
            accepted,
            rejected,
            stale,
            accepted_hashes: accepted_work,
            hash_rate_hps,
            hash_rate_error_hps,
        }
    }
}

/// The miners that are meant, with their labels of now. Without a selection those are meant as well that are no longer known,
/// for whoever sees all.
async fn chosen(
    parts: &Parts,
    selection: Option<v1::MinerSelection>,
    caller: &Caller,
) -> Result<BTreeMap<MinerName, Arc<Labels>>, Failure> {
    let of = |miners: Vec<Arc<Miner>>| miners.into_iter().map(|miner| (miner.name.clone(), miner.labels()));
    let everything = || v1::MinerSelection { all: true, ..v1::MinerSelection::default() };
    let is_open = selection.is_none();
    let mut chosen: BTreeMap<_, _> =
        of(select(&parts.registry, &selection.unwrap_or_else(everything), caller)?).collect();
    if is_open && caller.may(Permission::Read, None).is_ok() {
        for name in parts.store.collected_miners().await.map_err(|error| storage(&error))? {
            chosen.entry(name).or_default();
        }
    }
    Ok(chosen)
}

fn grouping(i: usize, text: &str) -> Result<Grouping, Problem> {
    match (text, text.strip_prefix("label:")) {
        ("miner", _) => Ok(Grouping::Miner),
        ("pool", _) => Ok(Grouping::Pool),
        (_, Some(key)) => match check_label(key, "") {
            Ok(()) => Ok(Grouping::Label(key.to_owned())),
            Err(error) => Err(problem(&format!("group_by[{i}]"), error.to_string())),
        },
        _ => Err(problem(&format!("group_by[{i}]"), "is no group; use `miner`, `pool` or `label:KEY`")),
    }
}

fn refused(error: &PlanError) -> Failure {
    let field = match error {
        PlanError::EndBeforeBegin => "end",
        PlanError::Step | PlanError::TooManyPoints(_) | PlanError::TooManyBuckets => "step",
    };
    Failure::invalid_field(field, error.to_string())
}

fn one(problem: Problem) -> Failure {
    Failure::invalid_field(problem.field, problem.reason)
}
