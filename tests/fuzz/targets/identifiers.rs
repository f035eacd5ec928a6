//! Identifiers, tokens, names, ids and times.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::identifiers(data));
