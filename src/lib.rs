//! hangup
pub mod bounds;
pub mod script;
pub mod trace;
pub mod verdict;
pub mod wire;
