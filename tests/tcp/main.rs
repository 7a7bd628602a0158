//! Real sockets and real time: a binary of its own, so that what is measured here is
//! not measured while the other tests take the machine.

#[cfg(target_os = "linux")]
mod browser;
#[path = "../busy_cores.rs"]
mod busy_cores;
mod cases;
mod dying;
mod export;
mod hangs;
#[cfg(target_os = "linux")]
mod kernel;
mod listen;
mod preamble;
mod probe;
mod real;
mod rounds;
mod serve;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod trouble;
mod whole;
