//! Playing scripts: one in virtual time, with its controls, campaigns of many, campaigns in worker
//! processes.

mod campaign;
mod controls;
mod virtual_time;
mod what_matters;
mod work;
#[cfg(unix)]
mod workers;
