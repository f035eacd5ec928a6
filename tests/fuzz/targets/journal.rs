//! The journal's edge, its mark, and bundles from peers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::journal(data));
