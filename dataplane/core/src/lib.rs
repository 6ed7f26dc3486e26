//! The words that both planes of Mujina use: plain values without async, I/O, clock or wire format.
//! A type lives here if and only if it crosses a process; `mujina-proto` converts it to and from its message.

pub mod board;
pub mod extranonce;
pub mod fault;
pub mod id;
pub mod place;
pub mod pool;
pub mod share;
pub mod spec;
pub mod status;
pub mod text;
pub mod units;
