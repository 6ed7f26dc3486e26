use super::*;
use crate::asic::bm13xx::fixtures;
use proptest::prelude::*;

/// Everything in a stream that comes in pieces of this many bytes, and what was wrong with it.
fn read(form: ResponseForm, stream: &[u8], piece: usize) -> (Vec<Response>, LineErrors) {
    let (mut decoder, mut kept, mut found) = (Decoder::new(form), Vec::new(), Vec::new());
    for piece in stream.chunks(piece.max(1)) {
        kept.extend_from_slice(piece);
        let mut bytes = &kept[..];
        while let Some(response) = decoder.next(&mut bytes) {
            found.push(response);
        }
        assert!(bytes.len() < form.len(), "{} bytes are kept", bytes.len());
        kept = bytes.to_vec();
    }
    (found, decoder.errors())
}

fn long(body: [u8; 8], kind: u8) -> Vec<u8> {
    [&[FIRST, SECOND][..], &body, &[crc::tail(&body, kind)]].concat()
}

fn gamma() -> Vec<u8> {
    fixtures::bytes(fixtures::GAMMA_NONCE)
}

fn good(frame: &[u8]) -> Response {
    Response::of_long(frame[2..].try_into().unwrap()).unwrap()
}

const NONE: LineErrors = LineErrors { bad_frames: 0, stray_bytes: 0 };

#[test]
fn frames_are_read_however_they_are_cut() {
    let stream = [gamma(), fixtures::bytes(fixtures::BLOCK_NONCES[0]), gamma()].concat();
    for piece in 1..=stream.len() {
        let (found, errors) = read(ResponseForm::Long, &stream, piece);
        assert_eq!((found.len(), errors), (3, NONE), "pieces of {piece}");
    }
}

#[test]
fn damaged_frame_of_a_gamma_costs_itself_only() {
    let stream = [gamma(), fixtures::bytes(fixtures::DAMAGED), gamma()].concat();
    let (found, errors) = read(ResponseForm::Long, &stream, 64);
    assert_eq!(found, [good(&gamma()); 2]);
    assert_eq!(errors, LineErrors { bad_frames: 1, stray_bytes: 0 });
}

#[test]
fn frame_that_lost_a_byte_does_not_take_the_next_one_with_it() {
    for lost in 0..11 {
        let mut cut = gamma();
        cut.remove(lost);
        let stream = [cut, gamma()].concat();
        let (found, errors) = read(ResponseForm::Long, &stream, 64);
        assert_eq!(found.last(), Some(&good(&gamma())), "byte {lost}");
        assert!(errors.sum() > 0 || found.len() == 2, "byte {lost}: {errors:?}");
    }
}

#[test]
fn bytes_before_the_first_frame_are_counted_and_skipped_at_once() {
    let stream = [vec![0xff; 7], vec![FIRST], gamma()].concat();
    let mut bytes = &stream[..];
    let mut decoder = Decoder::new(ResponseForm::Long);
    assert_eq!(decoder.next(&mut bytes), Some(good(&gamma())));
    assert_eq!((bytes.len(), decoder.errors()), (0, LineErrors { bad_frames: 0, stray_bytes: 8 }));
}

#[test]
fn half_a_preamble_is_kept() {
    let mut decoder = Decoder::new(ResponseForm::Long);
    let mut bytes = &[1, 2, FIRST][..];
    assert_eq!((decoder.next(&mut bytes), bytes), (None, &[FIRST][..]));
    let mut bytes = &[FIRST, FIRST, SECOND][..];
    assert_eq!((decoder.next(&mut bytes), bytes), (None, &[FIRST, SECOND][..]));
}

#[test]
fn good_frame_within_a_good_frame_is_read_as_well() {
    // The second begins within the first, as when a cut frame happens to have a right checksum together with what follows.
    let first = long([1, 2, 3, FIRST, SECOND, 6, 7, 8], 4);
    let [.., tail] = first[..] else { unreachable!() };
    let second = long([6, 7, 8, tail, 1, 2, 3, 4], 4);
    let stream = [&first[..5], &second].concat();
    assert_eq!(stream[..11], first[..]);
    let (found, errors) = read(ResponseForm::Long, &stream, 64);
    assert_eq!(found, [good(&first), good(&second)]);
    assert_eq!(errors, NONE);
}

#[test]
fn what_only_looks_like_a_frame_within_a_good_one_is_no_error() {
    let stream = [long([1, FIRST, SECOND, 4, 5, 6, 7, 8], 4), long([8; 8], 4)].concat();
    let (found, errors) = read(ResponseForm::Long, &stream, 64);
    assert_eq!((found.len(), errors), (2, NONE));
}

#[test]
fn unknown_type_is_a_bad_frame() {
    let (found, errors) = read(ResponseForm::Long, &long([8; 8], 2), 64);
    assert_eq!((found, errors.bad_frames), (vec![], 1));
}

#[test]
fn short_answer_of_a_fresh_chip_costs_no_long_one() {
    let stream = [fixtures::bytes("AA55 1370 0000 0000 06"), gamma()].concat();
    let (found, errors) = read(ResponseForm::Long, &stream, 3);
    assert_eq!((found, errors.bad_frames), (vec![good(&gamma())], 1));
    let (found, errors) =
        read(ResponseForm::Short, &fixtures::bytes("AA55 1370 0000 0000 06 AA55 1370 0000 0000 06"), 4);
    assert_eq!((found.len(), errors), (2, NONE));
}

/// Pieces of a stream: frames, and what is between them.
fn stream() -> impl Strategy<Value = Vec<(Option<[u8; 8]>, Vec<u8>)>> {
    let byte = prop_oneof![Just(FIRST), Just(SECOND), any::<u8>()];
    let garbage = proptest::collection::vec(byte.clone(), 0..14);
    let body = proptest::array::uniform8(byte);
    proptest::collection::vec((proptest::option::of(body), garbage), 1..8)
}

proptest! {
    #[test]
    fn garbage_between_good_frames_loses_none_of_them(pieces in stream(), piece in 1..40_usize, nonces: bool) {
        let kind = if nonces { 4 } else { 0 };
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for (body, garbage) in pieces {
            bytes.extend_from_slice(&garbage);
            if let Some(body) = body {
                let frame = long(body, kind);
                sent.push(good(&frame));
                bytes.extend_from_slice(&frame);
            }
        }
        let (found, errors) = read(ResponseForm::Long, &bytes, piece);
        // In order, and perhaps with others between them.
        let mut rest = found.iter();
        prop_assert!(sent.iter().all(|response| rest.any(|found| found == response)), "{:?} of {:?}", found, sent);
        prop_assert!(errors.stray_bytes <= u64::try_from(bytes.len()).unwrap());
        prop_assert_eq!((found, errors), read(ResponseForm::Long, &bytes, bytes.len().max(1)), "however it is cut");
    }

    #[test]
    fn flipped_bit_costs_one_frame(bodies in proptest::collection::vec(any::<[u8; 8]>(), 3..6), place in 0..33_usize, bit in 0..8_u8) {
        let frames: Vec<_> = bodies.iter().map(|body| long(*body, 4)).collect();
        let mut stream = frames.concat();
        stream[place] ^= 1 << bit;
        let (found, errors) = read(ResponseForm::Long, &stream, stream.len());
        for (index, frame) in frames.iter().enumerate() {
            prop_assert!(index == place / 11 || found.contains(&good(frame)));
        }
        prop_assert!(errors.sum() > 0);
    }
}
