//! The judge over hand-written exchanges: each test tells the story of one
//! connection, or of a few that differ in one thing, on both sides of a border.
//!
//! Stories run on a clock in milliseconds. Unless one says otherwise, the target
//! promises to close and to release within five seconds, and no more. They need no
//! feature of the library: a binary of its own, which builds fast.

mod conditions;
mod lateness;
mod nonsense;
mod obligations;
mod rules;
mod seen_from_outside;
mod story;
mod symptoms;
