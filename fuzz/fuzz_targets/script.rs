//! Scripts against the built-in target that `HANGUP_FUZZ_TARGET` names, or `reference`.
#![no_main]

/// Measures what a server holds for a connection: `bounded-memory`.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

hangup::fuzz_scripts!(hangup::fuzzing::Fuzz::built_in());
