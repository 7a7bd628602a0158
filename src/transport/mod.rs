//! What carries bytes between the actor and the subject: TCP in memory, and real TCP with TLS.
//!
//! A transport moves bytes, FIN and RST, and says what happened to them. It knows neither
//! frames nor scripts, and judges nothing.

pub mod memory;
#[cfg(feature = "tcp")]
pub mod tcp;
