#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = semgan::fuzz::dataset_json(bytes);
});
