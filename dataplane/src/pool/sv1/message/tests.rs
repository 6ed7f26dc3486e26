//! Tolerance and refusal of the line decoder.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn read(line: &str) -> Result<Incoming, Malformed> {
    decode(line.as_bytes())
}

// V1
#[test]
fn line_may_have_a_byte_order_mark_blanks_and_carriage_returns_around_it() {
    let expected = read(r#"{"id":1,"result":true,"error":null}"#).unwrap();
    for line in [
        "\u{feff}{\"id\":1,\"result\":true,\"error\":null}\r\n",
        "  \t{\"id\":1,\"result\":true,\"error\":null} ",
        "\u{feff} { \"error\" : null , \"id\" : 1 , \"result\" : true }",
    ] {
        assert_eq!(read(line).unwrap(), expected);
    }
}

// V1
#[test]
fn nesting_is_taken_to_a_depth_of_sixteen() {
    let nested = |depth: usize| format!(r#"{{"id":1,"result":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read(&nested(16)).is_ok());
    assert!(matches!(read(&nested(17)), Err(Malformed::Garbage(_))));
    assert!(matches!(read(&"[".repeat(200_000)), Err(Malformed::Garbage(_))));
    // Brackets in text do not count, behind an escaped quote neither.
    assert!(read(&format!(r#"{{"id":1,"result":"\"{}"}}"#, "[{".repeat(40))).is_ok());
}

#[test]
fn what_is_no_json_object_is_garbage() {
    for line in ["", "{", "nonsense", "[]", "[1,2]", "7", "null", "\"x\"", "HTTP/1.1 400 Bad Request", "{\"id\":1}}"] {
        assert!(matches!(read(line), Err(Malformed::Garbage(_))), "{line}");
    }
    let Err(Malformed::Garbage(shown)) = read(&format!("\u{1b}[31m{}", "x".repeat(500))) else { panic!("no garbage") };
    assert_eq!(shown, "x".repeat(80));
}

#[test]
fn text_that_is_no_utf_8_is_read_all_the_same() {
    let line = b"{\"method\":\"client.show_message\",\"params\":[\"gr\xfc\xdfe\"]}";
    assert_eq!(decode(line).unwrap(), Incoming::ShowMessage("gr\u{fffd}\u{fffd}e".into()));
}

// V4
#[test]
fn ids_are_numbers_or_texts_of_numbers() {
    for (id, expected) in [
        (json!(7), Some(7)),
        (json!("7"), Some(7)),
        (json!(null), None),
        (json!(-7), None),
        (json!("x"), None),
        (json!([7]), None),
        (json!(7.5), None),
    ] {
        let Incoming::Answer(answer) = read(&json!({"id": id, "result": true}).to_string()).unwrap() else {
            panic!("{id}")
        };
        assert_eq!(answer.id, expected, "{id}");
    }
    let Incoming::Answer(answer) = read("{}").unwrap() else { panic!("no answer") };
    assert_eq!((answer.id, answer.result, answer.refusal), (None, Value::Null, None));
}

// V4
#[test]
fn method_makes_a_request_of_whatever_has_one() {
    let ping = |id: Value| {
        read(&json!({"id": id, "method": "mining.ping", "result": null, "error": null}).to_string()).unwrap()
    };
    assert_eq!(ping(json!("a")), Incoming::Request { id: json!("a"), reply: Reply::Pong });
    assert_eq!(ping(json!(null)), Incoming::Ignored { what: "mining.ping".into() });
    assert!(matches!(read(r#"{"method":7}"#), Err(Malformed::Message(_))));
    assert!(matches!(read(r#"{"method":null,"id":1,"result":true}"#), Ok(Incoming::Answer(_))));
}

// V14, V16
#[test]
fn names_of_all_kinds_are_escaped_on_the_wire() {
    let submit = Submit {
        id: 9,
        user: "a\"b\\c".into(),
        job_id: json!("x\n\"y"),
        extranonce2: Bytes::from_static(&[0, 0xab]),
        ntime: 1,
        nonce: 0xfedc_ba98,
        version_bits: Some(0x0000_2000),
    };
    let line = Outgoing::Submit(Box::new(submit)).line("");
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["params"], json!(["a\"b\\c", "x\n\"y", "00ab", "00000001", "fedcba98", "00002000"]));
}

// V15
#[test]
fn suggested_difficulty_is_whole_from_one_up() {
    let said = |difficulty: f64| {
        let difficulty = Difficulty::try_from(difficulty).unwrap();
        serde_json::from_slice::<Value>(&Outgoing::SuggestDifficulty { id: 1, difficulty }.line("")).unwrap()["params"]
            .clone()
    };
    assert_eq!(said(0.25), json!([0.25]));
    assert_eq!(said(1.4), json!([1]));
    assert_eq!(said(4096.7), json!([4097]));
    assert_eq!(said(f64::MAX), json!([u64::MAX]));
}

// SEC6
#[test]
fn password_is_in_the_line_alone() {
    let message = Outgoing::Authorize { id: 3, user: "alice".into(), password: "hunter2".into() };
    assert!(!format!("{message:?}").contains("hunter2"));
    assert!(String::from_utf8(message.line("")).unwrap().contains("hunter2"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    // A good line, cut or with one byte changed.
    #[test]
    fn no_damage_makes_the_decoder_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut line = crate::pool::sv1::testing::notify("job", true).to_string().into_bytes();
        let place = at.index(line.len());
        line[place] = byte;
        let _ = decode(&line);
        line.truncate(cut.index(line.len()));
        let _ = decode(&line);
    }

    #[test]
    fn depth_is_found_like_the_parser_finds_it(text in "[\\[\\]{}:,\"\\\\a]{0,60}") {
        // Whatever the parser takes has brackets that match, so that its depth is the deepest prefix.
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            fn of(value: &Value) -> usize {
                match value {
                    Value::Array(parts) => 1 + parts.iter().map(of).max().unwrap_or_default(),
                    Value::Object(parts) => 1 + parts.values().map(of).max().unwrap_or_default(),
                    _ => 0,
                }
            }
            // An object may say a key twice, and then the last counts.
            prop_assert!(depth(&text) >= of(&value));
        }
    }
}
