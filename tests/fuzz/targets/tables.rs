//! Tables to import; they belong to the program, so that the file is taken in here.
#![no_main]
#![allow(dead_code)]

#[path = "../../../src/cli/import/table.rs"]
mod table;

libfuzzer_sys::fuzz_target!(|data: &[u8]| table::tables(data));
