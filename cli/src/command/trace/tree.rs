//! Spans as a tree with begin and duration. Pure.
//!
//! Spans whose parent is not there (it belongs to a process that ended) stand at the top. What peers send may be anything:
//! a span twice, parents in a circle; every span is shown once all the same.

use crate::output::{Cell, Paint, Table, Tone};
use mujina_core::units::duration;
use mujina_proto::{convert::time, types::v1::Span};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

/// Attributes that say the same as the name, or speak to machines only.
const BORING: &[&str] = &["busy_ns", "idle_ns", "rpc.system", "code.module.name", "target", "level"];

/// The tree as lines.
pub(super) fn draw(spans: &[Span], paint: Paint) -> String {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| (begin(span), time(span.end).map(std::cmp::Reverse)));
    let mut seen = BTreeSet::new();
    spans.retain(|span| span.span_id.is_empty() || seen.insert(span.span_id.clone()));
    let origin = spans.iter().filter_map(|span| begin(span)).min();
    let mut table = Table::new(&["SPAN", "SERVICE", ">BEGIN", ">TIME", "FACTS"]);
    for (depth, span) in order(&spans) {
        table.row(row(span, depth, origin));
    }
    table.render(paint)
}

/// All spans once, parents before children, with their depth.
fn order<'a>(spans: &[&'a Span]) -> Vec<(usize, &'a Span)> {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let mut children = BTreeMap::<&str, Vec<usize>>::new();
    let mut tops = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if ids.contains(span.parent_span_id.as_str()) && !span.parent_span_id.is_empty() {
            children.entry(&span.parent_span_id).or_default().push(index);
        } else {
            tops.push(index);
        }
    }
    let mut ordered = Vec::new();
    let mut shown = vec![false; spans.len()];
    // Those in a circle are reached from no top: they come last, the earliest first.
    for top in tops.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(0, top)];
        while let Some((depth, index)) = stack.pop() {
            let (Some(span), Some(shown)) = (spans.get(index), shown.get_mut(index)) else { continue };
            if std::mem::replace(shown, true) {
                continue;
            }
            ordered.push((depth, *span));
            let below = children.get(span.span_id.as_str()).into_iter().flatten().rev();
            stack.extend(below.map(|index| (depth + 1, *index)));
        }
    }
    ordered
}

fn row(span: &Span, depth: usize, origin: Option<SystemTime>) -> [Cell; 5] {
    let offset = begin(span).zip(origin).and_then(|(begin, origin)| begin.duration_since(origin).ok());
    let length = time(span.end).zip(begin(span)).and_then(|(end, begin)| end.duration_since(begin).ok());
    let shown = |length: Option<_>| length.map_or_else(|| "-".to_owned(), duration::human);
    let facts: Vec<_> = span
        .attributes
        .iter()
        .filter(|(name, _)| !BORING.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let (mark, tone) = if span.error { (" !", Tone::Bad) } else { ("", Tone::Plain) };
    [
        Cell::new(format!("{}{}{mark}", "  ".repeat(depth), span.name), tone),
        Cell::new(&span.service, Tone::Dim),
        shown(offset).into(),
        shown(length).into(),
        Cell::new(facts.join(" "), Tone::Dim),
    ]
}

fn begin(span: &Span) -> Option<SystemTime> {
    time(span.begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: &str, name: &str, begin: i32, end: i32) -> Span {
        let at = |millis: i32| Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: millis * 1_000_000 });
        Span {
            span_id: id.into(),
            parent_span_id: parent.into(),
            name: name.into(),
            service: "mujina-control".into(),
            begin: at(begin),
            end: at(end),
            ..Span::default()
        }
    }

    #[test]
    fn trace_is_a_tree_in_order_of_time() {
        let mut failed = span("c", "b", "pool.connect", 4, 30);
        failed.error = true;
        failed.attributes.insert("pool.name".into(), "primary".into());
        let spans = [
            span("d", "b", "pool.noise", 10, 12),
            failed,
            span("b", "gone", "rpc.serve", 0, 40),
            span("e", "", "other", 2, 3),
        ];
        insta::assert_snapshot!(draw(&spans, Paint(false)), @r"
        SPAN              SERVICE          BEGIN    TIME  FACTS
        rpc.serve         mujina-control     0 s   40 ms  -
          pool.connect !  mujina-control  4.0 ms   26 ms  pool.name=primary
          pool.noise      mujina-control   10 ms  2.0 ms  -
        other             mujina-control  2.0 ms  1.0 ms  -
        ");
    }

    #[test]
    fn spans_in_a_circle_and_doubles_are_shown_once() {
        let spans = [span("a", "b", "first", 0, 1), span("b", "a", "second", 1, 2), span("b", "a", "second", 1, 2)];
        let drawn = draw(&spans, Paint(false));
        assert_eq!(drawn.matches("first").count(), 1, "{drawn}");
        assert_eq!(drawn.matches("second").count(), 1, "{drawn}");
    }
}
