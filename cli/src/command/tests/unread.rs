//! Answers that nobody reads any more, and those that cannot be written: the exit code is that of what was done.

use super::World;
use crate::exit;
use mujina_proto::failure::Failure;
use std::{
    ffi::OsString,
    io::{self, ErrorKind, Write},
};
use tonic::Code;

/// A pipe whose reader went away.
struct Unread;

impl Write for Unread {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(ErrorKind::BrokenPipe.into())
    }
}

/// Takes all, and cannot put it where it belongs.
struct Full;

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(ErrorKind::StorageFull.into())
    }
}

async fn ends(world: &World, line: &str, out: &mut (dyn Write + Send), err: &mut (dyn Write + Send)) -> u8 {
    let words = std::iter::once("mujinactl").chain(line.split_whitespace()).map(OsString::from);
    crate::run(words, world.environment(), out, err).await
}

#[tokio::test]
async fn reader_that_went_away_does_not_change_what_became_of_a_command() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    world.control.state().tampered = true;
    assert_eq!(ends(&world, "audit verify", &mut Unread, &mut Unread).await, exit::FAILURE);
    world.control.state().failing.insert("rig2");
    let line = "op run test-pool rig1 rig2 --pool primary --yes";
    assert_eq!(ends(&world, line, &mut Unread, &mut Unread).await, exit::PARTIAL);
    assert_eq!(ends(&world, "miner list", &mut Unread, &mut Unread).await, exit::OK);
    let alone = World::of_miner().await;
    alone.miner.state().failure =
        Some(Failure::new(Code::FailedPrecondition, "NO_LIVE_POOL", "no pool is live; add one"));
    assert_eq!(ends(&alone, "pool reconnect", &mut Unread, &mut Unread).await, exit::PRECONDITION);
}

#[tokio::test]
async fn watch_and_export_end_when_nobody_reads_them() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    for line in ["status --watch", "audit export", "stats export"] {
        assert_eq!(ends(&world, line, &mut Unread, &mut Vec::new()).await, exit::OK, "{line}");
    }
}

#[tokio::test]
async fn export_that_cannot_be_written_to_its_end_is_told() {
    let world = World::of_control(&["rig1"]).await;
    for line in ["audit export", "stats export", "miner list"] {
        let mut err = Vec::new();
        assert_eq!(ends(&world, line, &mut Full, &mut err).await, exit::FAILURE, "{line}");
        assert!(String::from_utf8(err).unwrap().contains("cannot write the answer"), "{line}");
    }
}
