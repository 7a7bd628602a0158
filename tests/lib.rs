//! The integration tests, laid out like `src/`; beside them stand the binaries `judge`,
//! `properties`, `recall`, `tcp` and `process`.
//!
//! They are one binary: proptest then finds the top-level `proptest-regressions/`.

/// What targets take from the heap is measured here too.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

mod architecture;
mod article;
mod busy_cores;
mod cli;
mod clients;
mod faults;
mod fuzzing;
mod heap;
mod opening;
mod public_api;
mod report;
mod run;
mod suite;
mod suites;
mod target;
mod transport;
#[path = "servers/vacuous.rs"]
mod vacuous;
mod view;
