//! Text as a repro file, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(init: hangup::fuzzing::begin("repro", std::env::args()), |data: &[u8]| {
    hangup::fuzzing::repro(data);
});
