//! What people, supervisors and strangers do to hangup, done to the built binary: signals at random moments,
//! workers killed and stopped from outside, outputs that cannot be written, mutants of every kind of file that
//! it reads. Nothing is lost, nothing is left behind, nobody is blamed falsely.
//!
//! Every test is seeded, ends in bounded time, and is ignored by `cargo test`, since it takes real time:
//! `cargo test --test endures -- --ignored`. `HANGUP_SEED=N` takes another seed.

#[path = "../busy_cores.rs"]
mod busy_cores;
mod command;
mod mutants;
mod mutate;
mod outputs;
mod signals;
mod workers;
mod xml;
