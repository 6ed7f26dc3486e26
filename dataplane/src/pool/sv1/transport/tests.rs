//! Splits, bounds and deadlines of the line transport.

use super::*;
use proptest::prelude::*;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{ReadBuf, duplex};

/// A stream that hands out pieces.
struct Pieces(Vec<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.0.is_empty() {
            let piece = self.0.remove(0);
            let (now, later) = piece.split_at(piece.len().min(buffer.remaining()));
            buffer.put_slice(now);
            if !later.is_empty() {
                self.0.insert(0, later.to_vec());
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn read_all(pieces: Vec<Vec<u8>>, limits: Limits) -> (Vec<Vec<u8>>, TransportError) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut reader = Reader::new(Pieces(pieces), limits);
        let mut lines = Vec::new();
        loop {
            match reader.next().await {
                Ok(line) => lines.push(line.to_vec()),
                Err(error) => return (lines, error),
            }
        }
    })
}

proptest! {
    // V1
    #[test]
    fn lines_are_the_same_wherever_the_stream_is_split(
        lines in proptest::collection::vec("[ -~é矿]{0,40}", 0..12),
        ends in proptest::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n \r\n")], 12),
        cuts in proptest::collection::vec(1_usize..30, 0..60),
    ) {
        let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), *end]).collect();
        let mut rest = text.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            // An empty read is the end of a stream.
            if !piece.is_empty() {
                pieces.push(piece.to_vec());
            }
        }
        if !rest.is_empty() {
            pieces.push(rest.to_vec());
        }
        let (found, end) = read_all(pieces, Limits::default());
        let expected: Vec<_> =
            lines.iter().map(|line| line.trim_matches(' ').as_bytes().to_vec()).filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(matches!(end, TransportError::Closed));
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_keep_more_than_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let limits = Limits { line_bytes: 64, ..Limits::default() };
        let (lines, _) = read_all(bytes.chunks(7).map(<[u8]>::to_vec).collect(), limits);
        prop_assert!(lines.iter().all(|line| line.len() <= 64 && !line.is_empty()));
    }
}

// V1, D1
#[test]
fn line_over_the_cap_is_refused_before_it_ends() {
    let limits = Limits { line_bytes: 100, ..Limits::default() };
    let fits = [vec![b'x'; 99], b"\n".to_vec()].concat();
    assert_eq!(read_all(vec![fits.clone()], limits).0.len(), 1);
    let (lines, error) = read_all(vec![fits, vec![b'x'; 90], vec![b'x'; 11], vec![b'x'; 1_000]], limits);
    assert!(matches!((lines.len(), error), (1, TransportError::TooLong(100))));
    let (lines, error) = read_all(vec![[vec![b'x'; 101], b"\n".to_vec()].concat()], limits);
    assert!(matches!((lines.len(), error), (0, TransportError::TooLong(100))));
}

// V1
#[test]
fn line_of_256_kibibytes_is_taken() {
    let line = [vec![b'x'; (256 << 10) - 1], b"\n".to_vec()].concat();
    let pieces = line.chunks(1_000).map(<[u8]>::to_vec).collect();
    assert_eq!(read_all(pieces, Limits::default()).0, [line[..line.len() - 1].to_vec()]);
}

// V21
#[test]
fn tls_record_in_clear_is_told_as_such() {
    for record in [[0x15, 3, 1, 0, 2, 2, 70], [0x16, 3, 1, 0, 2, 2, 70]] {
        assert!(matches!(read_all(vec![record.to_vec()], Limits::default()).1, TransportError::SpeaksTls));
    }
    let (lines, _) = read_all(vec![b"{}\n".to_vec(), b"\x15\x03\n".to_vec()], Limits::default());
    assert_eq!(lines.len(), 2);
}

// D2
#[tokio::test(start_paused = true)]
async fn line_that_does_not_end_in_time_is_given_up() {
    let (near, mut far) = duplex(64);
    let mut reader = Reader::new(near, Limits::default());
    let drip = async {
        far.write_all(b"{}\n").await.unwrap();
        loop {
            far.write_all(b"x").await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let began = Instant::now();
    let read = async {
        assert_eq!(reader.next().await.unwrap(), "{}");
        reader.next().await
    };
    tokio::select! {
        () = drip => unreachable!("it drips for ever"),
        error = read => assert!(matches!(error, Err(TransportError::Slow(_)))),
    }
    assert_eq!(began.elapsed().as_secs(), 20);
}

// V1
#[tokio::test]
async fn wait_that_is_given_up_loses_no_byte() {
    let (near, mut far) = duplex(64);
    let mut reader = Reader::new(near, Limits::default());
    far.write_all(b"{\"id\":").await.unwrap();
    tokio::select! {
        biased;
        _ = reader.next() => panic!("no whole line yet"),
        () = tokio::task::yield_now() => {}
    }
    far.write_all(b"1}\n").await.unwrap();
    assert_eq!(reader.next().await.unwrap(), "{\"id\":1}");
}

// D3, L6
#[tokio::test(start_paused = true)]
async fn reader_stops_reading_when_nobody_takes_its_lines() {
    let (near, mut far) = duplex(100);
    let limits = Limits { inbound_lines: 64, inbound_bytes: 100, ..Limits::default() };
    let (lines, mut inbound) = mpsc::channel(limits.inbound_lines);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(Reader::new(near, limits).run(lines));
    let mut accepted = 0;
    let line = [vec![b'x'; 30], b"\n".to_vec()].concat();
    while accepted < 10_000 && timeout(Duration::from_secs(1), far.write_all(&line)).await.is_ok() {
        accepted += 1;
    }
    assert!(accepted < 1_000, "{accepted}");
    assert_eq!(inbound.len(), 3);
    for _ in 0..accepted {
        assert_eq!(inbound.recv().await.unwrap().unwrap().text.len(), 30);
    }
}

// D3
#[tokio::test(start_paused = true)]
async fn flood_of_lines_ends_the_stream() {
    let (near, mut far) = duplex(1 << 16);
    let limits = Limits { flood_lines: 10, flood_seconds: 3, ..Limits::default() };
    let (lines, mut inbound) = mpsc::channel(limits.inbound_lines);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(Reader::new(near, limits).run(lines));
    tasks.spawn(async move {
        while far.write_all(b"{}\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut heard = 0;
    let error = loop {
        match inbound.recv().await.unwrap() {
            Ok(_) => heard += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TransportError::Flood(10)), "{error}");
    assert!((60..=100).contains(&heard), "{heard}");
}

// D22
#[tokio::test(start_paused = true)]
async fn peer_that_never_reads_is_given_up() {
    let (near, far) = duplex(10);
    let (lines, queue) = mpsc::channel(1);
    lines.send(vec![b'x'; 100]).await.unwrap();
    let error = Writer::new(near, Limits::default()).run(queue).await.unwrap_err();
    assert!(matches!(error, TransportError::WriteBlocked(_)));
    drop(far);
}
