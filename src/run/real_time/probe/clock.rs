//! What the time is in a probe's schedule.

use super::schedule::Schedule;
use crate::script::Script;
use std::time::Duration;
use tokio::time::Instant;

/// What is left for cutting off what is still being played again.
const CUTTING: Duration = Duration::from_secs(3);

/// A schedule that began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub schedule: Schedule,
    pub began: Instant,
}

impl Clock {
    /// Until when scripts that were not judged are played again.
    pub fn judged(&self) -> Instant {
        self.began + self.schedule.judged()
    }

    /// Whether a candidate may be played while findings are shrunk.
    pub fn has_time_to_shrink(&self, script: &Script) -> bool {
        self.began.elapsed() + self.schedule.play(script) <= self.schedule.shrunk()
    }

    /// When findings are shrunk and were played to the horizon.
    pub fn looked_into(&self) -> Instant {
        self.began + self.schedule.looked_into()
    }

    /// Whether `script` may be played again to confirm what it showed.
    pub fn has_time_to_confirm(&self, script: &Script) -> bool {
        self.began.elapsed() + self.schedule.play(script) + CUTTING <= self.schedule.confirmed()
    }

    /// When findings were played again.
    pub fn confirmed(&self) -> Instant {
        self.began + self.schedule.confirmed().saturating_sub(CUTTING)
    }

    /// Until when clients may be looked at that make others wait, from now on. Where nobody does, that
    /// is one play, for which there is time before the [end](Schedule::end).
    pub fn told_apart(&self) -> Instant {
        Instant::now() + self.schedule.telling_apart()
    }
}
