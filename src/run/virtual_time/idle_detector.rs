//! When the runtime is idle, how often it woke, and whether tasks spin: what its hooks tell.

use super::thread_watch::ThreadWatch;
use crate::exchange::{AfterDeadline, What};
use crate::transport::memory::{Link, Observer, Turns};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::RuntimeMetrics;

/// So many polls of tasks at one instant, with no byte moved, are a spin.
const TASK_POLLS: u32 = 5_000;

/// For so many of them counts one that used up tokio's budget, 128 operations on timers, channels
/// and the like: a task that asks an elapsed timer for ever does nothing else. It would take 28 ms
/// to count 5,000 of them. A server may still hand 40,000 messages on at one instant.
#[cfg(tokio_unstable)]
const WHOLE_BUDGET: u32 = 16;

/// So often may the runtime of one play park: a timer that fires each millisecond parks
/// it twice, so that this is half an hour of it. Then watching ends: a script of a few lines must not take minutes.
pub(crate) const PARKS: u32 = 4_000_000;

/// The runtime's idleness: it parks when no task can run.
#[derive(Debug, Default)]
pub(super) struct IdleDetector {
    /// Somebody waits for the next park.
    asked: AtomicBool,
    /// How many parks were waited for so far.
    answers: AtomicU32,
    pub turns: Arc<Turns>,
    /// Polls of tasks, or parks, since counting began, and where it ends.
    count: AtomicU32,
    limit: AtomicU32,
    /// That of the future that `block_on` polls, which is one and the same all along.
    waker: Mutex<Option<Waker>>,
    has_waker: AtomicBool,
    /// Whether the play is over, since tasks spin or time is full of timers, and where to say so.
    spun: AtomicBool,
    link: Mutex<Option<Link>>,
    pub observer: Option<Arc<dyn Observer>>,
    pub threads: ThreadWatch,
    /// Whether one script is played, and not several at once.
    one_actor: bool,
}

impl IdleDetector {
    pub fn new(observer: Option<Arc<dyn Observer>>, threads: ThreadWatch, one_actor: bool) -> Self {
        Self { observer, threads, one_actor, ..Self::default() }
    }

    /// The runtime is about to park. Waking the client here keeps it from parking.
    pub fn parks(&self) {
        if self.turns.parks.fetch_add(1, Ordering::Relaxed) == PARKS {
            self.ends_with(What::Became(AfterDeadline::GaveUp));
        }
        self.turns.polls.store(0, Ordering::Relaxed);
        if let Some(observer) = &self.observer {
            observer.rested();
        }
        if self.asked.swap(false, Ordering::Relaxed) {
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.wake();
            return;
        }
        if !cfg!(tokio_unstable) {
            self.woken();
        }
        let limit = self.limit.load(Ordering::Relaxed);
        if limit > 0 && self.count() >= limit {
            self.wake();
        }
    }

    /// Something runs that is not hangup's own.
    pub fn woken(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.count_polls(1);
    }

    /// A task was polled.
    #[cfg(tokio_unstable)]
    pub fn polled(&self) {
        if !tokio::task::coop::has_budget_remaining() {
            self.count_polls(WHOLE_BUDGET - 1);
        }
    }

    fn count_polls(&self, polls: u32) {
        let before = self.turns.polls.fetch_add(polls, Ordering::Relaxed);
        if before <= TASK_POLLS && before.saturating_add(polls) > TASK_POLLS {
            self.ends_with(What::Spun { polls: TASK_POLLS });
        }
    }

    /// From now on [`TASK_POLLS`] count, also of tasks that the link does not see: a timer
    /// that has elapsed, polled for ever.
    pub fn watch_for_spins(&self, link: &Link) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
    }

    pub fn forget_link(&self) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The play is over: with this, where nothing else has ended it.
    #[cold]
    fn ends_with(&self, what: What) {
        if let Some(link) = self.link.lock().unwrap_or_else(PoisonError::into_inner).take() {
            link.record(what);
            self.spun.store(true, Ordering::Relaxed);
            self.wake();
        }
    }

    pub fn poll_spun(&self, cx: &Context<'_>) -> Poll<()> {
        if self.spun.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        self.keep(cx);
        Poll::Pending
    }

    pub fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker() {
            waker.wake_by_ref();
        }
    }

    fn keep(&self, cx: &Context<'_>) {
        if !self.has_waker.swap(true, Ordering::Relaxed) {
            *self.waker() = Some(cx.waker().clone());
        }
    }

    /// Whether the runtime would park at once, and wake nobody before it. Only the future that
    /// `block_on` polls may ask: it is polled right after a park, or a look at the driver, which
    /// wakes the tasks that had put off their turn, so that whatever can run is in a queue.
    /// Where queues cannot be looked at (without `tokio_unstable`), nobody knows.
    ///
    /// Several actors act between two parks, all of them, whatever the first of them wakes: they
    /// wait for the park.
    pub fn is_idle(&self, metrics: &RuntimeMetrics) -> bool {
        #[cfg(tokio_unstable)]
        if self.one_actor
            && metrics.worker_local_queue_depth(0) == 0
            && metrics.global_queue_depth() == 0
        {
            // What a park would do, but for the time: it has not moved.
            self.asked.store(false, Ordering::Relaxed);
            self.turns.polls.store(0, Ordering::Relaxed);
            if let Some(observer) = &self.observer {
                observer.rested();
            }
            return true;
        }
        let _ = (metrics, self.one_actor);
        false
    }

    /// Asks for the next park. [`poll_answered`](Self::poll_answered) takes what this returns.
    pub fn ask(&self) -> u32 {
        self.asked.store(true, Ordering::Relaxed);
        self.answers.load(Ordering::Relaxed)
    }

    /// Ready once the runtime was about to park, after the `asked` that [`ask`](Self::ask) gave.
    pub fn poll_answered(&self, asked: u32, cx: &Context<'_>) -> Poll<()> {
        if self.answers.load(Ordering::Relaxed) != asked {
            return Poll::Ready(());
        }
        self.keep(cx);
        Poll::Pending
    }

    pub fn count_to(&self, limit: u32) {
        self.asked.store(false, Ordering::Relaxed);
        self.count.store(0, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn poll_exhausted(&self, cx: &Context<'_>) -> Poll<()> {
        self.keep(cx);
        if self.count() >= self.limit.load(Ordering::Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
