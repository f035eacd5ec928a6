//! The stored encodings of commands, proposals, replies and events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::encodings(data));
