//! hangup
pub mod bounds;
pub mod campaign;
pub mod client;
pub mod generate;
pub mod judge;
pub mod link;
pub mod report;
pub mod repro;
pub mod script;
pub mod shrink;
pub mod sim;
pub mod target;
pub mod trace;
pub mod verdict;
pub mod wire;
