//! The peers' tests, as one binary.

mod declarations;
mod findings;
mod guide;
mod polite;
mod tcp;
