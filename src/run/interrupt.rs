//! Whether somebody wants a run to end: set from outside, and looked at wherever plays are waited for.
//!
//! It listens to no signal and reads no clock: the command line does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a play that was cut off comes to, where an error is asked for.
pub(crate) const INTERRUPTED: &str = "interrupted";

const ASKED: u8 = 1;
const CUT: u8 = 2;

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Nothing new is begun from now on; what ends soon ends by itself.
    pub fn ask(&self) {
        self.0.fetch_max(ASKED, Ordering::Relaxed);
    }

    /// What has not ended by now is cut off.
    pub fn cut(&self) {
        self.0.fetch_max(CUT, Ordering::Relaxed);
    }

    /// Whether it was asked for, or more.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ASKED
    }

    /// Whether plays are cut off.
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= CUT
    }
}

#[cfg(test)]
mod tests {
    use super::Interrupt;

    #[test]
    fn what_is_cut_off_was_asked_for_and_stays_so() {
        let interrupt = Interrupt::default();
        let seen = interrupt.clone();
        assert!(!seen.is_asked() && !seen.is_cut());
        interrupt.ask();
        assert!(seen.is_asked() && !seen.is_cut());
        interrupt.cut();
        interrupt.ask();
        assert!(seen.is_asked() && seen.is_cut());
    }
}
