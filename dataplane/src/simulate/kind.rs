//! The boards that can be emulated, and what is fixed about each.

use super::silicon::ChipModel;
use std::{fmt, str::FromStr};

/// A board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoardKind {
    /// Bitaxe Gamma: one BM1370.
    BitaxeGamma,
    /// Bitaxe Ultra 207: one BM1366 behind a TPS546.
    BitaxeUltra,
    /// Bitaxe Supra 402: one BM1368 behind a TPS546.
    BitaxeSupra,
    /// Bitaxe Max: one BM1397 behind a DS4432U, with an INA260.
    BitaxeMax,
    /// EmberOne/00 v5: twelve BM1362 in series.
    EmberOne,
}

/// No board has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no board is called `{0}`; use one of `bitaxe-gamma`, `bitaxe-ultra`, `bitaxe-supra`, `bitaxe-max`, `emberone`"
)]
pub struct UnknownBoard(pub String);

impl BoardKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::BitaxeGamma, Self::BitaxeUltra, Self::BitaxeSupra, Self::BitaxeMax, Self::EmberOne];

    /// Stable name for configuration and people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BitaxeGamma => "bitaxe-gamma",
            Self::BitaxeUltra => "bitaxe-ultra",
            Self::BitaxeSupra => "bitaxe-supra",
            Self::BitaxeMax => "bitaxe-max",
            Self::EmberOne => "emberone",
        }
    }

    /// What is soldered on it.
    #[must_use]
    pub fn chip_model(self) -> ChipModel {
        match self {
            Self::BitaxeGamma => ChipModel::Bm1370,
            Self::BitaxeUltra => ChipModel::Bm1366,
            Self::BitaxeSupra => ChipModel::Bm1368,
            Self::BitaxeMax => ChipModel::Bm1397,
            Self::EmberOne => ChipModel::Bm1362,
        }
    }

    /// How many of it.
    #[must_use]
    pub fn chips(self) -> u8 {
        match self {
            Self::EmberOne => 12,
            Self::BitaxeGamma | Self::BitaxeUltra | Self::BitaxeSupra | Self::BitaxeMax => 1,
        }
    }

    /// USB strings: manufacturer and product. No Bitaxe names its model.
    pub(super) fn strings(self) -> (&'static str, &'static str) {
        match self {
            Self::EmberOne => ("256F", "EmberOne00"),
            Self::BitaxeGamma | Self::BitaxeUltra | Self::BitaxeSupra | Self::BitaxeMax => ("OSMU", "Bitaxe"),
        }
    }

    /// `bcdDevice` of the firmware of our time.
    pub(super) fn release(self) -> u16 {
        match self {
            Self::EmberOne => 0x0500,
            Self::BitaxeGamma | Self::BitaxeUltra | Self::BitaxeSupra | Self::BitaxeMax => 0x0001,
        }
    }

    pub(super) fn is_emberone(self) -> bool {
        self == Self::EmberOne
    }
}

impl fmt::Display for BoardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BoardKind {
    type Err = UnknownBoard;

    fn from_str(text: &str) -> Result<Self, UnknownBoard> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or_else(|| UnknownBoard(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_is_found_by_its_name() {
        for kind in BoardKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("bitaxe".parse::<BoardKind>().is_err());
    }
}
