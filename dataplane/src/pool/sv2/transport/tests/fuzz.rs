//! Frames and bytes over a real Noise session, wherever the stream is split: what an enemy on the way can do to them, and
//! what a pool that holds the key can.

use super::*;
use crate::pool::{
    fuzzing::{self, Script},
    sv2::message,
};
use std::collections::VecDeque;
use tokio::io::ReadBuf;

const TARGET: &str = "sv2_transport";
/// Small, so that frames above it are cheap.
const CAP: usize = 70_000;

#[test]
fn reader_gives_the_frames_that_were_sent_or_an_error() {
    let world = Fuzzed::new();
    bolero::check!(name = TARGET).with_iterations(60).for_each(|input: &[u8]| {
        world.play(input);
    });
}

#[test]
fn corpus_has_every_end_that_a_stream_can_have() {
    let (world, mut ends) = (Fuzzed::new(), Vec::new());
    fuzzing::replay(file!(), TARGET, |input| ends.push(world.play(input)));
    for end in ["closed", "garbled", "too large"] {
        assert!(ends.contains(&end), "{ends:?}");
    }
}

/// What happens to the frames on their way.
#[derive(Clone, Copy)]
enum Deed {
    Nothing,
    Flip {
        at: usize,
        bit: u8,
    },
    Cut {
        at: usize,
    },
    /// Bytes of the enemy behind the frames.
    Append,
}

struct Fuzzed {
    runtime: tokio::runtime::Runtime,
}

impl Fuzzed {
    fn new() -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        Self { runtime }
    }

    /// Plays a script and says how the stream ended.
    fn play(&self, input: &[u8]) -> &'static str {
        let mut script = Script::new(input);
        let deed = script.below(6);
        let pace = usize::from(script.byte());
        let frames: Vec<_> = (0..script.below(6)).map(|_| any_frame(&mut script)).collect();
        let place = script.word();
        let rest = script.rest();
        self.runtime.block_on(async {
            let (ours, theirs) = engines().await;
            let (encrypt, decrypt) = (theirs.into_split().0, ours.into_split().1);
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            let mut pool = Writer::new(&mut bytes, encrypt, Limits::default());
            let mut sent = 0;
            for (frame, _) in &frames {
                pool.send(frame).await.unwrap();
                sent += HEADER + AEAD_MAC_LEN + frame.len() - HEADER
                    + AEAD_MAC_LEN * (frame.len() - HEADER).div_ceil(CHUNK);
                ends.push(sent);
            }
            let at = usize::try_from(place).unwrap() % (bytes.len() + 1);
            let deed = match deed {
                1 if at < bytes.len() => Deed::Flip { at, bit: 1 << (pace % 8) },
                2 => Deed::Cut { at },
                3 => Deed::Append,
                _ => Deed::Nothing,
            };
            match deed {
                Deed::Nothing => {}
                Deed::Flip { at, bit } => bytes[at] ^= bit,
                Deed::Cut { at } => bytes.truncate(at),
                Deed::Append => bytes.extend_from_slice(rest),
            }
            // Frames that arrive whole, unless one before them announces what is not true.
            let whole = match deed {
                Deed::Nothing | Deed::Append => frames.len(),
                Deed::Flip { at, .. } | Deed::Cut { at } => ends.iter().take_while(|end| **end <= at).count(),
            };
            let lie = frames.iter().position(|(_, honest)| !honest).unwrap_or(frames.len());
            let limits = Limits { payload: CAP, ..Limits::default() };
            let mut reader = Reader::new(Pieces::new(bytes, pace, rest), decrypt, limits);
            for (frame, _) in frames.iter().take(whole.min(lie)) {
                let got = reader.next().await.expect("a frame that arrived whole");
                let extension = u16::from_le_bytes([frame[0], frame[1]]) & 0x7fff;
                assert_eq!((got.extension, got.kind, got.payload.as_slice()), (extension, frame[2], &frame[HEADER..]));
                // Whatever is in it, it is read or refused.
                let _ = message::decode(got);
            }
            let mut end = reader.next().await;
            if let (Ok(got), Some((frame, _))) = (&end, frames.get(lie).filter(|_| lie <= whole)) {
                // A header that announces fewer whole chunks than follow is as good as a true one. Nothing fits behind it.
                assert!(got.kind == frame[2] && frame[HEADER..].starts_with(&got.payload));
                end = reader.next().await;
            }
            match end {
                Ok(frame) => panic!("{frame:?} was never sent"),
                Err(TransportError::Closed) => "closed",
                Err(TransportError::Garbled) => {
                    let honest = lie == frames.len() && matches!(deed, Deed::Nothing | Deed::Cut { .. });
                    assert!(!honest, "nothing was changed");
                    "garbled"
                }
                Err(TransportError::TooLarge(length)) => {
                    assert!(length > CAP);
                    "too large"
                }
                Err(error) => panic!("{error}"),
            }
        })
    }
}

