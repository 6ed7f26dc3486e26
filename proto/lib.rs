//! What two Mujina processes must agree on: the generated messages and services, and the hand-written edge around them.
//! Used by the data plane, the control plane and the command line; none of them sees another.

pub mod codec;
pub mod convert;
pub mod dial;
pub mod failure;
pub mod home;
pub mod serve;
pub mod tls;
pub mod trace;

/// Shared messages: desired state, status, shares, spans.
pub mod types {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("mujina.types.v1");
    }
}

/// What a miner serves.
pub mod dataplane {
    /// Version 1.
    #[expect(clippy::allow_attributes, reason = "generated services carry them")]
    pub mod v1 {
        tonic::include_proto!("mujina.dataplane.v1");
    }
}

/// What a control plane serves.
pub mod control {
    /// Version 1.
    #[expect(clippy::allow_attributes, reason = "generated services carry them")]
    pub mod v1 {
        tonic::include_proto!("mujina.control.v1");
    }
}

/// Encoded `google.protobuf.FileDescriptorSet` of all the above, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
