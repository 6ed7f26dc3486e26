//! Against a controller that does what the test says.

use super::*;
use crate::peripheral::{BusError, I2c};
use tokio::{
    io::{AsyncReadExt, DuplexStream},
    task::JoinSet,
};

type Host = Bridge<DuplexStream>;

/// A bridge that needs no settling, and the other end of its port.
fn bridge() -> (Host, DuplexStream, Takeover) {
    let (port, controller) = tokio::io::duplex(256);
    let takeover = Takeover::default();
    (Bridge::new(port, Protocol::V0, takeover.clone()), controller, takeover)
}

async fn expect(controller: &mut DuplexStream, frame: &[u8]) {
    let mut found = vec![0; frame.len()];
    controller.read_exact(&mut found).await.unwrap();
    assert_eq!(found, frame);
}

const TEMPERATURE: [u8; 9] = [9, 0, 0, 0, 5, 0x40, 0x4A, 0, 2];

async fn ask_temperature(host: &mut Host) -> Result<Vec<u8>, BridgeError> {
    host.ask(&Request::I2cWriteRead { address: 0x4A, bytes: vec![0], count: 2 }).await
}

fn with_id(mut frame: [u8; 9], id: u8) -> [u8; 9] {
    frame[2] = id;
    frame
}

#[tokio::test(start_paused = true)]
async fn request_is_answered_with_its_data() {
    let (mut host, mut controller, _) = bridge();
    let mcu = async {
        expect(&mut controller, &TEMPERATURE).await;
        // In two pieces, as packets may come.
        controller.write_all(&[2, 0]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
        controller.write_all(&[0, 0x1A, 0x20]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask_temperature(&mut host), mcu);
    assert_eq!(answer.unwrap(), [0x1A, 0x20]);
}

#[tokio::test(start_paused = true)]
async fn late_reply_is_never_taken_for_another() {
    let (mut host, mut controller, _) = bridge();
    let silent = ask_temperature(&mut host).await;
    assert!(matches!(silent, Err(BridgeError::Silent(_))), "{silent:?}");
    expect(&mut controller, &TEMPERATURE).await;
    // The late reply comes in parts, each before the line counts as quiet.
    let mcu = async {
        controller.write_all(&[2, 0, 0]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(15)).await;
        controller.write_all(&[0x7F, 0xFF]).await.unwrap();
        expect(&mut controller, &with_id(TEMPERATURE, 1)).await;
        controller.write_all(&[2, 0, 1, 0x1A, 0x20]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask_temperature(&mut host), mcu);
    assert_eq!(answer.unwrap(), [0x1A, 0x20]);
}

#[tokio::test(start_paused = true)]
async fn request_that_was_given_up_leaves_nothing_behind() {
    let (mut host, mut controller, _) = bridge();
    tokio::select! {
        answer = ask_temperature(&mut host) => panic!("{answer:?}"),
        () = expect(&mut controller, &TEMPERATURE) => {}
    }
    controller.write_all(&[2, 0, 0, 0x7F, 0xFF]).await.unwrap();
    let mcu = async {
        expect(&mut controller, &with_id(TEMPERATURE, 1)).await;
        controller.write_all(&[2, 0, 1, 0x1A, 0x20]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask_temperature(&mut host), mcu);
    assert_eq!(answer.unwrap(), [0x1A, 0x20]);
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_a_reply_are_thrown_away() {
    let (mut host, mut controller, _) = bridge();
    let mcu = async {
        expect(&mut controller, &TEMPERATURE).await;
        controller.write_all(&[2, 0, 0, 0x1A, 0x20, 2, 0, 1, 0, 0]).await.unwrap();
        expect(&mut controller, &with_id(TEMPERATURE, 1)).await;
        controller.write_all(&[2, 0, 1, 0x1A, 0x30]).await.unwrap();
    };
    let host = async { (ask_temperature(&mut host).await.unwrap(), ask_temperature(&mut host).await.unwrap()) };
    let (answers, ()) = tokio::join!(host, mcu);
    assert_eq!(answers, (vec![0x1A, 0x20], vec![0x1A, 0x30]));
}

#[tokio::test(start_paused = true)]
async fn port_that_never_falls_silent_is_an_error() {
    let (mut host, mut controller, _) = bridge();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while controller.write_all(&[0x55]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let answer = ask_temperature(&mut host).await;
    assert!(matches!(answer, Err(BridgeError::NeverQuiet)), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn ids_come_round_without_the_one_that_means_none() {
    let (mut host, mut controller, _) = bridge();
    let mcu = async {
        let mut seen = Vec::new();
        for _ in 0..300 {
            let mut frame = [0; 6];
            controller.read_exact(&mut frame).await.unwrap();
            seen.push(frame[2]);
            controller.write_all(&[1, 0, frame[2], 1]).await.unwrap();
        }
        seen
    };
    let host = async {
        for _ in 0..300 {
            host.ask(&Request::GpioRead(0)).await.unwrap();
        }
    };
    let ((), seen) = tokio::join!(host, mcu);
    assert!(!seen.contains(&NO_ID));
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(seen[254..257], [254, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn controller_that_did_something_else_is_not_believed() {
    let (mut host, mut controller, _) = bridge();
    let mcu = async {
        expect(&mut controller, &[7, 0, 0, 0, 6, 0, 0]).await;
        controller.write_all(&[1, 0, 0, 1]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(host.ask(&Request::GpioWrite(0, false)), mcu);
    assert!(matches!(answer, Err(BridgeError::NotDone)), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn absent_device_is_told_from_an_absent_controller() {
    let (mut host, mut controller, _) = bridge();
    let mcu = async {
        expect(&mut controller, &[9, 0, 0, 0, 5, 0x20, 0x50, 0, 0]).await;
        controller.write_all(&[&[0x13, 0, 0, 0xFF], &b"I2C Write Error"[..]].concat()).await.unwrap();
        drop(controller);
    };
    let (answer, ()) = tokio::join!(host.write(0x50, &[0, 0]), mcu);
    assert_eq!(answer, Err(BusError::NoAnswer { address: 0x50, said: "I2C Write Error".into() }));
    let gone = host.write(0x50, &[0, 0]).await;
    assert!(matches!(gone, Err(BusError::Gone(_))), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn contact_is_made_in_whichever_protocol_the_controller_speaks() {
    for (announced, spoken) in [
        (Protocol::V0, Protocol::V0),
        (Protocol::V0, Protocol::V1),
        (Protocol::V1, Protocol::V0),
        (Protocol::V1, Protocol::V1),
    ] {
        let (port, mut controller) = tokio::io::duplex(256);
        let mut host = Bridge::new(port, announced, Takeover::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut frame = [0; 10];
            while controller.read_exact(&mut frame).await.is_ok() {
                let start = if spoken == Protocol::V0 { vec![4, 0, frame[2]] } else { vec![8, 0, frame[2], 0] };
                controller.write_all(&[&start[..], &frame[6..]].concat()).await.unwrap();
            }
        });
        host.open().await.unwrap();
        assert_eq!(host.protocol(), spoken);
    }
}

#[tokio::test(start_paused = true)]
async fn silent_controller_keeps_its_protocol_and_its_error() {
    let (mut host, _controller, _) = bridge();
    let error = host.open().await.unwrap_err();
    assert!(matches!(error, BridgeError::Silent(_)), "{error:?}");
    assert_eq!((host.protocol(), error.recovery()), (Protocol::V0, Recovery::Repeat));
}

#[tokio::test(start_paused = true)]
async fn port_that_was_taken_over_is_neither_read_nor_written() {
    let (mut host, mut controller, takeover) = bridge();
    let mcu = async {
        expect(&mut controller, &TEMPERATURE).await;
        takeover.take();
        controller.write_all(&[2, 0, 0, 0x1A, 0x20]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask_temperature(&mut host), mcu);
    assert!(matches!(answer, Err(BridgeError::TakenOver)), "{answer:?}");
    let again = ask_temperature(&mut host).await;
    assert!(matches!(again, Err(BridgeError::TakenOver)), "{again:?}");
    drop(host);
    let mut written = Vec::new();
    controller.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, Vec::<u8>::new(), "nothing was written after it");
}

#[tokio::test(start_paused = true)]
async fn reboot_waits_for_no_answer() {
    let (mut host, mut controller, _) = bridge();
    host.ask(&Request::Reboot).await.unwrap();
    expect(&mut controller, &[10, 0, 0, 0, 9, 1, 0xDE, 0xAD, 0xBE, 0xEF]).await;
}
