//! Any line is read, ignored or refused; what is read is bounded, and the same whatever stands around it.

use super::*;
use crate::pool::fuzzing;

const TARGET: &str = "sv1_message";

#[test]
fn what_is_read_of_any_line_is_bounded_and_means_the_same_printed_again() {
    bolero::check!(name = TARGET).with_iterations(3000).for_each(|input: &[u8]| {
        let _ = play(input);
    });
}

#[test]
fn corpus_has_every_message() {
    let mut kinds = std::collections::BTreeSet::new();
    fuzzing::replay(file!(), TARGET, |input| {
        kinds.insert(match play(input) {
            Ok(Incoming::Answer(_)) => "answer",
            Ok(Incoming::Notify(_)) => "notify",
            Ok(Incoming::SetDifficulty(_)) => "difficulty",
            Ok(Incoming::SetExtranonce { .. }) => "extranonce",
            Ok(Incoming::SetVersionMask(_)) => "mask",
            Ok(Incoming::Reconnect { .. }) => "reconnect",
            Ok(Incoming::ShowMessage(_)) => "show",
            Ok(Incoming::Request { .. }) => "request",
            Ok(Incoming::Ignored { .. }) => "ignored",
            Err(Malformed::Garbage(_)) => "garbage",
            Err(Malformed::Message(_)) => "malformed",
        });
    });
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

fn play(line: &[u8]) -> Result<Incoming, Malformed> {
    let read = decode(line);
    let visible = |text: &str, most: usize| {
        assert!(text.len() <= most && !text.contains(char::is_control), "{text:?}");
    };
    match &read {
        Ok(message) => {
            bounded(message, line.len(), visible);
            // V1
            let padded = [b"\xef\xbb\xbf \t", line, b"\r\n"].concat();
            let text = String::from_utf8_lossy(line);
            let text = text.trim_start_matches('\u{feff}').trim();
            assert_eq!(decode(&padded).as_ref(), Ok(message));
            let again = serde_json::from_str::<Value>(text).expect("what is read is JSON").to_string();
            assert_eq!(decode(again.as_bytes()).as_ref(), Ok(message));
        }
        Err(Malformed::Garbage(shown)) => visible(shown, 80),
        Err(Malformed::Message(what)) => visible(what, 100),
    }
    read
}

fn bounded(message: &Incoming, line: usize, visible: impl Fn(&str, usize)) {
    match message {
        Incoming::Answer(Answer { refusal, .. }) => {
            if let Some(refusal) = refusal {
                visible(&refusal.to_string(), PEER_TEXT_BYTES + 40);
            }
        }
        Incoming::Notify(notify) => {
            let kept =
                notify.coinbase_tx_prefix.len() + notify.coinbase_tx_suffix.len() + 32 * notify.merkle_path.len();
            assert!(2 * kept <= line, "more is kept than came");
            assert!(is_name(&notify.job_id));
        }
        Incoming::SetDifficulty(difficulty) => assert!(DIFFICULTIES.contains(&difficulty.as_f64())),
        Incoming::SetExtranonce { size, .. } => assert!(size.is_none_or(|size| size <= MAX_EXTRANONCE2)),
        Incoming::SetVersionMask(_) => {}
        Incoming::Reconnect { host, .. } => assert!(host.len() <= MAX_NAME),
        Incoming::ShowMessage(text) => visible(text, 256),
        Incoming::Request { id, reply } => {
            assert!(is_name(id));
            let line = Outgoing::Reply { id: id.clone(), reply: *reply }.line("Mujina/1");
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let said: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(&said["id"], id);
        }
        Incoming::Ignored { what } => visible(what, PEER_TEXT_BYTES),
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let notify = crate::pool::sv1::testing::notify("job", true).to_string();
    let lines = [
        ("accepted", r#"{"id":4,"result":true,"error":null}"#),
        ("refused", r#"{"id":"4","result":null,"error":[21,"Job not found",null]}"#),
        (
            "refused_as_object",
            r#"{"jsonrpc":"2.0","id":4,"error":{"code":22,"message":"duplicate share","data":null}}"#,
        ),
        ("refused_beside", r#"{"id":4,"result":false,"error":null,"reject-reason":"Above target 2"}"#),
        ("subscription", r#"{"id":2,"result":[[["mining.notify","1"]],"01020304",8],"error":null}"#),
        ("configured", r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"0x1FFFE000"}}"#),
        ("notify", notify.as_str()),
        ("difficulty", r#"{"id":null,"method":"mining.set_difficulty","params":["0.001"]}"#),
        ("difficulty_of_none", r#"{"method":"mining.set_difficulty","params":[-1e999]}"#),
        ("extranonce", r#"{"method":"mining.set_extranonce","params":["0a0b",4]}"#),
        ("extranonce_of_odd_length", r#"{"method":"mining.set_extranonce","params":["0a0",4]}"#),
        ("mask", r#"{"method":"mining.set_version_mask","params":["1fffe000"]}"#),
        ("reconnect", r#"{"id":null,"method":"client.reconnect","params":["pool.example","3333",1e300]}"#),
        ("reconnect_to_nowhere", r#"{"method":"client.reconnect"}"#),
        ("show", "{\"method\":\"client.show_message\",\"params\":[\"a\\u001b[31m b\"]}"),
        ("ping", r#"{"id":"p\n","method":"mining.ping","params":[]}"#),
        ("version", r#"{"id":18446744073709551616,"method":"client.get_version"}"#),
        ("unknown", r#"{"id":null,"method":"mining.invented","params":{}}"#),
        ("method_without_name", r#"{"method":7}"#),
        ("same_key_twice", r#"{"id":1,"id":2,"result":false,"result":true}"#),
        ("deep", r#"{"id":1,"result":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}"#),
        ("garbage", "HTTP/1.1 400 Bad Request"),
        ("cut", r#"{"id":1,"res"#),
    ];
    let mut seeds: Vec<_> = lines.iter().map(|(name, line)| (*name, line.as_bytes().to_vec())).collect();
    seeds.push(("no_utf_8", b"{\"method\":\"client.show_message\",\"params\":[\"gr\xfc\xdfe\"]}".to_vec()));
    fuzzing::write(file!(), TARGET, &seeds);
}
