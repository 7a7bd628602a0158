//! Whether a worker that says nothing stands still: decided from what its shared memory and the
//! system say of its process, poll by poll. Plain data, but for [`ProcessState::of`].
//!
//! A process that gets no processor does not stand still, nor does one that something has stopped.
//! So what counts is no time on the wall: it is the processor time that the process used without
//! progress, and the time in which all its threads slept. Then a busy machine changes nothing.

use super::shared_memory::SharedMemory;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often a worker that does not answer is polled.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// How long a worker may be stopped before its work is done elsewhere, in polls: one second.
const STOPPED_POLLS: u32 = 40;

/// How long a worker may make no progress in hangup's own code: drawing a script, judging it.
const OWN_CODE: Duration = Duration::from_secs(30);

/// A worker that gets no processor at all is waited for so long, in polls: two minutes.
const MOST_POLLS: u32 = 4800;

/// How long a worker may make no progress while its target runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StallTimeout {
    /// 2 s: for a target that was not seen to stall.
    Full,
    /// 250 ms: for a target that is known to stall.
    Short,
    /// 50 ms: for scripts of a target that is known to stall. One that stalls is played again
    /// with [`Self::Short`], and if it ends then, it was only slow.
    Suspicion,
}

impl StallTimeout {
    const fn duration(self) -> Duration {
        Duration::from_millis(match self {
            Self::Full => 2000,
            Self::Short => 250,
            Self::Suspicion => 50,
        })
    }
}

/// Why a worker is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StallReason {
    /// Its target stands still.
    StandsStill,
    /// Something has stopped its process, or traces it.
    IsStopped,
    /// It makes no progress in hangup's own code.
    IsHung,
}

/// What a worker wrote into its shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub script_index: u64,
    /// Moves with every event and every park.
    pub count: u64,
    pub target_runs: bool,
}

impl Progress {
    pub fn of(shared: &SharedMemory) -> Self {
        let state = shared.state();
        Self {
            script_index: state.script_index.load(Relaxed),
            count: state.progress.load(Relaxed),
            target_runs: state.target_running.load(Relaxed) == 1,
        }
    }
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessState {
    /// A signal has stopped it, or a debugger.
    pub stopped: bool,
    /// Whether one of its threads runs, would run if it had a processor, or waits for a disk.
    pub runs: bool,
    /// How much processor time it has used so far, all threads together.
    pub used: Duration,
}

impl ProcessState {
    /// That of a process; `None` where the system does not say.
    pub fn of(pid: u32) -> Option<Self> {
        let (state, used) = parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let stopped = matches!(state, 'T' | 't');
        let runs = can_run(state) || !stopped && has_a_thread_that_runs(pid);
        Some(Self { stopped, runs, used })
    }
}

/// Running, ready to run, or in a wait that no signal ends.
const fn can_run(state: char) -> bool {
    matches!(state, 'R' | 'D')
}

fn has_a_thread_that_runs(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let stat = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat")).ok();
    let stats = threads.filter_map(|thread| stat(thread.ok()?));
    stats.filter_map(|stat| parse(&stat)).any(|(state, _)| can_run(state))
}

/// The state and the processor time in a line of `/proc/PID/stat`. The name, in parentheses, may
/// have anything in it.
fn parse(stat: &str) -> Option<(char, Duration)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    // From the parent's id on: ten others, then user and system time in ticks.
    let mut ticks = fields.skip(10).map(str::parse::<u64>);
    let ticks = ticks.next()?.ok()? + ticks.next()?.ok()?;
    let a_second = rustix::param::clock_ticks_per_second().max(1);
    Some((state, Duration::from_millis(ticks * 1000 / a_second)))
}

/// Watches one worker while it owes an answer.
#[derive(Debug, Default)]
pub(super) struct StallWatch {
    last: Option<(Progress, Option<ProcessState>)>,
    /// How many polls in a row found it stopped, and found no progress.
    stopped: u32,
    polls: u32,
    /// What counts of the time without progress.
    still: Duration,
}

