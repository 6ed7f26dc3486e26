//! Any bytes are a reply, no reply, or not all of one; which, does not depend on how they arrive.

use super::*;
use crate::pool::fuzzing::{self, Script};
use std::collections::BTreeSet;

const TARGET: &str = "bridge_reply";

#[test]
fn what_is_read_of_any_bytes_does_not_depend_on_how_they_arrive() {
    bolero::check!(name = TARGET).with_iterations(20_000).for_each(|input: &[u8]| {
        play(input);
    });
}

#[test]
fn corpus_has_every_kind_of_reply() {
    let mut kinds = BTreeSet::new();
    fuzzing::replay(file!(), TARGET, |input| {
        kinds.insert(play(input));
    });
    let all = ["code", "data", "id", "length", "part", "text", "unread"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

/// First byte: the protocol. Second: the request. Third: its id. The rest: what comes.
fn play(input: &[u8]) -> &'static str {
    let mut script = Script::new(input);
    let protocol = script.pick(&[Protocol::V0, Protocol::V1]);
    let requests: Vec<_> = worked().into_iter().map(|(_, request, ..)| request).collect();
    let request = &requests[usize::from(script.byte()) % requests.len()];
    let id = script.below(NO_ID);
    let received = script.rest();
    let whole = decode(protocol, request, id, received);
    for cut in 0..received.len() {
        let part = decode(protocol, request, id, &received[..cut]);
        assert!(part == Ok(None) || part == whole, "cut at {cut}: {part:?}, whole: {whole:?}");
    }
    match whole {
        Ok(None) => {
            assert!(received.len() < MOST_REPLY_BYTES, "more than a packet is waited for");
            "part"
        }
        Ok(Some(Reply { answer, length })) => {
            assert!((4..=MOST_REPLY_BYTES).contains(&length) && length <= received.len());
            match answer {
                Ok(data) => {
                    assert_eq!(Some(data.len()), request.reply_length());
                    "data"
                }
                Err(Refusal::Text(text)) => {
                    assert!(text.len() < MOST_REPLY_BYTES && !text.contains(char::is_control));
                    "text"
                }
                Err(Refusal::Invalid | Refusal::Overflow | Refusal::Timeout) => "unread",
            }
        }
        Err(Malformed::Id { .. }) => "id",
        Err(Malformed::Length(_)) => "length",
        Err(Malformed::Code(_)) => "code",
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let seeds: Vec<_> = [
        ("data_v0", "00 14 0E 02 00 0E 1A 20"),
        ("data_v1", "01 14 0E 06 00 0E 00 1A 20"),
        ("data_and_more", "00 14 0E 02 00 0E 1A 20 02 00"),
        ("text_v0", "00 02 05 13 00 05 FF 49 32 43 20 57 72 69 74 65 20 45 72 72 6F 72"),
        ("text_v1", "01 02 05 13 00 05 FF 49 32 43 20 57 72 69 74 65 20 45 72 72 6F 72"),
        ("unread", "00 0F 34 04 00 FF 11"),
        ("overflow", "01 02 34 04 00 FF 12"),
        ("part", "00 07 04 07 00 04 06 54 49"),
        ("other_id", "00 14 0E 02 00 0D 1A 20"),
        ("other_length", "00 14 0E 03 00 0E 1A 20 00"),
        ("length_0", "01 14 0E 00 00 0E 11"),
        ("length_65535", "00 14 0E FF FF FF FF"),
        ("other_code", "01 14 0E 06 00 0E 1A 20 00"),
        ("nothing", "00 00 00"),
    ]
    .map(|(name, hex)| (name, bytes(hex)))
    .into();
    fuzzing::write(file!(), TARGET, &seeds);
}
