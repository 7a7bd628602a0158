//! The integration tests, one binary: proptest then finds the top-level
//! `proptest-regressions/`.

/// What targets take from the heap is measured here too.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

mod article;
mod cli;
mod faults;
mod fuzzing;
mod heap;
mod layers;
mod library;
mod link;
mod pictures;
mod run;
mod vantage;
