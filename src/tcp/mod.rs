//! Real time and real sockets: the same scripts, judged by the same code, against a
//! server that runs somewhere.
//!
//! This module owns the wall clock and the sockets. It knows nothing of targets in
//! process but how to let one of them listen ([`host`]).

pub mod host;
