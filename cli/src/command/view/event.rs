//! Events, and series of figures.

use super::{clean, hash_rate, labels_of, with_error};
use crate::output::{Cell, Paint, Table, Tone, clock};
use mujina_proto::{
    control::v1::{Event, QueryStatisticsResponse, StatisticsPoint, WatchEventsResponse},
    convert::time,
};

/// A row an event.
pub(crate) fn events(events: &[Event], paint: Paint) -> String {
    if events.is_empty() {
        return "nothing happened\n".into();
    }
    let mut table = Table::new(&[">NO", "AT", "KIND", "MINER", "ABOUT", "WHAT"]);
    for event in events {
        table.row([
            event.sequence.into(),
            clock(time(event.at)).into(),
            Cell::new(&event.kind, Tone::Strong),
            (&event.miner).into(),
            (&event.subject).into(),
            (&event.message).into(),
        ]);
    }
    table.render(paint)
}

/// Events as they happen, a line each.
pub(crate) fn event_lines(answer: &WatchEventsResponse) -> String {
    let gap = if answer.gap { "... events before these were dropped\n" } else { "" };
    let line = |Event { sequence, at, kind, miner, subject, message }: &Event| {
        let about: Vec<_> =
            [miner, subject].into_iter().filter(|text| !text.is_empty()).map(|text| clean(text)).collect();
        let about = if about.is_empty() { String::new() } else { format!(" {}", about.join(" ")) };
        format!("{sequence}  {}  {}{about}  {}\n", clock(time(*at)), clean(kind), clean(message))
    };
    format!("{gap}{}", answer.events.iter().map(line).collect::<String>())
}

/// Series, one after the other.
pub(crate) fn series(answer: &QueryStatisticsResponse, paint: Paint) -> String {
    if answer.series.is_empty() {
        return "nothing was collected in that time\n".into();
    }
    let mut table = Table::new(&["GROUP", "FROM", ">RATE", ">ACCEPTED", ">REJECTED", ">STALE"]);
    for series in &answer.series {
        for point in &series.points {
            let StatisticsPoint { begin, accepted, rejected, stale, hash_rate_hps, hash_rate_error_hps, .. } = point;
            let relative = (*hash_rate_hps > 0.0).then(|| hash_rate_error_hps / hash_rate_hps);
            let rate = with_error(*hash_rate_hps, relative).or_else(|| hash_rate(*hash_rate_hps));
            table.row([
                Cell::new(labels_of(&series.group), Tone::Strong),
                clock(time(*begin)).into(),
                rate.unwrap_or_default().into(),
                accepted.into(),
                rejected.into(),
                stale.into(),
            ]);
        }
    }
    table.render(paint)
}
