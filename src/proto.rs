//! The code that `build.rs` generates from the proto files; nothing here is written by hand.

/// The public contract, package `refrain.v1`.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub mod v1 {
    tonic::include_proto!("refrain.v1");

    /// The descriptors of the public files, for server reflection.
    pub const DESCRIPTORS: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/refrain_descriptor.bin"));
}

/// What nodes of one cluster say to each other.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub(crate) mod peer {
    tonic::include_proto!("refrain.peer");
}

/// What lies on disk and in the replicated log.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub(crate) mod persisted {
    tonic::include_proto!("refrain.persisted");
}
