//! Records of the replicated log, and slots of its mark.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain::fuzzing::log_records(data));
