#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| semgan::fuzz::foreign(bytes));
