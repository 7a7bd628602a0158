//! Our frame decoder against another.
#![no_main]

libfuzzer_sys::fuzz_target!(init: hangup::fuzzing::begin("wire", std::env::args()), |data: &[u8]| {
    hangup::fuzzing::wire(data);
});
