//! Campaigns in worker processes, for targets that abort, exit, eat all memory or
//! never return from a poll.
//!
//! The supervisor starts this program again with a hidden command, so that a worker has the
//! same targets. A worker draws, plays and judges ranges of scripts by itself, and writes the
//! index of the script in play into shared memory. A worker that dies, or makes no progress
//! for two seconds, is a finding about that script: another worker plays the script again and
//! reports each event as it happens, and the exchange up to the death is judged as any other.
//! Then the campaign goes on. A worker that something else may have killed or stopped is none, unless
//! that happens to every worker that plays the script.
//!
//! | file | has |
//! |---|---|
//! | [`pool`] | the supervisor: its workers, and what can be asked of them |
//! | [`campaign_run`] | a campaign in progress: a thread for each worker |
//! | [`slot`] | the place of one worker, which is started again when it died |
//! | [`schedule`] | which scripts come next, and the results so far: plain data |
//! | [`crash_shapes`] | what scripts that crash have in common, so that others like them are passed over: plain data |
//! | [`process`] | the supervisor's side of one worker process |
//! | [`stall`] | whether a worker that says nothing stands still: plain data |
//! | [`worker`] | the worker's side |
//! | [`messages`] | the wire protocol between the two |
//! | [`event_log`] | the events of one script, which outlive the worker |
//! | [`shared_memory`] | the counters that both map |
//! | `without_processes` | the same interface without processes, where the system is not Unix |
//!
//! A target that takes the process down ends the campaign where the system is not Unix.

#[cfg(unix)]
mod campaign_run;
#[cfg(unix)]
mod crash_shapes;
#[cfg(unix)]
mod event_log;
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
mod slot;
#[cfg(unix)]
mod stall;
#[cfg(not(unix))]
mod without_processes;
#[cfg(unix)]
mod worker;

#[cfg(unix)]
pub(crate) use pool::WorkerPool;
#[cfg(not(unix))]
pub(crate) use without_processes::{WorkerPool, serve};
#[cfg(unix)]
pub(crate) use worker::serve;

/// The hidden command that starts a worker.
pub(crate) const COMMAND: &str = "worker";
