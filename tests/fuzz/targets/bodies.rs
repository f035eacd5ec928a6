//! Calls over HTTP: routes, headers, bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::bodies(data));