/// A frame with any header, and whether its header says its true length and one that is taken. A lie is the last frame
/// that can be read.
fn any_frame(script: &mut Script<'_>) -> (Vec<u8>, bool) {
    let payload = match script.below(64) {
        0 => vec![script.byte(); 65_519],
        1 => vec![script.byte(); 65_520],
        2 => vec![script.byte(); CAP + 1],
        _ => {
            let length = usize::from(script.byte());
            script.bytes(length).to_vec()
        }
    };
    let announced = if script.rarely(32) { script.word() >> 8 } else { u32::try_from(payload.len()).unwrap() };
    let [low, middle, high, _] = announced.to_le_bytes();
    let header = [script.byte(), script.byte(), script.byte(), low, middle, high];
    let honest = usize::try_from(announced).unwrap() == payload.len() && payload.len() <= CAP;
    ([&header[..], &payload].concat(), honest)
}

/// A stream in pieces whose lengths go round in a list.
struct Pieces {
    bytes: VecDeque<u8>,
    lengths: Vec<usize>,
    next: usize,
}

impl Pieces {
    fn new(bytes: Vec<u8>, pace: usize, rest: &[u8]) -> Self {
        // Long streams in long pieces, so that a script takes no time.
        let least = bytes.len() / 500 + 1;
        let lengths = rest.iter().take(8).chain([&0]).map(|byte| least + usize::from(*byte) * pace / 16).collect();
        Self { bytes: bytes.into(), lengths, next: 0 }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.lengths[self.next % self.lengths.len()].min(buffer.remaining()).min(self.bytes.len());
        self.next += 1;
        let piece: Vec<u8> = self.bytes.drain(..length).collect();
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    // SetupConnection.Success in a frame of 6 bytes, and an unknown message without payload.
    let setup = [15, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let empty = [15, 0, 0, 9, 0x80, 0x77];
    let place = |at: u32| at.to_le_bytes();
    let seeds = [
        ("frames_byte_by_byte", [&[0, 0, 2], &setup[..], &empty, &place(0)].concat()),
        ("flip_in_a_header", [&[1, 3, 2], &setup[..], &empty, &place(5)].concat()),
        ("flip_in_a_payload", [&[1, 3, 2], &setup[..], &empty, &place(25)].concat()),
        ("cut_in_a_header", [&[2, 0, 2], &setup[..], &empty, &place(50)].concat()),
        ("cut_between_frames", [&[2, 0, 2], &setup[..], &empty, &place(44)].concat()),
        ("garbage_behind", [&[3, 9, 1], &empty[..], &place(0), &[7; 30]].concat()),
        ("garbage_alone", [&[3, 9, 0], &place(0)[..], &[0xff; 60]].concat()),
        ("several_chunks", [&[0, 200, 2], &[1, 5, 0, 0, 0x80, 0x1f][..], &empty, &place(0), &[255; 8]].concat()),
        ("too_large", [&[0, 200, 1], &[2, 5, 0, 0, 0x80, 0x1f][..], &place(0), &[255; 8]].concat()),
        ("length_is_a_lie", [&[0, 0, 2], &[15, 2, 1, 1, 1, 0, 9, 0, 0, 0, 0, 1][..], &empty, &place(0)].concat()),
        (
            "length_says_nothing_follows",
            [&[0, 0, 2], &[15, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1][..], &empty, &place(0)].concat(),
        ),
        (
            "length_says_one_chunk_less",
            [&[0, 200, 2], &[1, 5, 1, 0, 0xef, 0xff, 0, 0, 0x80, 0x1f][..], &empty, &place(0), &[255; 8]].concat(),
        ),
        ("empty", Vec::new()),
    ];
    fuzzing::write(file!(), TARGET, &seeds);
}
