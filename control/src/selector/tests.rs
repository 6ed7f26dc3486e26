use super::*;
use proptest::{collection, option, prelude::*, sample::select};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn matches(selector: &str, pairs: &[(&str, &str)]) -> bool {
    selector.parse::<Selector>().unwrap().matches(&labels(pairs))
}

fn complaint(selector: &str) -> (usize, String) {
    let Misread { column, reason } = selector.parse::<Selector>().unwrap_err();
    (column, reason)
}

#[test]
fn every_requirement_of_the_list_must_hold() {
    let selector = "site=a,model!=x,rack in (1,2),tier notin (z),gpu,!old";
    let all = [("site", "a"), ("model", "y"), ("rack", "2"), ("tier", "q"), ("gpu", "")];
    assert!(matches(selector, &all));
    for (key, wrong) in [("site", "b"), ("model", "x"), ("rack", "3"), ("tier", "z"), ("old", "")] {
        let mut spoilt = labels(&all);
        spoilt.insert(key.into(), wrong.into());
        assert!(!selector.parse::<Selector>().unwrap().matches(&spoilt), "{key}={wrong}");
    }
}

#[test]
fn missing_label_fulfils_only_what_is_negative() {
    for (selector, selected) in [
        ("a=1", false),
        ("a=", false),
        ("a in (1,)", false),
        ("a", false),
        ("a!=1", true),
        ("a notin (1)", true),
        ("!a", true),
    ] {
        assert_eq!(matches(selector, &[]), selected, "{selector}");
    }
}

#[test]
fn empty_selector_selects_everything() {
    for text in ["", "  \t"] {
        let selector: Selector = text.parse().unwrap();
        assert!(selector.is_everything() && selector.matches(&labels(&[("a", "b")])));
        assert_eq!(selector, Selector::default());
    }
    assert!(!"a".parse::<Selector>().unwrap().is_everything());
}

#[test]
fn words_of_the_language_are_keys_and_values_as_well() {
    assert!(matches("in in (in, notin)", &[("in", "notin")]));
    assert!(matches("notin", &[("notin", "x")]));
    assert!(matches("index=1,notinuse", &[("index", "1"), ("notinuse", "")]));
    assert!(matches(" a == 1 , ! b , c != in ", &[("a", "1")]));
    assert!(matches("example.org/rack_1-a=x", &[("example.org/rack_1-a", "x")]));
}

#[test]
fn empty_value_can_be_asked_for() {
    assert!(matches("a=", &[("a", "")]) && !matches("a=", &[("a", "1")]));
    assert!(matches("a in (,1)", &[("a", "")]) && matches("a in (,)", &[("a", "")]));
    assert_eq!("a in ( , )".parse::<Selector>().unwrap().to_string(), "a in (,)");
}

#[test]
fn complaints_point_at_the_place() {
    for (selector, column, hint) in [
        ("a=1,", 5, "the text ends here, but the key of a label belongs here"),
        (",a", 1, "found ',', but the key"),
        ("a=1 b=2", 5, "found 'b', but a comma"),
        ("a in 1,2", 6, "parentheses"),
        ("a in ()", 7, "at least one value"),
        ("a in (1", 8, "end with )"),
        ("a>5", 2, "found '>', but a key is followed by"),
        ("š=1", 1, "found 'š'"),
        ("a=ž", 3, "found 'ž'"),
        ("ab!c", 3, "found '!'"),
    ] {
        let (at, reason) = complaint(selector);
        assert_eq!(at, column, "{selector}: {reason}");
        assert!(reason.contains(hint), "{selector}: {reason}");
    }
}

#[test]
fn length_is_bounded() {
    let long = format!("a={}", "x".repeat(MAX_LABEL_BYTES + 1));
    assert_eq!(complaint(&long).0, 3);
    assert!(complaint(&"a,".repeat(MAX_SELECTOR_BYTES)).1.contains("at most 2048"));
    // It fits as it is typed, and not as it is printed.
    assert!(
        complaint(&format!("{}b", "a in(),".replace("()", "(b)").repeat(MAX_SELECTOR_BYTES / 8)))
            .1
            .contains("at most 2048")
    );
    assert!(format!("a={}", "x".repeat(MAX_LABEL_BYTES)).parse::<Selector>().is_ok());
}

#[test]
fn labels_that_no_selector_can_name_are_refused() {
    assert_eq!(check_label("site", "hall-2/row_3"), Ok(()));
    assert_eq!(check_label("site", ""), Ok(()));
    assert_eq!(check_label("", "x"), Err(LabelError::NoKey));
    assert!(matches!(check_label("a b", ""), Err(LabelError::BadCharacter { character: ' ', .. })));
    assert!(matches!(check_label("a", "1,b=2"), Err(LabelError::BadCharacter { character: ',', .. })));
    assert!(matches!(check_label("a", &"x".repeat(64)), Err(LabelError::TooLong(_))));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![select(vec!["in", "notin", "a", "b", "site", "1"]).prop_map(str::to_owned), "[a-zA-Z0-9._/-]{1,63}"]
}

fn value() -> impl Strategy<Value = String> {
    option::weighted(0.8, word()).prop_map(Option::unwrap_or_default)
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let values = || collection::btree_set(value(), 1..5);
    let condition = prop_oneof![
        value().prop_map(Condition::Is),
        value().prop_map(Condition::IsNot),
        values().prop_map(Condition::In),
        values().prop_map(Condition::NotIn),
        Just(Condition::Exists),
        Just(Condition::Missing),
    ];
    (word(), condition).prop_map(|(key, condition)| Requirement { key, condition })
}

proptest! {
    #[test]
    fn printed_selector_reads_as_itself(requirements in collection::vec(requirement(), 0..4)) {
        let selector = Selector(requirements);
        let text = selector.to_string();
        prop_assert_eq!(text.parse::<Selector>().unwrap(), selector.clone(), "{}", text);
        let json = serde_json::to_string(&selector).unwrap();
        prop_assert_eq!(serde_json::from_str::<Selector>(&json).unwrap(), selector);
    }

    #[test]
    fn opposites_never_agree(key in word(), a in value(), labels in collection::btree_map(word(), value(), 0..4)) {
        for (yes, no) in [
            (format!("{key}={a}"), format!("{key}!={a}")),
            (format!("{key} in ({a},1)"), format!("{key} notin ({a},1)")),
            (key.clone(), format!("!{key}")),
        ] {
            let [yes, no] = [yes, no].map(|text| text.parse::<Selector>().unwrap().matches(&labels));
            prop_assert_ne!(yes, no);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_length(text in "[a-c!=,() \u{160}in]{0,40}|.{0,40}") {
        match text.parse::<Selector>() {
            Ok(selector) => prop_assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector),
            Err(Misread { column, .. }) => prop_assert!((1..=text.chars().count() + 1).contains(&column)),
        }
    }

    #[test]
    fn labels_that_pass_the_check_can_be_selected(key in ".{0,8}|[a-z./]{1,70}", value in ".{0,8}|[a-z]{0,70}") {
        let named = format!("{key}={value}").parse::<Selector>();
        if check_label(&key, &value).is_ok() {
            prop_assert!(named.unwrap().matches(&labels(&[(&key, &value)])));
        }
    }
}
