//! Campaigns in worker processes, for targets that abort, exit, eat all memory or
//! never return from a poll.
//!
//! The supervisor starts this very program again with a hidden command, so that a
//! worker has the same targets. A worker draws, plays and judges stretches of scripts
//! by itself, and shows on a page of shared memory which script it is at. One that
//! dies, or shows no sign of life for two seconds, is a finding about that script: it
//! is played again in another worker, which tells of each event as it happens, and
//! what was seen up to the death is judged as every trace is. Then the campaign goes on.
//!
//! [`schedule`] knows what is to be done and what came of it; [`pool`] has it done;
//! [`process`] is a worker as the supervisor has it, [`worker`] as it is itself;
//! [`messages`] is what they say to each other, [`shared_memory`] what they share.
//!
//! Where there is no Unix, everything is played in this process, and a target that
//! takes it down ends the campaign.

#[cfg(not(unix))]
mod isolated;
#[cfg(unix)]
mod messages;
#[cfg(unix)]
mod pool;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod schedule;
#[cfg(unix)]
mod shared_memory;
#[cfg(unix)]
mod worker;

#[cfg(not(unix))]
pub(crate) use isolated::{Crew, serve};
#[cfg(unix)]
pub(crate) use pool::Crew;
#[cfg(unix)]
pub(crate) use worker::serve;

/// The hidden command with which a worker is started.
pub(crate) const COMMAND: &str = "worker";
