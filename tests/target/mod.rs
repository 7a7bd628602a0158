//! The targets that come with hangup.

mod planted_faults;
pub mod whole_servers;
