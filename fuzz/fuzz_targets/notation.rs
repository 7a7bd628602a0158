//! Text as a script, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    hangup::fuzzing::notation(data);
});
