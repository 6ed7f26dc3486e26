//! Quantities, each a type of its own whose constructors name the unit.
//!
//! Work and rates are `f64`: they are estimates by nature, and their range (one hash to 2^256) fits no integer. Every
//! such type holds a finite number from zero up, which is why they can be added, compared and serialised freely.

mod difficulty;
pub mod duration;
mod duty;
mod electrical;
mod hash_rate;
mod prefix;
mod quantity;
mod target;
mod work;

pub use self::difficulty::Difficulty;
pub use self::duty::{DutyError, DutyPercent};
pub use self::electrical::{Amperes, Celsius, Frequency, Volts, Watts};
pub use self::hash_rate::HashRate;
pub use self::quantity::QuantityError;
pub use self::target::ShareTarget;
pub use self::work::Work;
