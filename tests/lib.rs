//! The integration tests, one binary: proptest then finds the top-level
//! `proptest-regressions/`.

mod article;
mod campaign;
mod cli;
mod faults;
mod layers;
mod library;
mod link;
mod pictures;
mod sim;
