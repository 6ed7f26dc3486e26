//! Frames as they come over real networks, and as only an enemy sends them.

use super::*;
use crate::pool::sv2::{clock, handshake, testing::Authority};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use stratum_apps::stratum_core::noise_sv2::NoiseEngine;
use tokio::io::{DuplexStream, duplex};

/// Both ends of a Noise session: ours and the pool's.
async fn engines() -> (NoiseEngine, NoiseEngine) {
    let (mut client, mut server) = duplex(1024);
    let authority = Authority::new(1);
    let keys = [authority.key];
    let trust = handshake::Trust { authorities: &keys, now: clock::wall(), leeway: Duration::from_secs(10) };
    let ours = handshake::initiate(&mut client, trust, Duration::from_secs(10));
    let (ours, theirs) = tokio::join!(ours, authority.respond(&mut server, 0));
    (ours.unwrap().engine, theirs)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [low, middle, high, _] = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0, 0x80, kind, low, middle, high], payload].concat()
}

/// The frames as the pool encrypts them, and a reader with the other end of its stream.
async fn sealed(frames: &[Vec<u8>]) -> (Vec<u8>, Reader<DuplexStream>, DuplexStream) {
    let (ours, theirs) = engines().await;
    let mut bytes = Vec::new();
    let mut pool = Writer::new(&mut bytes, theirs.into_split().0, Limits::default());
    for frame in frames {
        pool.send(frame).await.unwrap();
    }
    let (near, far) = duplex(1 << 20);
    (bytes, Reader::new(near, ours.into_split().1, Limits::default()), far)
}

// N2, F1, F5
#[tokio::test]
async fn frames_survive_any_fragmentation() {
    let frames = [frame(0x20, &[1; 48]), frame(0x21, &[]), frame(0x1f, &[2; 100])];
    let (bytes, mut reader, mut far) = sealed(&frames).await;
    let deliver = async {
        for byte in bytes {
            far.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(far);
    };
    let read = async {
        for expected in &frames {
            let got = reader.next().await.unwrap();
            assert_eq!((got.extension, got.kind, got.payload.as_slice()), (0, expected[2], &expected[HEADER..]));
        }
        assert!(matches!(reader.next().await, Err(TransportError::Closed)));
    };
    tokio::join!(deliver, read);
}

// F3
#[tokio::test]
async fn empty_frame_has_no_second_ciphertext() {
    let (bytes, mut reader, mut far) = sealed(&[frame(1, &[]), frame(2, &[3])]).await;
    assert_eq!(bytes.len(), 22 + 22 + 17);
    far.write_all(&bytes).await.unwrap();
    assert!(reader.next().await.unwrap().payload.is_empty());
    assert_eq!(reader.next().await.unwrap().payload, [3]);
}

// F2
#[tokio::test]
async fn payload_of_several_chunks_arrives_whole() {
    for (len, ciphertext) in [(65_519, 65_535), (65_520, 65_552), (139_253, 139_301), (300_000, 300_080)] {
        let payload: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (bytes, mut reader, mut far) = sealed(&[frame(0x1f, &payload)]).await;
        assert_eq!(bytes.len(), 22 + ciphertext);
        far.write_all(&bytes).await.unwrap();
        assert_eq!(reader.next().await.unwrap().payload, payload);
    }
}

// F4, D1
#[tokio::test]
async fn frame_over_the_cap_is_refused_by_its_header_alone() {
    let (bytes, mut reader, mut far) = sealed(&[frame(0x1f, &vec![0; 300_001])]).await;
    far.write_all(&bytes[..22]).await.unwrap();
    assert!(matches!(reader.next().await, Err(TransportError::TooLarge(300_001))));
}

// N10
#[tokio::test]
async fn flipped_bit_ends_the_stream() {
    for at in [0, 10, 21, 22, 30] {
        let (mut bytes, mut reader, mut far) = sealed(&[frame(1, &[5; 4])]).await;
        bytes[at] ^= 0x10;
        far.write_all(&bytes).await.unwrap();
        assert!(matches!(reader.next().await, Err(TransportError::Garbled)), "{at}");
    }
}

// D1, D2
#[tokio::test(start_paused = true)]
async fn frame_that_is_not_completed_in_time_ends_the_stream() {
    for cut in [1, 21, 22, 25] {
        let (bytes, mut reader, mut far) = sealed(&[frame(1, &[5; 4])]).await;
        far.write_all(&bytes[..cut]).await.unwrap();
        let begun = Instant::now();
        assert!(matches!(reader.next().await, Err(TransportError::Slow(_))), "{cut}");
        assert_eq!(begun.elapsed(), Limits::default().frame);
    }
}

#[tokio::test]
async fn end_in_the_middle_of_a_frame_is_the_end() {
    for cut in [5, 30] {
        let (bytes, mut reader, mut far) = sealed(&[frame(1, &[5; 40])]).await;
        far.write_all(&bytes[..cut]).await.unwrap();
        drop(far);
        assert!(matches!(reader.next().await, Err(TransportError::Closed)));
    }
}

// D3, L6
#[tokio::test(start_paused = true)]
async fn reader_stops_reading_when_nobody_takes_its_frames() {
    let (ours, theirs) = engines().await;
    let (near, far) = duplex(100);
    let limits = Limits { inbound_frames: 64, inbound_bytes: 100, ..Limits::default() };
    let (frames, mut inbound) = mpsc::channel(limits.inbound_frames);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(Reader::new(near, ours.into_split().1, limits).run(frames));
    let mut pool = Writer::new(far, theirs.into_split().0, limits);
    let mut accepted = 0_u8;
    while pool.send(&frame(accepted, &[0; 30])).await.is_ok() {
        accepted += 1;
    }
    // Three in the queue, one in hand, and what fits into buffers.
    assert!((4..120).contains(&accepted), "{accepted}");
    assert_eq!(inbound.len(), 3);
    for kind in 0..accepted {
        assert_eq!(inbound.recv().await.unwrap().unwrap().kind, kind);
    }
}

// D3
#[test]
fn flood_is_many_frames_for_many_seconds() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut flood = Flood::new(start);
    assert!(!(0..500).any(|_| flood.is_one(at(10), 10, 3)));
    // A pause forgives.
    assert!(!(0..2_999).any(|millis| flood.is_one(at(5_000 + millis), 10, 3)));
    assert!((0..2_000).any(|millis| flood.is_one(at(8_000 + millis), 10, 3)));
}

/// A stream that notes each write.
#[derive(Default)]
struct Writes(Vec<usize>);

impl AsyncWrite for Writes {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

// N14
#[tokio::test]
async fn header_and_payload_leave_in_one_write() {
    let mut writes = Writes::default();
    let (ours, _) = engines().await;
    Writer::new(&mut writes, ours.into_split().0, Limits::default()).send(&frame(0x1b, &[0; 28])).await.unwrap();
    assert_eq!(writes.0, [22 + 28 + 16]);
}

// D22
#[tokio::test(start_paused = true)]
async fn peer_that_never_reads_is_given_up() {
    let (ours, _) = engines().await;
    let (near, _far) = duplex(30);
    let mut writer = Writer::new(near, ours.into_split().0, Limits::default());
    let begun = Instant::now();
    assert!(matches!(writer.send(&frame(0x1b, &[0; 28])).await, Err(TransportError::WriteBlocked(_))));
    assert_eq!(begun.elapsed(), Limits::default().write);
}
