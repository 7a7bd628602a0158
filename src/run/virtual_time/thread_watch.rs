//! Which threads beside the one that plays are at work: their time is real, and what they will
//! wake nobody can know in virtual time.
//!
//! It costs nothing on a play whose connection ends in time: the process's threads are listed
//! only where a proof is about to be drawn. Then there is no list from before the play to
//! compare them with, where threads have come since the last such look: the script is played once
//! more, between two lists. Linux only; elsewhere nobody lists threads.
//!
//! What it does not see: a thread that was there before the play, or has ended by its end. The
//! play in real time, before a finding is reported, is for these.

use crate::exchange::OtherThreads;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

/// So many threads, those of hangup's own counted, are many.
const MANY: usize = 6;
/// How often, and how long each time, others are waited for.
const MOMENTS: u32 = 50;
const MOMENT: Duration = Duration::from_millis(2);

/// The threads that ran when one last looked: none of the next play's.
static KNOWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether no thread of this process is anybody's but the play's and hangup's.
static ISOLATED: AtomicBool = AtomicBool::new(false);

/// Says that this process does nothing but play: a thread that starts while a script is played is
/// the target's. Not so in `cargo test`, where other tests have threads too.
#[cfg(all(feature = "cli", unix))]
pub(crate) fn this_process_only_plays() {
    ISOLATED.store(true, Ordering::Relaxed);
}

/// What a play makes of the threads of its process.
#[derive(Debug, Default)]
pub(super) struct ThreadWatch {
    /// The threads that ran when the play began, where that is known.
    before: Option<BTreeSet<u32>>,
    /// Threads of tokio's own blocking pool. The clock stands still while they work.
    pool: Mutex<BTreeSet<u32>>,
    has_pool: AtomicBool,
    /// Threads run of which nobody knows whether they are the play's.
    unsure: AtomicBool,
}

/// What the threads of the process say at the end of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// No other thread is at work.
    Nothing,
    /// Threads came while the script was played.
    Came(u32),
}

impl ThreadWatch {
    /// A watch that knows which threads run now.
    pub fn from_now() -> Self {
        Self { before: Some(running()), ..Self::default() }
    }

    /// The calling thread belongs to the runtime's blocking pool.
    pub fn joins_pool(&self) {
        self.has_pool.store(true, Ordering::Relaxed);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.extend(this_thread());
    }

    /// Whether another thread woke a task. The pool's threads wake whoever waits for them, and
    /// may: then nothing is said of others.
    pub fn woke_task(&self, metrics: &RuntimeMetrics) -> bool {
        !self.has_pool.load(Ordering::Relaxed) && wakes_from_outside(metrics) > 0
    }

    /// Which threads came, where a proof is about to be drawn.
    pub fn look(&self) -> Seen {
        let mut running = running();
        {
            let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            running.retain(|thread| !pool.contains(thread));
        }
        if let Some(before) = &self.before {
            let came = running.difference(before).count();
            return if came == 0 { Seen::Nothing } else { Seen::Came(came as u32) };
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.is_subset(&known) {
            *known = running;
            self.unsure.store(true, Ordering::Relaxed);
        }
        Seen::Nothing
    }

    /// Whether the script has to be played once more, with a watch [`from_now`](Self::from_now).
    pub fn is_unsure(&self) -> bool {
        self.unsure.load(Ordering::Relaxed)
    }
}

impl Seen {
    /// That so many came, where they can be nobody else's.
    pub fn for_certain(self) -> Option<OtherThreads> {
        match self {
            Self::Came(threads) if ISOLATED.load(Ordering::Relaxed) => {
                Some(OtherThreads::Left(threads))
            }
            Self::Came(_) | Self::Nothing => None,
        }
    }
}

/// Lets threads of plays before this one come to their end, where many run: a process that may
/// use so much memory and no more has no room for one of each script. No longer than a moment.
pub(super) fn let_some_end() {
    let before = running().len();
    for _ in 0..MOMENTS {
        if before <= MANY || running().len() < before {
            return;
        }
        std::thread::park_timeout(MOMENT);
    }
}

/// So often the threads are listed, until two lists are the same.
const LISTS: u32 = 8;

/// The ids of the threads of this process; none where the system does not say.
///
/// Linux ends the list early where a thread ends that it has just listed: others that run are missing
/// in it, and a server that waits for one of them would be said to hang. What is read twice is whole.
fn running() -> BTreeSet<u32> {
    let mut last = listed();
    for _ in 1..LISTS {
        let before = std::mem::replace(&mut last, listed());
        if last == before {
            break;
        }
    }
    last
}

/// The same, read once.
fn listed() -> BTreeSet<u32> {
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.filter_map(|entry| id(entry.ok()?)).collect()
}

/// This thread's id, where the system says it.
fn this_thread() -> Option<u32> {
    std::fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

/// How often a task was woken from outside of the runtime. Without `tokio_unstable` nobody
/// counts that.
pub(super) fn wakes_from_outside(metrics: &RuntimeMetrics) -> u64 {
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    return metrics.remote_schedule_count();
    #[cfg(not(all(tokio_unstable, target_has_atomic = "64")))]
    {
        let _ = metrics;
        0
    }
}
