//! A counting allocator: measures how much heap a target holds for one connection.
//!
//! A binary that wants it measured makes [`Counting`] its global allocator, as
//! hangup's own does:
//!
//! ```
//! #[global_allocator]
//! static HEAP: hangup::heap::Counting = hangup::heap::Counting;
//! # fn main() {}
//! ```
//!
//! A play [measures](measure) on its own thread, and [pauses](pause) wherever hangup's own code
//! runs: the allocations of the target's tasks are counted. This module knows no targets and
//! judges nothing.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; each call is handed on as is"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::task::Waker;

/// The system's allocator, which counts by thread what it gives while that is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// The count of one thread.
struct ThreadCount {
    counting: Cell<bool>,
    /// Bytes allocated and not freed. Memory from before the measurement may be freed in it: the
    /// count never falls below zero.
    held: Cell<usize>,
    peak: Cell<usize>,
}

thread_local! {
    // Needs no allocation and no destructor: an allocator may use it at any time.
    static THREAD_COUNT: ThreadCount =
        const { ThreadCount { counting: Cell::new(false), held: Cell::new(0), peak: Cell::new(0) } };
}

impl ThreadCount {
    fn begin(&self) {
        self.held.set(0);
        self.peak.set(0);
        self.counting.set(true);
    }

    fn allocated(&self, bytes: usize) {
        if self.counting.get() {
            let held = self.held.get() + bytes;
            self.held.set(held);
            if held > self.peak.get() {
                self.peak.set(held);
            }
        }
    }

    fn freed(&self, bytes: usize) {
        if self.counting.get() {
            self.held.set(self.held.get().saturating_sub(bytes));
        }
    }
}

// SAFETY: every call goes to `System` with the arguments that it came with, and what
// `System` returns is returned. Counting allocates nothing and never unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        THREAD_COUNT.with(|count| count.allocated(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        THREAD_COUNT.with(|count| count.allocated(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is `System`'s.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        THREAD_COUNT.with(|count| count.freed(layout.size()));
        // SAFETY: `block` came from `System` through this allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        THREAD_COUNT.with(|count| {
            count.freed(layout.size());
            count.allocated(size);
        });
        // SAFETY: `block` came from `System` through this allocator, with this layout.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// A measurement on this thread, from when it was begun until it is dropped.
#[derive(Debug)]
#[must_use = "what is dropped measures nothing"]
pub struct Measure(OnThisThread);

/// Neither is of use on another thread.
type OnThisThread = PhantomData<*const ()>;

/// Begins to count on this thread, from zero. `None` where [`Counting`] is not the
/// global allocator, so that nothing would be counted.
pub fn measure() -> Option<Measure> {
    let measure = Measure(PhantomData);
    THREAD_COUNT.with(ThreadCount::begin);
    drop(black_box(Box::new(0_u8)));
    let is_counted = measure.peak() > 0;
    THREAD_COUNT.with(ThreadCount::begin);
    is_counted.then_some(measure)
}

impl Measure {
    /// The most bytes that were taken and not given back at a time, so far.
    pub fn peak(&self) -> u64 {
        THREAD_COUNT.with(|count| count.peak.get()) as u64
    }
}

/// How many bytes are held on this thread that were taken since a measurement began; 0 where there
/// is none.
pub fn held() -> u64 {
    THREAD_COUNT.with(|count| count.held.get()) as u64
}

impl Drop for Measure {
    fn drop(&mut self) {
        THREAD_COUNT.with(|count| count.counting.set(false));
    }
}

/// Until it is dropped, nothing is counted on this thread, or what was paused is counted again. They may
/// be nested.
#[derive(Debug)]
#[must_use = "what is dropped at once changes nothing"]
pub struct Pause(bool, OnThisThread);

/// Pauses a measurement, where there is one.
pub fn pause() -> Pause {
    Pause(THREAD_COUNT.with(|count| count.counting.replace(false)), PhantomData)
}

/// Counts again in the middle of a pause, until it is dropped: for where hangup lets go of what the
/// target has. A task's memory goes with its last waker: whoever wakes or drops one in a pause, and
/// counts nothing, has the target keep what it has given back.
pub(crate) fn resume() -> Pause {
    Pause(THREAD_COUNT.with(|count| count.counting.replace(true)), PhantomData)
}

/// Wakes a task of the target's, counted.
pub(crate) fn wake(waker: Waker) {
    let _counted = resume();
    waker.wake();
}

/// Drops a waker of the target's, where there is one, counted.
pub(crate) fn let_go(waker: Option<Waker>) {
    let _counted = resume();
    drop(waker);
}

impl Drop for Pause {
    fn drop(&mut self) {
        THREAD_COUNT.with(|count| count.counting.set(self.0));
    }
}
