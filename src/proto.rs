//! The code that `build.rs` generates from the proto files; nothing here is written by hand.

/// The public contract, package `refrain.v1`.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub mod v1 {
    tonic::include_proto!("refrain.v1");

    /// The descriptors of the public files, for server reflection.
    pub const DESCRIPTORS: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/refrain_descriptor.bin"));
}

/// gRPC's own health check.
#[cfg(feature = "client")]
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub(crate) mod health {
    tonic::include_proto!("grpc.health.v1");
}

/// What nodes of one cluster say to each other.
#[cfg(feature = "server")]
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub(crate) mod peer {
    tonic::include_proto!("refrain.peer");
}

/// What lies on disk and in the replicated log.
#[cfg(feature = "server")]
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub(crate) mod persisted {
    tonic::include_proto!("refrain.persisted");
}
