use super::*;
use mujina_core::spec::SpecChange;
use proptest::{collection, prelude::*, sample::select};
use serde_json::json;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

const DATABASE: &str = "d1";
/// What no output may hold.
const SECRET: &str = "hunter2";

fn entry(method: &str) -> Entry {
    Entry::new("operator:ann", "192.0.2.1:5000", method, Outcome::Done).target("rig1").trace("4bf9")
}

fn log(entries: Vec<Entry>) -> Vec<Record> {
    let mut head = Head::empty(DATABASE);
    let chain = entries.into_iter().map(|entry| {
        let record = Record::chained(entry, head, UNIX_EPOCH + Duration::from_millis(1_790_000_000_123));
        head = record.head();
        record
    });
    chain.collect()
}

fn verify(records: &[Record]) -> Result<Head, Broken> {
    records.iter().try_fold(Head::empty(DATABASE), Head::verify)
}

#[test]
fn hash_is_the_documented_one() {
    let record =
        log(vec![entry("/a.S/M").detail("d").diff(json!([{"path": "x", "before": 1, "after": null}]))]).remove(0);
    let mut bytes = Sha256::digest(b"mujina audit 1:d1").to_vec();
    let fields = [
        "1",
        "1790000000123",
        "operator:ann",
        "192.0.2.1:5000",
        "a.S/M",
        "rig1",
        "done",
        "d",
        "4bf9",
        r#"[{"after":null,"before":1,"path":"x"}]"#,
    ];
    for field in fields {
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend(field.as_bytes());
    }
    assert_eq!(record.hash.0, *Sha256::digest(&bytes));
    // Never to change: logs that exist are verified with it.
    assert_eq!(record.hash.to_string(), "b04d6cea81b80575f388692533996dfe7552b2c1cfaac735f71e318cfba4850d");
}

#[test]
fn exported_lines_verify_by_themselves() {
    let records = log(vec![entry("a"), entry("b").detail("\u{1b}[1mé\n\"x\""), entry("c").diff(json!({"x": "y"}))]);
    let text: String = records.iter().map(|record| export::line(record).unwrap()).collect();
    assert_eq!(text.lines().count(), 3);
    let read: Vec<_> = text.lines().map(|line| export::read(line).unwrap()).collect();
    assert_eq!(read, records);
    assert_eq!(verify(&read), Ok(records[2].head()));
    for bad in ["", "{}", "[1]", &text.replace("\"hash\":\"", "\"hash\":\"x")] {
        assert!(export::read(bad).is_err());
    }
}

/// Runs the script of docs/security.md over exported lines; `None` where there is no Python.
fn script_of_the_paper(lines: &str) -> Option<std::process::Output> {
    let paper = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md")).unwrap();
    let (script, _) = paper.split_once("```python\n").unwrap().1.split_once("```").unwrap();
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut python = python.spawn().ok()?;
    // It may end, and close its side, before it has read all.
    let _ = python.stdin.take().unwrap().write_all(lines.as_bytes());
    Some(python.wait_with_output().unwrap())
}

#[test]
fn script_of_the_paper_verifies_an_export() {
    let records = log(vec![entry("a"), entry("b").detail("é\"x\""), entry("c").diff(json!({"x": [1.5, "ž"]}))]);
    let lines: String = records.iter().map(|record| export::line(record).unwrap()).collect();
    let Some(good) = script_of_the_paper(&lines) else { return };
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(String::from_utf8_lossy(&good.stdout).trim(), records[2].hash.to_string());
    let bad = script_of_the_paper(&lines.replace("rig1", "rig2")).unwrap();
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("record 1 was altered"));
}

#[test]
fn entries_cannot_forge_lines_or_fill_the_disk() {
    let long = "x".repeat(MAX_DIFF);
    let record =
        log(vec![Entry::new("a\nb\u{1b}[2J", "\u{202e}o", &long, Outcome::Denied).diff(json!([long.clone()]))])
            .remove(0);
    assert_eq!((record.who.as_str(), record.origin.as_str(), record.method.len()), ("ab", "o", MAX_TEXT));
    assert!(record.diff.len() < 200 && record.diff.contains("too_long_bytes"), "{}", record.diff);
}

#[test]
fn names_of_secrets_are_known_in_all_spellings() {
    for name in [
        "password",
        "poolPassword",
        "POOL_PASS_WORD",
        "token",
        "enrollment-token",
        "secret",
        "private_key",
        "privateKey",
        "pass",
        "pool_groups[a].pools[b].password",
        "authorization",
        "api-key",
        "a.token.value",
    ] {
        assert!(is_secret(name), "{name}");
    }
    for name in
        ["authority_key", "hash", "user", "url", "bypass", "pool_groups[token].pools[password].url", "path", "tls_pins"]
    {
        assert!(!is_secret(name), "{name}");
    }
}

#[test]
fn masked_value_still_says_whether_there_is_a_secret() {
    let mut value = json!({ "password_set": true, "password": null, "pools": [{ "password": SECRET, "url": "u" }] });
    mask(&mut value);
    assert_eq!(value, json!({ "password_set": true, "password": null, "pools": [{ "password": MASK, "url": "u" }] }));
}

