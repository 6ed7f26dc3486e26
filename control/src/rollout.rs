//! Rollouts: a change of many miners in waves, watched at every step, and taken back when it does harm.
//!
//! ```text
//! planned ── start ──▶ running ── every wave held ──▶ finished: succeeded
//!                       │  ▲ │
//!        a gate fails,  ▼  │ └─ abort ──▶ aborting ── nothing in flight ──▶ finished: aborted
//!        or by hand   paused └─ roll back ──▶ rolling back ── all back ──▶ finished: rolled back
//! ```
//!
//! All decisions are pure: [`plan`](plan::plan) makes the waves, [`Rollout::step`] takes the time and what is seen of the
//! miners and says what to do, [`gate`] judges a wave by the untouched rest, [`Ramp`] spreads switches of power. The whole
//! state is a value that can be written down after any step; whoever reads it goes on from there. [`Rollouts`] keeps them and
//! lets people steer; its runner writes down, performs, tells and writes down again.

mod approval;
mod change;
mod clock;
pub mod gate;
mod keep;
mod measure;
pub mod plan;
mod ramp;
mod run;
mod state;
mod strategy;

pub use approval::{Approval, ApprovalError, Approvals, MOST_APPROVALS};
pub use change::{Change, overlaid};
pub use keep::{Planned, RolloutError, RolloutRequest, Rollouts, Steer};
pub use ramp::{Ramp, RampError, Switching};
pub use state::{
    Action, Applied, Course, FaultKey, Measurements, Outcome, Phase, Revert, Rollout, Seen, Stage, Status, SteerError,
    Target, WaveReport,
};
pub use strategy::{Gates, OnFailure, Order, Size, SizeError, Strategy};
