//! Mining chips: what is said to them and what they answer. Knows no board and no transport.

pub mod bm13xx;
