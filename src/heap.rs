//! How much heap a target holds for one connection: a counting allocator.
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
//! Play [measures](measure) on its own thread, and [pauses](pause) wherever its own
//! code runs, so that what is counted is what the target's tasks take and give back.
//! Nothing here knows of targets, and nothing is judged.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; each call is handed on as is"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;

/// The system's allocator, which counts by thread what it gives while that is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// What one thread counts.
struct Tally {
    counting: Cell<bool>,
    /// Bytes taken and not given back. What was taken before counting began may be given
    /// back since: it is never below zero.
    live: Cell<usize>,
    peak: Cell<usize>,
}

thread_local! {
    // Needs no allocation and no destructor: an allocator may use it at any time.
    static TALLY: Tally =
        const { Tally { counting: Cell::new(false), live: Cell::new(0), peak: Cell::new(0) } };
}

impl Tally {
    fn begin(&self) {
        self.live.set(0);
        self.peak.set(0);
        self.counting.set(true);
    }

    fn took(&self, bytes: usize) {
        if self.counting.get() {
            let live = self.live.get() + bytes;
            self.live.set(live);
            if live > self.peak.get() {
                self.peak.set(live);
            }
        }
    }

    fn gave_back(&self, bytes: usize) {
        if self.counting.get() {
            self.live.set(self.live.get().saturating_sub(bytes));
        }
    }
}

// SAFETY: every call goes to `System` with the arguments that it came with, and what
// `System` returns is returned. Counting allocates nothing and never unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TALLY.with(|tally| tally.took(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        TALLY.with(|tally| tally.took(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is `System`'s.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        TALLY.with(|tally| tally.gave_back(layout.size()));
        // SAFETY: `block` came from `System` through this allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TALLY.with(|tally| {
            tally.gave_back(layout.size());
            tally.took(size);
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
    TALLY.with(Tally::begin);
    drop(black_box(Box::new(0_u8)));
    let is_counted = measure.peak() > 0;
    TALLY.with(Tally::begin);
    is_counted.then_some(measure)
}

impl Measure {
    /// The most bytes that were taken and not given back at a time, so far.
    pub fn peak(&self) -> u64 {
        TALLY.with(|tally| tally.peak.get()) as u64
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        TALLY.with(|tally| tally.counting.set(false));
    }
}

/// While it lives, nothing is counted on this thread. Pauses may be nested.
#[derive(Debug)]
#[must_use = "what is dropped pauses nothing"]
pub struct Pause(bool, OnThisThread);

/// Pauses a measurement, where there is one.
pub fn pause() -> Pause {
    Pause(TALLY.with(|tally| tally.counting.replace(false)), PhantomData)
}

impl Drop for Pause {
    fn drop(&mut self) {
        TALLY.with(|tally| tally.counting.set(self.0));
    }
}