impl StallWatch {
    /// The next poll of a worker, whose target may make no progress for so long.
    pub fn poll(
        &mut self,
        progress: Progress,
        process: Option<ProcessState>,
        timeout: StallTimeout,
    ) -> Option<StallReason> {
        let before = self.last.replace((progress, process));
        if process.is_some_and(|process| process.stopped) {
            self.stopped += 1;
            return (self.stopped >= STOPPED_POLLS).then_some(StallReason::IsStopped);
        }
        self.stopped = 0;
        let Some((_, before)) = before.filter(|(before, _)| *before == progress) else {
            (self.polls, self.still) = (0, Duration::ZERO);
            return None;
        };
        self.polls += 1;
        self.still += match (before, process) {
            (Some(before), Some(now)) if now.runs => now.used.saturating_sub(before.used),
            _ => POLL_INTERVAL,
        };
        let limit = if progress.target_runs { timeout.duration() } else { OWN_CODE };
        let over = self.still >= limit || self.polls >= MOST_POLLS;
        over.then_some(if progress.target_runs {
            StallReason::StandsStill
        } else {
            StallReason::IsHung
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYS: Progress = Progress { script_index: 3, count: 7, target_runs: true };
    const JUDGES: Progress = Progress { target_runs: false, ..PLAYS };

    const fn sleeps() -> ProcessState {
        ProcessState { stopped: false, runs: false, used: Duration::ZERO }
    }

    const fn runs(used_ms: u64) -> ProcessState {
        ProcessState { runs: true, used: Duration::from_millis(used_ms), ..sleeps() }
    }

    const fn stopped() -> ProcessState {
        ProcessState { stopped: true, ..sleeps() }
    }

    /// At which poll a worker that makes no progress is given up, and why.
    fn given_up(
        progress: Progress,
        timeout: StallTimeout,
        state: impl Fn(u64) -> Option<ProcessState>,
    ) -> Option<(u64, StallReason)> {
        let mut watch = StallWatch::default();
        (0..10_000).find_map(|poll| Some((poll, watch.poll(progress, state(poll), timeout)?)))
    }

    #[test]
    fn a_target_that_spins_or_sleeps_stands_still_after_its_timeout() {
        let all =
            [(StallTimeout::Full, 80), (StallTimeout::Short, 10), (StallTimeout::Suspicion, 2)];
        for (timeout, polls) in all {
            let found = Some((polls, StallReason::StandsStill));
            assert_eq!(given_up(PLAYS, timeout, |poll| Some(runs(25 * poll))), found);
            assert_eq!(given_up(PLAYS, timeout, |_| Some(sleeps())), found);
            assert_eq!(given_up(PLAYS, timeout, |_| None), found, "where nobody says");
        }
    }

    #[test]
    fn a_process_that_gets_a_tenth_of_a_processor_has_ten_times_as_long() {
        let starved = |poll: u64| Some(runs(25 * poll / 10));
        let found = given_up(PLAYS, StallTimeout::Short, starved);
        assert_eq!(found, Some((100, StallReason::StandsStill)));
        let none = given_up(PLAYS, StallTimeout::Short, |_| Some(runs(0)));
        assert_eq!(
            none,
            Some((u64::from(MOST_POLLS), StallReason::StandsStill)),
            "and not for ever"
        );
    }

    #[test]
    fn a_stopped_process_is_said_to_be_stopped_whatever_it_did() {
        for progress in [PLAYS, JUDGES] {
            let found = given_up(progress, StallTimeout::Suspicion, |_| Some(stopped()));
            assert_eq!(found, Some((u64::from(STOPPED_POLLS) - 1, StallReason::IsStopped)));
        }
        // It goes on in time, again and again, and what it uses then counts: 10 ms in 40 polls.
        let now_and_then = |poll: u64| {
            let state = runs(poll / 40 * 10);
            Some(ProcessState { stopped: !poll.is_multiple_of(40), ..state })
        };
        let found = given_up(PLAYS, StallTimeout::Short, now_and_then);
        assert_eq!(found, Some((1000, StallReason::StandsStill)));
    }

    #[test]
    fn a_worker_that_makes_no_progress_in_hangups_own_code_is_hung() {
        let found = given_up(JUDGES, StallTimeout::Suspicion, |_| Some(sleeps()));
        assert_eq!(found, Some((1200, StallReason::IsHung)));
    }

    #[test]
    fn progress_begins_the_time_anew() {
        let mut watch = StallWatch::default();
        for count in 0..1000 {
            let progress = Progress { count: count / 8, ..PLAYS };
            assert_eq!(watch.poll(progress, Some(sleeps()), StallTimeout::Short), None);
        }
    }

    #[test]
    fn the_line_of_a_process_is_read_whatever_its_name_is() {
        let line = |name: &str| {
            format!("7 ({name}) T 1 7 7 0 -1 4194304 117 0 0 0 150 50 0 0 20 0 1 0 5 2 3\n")
        };
        let ticks = rustix::param::clock_ticks_per_second();
        let used = Duration::from_millis(200 * 1000 / ticks);
        for name in ["hangup", "a) R 1 2", "(("] {
            assert_eq!(parse(&line(name)), Some(('T', used)), "{name}");
        }
        assert_eq!(parse("7 (hangup) R 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_very_process_runs() {
        let state = ProcessState::of(std::process::id()).expect("Linux says it");
        assert!(state.runs && !state.stopped, "{state:?}");
    }
}
