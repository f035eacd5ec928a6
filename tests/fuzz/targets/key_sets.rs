//! JWK sets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::key_sets(data));
