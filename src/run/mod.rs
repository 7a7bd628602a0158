//! Playing scripts: in virtual time, over real sockets, many of them, in processes of their own.
//!
//! | folder | what it owns |
//! |---|---|
//! | [`virtual_time`] | the paused clock: one script against a target in process |
//! | `real_time` (feature `tcp`) | the wall clock and real sockets: scripts against a server anywhere |
//! | `work` | what bytes cost, by a processor's time |
//! | [`campaign`] | many scripts against one target, in this process |
//! | `workers` (feature `cli`) | the same in processes that a target may take down |
//!
//! `interrupt` (feature `cli`) is how somebody ends a run early, `preflight` tells whether a server can be tested at all, and `control_play` how controls are
//! played, whoever plays. Whoever plays knows bytes and time,
//! and judges nothing: an exchange goes to [`judge`](mod@crate::judge).

pub mod campaign;
pub(crate) mod control_play;
#[cfg(feature = "cli")]
pub(crate) mod interrupt;
pub(crate) mod preflight;
#[cfg(feature = "tcp")]
pub mod real_time;
pub mod virtual_time;
pub(crate) mod work;
#[cfg(feature = "cli")]
pub(crate) mod workers;
