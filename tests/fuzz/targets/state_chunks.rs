//! Chunks of a snapshot of the state.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::state_chunks(data));
