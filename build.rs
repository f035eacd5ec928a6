//! Compiles the proto files with `protox`, so that nothing (no `protoc`) has to be installed to build.

use std::path::PathBuf;

use protox::prost::Message as _;

/// The public contract; its descriptors also feed server reflection.
const PUBLIC: [&str; 11] = [
    "refrain/v1/types.proto",
    "refrain/v1/journal.proto",
    "refrain/v1/monitor.proto",
    "refrain/v1/audit.proto",
    "refrain/v1/decision.proto",
    "refrain/v1/preference.proto",
    "refrain/v1/watch.proto",
    "refrain/v1/registry.proto",
    "refrain/v1/override.proto",
    "refrain/v1/stamp.proto",
    "refrain/v1/cluster.proto",
];

/// gRPC's own health check, for the client; the server has it from a crate.
const HEALTH: &str = "grpc/health/v1/health.proto";

/// What only nodes and disks see.
const INTERNAL: [&str; 2] = ["internal/peer.proto", "internal/persisted.proto"];

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let server = std::env::var_os("CARGO_FEATURE_SERVER").is_some();

    let public = protox::compile(PUBLIC, ["proto"])?;
    std::fs::write(out.join("refrain_descriptor.bin"), public.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_server(server)
        .compile_fds(public)?;

    let health = protox::compile([HEALTH], ["proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(health)?;

    if server {
        let internal = protox::compile(INTERNAL, ["proto"])?;
        tonic_prost_build::configure()
            .bytes(".")
            .compile_fds(internal)?;
    }
    Ok(())
}
