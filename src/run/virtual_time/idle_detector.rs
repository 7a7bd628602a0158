//! When the runtime is idle, how often it woke, and whether tasks spin: what its hooks tell.

use super::thread_watch::ThreadWatch;
use crate::exchange::What;
use crate::transport::memory::{Link, Observer, Turns};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// So many polls of tasks at one instant, with no byte moved, are a spin.
const TASK_POLLS: u32 = 5_000;

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
    waker: Mutex<Option<Waker>>,
    /// Whether tasks spin, and where to say so.
    spun: AtomicBool,
    link: Mutex<Option<Link>>,
    pub observer: Option<Arc<dyn Observer>>,
    pub threads: ThreadWatch,
}

impl IdleDetector {
    pub fn new(observer: Option<Arc<dyn Observer>>, threads: ThreadWatch) -> Self {
        Self { observer, threads, ..Self::default() }
    }

    /// The runtime is about to park. Waking the client here keeps it from parking.
    pub fn parks(&self) {
        self.turns.parks.fetch_add(1, Ordering::Relaxed);
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
        let polls = self.turns.polls.fetch_add(1, Ordering::Relaxed);
        if polls == TASK_POLLS {
            self.spins(polls);
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

    #[cold]
    fn spins(&self, polls: u32) {
        if let Some(link) = self.link.lock().unwrap_or_else(PoisonError::into_inner).take() {
            link.record(What::Spun { polls });
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
        let mut waker = self.waker();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
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