#[test]
fn changed_secret_shows_as_changed_and_nothing_else_of_it() {
    let before = json!({ "user": "a", "same": [1], "login": { "password": "old" } });
    let after = json!({ "user": "b", "same": [1], "login": { "password": SECRET }, "more": 1 });
    let changes = json!([
        { "path": "login.password", "before": MASK, "after": MASK },
        { "path": "more", "before": null, "after": 1 },
        { "path": "user", "before": "a", "after": "b" },
    ]);
    assert_eq!(between(&before, &after), changes);
    let change = SpecChange { path: "pools[a].password".into(), before: SECRET.into(), after: String::new() };
    let record = log(vec![entry("a").diff(of_changes(&[change]))]).remove(0);
    assert_eq!(record.diff, r#"[{"after":"***","before":"***","path":"pools[a].password"}]"#);
}

#[test]
fn pool_with_the_name_of_a_secret_hides_nothing() {
    let change =
        SpecChange { path: "pool_groups[token].pools[password].url".into(), before: "a".into(), after: "b".into() };
    assert!(entry("a").diff(of_changes(&[change])).diff.contains(r#""after":"b""#));
}

/// Any value; what stands below the name of a secret holds [`SECRET`], and nothing else does.
fn planted() -> impl Strategy<Value = Value> {
    let plain = || "[a-z\\[\\]./\"\\\\]{0,6}";
    let leaf = prop_oneof![
        plain().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
        Just(Value::Bool(true))
    ];
    let harmless = leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map(plain(), inner, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let secret = prop_oneof![
        Just(json!(SECRET)),
        Just(json!([SECRET, { SECRET: 1 }])),
        Just(json!({ "value": SECRET, "path": SECRET })),
        Just(json!({ "a[": { "b": SECRET } })),
    ];
    let name = select(vec!["password", "Pool-Password", "x.token", "api_key", "clientSecret", "PRIVATE_KEY", "pass"]);
    let pair = (name, secret, harmless).prop_map(|(name, secret, other)| json!({ name: secret, "other": other }));
    pair.prop_recursive(4, 20, 3, |inner| {
        let fields = collection::btree_map("[a-z\\[.]{0,4}", inner.clone(), 1..4);
        prop_oneof![
            collection::vec(inner, 1..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn change_to(record: &mut Record, field: usize) {
    match field {
        0 => record.at_ms += 1,
        1 => record.who.push('x'),
        2 => record.origin.push('x'),
        3 => record.method.push('x'),
        4 => record.target.push('x'),
        5 => record.outcome = "done ".into(),
        6 => record.detail.push('x'),
        7 => record.trace_id.push('x'),
        8 => record.diff.push(' '),
        // From the end of one field to the begin of the next.
        9 => record.who = format!("{}{}", record.who, std::mem::take(&mut record.origin)),
        _ => record.hash.0[0] ^= 1,
    }
}

proptest! {
    #[test]
    fn no_secret_text_survives(before in planted(), after in planted()) {
        let mut masked = after.clone();
        mask(&mut masked);
        prop_assert!(!masked.to_string().contains(SECRET), "{}", masked);
        let changes = between(&before, &after);
        prop_assert!(!changes.to_string().contains(SECRET), "{}", changes);
        let record = log(vec![entry("a").diff(json!({ "before": before, "after": after }))]).remove(0);
        prop_assert!(!export::line(&record).unwrap().contains(SECRET), "{:?}", record);
    }

    #[test]
    fn masking_twice_is_masking_once(value in planted()) {
        let mut once = value;
        mask(&mut once);
        let mut twice = once.clone();
        mask(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn first_altered_record_is_found(count in 1_usize..6, at in any::<prop::sample::Index>(), field in 0_usize..11) {
        let mut records = log((0..count).map(|i| entry(&format!("m{i}"))).collect());
        prop_assert!(verify(&records).is_ok());
        let at = at.index(count);
        change_to(&mut records[at], field);
        prop_assert_eq!(verify(&records).unwrap_err(), Broken { sequence: u64::try_from(at).unwrap() + 1, what: Fault::Altered });
    }

    #[test]
    fn dropped_and_rewritten_records_are_found(count in 2_usize..6, at in any::<prop::sample::Index>()) {
        let records = log((0..count).map(|i| entry(&format!("m{i}"))).collect());
        let at = at.index(count - 1);
        let sequence = u64::try_from(at).unwrap() + 1;
        let mut dropped = records.clone();
        dropped.remove(at);
        prop_assert_eq!(verify(&dropped).unwrap_err(), Broken { sequence, what: Fault::Missing { found: sequence + 1 } });
        // Altered with a hash that fits: the next record tells.
        let mut rewritten = records;
        rewritten[at].who = "operator:bob".into();
        rewritten[at].hash = rewritten[at].computed();
        prop_assert_eq!(verify(&rewritten).unwrap_err(), Broken { sequence: sequence + 1, what: Fault::Unchained });
    }
}
