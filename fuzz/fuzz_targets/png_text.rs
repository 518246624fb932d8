#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| semgan::fuzz::png_text(bytes));
