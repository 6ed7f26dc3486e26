use super::*;
use crate::peripheral::scripted::{Registers, Scripted, holds, silent, write};

const ID: [u8; 7] = [6, 0x54, 0x49, 0x54, 0x6D, 0x24, 0x41];

fn volts(volts: f64) -> Volts {
    Volts::from_volts(volts)
}

/// A regulator that keeps what it is told.
fn part() -> Registers {
    let mut bus = Registers::default();
    bus.set(0x24, 0xAD, &ID);
    bus.set(0x24, 0x20, &[0x97]);
    bus
}

async fn started(bus: &mut Registers) -> Tps546 {
    Tps546::start(bus, &configuration::bitaxe(volts(1.15))).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn bitaxe_is_configured_byte_for_byte() {
    let mut bus = part();
    started(&mut bus).await;
    let expected = [
        "01 00", "02 1B", "04 00", "33 8A 02", "35 66 CA", "36 40 CA", "55 40 CB", "56 B7", "29 00 AA", "24 00 04",
        "2B 00 02", "21 4D 02", "40 80 02", "42 52 02", "25 33 02", "26 CD 01", "43 CD 01", "44 80 01", "4A 20 DB",
        "46 C0 DB", "47 C0", "51 48 EB", "4F 44 F2", "50 FF", "60 00 80", "61 00 C3", "62 00 80", "63 3B", "64 00 80",
        "65 00 80", "EE FF FF", "03",
    ];
    let written: Vec<_> = bus.writes.iter().map(|(_, bytes)| hex(bytes)).collect();
    assert_eq!(written, expected);
}

#[tokio::test(start_paused = true)]
async fn ember_one_is_configured_with_what_only_it_needs() {
    let mut bus = part();
    Tps546::start(&mut bus, &configuration::ember_one()).await.unwrap();
    let written: Vec<_> = bus.writes.iter().map(|(_, bytes)| hex(bytes)).collect();
    for expected in [
        "02 1F",
        "04 FF",
        "33 8A FA",
        "35 C0 D2",
        "36 A0 D2",
        "55 80 D3",
        "29 00 A2",
        "21 14 06",
        "24 00 08",
        "2B 00 06",
        "4A 20 E3",
        "46 70 E3",
        "EE 00 00",
        "B1 05 13 20 C6 19 C6",
        "41 B7",
        "45 B7",
        "B5 01 70",
        "D0 06 03 03 03 03 03 00",
        "38 80 C8",
        "39 00 E0",
    ] {
        assert!(written.iter().any(|found| found == expected), "{expected} is not among {written:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn output_is_never_turned_on_by_configuring() {
    for configuration in [configuration::bitaxe(volts(1.15)), configuration::ember_one()] {
        let mut bus = part();
        Tps546::start(&mut bus, &configuration).await.unwrap();
        assert_eq!(bus.writes.first(), Some(&(0x24, vec![0x01, 0x00])));
        assert_eq!(bus.writes.iter().filter(|(_, bytes)| bytes[0] == 0x01).count(), 1);
        assert!(bus.writes.iter().all(|(_, bytes)| bytes[0] != 0x15), "STORE_USER_ALL is never sent");
    }
}

#[tokio::test(start_paused = true)]
async fn regulator_that_needs_a_moment_is_waited_for() {
    let mut bus = Scripted::new([silent(0x24, 0xAD), silent(0x24, 0xAD), holds(0x24, 0xAD, &[6, 1, 2, 3, 4, 5, 6])]);
    let error = Tps546::start(&mut bus, &configuration::ember_one()).await.unwrap_err();
    assert_eq!(error, Tps546Error::WrongDevice([1, 2, 3, 4, 5, 6]));
}

#[tokio::test(start_paused = true)]
async fn absent_regulator_points_at_the_input_power() {
    let mut bus = Scripted::new((0..6).map(|_| silent(0x24, 0xAD)));
    let error = Tps546::start(&mut bus, &configuration::ember_one()).await.unwrap_err();
    assert!(error.to_string().contains("input power"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn format_that_is_not_linear_is_refused() {
    let mut bus = part();
    bus.set(0x24, 0x20, &[0x20]);
    let error = Tps546::start(&mut bus, &configuration::ember_one()).await.unwrap_err();
    assert_eq!(error, Tps546Error::Format(0x20));
}

#[tokio::test(start_paused = true)]
async fn limits_are_volts_where_the_part_says_so() {
    let mut bus = part();
    bus.set(0x24, 0x20, &[0x17]);
    started(&mut bus).await;
    // 1.25 x 1.15 V = 1.4375 V.
    assert_eq!(bus.get(0x24, 0x40), [0xE0, 0x02]);
}

#[tokio::test(start_paused = true)]
async fn limit_that_is_not_held_keeps_it_off() {
    struct Stubborn(Registers);
    impl I2c for Stubborn {
        async fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), BusError> {
            if bytes[0] != 0x46 {
                self.0.write(address, bytes).await?;
            }
            Ok(())
        }
        async fn write_read(&mut self, address: u8, bytes: &[u8], reply: &mut [u8]) -> Result<(), BusError> {
            self.0.write_read(address, bytes, reply).await
        }
    }
    let mut bus = Stubborn(part());
    bus.0.set(0x24, 0x46, &[0x70, 0xE3]);
    let error = Tps546::start(&mut bus, &configuration::bitaxe(volts(1.15))).await.unwrap_err();
    assert_eq!(error, Tps546Error::NotHeld { register: 0x46, wanted: 30.0, holds: 55.0 });
    // Rounded to whole amperes with another exponent, it is the same limit.
    bus.0.set(0x24, 0x46, &[30, 0x00]);
    assert!(Tps546::start(&mut bus, &configuration::bitaxe(volts(1.15))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn voltage_beyond_the_board_is_refused_before_it_is_sent() {
    let mut bus = part();
    let regulator = started(&mut bus).await;
    let before = bus.writes.len();
    for wanted in [0.0, 0.999, 2.001, 5.0] {
        let error = regulator.set_voltage(&mut bus, volts(wanted)).await.unwrap_err();
        assert!(matches!(error, Tps546Error::OutOfRange { .. }), "{error}");
    }
    assert_eq!(bus.writes.len(), before);
    regulator.set_voltage(&mut bus, volts(1.166)).await.unwrap();
    assert_eq!(bus.writes.last(), Some(&(0x24, vec![0x21, 0x55, 0x02])));
}

#[tokio::test(start_paused = true)]
async fn turning_on_is_believed_only_when_it_is_read_back() {
    let regulator = started(&mut part()).await;
    let on = |operation: u8, status: [u8; 2]| {
        Scripted::new([
            write(0x24, &[3]),
            write(0x24, &[1, 0x80]),
            holds(0x24, 1, &[operation]),
            holds(0x24, 0x79, &status),
        ])
    };
    assert_eq!(regulator.turn_on(&mut on(0x80, [0, 0])).await, Ok(()));
    for mut bus in [on(0x00, [0, 0]), on(0x80, [0x40, 0x08])] {
        let error = regulator.turn_on(&mut bus).await.unwrap_err();
        assert!(matches!(error, Tps546Error::NotSwitched { on: true, .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn turning_off_is_believed_only_when_it_is_read_back() {
    let regulator = started(&mut part()).await;
    let mut off = Scripted::new([write(0x24, &[1, 0]), holds(0x24, 1, &[0])]);
    assert_eq!(regulator.turn_off(&mut off).await, Ok(()));
    let mut stays = Scripted::new([write(0x24, &[1, 0]), holds(0x24, 1, &[0x80]), holds(0x24, 0x79, &[0, 0])]);
    let error = regulator.turn_off(&mut stays).await.unwrap_err();
    assert!(error.to_string().contains("did not turn off"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn measurements_are_read_in_their_formats() {
    let regulator = started(&mut part()).await;
    let mut bus = Scripted::new([
        write(0x24, &[0x04, 0xFF]),
        holds(0x24, 0x88, &[0x66, 0xCA]),
        holds(0x24, 0x8B, &[0x66, 0x02]),
        holds(0x24, 0x8C, &[0x20, 0xDB]),
        holds(0x24, 0x8D, &[0x48, 0xEB]),
    ]);
    let Telemetry { vin, vout, iout, temperature } = regulator.telemetry(&mut bus).await.unwrap();
    assert_eq!((vin, vout), (volts(4.796_875), volts(1.199_218_75)));
    assert_eq!((iout, temperature), (Amperes::from_amperes(25.0), Celsius::from_degrees(105.0)));
}

#[tokio::test(start_paused = true)]
async fn only_parts_of_the_status_that_say_something_are_read() {
    let regulator = started(&mut part()).await;
    let mut bus = Scripted::new([holds(0x24, 0x79, &[0x50, 0x40]), holds(0x24, 0x7B, &[0x80])]);
    let status = regulator.status(&mut bus).await.unwrap();
    assert_eq!(status.to_string(), "0x4050, off, output over-current");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}
