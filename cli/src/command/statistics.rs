//! `stats` and `event`: figures and happenings that the control plane collected.

use super::{file, message, pages, selection, view};
use crate::{
    args::{Event, ExportAs, Stats, StatsExport, StatsRange},
    context::Context,
    error::CliError,
};
use mujina_proto::{
    control::v1::{
        ExportFormat, ExportStatisticsRequest, ListEventsRequest, QueryStatisticsRequest, WatchEventsRequest,
        event_service_client::EventServiceClient, statistics_service_client::StatisticsServiceClient,
    },
    convert,
};
use std::time::{Duration, SystemTime};

pub(crate) async fn run(command: Stats, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        Stats::Query(range) => query(range, context).await,
        Stats::Export(args) => export(args, context).await,
    }
}

fn request(range: StatsRange, context: &Context<'_>, now: SystemTime) -> Result<QueryStatisticsRequest, CliError> {
    let StatsRange { miners, step, since, until, group_by } = range;
    if until.is_some_and(|until| until >= since) {
        return Err(CliError::Usage("--until must be less far back than --since".into()));
    }
    Ok(QueryStatisticsRequest {
        selection: selection::said(context, &miners.names, &miners.others)?,
        begin: Some(ago(now, since)),
        end: until.map(|until| ago(now, until)),
        step: step.map(convert::duration),
        group_by,
    })
}

/// So long before now.
pub(super) fn ago(now: SystemTime, length: Duration) -> prost_types::Timestamp {
    convert::timestamp(now.checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH))
}

async fn query(range: StatsRange, context: &mut Context<'_>) -> Result<(), CliError> {
    let request = request(range, context, SystemTime::now())?;
    let (_, client) = context.connect().await?;
    let mut service = StatisticsServiceClient::new(client).max_decoding_message_size(super::peer::MAX_ANSWER);
    let failed = CliError::call("query the statistics");
    let answer = service.query_statistics(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |paint| view::series(&answer, paint))
}

async fn export(args: StatsExport, context: &mut Context<'_>) -> Result<(), CliError> {
    let StatsExport { range, format, to } = args;
    let query = Some(request(range, context, SystemTime::now())?);
    let format = match format {
        ExportAs::Csv => ExportFormat::Csv,
        ExportAs::Parquet => ExportFormat::Parquet,
    };
    let (_, client) = context.connect().await?;
    let mut service = StatisticsServiceClient::new(client).max_decoding_message_size(super::peer::MAX_ANSWER);
    let failed = || CliError::call("export the statistics");
    let request = ExportStatisticsRequest { query, format: format.into() };
    let mut stream = service.export_statistics(request).await.map_err(failed())?.into_inner();
    let mut sink = file::Sink::open(to.as_deref())?;
    while let Some(part) = stream.message().await.map_err(failed())? {
        sink.write(&part.data, context)?;
    }
    sink.finish()?;
    match to {
        Some(to) => context.confirm(&format!("the statistics are in {}", to.display())),
        None => Ok(()),
    }
}

pub(crate) async fn event(command: Event, context: &mut Context<'_>) -> Result<(), CliError> {
    let miner = context.miner.as_ref().map(ToString::to_string).unwrap_or_default();
    let (_, client) = context.connect().await?;
    let mut service = EventServiceClient::new(client);
    match command {
        Event::List { limit } => {
            let answer = pages::read(limit, |page_size, page_token| {
                let mut service = service.clone();
                let request = ListEventsRequest { miner: miner.clone(), page_size, page_token };
                async move { service.list_events(request).await }
            });
            let answer = answer.await.map_err(CliError::call("list the events"))?;
            message::show(context, &answer, |paint| view::events(&answer.events, paint))
        }
        Event::Watch { mut after } => {
            let doing = "watch the events";
            loop {
                let request = WatchEventsRequest { after_sequence: after, miner: miner.clone() };
                let mut stream = service.watch_events(request).await.map_err(CliError::call(doing))?.into_inner();
                let begin = after;
                while let Some(answer) = stream.message().await.map_err(CliError::call(doing))? {
                    after = answer.resume_sequence;
                    // What is only a bookmark tells people nothing.
                    if !answer.events.is_empty() || answer.gap || !context.format.is_for_people() {
                        message::event(context, &answer, |_| view::event_lines(&answer))?;
                    }
                }
                // It ends when this reader was too slow, and goes on where it was; without a place to go on from it is over.
                if after == begin {
                    return Err(CliError::Ended { doing: doing.into() });
                }
            }
        }
    }
}
