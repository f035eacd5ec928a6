//! Links for one-click unsubscribe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::links(data));
