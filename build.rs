//! Compiles the protos with protox, so that neither `protoc` nor any other system package is needed.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

/// Named one by one: a file that is not listed here is not part of the API.
const PROTOS: &[&str] = &[
    "mujina/types/v1/spec.proto",
    "mujina/types/v1/share.proto",
    "mujina/types/v1/status.proto",
    "mujina/types/v1/board.proto",
    "mujina/types/v1/trace.proto",
    "mujina/dataplane/v1/miner_service.proto",
    "mujina/dataplane/v1/pool_service.proto",
    "mujina/dataplane/v1/board_service.proto",
    "mujina/dataplane/v1/share_service.proto",
    "mujina/dataplane/v1/diagnostics_service.proto",
    "mujina/control/v1/registry_service.proto",
    "mujina/control/v1/spec_service.proto",
    "mujina/control/v1/operation_service.proto",
    "mujina/control/v1/statistics_service.proto",
    "mujina/control/v1/diagnostics_service.proto",
    "mujina/control/v1/enrollment_service.proto",
    "mujina/control/v1/access_service.proto",
    "mujina/control/v1/audit_service.proto",
    "mujina/control/v1/profile_service.proto",
    "mujina/control/v1/rollout_service.proto",
    "mujina/control/v1/event_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/mujina");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    #[expect(clippy::disallowed_methods, reason = "cargo names the folder only this way")]
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // In order, so that equal messages are encoded alike.
        .btree_map(".")
        // It carries a password on its way to a miner; `proto/convert/spec.rs` writes a `Debug` that does not show it.
        .skip_debug(["mujina.types.v1.PoolSpec"])
        // Small buffers; see there.
        .codec_path("crate::codec::Compact")
        .boxed(".mujina.dataplane.v1.WatchSharesResponse.event.share")
        .boxed(".mujina.dataplane.v1.TestPoolResponse.event.result")
        .compile_fds(descriptors)?;
    Ok(())
}
