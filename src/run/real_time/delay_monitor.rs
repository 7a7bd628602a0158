//! Measures how late our own process is. A script that was played while it was late proves
//! nothing.
//!
//! A task sleeps for 10 ms again and again, and records by how much it woke too late.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How long the monitor sleeps at a time.
const TICK: Duration = Duration::from_millis(10);
/// A tick that is no later than this counts as on time: timers are not exact.
const TOLERANCE: Duration = Duration::from_millis(3);
/// The most late ticks that are kept.
const MAX_KEPT: usize = 100_000;

/// Watches the runtime that it was started in, until it is dropped.
pub(super) struct DelayMonitor {
    late: Arc<Mutex<VecDeque<(Instant, Duration)>>>,
    ticking: JoinHandle<()>,
}

impl DelayMonitor {
    /// Starts the monitor.
    pub fn start() -> Self {
        let late = Arc::<Mutex<VecDeque<_>>>::default();
        let recorded = Arc::clone(&late);
        let ticking = tokio::spawn(async move {
            loop {
                let due = Instant::now() + TICK;
                sleep(TICK).await;
                let delay = due.elapsed();
                if delay > TOLERANCE {
                    let mut late = lock(&recorded);
                    late.push_back((Instant::now(), delay));
                    let surplus = late.len().saturating_sub(MAX_KEPT);
                    late.drain(..surplus);
                }
            }
        });
        Self { late, ticking }
    }

    /// The worst delay since `start`.
    pub fn worst_since(&self, start: Instant) -> Duration {
        let late = lock(&self.late);
        let since = late.iter().rev().take_while(|(at, _)| *at >= start);
        since.map(|(_, delay)| *delay).max().unwrap_or_default()
    }
}

impl Drop for DelayMonitor {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    #[expect(clippy::disallowed_methods, reason = "a process that is late is what is tested")]
    async fn a_blocked_runtime_is_reported_late_by_the_time_that_it_was_blocked() {
        let monitor = DelayMonitor::start();
        let start = Instant::now();
        sleep(Duration::from_millis(30)).await;
        std::thread::sleep(Duration::from_millis(200));
        sleep(Duration::from_millis(30)).await;
        let worst = monitor.worst_since(start);
        assert!((150..2000).contains(&worst.as_millis()), "{worst:?}");
        assert!(monitor.worst_since(Instant::now()) < Duration::from_millis(100));
    }
}
