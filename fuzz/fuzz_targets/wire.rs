//! Our frame decoder against another.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    hangup::fuzzing::wire(data);
});
