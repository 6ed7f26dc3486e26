//! Any bytes in any pieces, against a reader that has them all at once.

use super::*;
use crate::pool::fuzzing::{self, Script};

const TARGET: &str = "sv1_lines";
/// Small, so that lines above it are found.
const CAP: usize = 100;

#[test]
fn lines_of_any_bytes_are_the_same_wherever_the_stream_is_split() {
    bolero::check!(name = TARGET).with_iterations(3000).with_max_len(1024).for_each(|input: &[u8]| {
        play(input);
    });
}

#[test]
fn corpus_has_every_end_that_a_stream_can_have() {
    let (mut ends, mut lines) = (Vec::new(), 0);
    fuzzing::replay(file!(), TARGET, |input| {
        let (read, end) = play(input);
        lines += read;
        ends.push(end);
    });
    assert!(lines > 10);
    for end in [End::Closed, End::TooLong, End::SpeaksTls] {
        assert!(ends.contains(&end), "{ends:?}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    TooLong,
    SpeaksTls,
}

/// Reads how the stream is split, and the stream. Says how many lines there were, and the end.
fn play(input: &[u8]) -> (usize, End) {
    let mut script = Script::new(input);
    let lengths: [usize; 4] = std::array::from_fn(|_| usize::from(script.byte()) + 1);
    let stream = script.rest();
    let (mut pieces, mut rest) = (Vec::new(), stream);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    let limits = Limits { line_bytes: CAP, ..Limits::default() };
    let (lines, error) = read_all(pieces, limits);
    let end = match error {
        TransportError::Closed => End::Closed,
        TransportError::TooLong(CAP) => End::TooLong,
        TransportError::SpeaksTls => End::SpeaksTls,
        other => panic!("{other}"),
    };
    assert_eq!((&lines, end), (&expected(stream).0, expected(stream).1));
    (lines.len(), end)
}

/// What a stream means, by its definition (V1).
fn expected(stream: &[u8]) -> (Vec<Vec<u8>>, End) {
    if stream.first().is_some_and(|first| [0x15, 0x16].contains(first)) {
        return (Vec::new(), End::SpeaksTls);
    }
    let mut lines = Vec::new();
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        if line.len() > CAP {
            return (lines, End::TooLong);
        }
        // What has no end yet is no line.
        if line.ends_with(b"\n") && !line.trim_ascii().is_empty() {
            lines.push(line.trim_ascii().to_vec());
        }
    }
    (lines, End::Closed)
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let line = br#"{"id":1,"result":true,"error":null}"#;
    let stream = [&line[..], b"\r\n", line, b"\n\n \n", line, b"\n"].concat();
    let with = |lengths: [u8; 4], stream: &[u8]| [&lengths, stream].concat();
    let seeds = [
        ("byte_by_byte", with([0; 4], &stream)),
        ("whole", with([255; 4], &stream)),
        ("uneven", with([0, 34, 2, 9], &stream)),
        ("no_end", with([7; 4], line)),
        ("blank", with([0, 1, 0, 1], b"\n\r\n \n\n")),
        ("longest", with([30; 4], &[&[b'x'; CAP - 1][..], b"\n", &[b'y'; CAP], b"\n"].concat())),
        ("too_long", with([99; 4], &[b'x'; CAP + 1])),
        ("tls", with([3; 4], &[0x15, 3, 1, 0, 2, 2, 80])),
        ("tls_later", with([0; 4], b"{}\n\x16\x03\x01\n")),
        ("http", with([20; 4], b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
        ("split_in_a_character", with([0; 4], "{\"method\":\"gr\u{fc}\u{df}e \u{77ff}\"}\n".as_bytes())),
        ("empty", Vec::new()),
    ];
    fuzzing::write(file!(), TARGET, &seeds);
}
