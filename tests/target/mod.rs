//! The targets that come with hangup.

mod planted_faults;
mod whole_servers;
