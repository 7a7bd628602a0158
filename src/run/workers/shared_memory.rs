//! The page of memory that a worker shares with its supervisor: what the worker is
//! at, readable even when it has died or does not answer.

#![expect(unsafe_code, reason = "shared memory is a raw pointer until somebody says what it is")]

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The index of no script.
const NONE: u64 = u64::MAX;

/// What is on the page.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Cells {
    /// The index of the script in play.
    pub index: AtomicU64,
    /// Moves on whenever something happens in play.
    pub beats: AtomicU64,
    /// The time in the script in play, in microseconds.
    pub now: AtomicU64,
    /// 1 while the target runs: between scripts, and while one is judged, it does not.
    pub playing: AtomicU32,
    /// 1 where the supervisor wishes that no further script of a stretch be begun.
    pub stop: AtomicU32,
}

/// A mapped page, as either side has it.
#[derive(Debug)]
pub(super) struct Page(MmapRaw);

impl Page {
    /// A new page, and the nameless file that the other side maps.
    ///
    /// # Errors
    ///
    /// Where there can be no such file.
    pub fn create() -> io::Result<(Self, File)> {
        let file = nameless()?;
        file.set_len(size_of::<Cells>() as u64)?;
        let page = Self::of(&file)?;
        page.clear();
        Ok((page, file))
    }

    /// Nothing is in play.
    pub fn clear(&self) {
        let cells = self.cells();
        cells.index.store(NONE, Relaxed);
        cells.playing.store(0, Relaxed);
        cells.stop.store(0, Relaxed);
    }

    /// The page in the other side's file.
    ///
    /// # Errors
    ///
    /// Where the file is too small to be one, or no file.
    pub fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < size_of::<Cells>() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        MmapOptions::new().len(size_of::<Cells>()).map_raw(file).map(Self)
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins where a page does")]
    pub fn cells(&self) -> &Cells {
        // SAFETY: the mapping starts at a page's border, so that it is aligned, has at
        // least the size of `Cells` (`of` looked), which nobody makes smaller: the file has
        // no name. It lives as long as
        // `self`. Every bit pattern is a valid `Cells`, and both sides use atomics only.
        unsafe { &*self.0.as_ptr().cast::<Cells>() }
    }
}

/// A file that is only reached by who has it: in memory, where a full disk does no harm.
#[cfg(target_os = "linux")]
fn nameless() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("hangup", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn nameless() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let (ours, file) = Page::create().expect("a page");
        let theirs = Page::of(&file).expect("the same page");
        theirs.cells().index.store(7, Relaxed);
        ours.cells().stop.store(1, Relaxed);
        let cells = [&ours, &theirs].map(Page::cells);
        let seen = cells.map(|cells| (cells.index.load(Relaxed), cells.stop.load(Relaxed)));
        assert_eq!(seen, [(7, 1); 2]);
    }

    #[test]
    fn a_file_that_is_too_small_is_no_page() {
        let file = nameless().expect("a file");
        file.set_len(size_of::<Cells>() as u64 - 1).expect("set");
        assert!(Page::of(&file).is_err());
    }
}
