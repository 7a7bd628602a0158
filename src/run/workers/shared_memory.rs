//! The memory that a worker shares with its supervisor: which script is in play and whether
//! it makes progress, readable even when the worker has died or does not answer.
//!
//! It holds a few counters, and knows neither jobs nor scripts.

#![expect(unsafe_code, reason = "shared memory is a raw pointer until somebody says what it is")]

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The index of no script.
const NO_SCRIPT: u64 = u64::MAX;

/// The contents of the shared memory.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct SharedState {
    /// The index of the script in play.
    pub script_index: AtomicU64,
    /// Moves on with every event and every park of the runtime.
    pub progress: AtomicU64,
    /// The virtual time in the script in play, in microseconds since accept.
    pub now_micros: AtomicU64,
    /// 1 while the target runs: between scripts, and while one is judged, it does not.
    pub target_running: AtomicU32,
    /// 1 when the worker is to begin no further script of its range.
    pub stop_requested: AtomicU32,
}

/// The mapping, as either side has it.
#[derive(Debug)]
pub(super) struct SharedMemory(MmapRaw);

impl SharedMemory {
    /// New shared memory, and the anonymous file that the other side maps.
    ///
    /// # Errors
    ///
    /// If the file cannot be created or mapped.
    pub fn create() -> io::Result<(Self, File)> {
        let file = anonymous_file()?;
        file.set_len(size_of::<SharedState>() as u64)?;
        let shared = Self::map(&file)?;
        shared.reset();
        Ok((shared, file))
    }

    /// Resets it: no script is in play.
    pub fn reset(&self) {
        let state = self.state();
        state.script_index.store(NO_SCRIPT, Relaxed);
        state.target_running.store(0, Relaxed);
        state.stop_requested.store(0, Relaxed);
    }

    /// Maps the file that the other side created.
    ///
    /// # Errors
    ///
    /// If the file is too small, or cannot be mapped.
    pub fn map(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < size_of::<SharedState>() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        MmapOptions::new().len(size_of::<SharedState>()).map_raw(file).map(Self)
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins where a page does")]
    pub fn state(&self) -> &SharedState {
        // SAFETY: the mapping starts at a page's border, so that it is aligned, has at
        // least the size of `SharedState` (`of` looked), which nobody makes smaller: the file has
        // no name. It lives as long as
        // `self`. Every bit pattern is a valid `SharedState`, and both sides use atomics only.
        unsafe { &*self.0.as_ptr().cast::<SharedState>() }
    }
}

/// A file without a name: in memory, where a full disk does no harm.
#[cfg(target_os = "linux")]
fn anonymous_file() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("hangup", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn anonymous_file() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_reads_the_values_that_the_other_wrote() {
        let (ours, file) = SharedMemory::create().expect("a page");
        let theirs = SharedMemory::map(&file).expect("the same page");
        theirs.state().script_index.store(7, Relaxed);
        ours.state().stop_requested.store(1, Relaxed);
        let state = [&ours, &theirs].map(SharedMemory::state);
        let seen = state
            .map(|state| (state.script_index.load(Relaxed), state.stop_requested.load(Relaxed)));
        assert_eq!(seen, [(7, 1); 2]);
    }

    #[test]
    fn a_file_that_is_too_small_is_not_mapped() {
        let file = anonymous_file().expect("a file");
        file.set_len(size_of::<SharedState>() as u64 - 1).expect("set");
        assert!(SharedMemory::map(&file).is_err());
    }
}
