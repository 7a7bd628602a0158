//! Properties of the pure halves: they hold for arbitrary frames, scripts and exchanges.
//!
//! They are a binary of their own: a change here does not build and link the tests of the
//! command line, the workers and the fuzz targets. Each property names the file of its seeds
//! itself (`vocabulary::check`), so that proptest's own rule for its place does not matter.
//!
//! The seed is fixed, so that a test does the same every time. To search further:
//! `PROPTEST_CASES=100000 PROPTEST_RNG_SEED=1 cargo test --test properties`.
//!
//! `proptest-regressions/` has the failures that were met; `regressions` replays them, and
//! CONTRIBUTING.md says how to record one.

mod handshakes;
mod judging;
mod notation;
mod oracle;
mod playing;
mod regressions;
mod repros;
mod several;
mod vocabulary;
mod wire;
