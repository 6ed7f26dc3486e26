//! What all estimated quantities share: a finite `f64` from zero up, however it was computed.

/// A number that no quantity can have.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{quantity} cannot be {found}; give a finite number that is not negative")]
pub struct QuantityError {
    /// Name of the type.
    pub quantity: &'static str,
    /// The refused number.
    pub found: f64,
}

/// Brings the result of a calculation into range: what is negative or no number counts as nothing, infinity as the
/// largest number.
pub(super) fn saturate(value: f64) -> f64 {
    // Not `clamp`, which would keep NaN and -0.
    if value > 0.0 { value.min(f64::MAX) } else { 0.0 }
}

/// Gives a newtype over `f64` the common edge: a checked way in from outside data, serde as a plain number, `Debug`
/// with the unit, and addition.
macro_rules! quantity {
    ($type:ident, $unit:literal) => {
        impl $type {
            /// None of it.
            pub const ZERO: Self = Self(0.0);
        }

        impl TryFrom<f64> for $type {
            type Error = $crate::units::QuantityError;

            fn try_from(found: f64) -> Result<Self, Self::Error> {
                if found.is_finite() && found >= 0.0 {
                    Ok(Self(found + 0.0))
                } else {
                    Err($crate::units::QuantityError { quantity: stringify!($type), found })
                }
            }
        }

        impl From<$type> for f64 {
            fn from(quantity: $type) -> f64 {
                quantity.0
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({:?}", $unit, ")"), self.0)
            }
        }
    };
}

/// Lets amounts of a quantity be added up.
macro_rules! additive {
    ($type:ident) => {
        impl std::ops::Add for $type {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self($crate::units::quantity::saturate(self.0 + other.0))
            }
        }

        impl std::ops::AddAssign for $type {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl std::iter::Sum for $type {
            fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
                amounts.fold(Self::ZERO, |total, amount| total + amount)
            }
        }
    };
}

pub(super) use {additive, quantity};
