//! Scripts against the built-in target that `HANGUP_FUZZ_TARGET` names, or `reference`.
#![no_main]

hangup::fuzz_scripts!(hangup::fuzzing::Fuzz::built_in());
