//! Any bytes in any pieces through the decoder of chips' responses, against one that looks at every place.

use mujina_dataplane::asic::bm13xx::{
    crc,
    frame::{Decoder, LineErrors, ResponseForm},
    response::Response,
};

const TARGET: &str = "responses_of_any_bytes";

#[test]
fn every_intact_frame_is_found_wherever_the_stream_is_split() {
    bolero::check!(name = TARGET).with_iterations(5000).with_max_len(512).for_each(|input: &[u8]| {
        let _ = play(input);
    });
}

/// Reads a form, how the stream is split, and the stream.
fn play(input: &[u8]) -> (ResponseForm, Vec<Response>, LineErrors) {
    let (head, stream) = input.split_at(input.len().min(4));
    let form = if head.first().is_some_and(|first| first % 2 == 1) { ResponseForm::Short } else { ResponseForm::Long };
    let lengths: Vec<_> = head.iter().skip(1).map(|length| usize::from(*length) % 24 + 1).chain([24]).collect();
    let (found, errors) = read(form, stream, &lengths);
    assert_eq!(found, expected(form, stream));
    assert_eq!(
        (&found, errors),
        (&read(form, stream, &[512]).0, read(form, stream, &[512]).1),
        "the pieces do not matter"
    );
    assert!(usize::try_from(errors.sum()).is_ok_and(|errors| errors <= 2 * stream.len()), "{errors:?}");
    (form, found, errors)
}

fn read(form: ResponseForm, stream: &[u8], lengths: &[usize]) -> (Vec<Response>, LineErrors) {
    let (mut decoder, mut kept, mut found) = (Decoder::new(form), Vec::new(), Vec::new());
    let (mut rest, mut lengths) = (stream, lengths.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(lengths.next().copied().unwrap_or(1).min(rest.len()));
        rest = after;
        kept.extend_from_slice(piece);
        let mut bytes = &kept[..];
        while let Some(response) = decoder.next(&mut bytes) {
            found.push(response);
        }
        assert!(bytes.len() < form.len(), "more is kept than can become a frame");
        kept = bytes.to_vec();
    }
    (found, decoder.errors())
}

/// What a stream means, by its definition: a frame at every place where one is intact.
fn expected(form: ResponseForm, stream: &[u8]) -> Vec<Response> {
    stream.windows(form.len()).filter_map(|window| intact(window.strip_prefix(&[0xaa, 0x55])?)).collect()
}

fn intact(body: &[u8]) -> Option<Response> {
    let (tail, covered) = body.split_last()?;
    if crc::tail(covered, tail >> 5) != *tail {
        return None;
    }
    match body.len() {
        9 => Response::of_long(body.try_into().ok()?),
        _ => Response::of_short(body.try_into().ok()?),
    }
}

fn corpus() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/__fuzz__").join(TARGET).join("corpus")
}

#[test]
fn corpus_has_every_kind_of_response_and_of_error() {
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let (form, found, errors) = play(&std::fs::read(entry.unwrap().path()).unwrap());
        kinds.extend(found.iter().map(|response| match (form, response) {
            (ResponseForm::Long, Response::Nonce(_)) => "long nonce",
            (ResponseForm::Long, Response::Register(_)) => "long register",
            (ResponseForm::Short, Response::Nonce(_)) => "short nonce",
            (ResponseForm::Short, Response::Register(_)) => "short register",
        }));
        kinds.extend((errors.bad_frames > 0).then_some("bad frame"));
        kinds.extend((errors.stray_bytes > 0).then_some("stray bytes"));
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let nonce = [0xaa, 0x55, 0x4c, 0x03, 0x52, 0x75, 0x0c, 0xd2, 0x05, 0xa2, 0x9c];
    let id = [0xaa, 0x55, 0x13, 0x70, 0, 0, 0, 0, 0, 0, 0x10];
    let short_id = [0xaa, 0x55, 0x13, 0x70, 0, 0, 0, 0, 0x06];
    let short_nonce = [0xaa, 0x55, 0x9b, 0x04, 0x4c, 0x0a, 0x00, 0x1a, 0x94];
    // Came from a Bitaxe Gamma like this.
    let damaged = [0xaa, 0x55, 0x90, 0x09, 0x55, 0x90, 0x09, 0x7b, 0x93, 0x02, 0xfe];
    let unknown = {
        let body = [1, 2, 3, 4, 5, 6, 7, 8];
        [&[0xaa, 0x55][..], &body, &[crc::tail(&body, 3)]].concat()
    };
    let nested = {
        let first = [1, 2, 3, 0xaa, 0x55, 6, 7, 8];
        let tail = crc::tail(&first, 4);
        let second = [6, 7, 8, tail, 1, 2, 3, 4];
        [&[0xaa, 0x55, 1, 2, 3, 0xaa, 0x55][..], &second, &[crc::tail(&second, 4)]].concat()
    };
    let seeds: [(&str, u8, Vec<u8>); 10] = [
        ("nonces", 0, nonce.repeat(3)),
        ("register", 0, [&id[..], &nonce].concat()),
        ("short", 1, [&short_id[..], &short_nonce].concat()),
        ("damaged", 0, [&nonce[..], &damaged, &nonce].concat()),
        ("cut", 0, [&nonce[..5], &nonce].concat()),
        ("half_a_preamble", 0, [&[0xff, 0xaa, 0xaa][..], &nonce, &[0xaa]].concat()),
        ("unknown_type", 0, unknown),
        ("frame_within_a_frame", 0, nested),
        ("short_among_long", 0, [&short_id[..], &nonce, &short_id].concat()),
        ("preambles_only", 0, [0xaa, 0x55].repeat(40)),
    ];
    let folder = corpus();
    std::fs::create_dir_all(&folder).unwrap();
    for (name, form, stream) in seeds {
        std::fs::write(folder.join(name), [&[form, 2, 10, 0][..], &stream].concat()).unwrap();
    }
}
