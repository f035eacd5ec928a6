//! Commands, applied by two nodes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::commands(data));
