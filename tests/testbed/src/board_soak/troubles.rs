//! What may happen to a board, and what must come of it. Pure.

use mujina_dataplane::simulate::{BoardKind, Fault, RegulatorFault};
use rand::{Rng, rngs::StdRng};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Where the trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TroubleKind {
    /// The cable is pulled, and put in again.
    Cable,
    /// Bytes on the line from the chips.
    ChipLine,
    /// Bytes on the line to the controller.
    ControlLine,
    /// Chips stall, or answer wrongly.
    Chips,
    /// Something heats the chips.
    Heat,
    /// Their diode.
    Sensor,
    /// The fan.
    Fan,
    /// Supply and regulator.
    Supply,
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cable => "cable",
            Self::ChipLine => "bytes from chips",
            Self::ControlLine => "bytes to the controller",
            Self::Chips => "chips",
            Self::Heat => "heat",
            Self::Sensor => "sensor",
            Self::Fan => "fan",
            Self::Supply => "supply",
        })
    }
}

/// One trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: TroubleKind,
    pub(super) way: Way,
}

/// How it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The board loses its power, and comes back with other ttys.
    Replug,
    /// It keeps its power and hashes on until it is found again.
    Reconnect,
    /// It happens once, and is over.
    Once(Fault),
    /// For a while; the board may stop by it.
    While(Fault),
    /// The board must stop by it.
    UntilStopped(Fault),
    /// The board is started while it is there.
    AtStart(Fault),
}

/// The troubles of one board, each with the time from its begin until the board mined again. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Vec<(Trouble, Duration, Duration)>>>);

impl History {
    pub(super) fn begins(&self, trouble: Trouble, at: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((trouble, at, Duration::MAX));
    }

    pub(super) fn ends(&self, at: Duration) {
        let mut past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        past.iter_mut().next_back().into_iter().for_each(|(_, _, end)| *end = at);
    }

    /// The trouble at this time.
    pub(super) fn at(&self, at: Duration) -> Option<Trouble> {
        let past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        past.iter().rev().find(|(_, begin, end)| (*begin..=*end).contains(&at)).map(|(trouble, _, _)| *trouble)
    }
}

/// What may happen to this board; drawn at random.
pub(super) fn draw(board: BoardKind, dice: &mut StdRng) -> Trouble {
    let is_stack = board == BoardKind::EmberOne;
    let kinds = [
        TroubleKind::Cable,
        TroubleKind::ChipLine,
        TroubleKind::ControlLine,
        TroubleKind::Chips,
        TroubleKind::Heat,
        TroubleKind::Sensor,
        if is_stack { TroubleKind::Heat } else { TroubleKind::Fan },
        TroubleKind::Supply,
    ];
    let kind = pick(&kinds, dice);
    let chip = if is_stack { dice.random_range(0..12) } else { 0 };
    let part = if is_stack { pick(&[0x4a, 0x49, 0x24], dice) } else { pick(&[0x4c, 0x24], dice) };
    let way = match kind {
        TroubleKind::Cable => pick(&[Way::Replug, Way::Reconnect], dice),
        TroubleKind::ChipLine => pick(
            &[
                Way::Once(Fault::LostByte),
                Way::Once(Fault::FlippedBit),
                Way::While(Fault::RepeatedNonces),
                Way::While(Fault::LatchedNonce),
                Way::While(Fault::StaleNonces),
                Way::AtStart(Fault::GarbageAtPowerUp),
                Way::AtStart(Fault::BadIdChecksum),
                Way::UntilStopped(Fault::DataDead),
            ],
            dice,
        ),
        TroubleKind::ControlLine => pick(
            &[
                Way::While(Fault::ControlMute),
                Way::While(Fault::ControlDead),
                Way::While(Fault::ControllerHang),
                Way::While(Fault::WrongReplyId),
                Way::While(Fault::I2cError),
                Way::UntilStopped(Fault::PartSilent { address: part }),
            ],
            dice,
        ),
        TroubleKind::Chips => pick(
            &[
                Way::UntilStopped(Fault::StuckChip { chip }),
                Way::While(Fault::SlowChip { chip, percent: 40 }),
                Way::Once(Fault::Hang),
                Way::While(Fault::UnknownJob),
                Way::While(Fault::BelowTicket),
                Way::AtStart(Fault::NoLock),
                Way::AtStart(Fault::BrokenAfter { chips: chip }),
            ],
            dice,
        ),
        TroubleKind::Heat => Way::UntilStopped(Fault::Heat { degrees_per_minute: dice.random_range(20..90) }),
        TroubleKind::Sensor => pick(&[Way::UntilStopped(Fault::DiodeOpen), Way::UntilStopped(Fault::DiodeShort)], dice),
        TroubleKind::Fan => Way::UntilStopped(Fault::FanStall),
        TroubleKind::Supply => pick(
            &[
                Way::UntilStopped(Fault::Regulator(RegulatorFault::OverTemperature)),
                Way::UntilStopped(Fault::Regulator(RegulatorFault::OverCurrent)),
                Way::UntilStopped(Fault::Regulator(RegulatorFault::OverVoltage)),
                Way::UntilStopped(Fault::Regulator(RegulatorFault::InputLow)),
                Way::UntilStopped(Fault::NoInput),
                Way::AtStart(Fault::OperationRefused),
            ],
            dice,
        ),
    };
    Trouble { kind, way }
}

fn pick<T: Copy>(all: &[T], dice: &mut StdRng) -> T {
    *all.get(dice.random_range(0..all.len())).expect("the index is within")
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replug => f.write_str("replugged"),
            Self::Reconnect => f.write_str("replugged with power"),
            Self::Once(fault) | Self::While(fault) | Self::UntilStopped(fault) => f.write_str(&name(*fault)),
            Self::AtStart(fault) => write!(f, "{} at start", name(*fault)),
        }
    }
}

/// Its name, without how much of it there was.
fn name(fault: Fault) -> String {
    let words = format!("{fault:?}");
    words.split(" {").next().unwrap_or_default().to_owned()
}
