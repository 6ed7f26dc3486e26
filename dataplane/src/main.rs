//! `mujina-dataplane`: everything is in the library, so that tests and the demo can host it.

use std::process::ExitCode;

fn main() -> ExitCode {
    mujina_dataplane::program::start(mujina_dataplane::run)
}
