//! Transports: the simulated TCP connection.

mod memory;
