//! Playing scripts: one in virtual time, campaigns of many, campaigns in worker processes.

mod campaign;
mod virtual_time;
mod work;
#[cfg(unix)]
mod workers;
