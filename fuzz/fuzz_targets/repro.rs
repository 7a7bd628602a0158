//! Text as a repro file, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    hangup::fuzzing::repro(data);
});
