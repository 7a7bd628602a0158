//! How late our own process is: a case played while it was late proves nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// The pause between two beats.
const BEAT: Duration = Duration::from_millis(10);
/// A beat that is no later than this is on time: timers have a grain.
const ON_TIME: Duration = Duration::from_millis(3);
/// How many late beats are kept.
const KEPT: usize = 100_000;

/// A beat of the runtime that plays, from start to drop.
pub(super) struct Pulse {
    late: Arc<Mutex<VecDeque<(Instant, Duration)>>>,
    beating: JoinHandle<()>,
}

impl Pulse {
    /// Begins to beat.
    pub fn start() -> Self {
        let late = Arc::<Mutex<VecDeque<_>>>::default();
        let told = Arc::clone(&late);
        let beating = tokio::spawn(async move {
            loop {
                let due = Instant::now() + BEAT;
                sleep(BEAT).await;
                let delay = due.elapsed();
                if delay > ON_TIME {
                    let mut late = lock(&told);
                    late.push_back((Instant::now(), delay));
                    let surplus = late.len().saturating_sub(KEPT);
                    late.drain(..surplus);
                }
            }
        });
        Self { late, beating }
    }

    /// The worst delay since `start`.
    pub fn worst_since(&self, start: Instant) -> Duration {
        let late = lock(&self.late);
        let since = late.iter().rev().take_while(|(at, _)| *at >= start);
        since.map(|(_, delay)| *delay).max().unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a process that is late is what is tested")]
    async fn a_runtime_that_stood_still_was_late_by_that() {
        let pulse = Pulse::start();
        let start = Instant::now();
        sleep(Duration::from_millis(30)).await;
        std::thread::sleep(Duration::from_millis(200));
        sleep(Duration::from_millis(30)).await;
        let worst = pulse.worst_since(start);
        assert!((150..2000).contains(&worst.as_millis()), "{worst:?}");
        assert!(pulse.worst_since(Instant::now()) < Duration::from_millis(100));
    }
}
