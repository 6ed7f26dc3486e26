use super::*;

#[test]
fn sizes_are_counts_or_parts_rounded_up_and_never_nothing() {
    for (size, total, expected) in
        [("1", 50, 1), ("10%", 5, 1), ("10%", 11, 2), ("100%", 7, 7), ("80", 7, 7), ("3", 0, 0)]
    {
        assert_eq!(size.parse::<Size>().unwrap().of(total), expected, "{size} of {total}");
    }
    for bad in ["", "0", "0%", "101%", "-1", "ten", "1.5", "%"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
}

#[test]
fn strategy_reads_back_as_it_was_written() {
    let strategy = Strategy {
        order: Order::Label("rack".into()),
        canary: Some("role=canary".parse().unwrap()),
        ..Strategy::default()
    };
    let text = serde_json::to_string(&strategy).unwrap();
    assert!(text.contains(r#""waves":["1","10%","100%"]"#) && text.contains(r#""canary":"role=canary""#), "{text}");
    assert_eq!(serde_json::from_str::<Strategy>(&text).unwrap(), strategy);
    assert_eq!(serde_json::from_str::<Strategy>("{}").unwrap(), Strategy::default());
}

#[test]
fn everything_wrong_with_a_strategy_is_named_at_once() {
    assert_eq!(Strategy::default().check(), Ok(()));
    let bad = Strategy {
        waves: vec![Size::Count(1), Size::Percent(0)],
        max_unavailable: Size::Count(0),
        pause_between: LONGEST * 2,
        soak: Duration::ZERO,
        confirm_within: Duration::ZERO,
        gates: Gates {
            reject_confidence: Some(1.0),
            hash_rate_errors: Some(f64::NAN),
            least_drop: -0.1,
            ..Gates::default()
        },
        ..Strategy::default()
    };
    let Problems(problems) = bad.check().unwrap_err();
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "waves[1]",
            "max_unavailable",
            "pause_between",
            "confirm_within",
            "gates.reject_confidence",
            "gates.hash_rate_errors",
            "gates.least_drop",
            "soak",
        ]
    );
    assert_eq!(Strategy { waves: Vec::new(), ..Strategy::default() }.check().unwrap_err().0[0].field, "waves");
    let quiet = Strategy { soak: Duration::ZERO, gates: Gates::without_hashing(), ..Strategy::default() };
    assert_eq!(quiet.check(), Ok(()));
}
