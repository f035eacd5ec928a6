//! Signed notes, lists of verifier keys, paths of tiles.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::notes(data));
