use super::*;
use nix::{
    fcntl::OFlag,
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
};
use std::{
    io::{Read, Write},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(30);

fn pty() -> (PtyMaster, PathBuf) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname_r(&master).unwrap().into();
    (master, path)
}

#[tokio::test]
async fn every_byte_passes_both_ways_unchanged() {
    let (mut master, path) = pty();
    let mut port = SerialPort::open(&path, 115_200).unwrap();
    let all: Vec<u8> = (0..=255).collect();
    port.write_all(&all).await.unwrap();
    let mut there = [0; 256];
    master.read_exact(&mut there).unwrap();
    assert_eq!(there[..], all[..]);
    master.write_all(&all).unwrap();
    let mut back = [0; 256];
    tokio::time::timeout(SOON, port.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back[..], all[..]);
}

#[tokio::test]
async fn rates_that_no_modem_had_are_set() {
    let (_master, path) = pty();
    let mut port = SerialPort::open(&path, 115_200).unwrap();
    for baud in [3_125_000, 1_041_667, 115_741] {
        port.set_baud(baud).unwrap();
        assert_eq!(port.baud().unwrap(), baud);
    }
}

#[tokio::test]
async fn device_that_is_gone_is_an_error_and_no_silence() {
    let (master, path) = pty();
    let mut port = SerialPort::open(&path, 115_200).unwrap();
    drop(master);
    let mut buffer = [0; 8];
    tokio::time::timeout(SOON, port.read(&mut buffer)).await.unwrap().unwrap_err();
    port.write_all(b"anybody?").await.unwrap_err();
}

#[tokio::test]
async fn second_handle_on_a_port_is_allowed() {
    let (mut master, path) = pty();
    let first = SerialPort::open(&path, 115_200).unwrap();
    let mut second = SerialPort::open(&path, 115_200).unwrap();
    second.write_all(b"x").await.unwrap();
    let mut one = [0; 1];
    master.read_exact(&mut one).unwrap();
    assert_eq!((first.path(), one), (path.as_path(), *b"x"));
}

#[tokio::test]
async fn port_that_is_not_there_says_which_and_what_to_check() {
    let error = SerialPort::open(Path::new("/nowhere/ttyACM7"), 115_200).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ttyACM7") && error.contains("plugged in"), "{error}");
}
