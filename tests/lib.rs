//! The integration tests, one binary: proptest then finds the top-level
//! `proptest-regressions/`.

mod judge;
