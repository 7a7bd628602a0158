//! The peers' tests, as one binary.

mod actix_shutdown;
mod declarations;
mod findings;
mod guide;
mod on_a_thread;
mod polite;
mod tcp;
mod tcp_clients;
