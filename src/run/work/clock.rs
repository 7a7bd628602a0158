//! The processor's time of this thread. What it says is no part of a play and of no digest.

use std::time::Duration;

/// Runs `work`: what it returns, and how much of the processor's time this thread took for it;
/// `None` where the system does not say.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Option<Duration>) {
    let began = now();
    let done = work();
    let took = now().zip(began).map(|(now, began)| now.saturating_sub(began));
    (done, took)
}

#[cfg(unix)]
fn now() -> Option<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).ok()
}

#[cfg(not(unix))]
const fn now() -> Option<Duration> {
    None
}
