//! Raw bytes after the upgrade, against the same targets as `script`.
#![no_main]

hangup::fuzz_bytes!(hangup::fuzzing::Fuzz::built_in());
