//! Until when each part of a probe may go on. All of it follows from the bounds and from how many
//! scripts there are, and nothing from how many findings there are.
//!
//! No clock is read here: times count from the beginning of the probe.

use crate::run::real_time::player::PlayLimits;
use crate::run::real_time::remote_subject::{longest_script, pauses};
use crate::run::real_time::whole_server::isolation;
use crate::script::Script;
use std::time::Duration;

/// A probe takes at most so many times the bound and the horizon, ..
const TIMES: u32 = 10;
/// .. and so much for opening connections; both for a campaign of at most so many rounds.
const OPENINGS: Duration = Duration::from_secs(10);
const ROUNDS: u64 = 2;

/// When the parts of a probe end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    limits: PlayLimits,
    scripts: u64,
    concurrency: usize,
    rate: u32,
}

impl Schedule {
    /// Of so many scripts with so many at once and so many new ones a second.
    pub const fn new(limits: PlayLimits, scripts: u64, concurrency: usize, rate: u32) -> Self {
        Self { limits, scripts, concurrency, rate }
    }

    /// When everything is over that is not being watched on.
    pub fn end(&self) -> Duration {
        let bound = self.limits.bounds.longest();
        (bound + self.limits.horizon.max(bound)) * TIMES + OPENINGS + self.more_scripts()
    }

    /// When findings were played again: what is left until the end is for looking once at clients that
    /// make others wait.
    pub fn confirmed(&self) -> Duration {
        self.end().saturating_sub(isolation::longest_play(&self.limits))
    }

    /// How long that look takes at most: where somebody waited it is played again, each time with its
    /// control.
    pub fn telling_apart(&self) -> Duration {
        isolation::longest_play(&self.limits) * 4
    }

    /// What scripts beyond so few rounds take.
    fn more_scripts(&self) -> Duration {
        let rounds = self.scripts.div_ceil(self.concurrency.max(1) as u64);
        let more = rounds.saturating_sub(ROUNDS) as u32;
        let opening = Duration::from_secs(1) * (self.scripts as u32) / self.rate.max(1);
        self.longest_play() * more + opening.saturating_sub(OPENINGS)
    }

    /// Until when scripts that were not judged are played again.
    pub fn judged(&self) -> Duration {
        let more = self.more_scripts();
        more + self.shrunk().saturating_sub(more) * 2 / 3
    }

    /// Until when findings are shrunk.
    pub fn shrunk(&self) -> Duration {
        self.end().saturating_sub(self.confirming())
    }

    /// Until when what was shrunk may be played to the horizon.
    pub fn looked_into(&self) -> Duration {
        self.shrunk() + self.longest_play() * 2 + self.beyond()
    }

    /// How long a play of `script` takes at most: its own pauses, and to a deadline with twice the
    /// slack and our own process's delay.
    pub fn play(&self, script: &Script) -> Duration {
        self.with_pauses(pauses(script))
    }

    fn with_pauses(&self, pauses: Duration) -> Duration {
        pauses + self.limits.bounds.longest() + self.limits.slack * 3
    }

    fn longest_play(&self) -> Duration {
        self.with_pauses(longest_script(&self.limits.bounds))
    }

    /// What is played of a finding after it was shrunk: once to the horizon, a control, and again,
    /// which may be followed by more of it or by another group.
    fn confirming(&self) -> Duration {
        self.longest_play() * 6 + self.beyond()
    }

    /// How much longer a play to the horizon takes.
    fn beyond(&self) -> Duration {
        self.limits.horizon.saturating_sub(self.limits.bounds.longest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;

    fn schedule(bound: u64, horizon: u64, scripts: u64, concurrency: usize) -> Schedule {
        let [bound, horizon] = [bound, horizon].map(Duration::from_secs);
        let limits = PlayLimits {
            bounds: Bounds::close_within(bound),
            slack: Duration::from_millis(250),
            horizon,
            watch: Duration::from_mins(1),
        };
        Schedule::new(limits, scripts, concurrency, 500)
    }

    #[test]
    fn four_hundred_scripts_take_ten_times_the_bound_and_the_horizon_and_ten_seconds() {
        assert_eq!(schedule(7, 14, 400, 256).end(), Duration::from_secs(220));
        assert_eq!(schedule(1, 2, 400, 256).end(), Duration::from_secs(40));
        // A play to its deadline takes no less where the horizon is nearer.
        assert_eq!(schedule(7, 0, 400, 256).end(), Duration::from_secs(150));
    }

    #[test]
    fn more_scripts_than_two_rounds_take_their_own_time_and_no_more() {
        let two = schedule(7, 14, 512, 256).end();
        let play = schedule(7, 14, 512, 256).longest_play();
        assert_eq!(two, schedule(7, 14, 1, 256).end());
        assert_eq!(schedule(7, 14, 513, 256).end(), two + play);
        assert_eq!(schedule(7, 14, 2_560, 256).end(), two + play * 8);
        // 500 new connections a second.
        assert_eq!(schedule(7, 14, 10_000, 10_000).end(), two + Duration::from_secs(10));
    }

    #[test]
    fn each_part_ends_before_the_next_with_time_left_for_it() {
        let limits = [(1, 2), (5, 10), (7, 14), (7, 7), (30, 60), (7, 60)];
        let scripts = [(400, 2), (5_000, 20)];
        for ((bound, horizon), (scripts, rounds)) in
            limits.into_iter().flat_map(|limits| scripts.map(|scripts| (limits, scripts)))
        {
            let schedule = schedule(bound, horizon, scripts, 256);
            let campaign = schedule.longest_play() * rounds;
            let [judged, shrunk] = [schedule.judged(), schedule.shrunk()];
            let [looked_into, confirmed] = [schedule.looked_into(), schedule.confirmed()];
            let parts = [campaign, judged, shrunk, looked_into, confirmed, schedule.end()];
            assert!(parts.is_sorted(), "{bound} {horizon}: {parts:?}");
            // Rounds of the longest scripts there are; those of shrunk ones take half as long.
            let shrinking = shrunk.saturating_sub(campaign);
            let rounds = shrinking.div_duration_f64(schedule.longest_play());
            assert!(rounds >= 1.0, "{bound} {horizon}: {rounds}");
        }
    }
}
