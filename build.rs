//! Compiles the proto files with `protox`, so that nothing (no `protoc`) has to be installed to build.

use std::path::PathBuf;

use protox::prost::Message as _;

/// The public contract; its descriptors also feed server reflection.
const PUBLIC: [&str; 8] = [
    "refrain/v1/types.proto",
    "refrain/v1/decision.proto",
    "refrain/v1/preference.proto",
    "refrain/v1/watch.proto",
    "refrain/v1/registry.proto",
    "refrain/v1/override.proto",
    "refrain/v1/stamp.proto",
    "refrain/v1/cluster.proto",
];

/// What only nodes and disks see.
const INTERNAL: [&str; 2] = ["internal/peer.proto", "internal/persisted.proto"];

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let public = protox::compile(PUBLIC, ["proto"])?;
    std::fs::write(out.join("refrain_descriptor.bin"), public.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(public)?;

    let internal = protox::compile(INTERNAL, ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(internal)?;
    Ok(())
}
