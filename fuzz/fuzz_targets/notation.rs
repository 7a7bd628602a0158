//! Text as a script, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(init: hangup::fuzzing::begin("notation", std::env::args()), |data: &[u8]| {
    hangup::fuzzing::notation(data);
});
