use super::*;
use proptest::prelude::*;

const FIELDS: [Field; 5] = [
    Field { name: "hashrate_1h.ratio", kind: Kind::Number },
    Field { name: "state", kind: Kind::OneOf(&["IN_SYNC", "UNREACHABLE"]) },
    Field { name: "model", kind: Kind::Text },
    Field { name: "paused", kind: Kind::Truth },
    Field { name: "labels.", kind: Kind::Text },
];

fn filter(text: &str) -> Filter {
    Filter::parse(text, &FIELDS).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn complaint(text: &str) -> (usize, String) {
    let Misread { column, reason } = Filter::parse(text, &FIELDS).unwrap_err();
    (column, reason)
}

/// A miner that hashes at 0.8 of what it should; `labels.row` and the ratio of others are not known.
fn rig(field: &str) -> Option<Value> {
    match field {
        "hashrate_1h.ratio" => Some(Value::Number(0.8)),
        "state" => Some(Value::Text("UNREACHABLE".into())),
        "model" => Some(Value::Text("BM \"1370\" \\ a".into())),
        "paused" => Some(Value::Truth(false)),
        "labels.site" => Some(Value::Text("hall-2".into())),
        _ => None,
    }
}

#[test]
fn comparisons_are_joined_as_written() {
    for (text, is_true) in [
        ("", true),
        ("hashrate_1h.ratio<0.9 and state=UNREACHABLE", true),
        ("hashrate_1h.ratio>=0.9 or state==UNREACHABLE", true),
        ("hashrate_1h.ratio < 0.9 and not state = UNREACHABLE", false),
        ("hashrate_1h.ratio<=8e-1", true),
        ("hashrate_1h.ratio>-1", true),
        ("hashrate_1h.ratio!=0.8", false),
        ("paused", false),
        ("not paused", true),
        ("paused=false", true),
        (r#"model="BM \"1370\" \\ a""#, true),
        ("labels.site=hall-2", true),
        ("labels.site!=hall-2 or (paused or not (paused))", true),
        ("known(labels.site) and not known(labels.row)", true),
    ] {
        assert_eq!(filter(text).matches(rig), is_true, "{text}");
    }
}

#[test]
fn and_binds_tighter_than_or() {
    assert!(filter("not paused or paused and paused").matches(rig));
    assert!(!filter("(not paused or paused) and paused").matches(rig));
}

#[test]
fn absent_reading_matches_no_comparison_and_no_opposite() {
    for text in [
        "labels.row=1",
        "labels.row!=1",
        "not labels.row=1",
        "labels.row=1 and not paused",
        "not (labels.row=1 or paused)",
    ] {
        assert!(!filter(text).matches(rig), "{text}");
    }
    assert!(filter("labels.row=1 or not paused").matches(rig));
    assert!(!filter("hashrate_1h.ratio<9 or known(hashrate_1h.ratio)").matches(|_| Some(Value::Number(f64::NAN))));
}

#[test]
fn reading_of_another_kind_matches_nothing() {
    assert!(!filter("model!=x").matches(|_| Some(Value::Number(1.0))));
}

#[test]
fn unknown_field_is_answered_with_the_known_ones() {
    let (column, reason) = complaint("paused and hashrate<1");
    assert_eq!(column, 12);
    assert_eq!(reason, "there is no field `hashrate`; known are hashrate_1h.ratio, state, model, paused, labels.*");
    assert_eq!(complaint("labels.=x").0, 1);
}

#[test]
fn complaints_point_at_the_place() {
    for (text, column, hint) in [
        ("paused paused", 8, "`and` or `or` must stand"),
        ("paused and", 11, "the text ends here, but a field"),
        ("model", 6, "`model` must be compared"),
        ("model<a", 6, "no order for `<`; use = or !="),
        ("paused>true", 7, "no order"),
        ("paused=yes", 8, "true or false"),
        ("state=unreachable", 7, "one of IN_SYNC, UNREACHABLE"),
        ("hashrate_1h.ratio<fast", 19, "write one such as 0.9"),
        ("hashrate_1h.ratio<inf", 19, "write one such as 0.9"),
        ("model=and paused", 7, "a value belongs here"),
        ("model=", 7, "the text ends here, but a value"),
        (r#"model="abc"#, 7, "never closed"),
        (r#"model="a\n""#, 9, "a backslash"),
        ("(paused", 8, "a ) belongs here"),
        ("known(paused", 13, "a ) belongs here"),
        ("known(x)", 7, "no field `x`"),
        ("&", 1, "found '&'"),
    ] {
        let (at, reason) = complaint(text);
        assert_eq!(at, column, "{text}: {reason}");
        assert!(reason.contains(hint), "{text}: {reason}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    assert!(complaint(&"not ".repeat(MAX_DEPTH + 1)).1.contains("at most 32 levels"));
    assert!(complaint(&"(".repeat(MAX_FILTER_BYTES)).1.contains("at most 32 levels"));
    assert!(complaint(&" ".repeat(MAX_FILTER_BYTES + 1)).1.contains("at most 2048"));
    let deep = format!("{}paused{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert!(!filter(&deep).matches(rig));
}

/// Filters over one field, whatever their form.
fn of_ratio() -> impl Strategy<Value = String> {
    let sign = proptest::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let term = (sign, -2_i8..3).prop_map(|(sign, number)| format!("hashrate_1h.ratio {sign} {number}"));
    term.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) or ({b})")),
        ]
    })
}

proptest! {
    #[test]
    fn filter_over_an_absent_reading_alone_never_matches(text in of_ratio()) {
        prop_assert!(!filter(&text).matches(|_| None), "{}", text);
    }

    #[test]
    fn filter_over_a_reading_or_its_opposite_matches_never_both(text in of_ratio(), ratio in -3_i8..4) {
        let of = |text: &str| filter(text).matches(|_| Some(Value::Number(f64::from(ratio))));
        prop_assert_ne!(of(&text), of(&format!("not ({text})")), "{}", text);
    }

    #[test]
    fn comparisons_are_those_of_numbers(a in any::<f64>().prop_filter("finite", |a| a.is_finite()), b in any::<f64>()) {
        for (sign, is_true) in [("<", b < a), ("<=", b <= a), ("=", b == a), ("!=", b != a && !b.is_nan()), (">", b > a), (">=", b >= a)] {
            let matches = filter(&format!("hashrate_1h.ratio{sign}{a:e}")).matches(|_| Some(Value::Number(b)));
            prop_assert_eq!(matches, is_true, "{} {} {}", b, sign, a);
        }
    }

    #[test]
    fn any_text_passes_through_quotes(value in ".{0,30}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert!(filter(&["model=\"", &quoted, "\""].concat()).matches(|_| Some(Value::Text(value.clone()))));
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_length(text in "(paused|not|and|or|state|=|<|\"|\\(|\\)|1| |é){0,20}|.{0,30}") {
        if let Err(Misread { column, .. }) = Filter::parse(&text, &FIELDS) {
            prop_assert!((1..=text.chars().count() + 1).contains(&column), "{}", column);
        }
    }
}
