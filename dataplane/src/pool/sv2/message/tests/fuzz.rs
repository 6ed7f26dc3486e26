//! Any frame is read, ignored or refused; what is read can be written and read again.

use super::*;
use crate::pool::fuzzing;

const TARGET: &str = "sv2_message";

#[test]
fn what_is_read_of_any_frame_is_bounded_and_written_as_it_was() {
    bolero::check!(name = TARGET).with_iterations(5000).for_each(|input: &[u8]| {
        play(input);
    });
}

#[test]
fn corpus_has_every_message() {
    let mut names = std::collections::BTreeSet::new();
    fuzzing::replay(file!(), TARGET, |input| {
        names.extend(play(input).map(|message| match message {
            Incoming::Ignored { .. } => "ignored".into(),
            message => message.name(),
        }));
    });
    let all = one_of_each().iter().map(Incoming::name).collect::<std::collections::BTreeSet<_>>();
    assert!(names.is_superset(&all) && names.contains("ignored"), "{names:?}");
}

/// Reads extension and kind in a byte each, and a payload.
fn play(input: &[u8]) -> Option<Incoming> {
    let (extension, kind, payload) = match input {
        [extension, kind, payload @ ..] => (u16::from(*extension), *kind, payload),
        _ => return None,
    };
    let message = decode(Frame::new(extension, kind, payload.to_vec())).ok()?;
    assert!(message.size() <= payload.len(), "more is kept than came");
    let longer = [payload, &[1, 2, 3]].concat();
    match &message {
        Incoming::Ignored { .. } => {}
        // F7: what follows a message says nothing.
        message => assert_eq!(decode(Frame::new(extension, kind, longer)).as_ref(), Ok(message)),
    }
    for text in texts(&message) {
        assert!(text.len() <= PEER_TEXT_BYTES && !text.contains(char::is_control), "{text:?}");
    }
    // A host is kept as it came, and what is no UTF-8 in it grows.
    if !matches!(&message, Incoming::Reconnect { host, .. } if host.len() > PEER_TEXT_BYTES) {
        assert_eq!(decode(split(&testing::encode(&message))), Ok(message.clone()));
    }
    Some(message)
}

fn texts(message: &Incoming) -> Vec<&str> {
    match message {
        Incoming::SetupError { code, .. }
        | Incoming::OpenError { code, .. }
        | Incoming::ShareRefused { code, .. }
        | Incoming::UpdateRefused { code, .. }
        | Incoming::CloseChannel { reason: code, .. } => vec![code],
        _ => Vec::new(),
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let mut seeds = Vec::new();
    let invisible = Incoming::OpenError { request_id: 1, code: "a\u{1b}[31m\nb\u{202e}".into() };
    let unknown = Incoming::Ignored { extension: 9, kind: 1 };
    for (number, message) in one_of_each().into_iter().chain([invisible, unknown]).enumerate() {
        let frame = testing::encode(&message);
        let whole = [&[frame[0], frame[2]], &frame[HEADER..]].concat();
        seeds.push((format!("{number:02}_cut"), whole[..whole.len() * 2 / 3].to_vec()));
        seeds.push((format!("{number:02}"), whole));
    }
    let seeds: Vec<_> = seeds.iter().map(|(name, input)| (name.as_str(), input.clone())).collect();
    fuzzing::write(file!(), TARGET, &seeds);
}
