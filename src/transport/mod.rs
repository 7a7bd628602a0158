//! The transports between the client and the server under test: TCP in memory, and real TCP with
//! TLS.
//!
//! A transport moves bytes, FIN and RST, and records them. It knows neither
//! frames nor scripts, and judges nothing.

pub mod memory;
#[cfg(feature = "tcp")]
pub mod tcp;
