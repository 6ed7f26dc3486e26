//! Everything that needs more than one package, as one binary: linking is what tests cost most.

#[path = "../architecture.rs"]
mod architecture;
#[path = "../contract.rs"]
mod contract;
