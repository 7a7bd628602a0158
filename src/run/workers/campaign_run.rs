//! A campaign in progress: one thread for each worker process.
//!
//! A thread takes work from the [`Schedule`], has its worker play it, and shrinks findings. Which
//! work comes next, the schedule decides.

use super::crash_shapes::{Shape, features};
use super::messages::{Job, RangeResult, ViolationSummary};
use super::pool::stall_timeout_for;
use super::process::WorkerFailure;
use super::schedule::{PlayedRange, RangeWork, Schedule, Work};
use super::slot::WorkerSlot;
use super::stall::StallTimeout;
use crate::exchange::{Death, Exchange, Time, What};
use crate::finding::Finding;
use crate::judge::judge;
use crate::run::campaign::{
    Campaign, CampaignProgress, Depth, DeviationCounts, Ends, FirstFailure, LostWorkers, Reach,
    accepts, crash_cost,
};
use crate::run::interrupt::Interrupt;
use crate::script::Script;
use crate::target::Target;
use crate::verdict::{Identity, Pattern, Violation};
use crate::wire::Role;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the progress callback of a campaign is called.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// The exchange of a script whose worker died while it played a range: the death alone.
fn exchange_of_death(death: Death, subject: Role) -> Exchange {
    let mut exchange = Exchange::new(true);
    exchange.subject = subject;
    exchange.push(Time::ZERO, What::Died(death));
    exchange
}

/// A campaign in progress, shared by the threads of its workers.
pub(super) struct CampaignRun<'a> {
    campaign: &'a Campaign,
    known: &'a [Pattern],
    target: &'a Arc<dyn Target>,
    state: Mutex<RunState<'a>>,
    /// Signalled when a thread changed the state or has left.
    changed: Condvar,
    stopped: AtomicBool,
    /// Whether the target has stalled before: then shorter timeouts apply.
    stalls: AtomicBool,
    interrupt: Interrupt,
}

/// The state of a campaign that its threads share under a lock.
struct RunState<'a> {
    schedule: Schedule<'a>,
    /// Keys of findings that were not given to the progress callback yet.
    unreported: Vec<Identity>,
    error: Option<String>,
    /// How many threads have not left.
    active_threads: usize,
}

impl<'a> CampaignRun<'a> {
    pub fn new(
        campaign: &'a Campaign,
        known: &'a [Pattern],
        target: &'a Arc<dyn Target>,
        schedule: Schedule<'a>,
        active_threads: usize,
        interrupt: Interrupt,
    ) -> Self {
        Self {
            campaign,
            known,
            target,
            state: Mutex::new(RunState {
                schedule,
                unreported: Vec::new(),
                error: None,
                active_threads,
            }),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            stalls: AtomicBool::new(false),
            interrupt,
        }
    }

    /// Plays the campaign, a thread for each of these places, until its end or until `watch` says
    /// so.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn play(
        self,
        slots: &mut [WorkerSlot],
        watch: &mut dyn FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> Result<Schedule<'a>, String> {
        std::thread::scope(|scope| {
            for slot in slots {
                scope.spawn(|| self.run_thread(slot));
            }
            self.watch(watch);
        });
        let RunState { schedule, error, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        error.map_or(Ok(schedule), Err)
    }

    fn state(&self) -> MutexGuard<'_, RunState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.state().schedule.stop();
        self.stopped.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Calls the progress callback until all threads have left.
    fn watch(&self, watch: &mut dyn FnMut(CampaignProgress<'_>) -> ControlFlow<()>) {
        loop {
            let mut state = self.state();
            if state.active_threads > 0 && state.unreported.is_empty() {
                let wait = self.changed.wait_timeout(state, PROGRESS_INTERVAL);
                state = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
            let investigations = &state.schedule.investigations;
            let (scripts, problems) = (state.schedule.done(), investigations.problems());
            let reports = state.unreported.iter().filter_map(|key| investigations.finding(*key));
            let reports = reports.cloned();
            let reports: Vec<Finding> = reports.filter(|finding| !finding.is_dismissed()).collect();
            state.unreported.clear();
            let done = state.active_threads == 0;
            drop(state);
            let mut go_on = watch(CampaignProgress { scripts, problems, new_finding: None });
            for finding in &reports {
                let answer =
                    watch(CampaignProgress { scripts, problems, new_finding: Some(finding) });
                go_on = if answer.is_break() { answer } else { go_on };
            }
            if done {
                return;
            }
            if go_on.is_break() && !self.is_stopped() {
                self.stop();
            }
        }
    }

    /// Does the work that the schedule gives, until there is no more.
    fn run_thread(&self, slot: &mut WorkerSlot) {
        let _guard = ThreadGuard(self);
        loop {
            let work = {
                let mut state = self.state();
                match state.schedule.next_work() {
                    _ if state.error.is_some() => Work::Done,
                    Work::Wait => {
                        drop(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
                        continue;
                    }
                    work => work,
                }
            };
            let done = match work {
                Work::PlayRange(work) => self.play_range(slot, work),
                Work::PlayAlone(index) => self.play_alone(slot, index),
                Work::Investigate(violation, depth) => self.investigate(slot, violation, depth),
                Work::Wait | Work::Done => return,
            };
            if let Err(error) = done {
                self.state().error = Some(error);
                return self.stop();
            }
            self.changed.notify_all();
        }
    }

    fn play_range(&self, slot: &mut WorkerSlot, work: RangeWork) -> Result<(), String> {
        let RangeWork { range, shapes, epoch } = work;
        let mut held = self.scripts_that_hold(&shapes, range.clone());
        let skip = held.iter().map(|(index, _)| *index).collect();
        let (played, rest) = match self.play_once(slot, range.clone(), skip)? {
            RangeEnd::Played(played) => {
                let rest = played.to..range.end;
                (Some(*played), rest)
            }
            RangeEnd::Ended { index, how } => {
                // The scripts before it are played again: their counts died with the worker.
                self.state().schedule.return_range(index + 1..range.end);
                match self.judge_end(slot, index, how)? {
                    Some(played) => (Some(played), range.start..index),
                    None => (None, range.start..index + 1),
                }
            }
            RangeEnd::NotBegun => (None, range),
        };
        let schedule = &mut self.state().schedule;
        if let Some(result) = played {
            held.retain(|(index, _)| (result.from..result.to).contains(index));
            schedule.record(PlayedRange { result, held, epoch });
        }
        schedule.return_range(rest);
        schedule.finish_range();
        Ok(())
    }

    fn play_alone(&self, slot: &mut WorkerSlot, index: u64) -> Result<(), String> {
        let played = match self.play_by_itself(slot, index, self.timeout())? {
            RangeEnd::Played(played) => Some(*played),
            RangeEnd::Ended { how, .. } => self.judge_end(slot, index, how)?,
            RangeEnd::NotBegun => None,
        };
        let schedule = &mut self.state().schedule;
        match played {
            Some(played) => schedule.record_alone(&played),
            None => schedule.return_alone(index),
        }
        schedule.finish_range();
        Ok(())
    }

    /// A short timeout where the target has stalled before.
    fn timeout(&self) -> StallTimeout {
        let stalls = self.stalls.load(Ordering::Relaxed);
        if stalls { StallTimeout::Suspicion } else { StallTimeout::Full }
    }

    /// The scripts of a range that hold one of these shapes, each with the number of its first.
    fn scripts_that_hold(&self, shapes: &[(usize, Shape)], range: Range<u64>) -> Vec<(u64, usize)> {
        if shapes.is_empty() {
            return Vec::new();
        }
        let config = self.campaign.generator_config(&**self.target);
        let held_by = |index| {
            let steps = features(&config.nth(self.campaign.seed, index));
            let (number, _) = shapes.iter().find(|(_, shape)| shape.is_held_by(&steps))?;
            Some((index, *number))
        };
        range.filter_map(held_by).collect()
    }

    /// Has a worker play a range but for the scripts to `skip`.
    fn play_once(
        &self,
        slot: &mut WorkerSlot,
        range: Range<u64>,
        skip: Vec<u64>,
    ) -> Result<RangeEnd, String> {
        let timeout = self.timeout();
        let job = self.job(range.clone(), skip);
        let stopped = || self.is_stopped();
        let attempt = match slot.attempt(|worker| worker.play_range(&job, timeout, &stopped)) {
            Err(_) if self.interrupt.is_cut() => return Ok(RangeEnd::NotBegun),
            attempt => attempt?,
        };
        let at = match &attempt.ended {
            Err(WorkerFailure::Died(index, _) | WorkerFailure::Stopped(index)) => Some(*index),
            Err(WorkerFailure::Hung(index)) => Some(*index),
            _ => None,
        };
        if at.is_some_and(|index| !range.contains(&index)) {
            // It ended before it had begun, of nothing that a script did.
            slot.count_fruitless(attempt.lost.unwrap_or_default())?;
            return Ok(RangeEnd::NotBegun);
        }
        self.end_of(range, attempt.ended, attempt.lost, timeout)
    }

    /// Has workers play one script, until nothing from outside ends that.
    fn play_by_itself(
        &self,
        slot: &mut WorkerSlot,
        index: u64,
        timeout: StallTimeout,
    ) -> Result<RangeEnd, String> {
        let job = self.job(index..index + 1, Vec::new());
        let stopped = || self.is_stopped();
        let attempts = match slot.attempts(|worker| worker.play_range(&job, timeout, &stopped)) {
            Err(_) if self.interrupt.is_cut() => return Ok(RangeEnd::NotBegun),
            attempts => attempts?,
        };
        let ended = match attempts.ended {
            // The index of no script, where it had not begun: this is the only one that it was to play.
            Err(WorkerFailure::Died(_, death)) => Err(WorkerFailure::Died(index, death)),
            ended => ended,
        };
        // Nothing is lost that every worker does.
        self.end_of(index..index + 1, ended, None, timeout)
    }

    fn job(&self, range: Range<u64>, skip: Vec<u64>) -> Job {
        let campaign = self.campaign;
        Job::PlayRange {
            target: self.target.name().to_owned(),
            bounds: campaign.bounds,
            seed: campaign.seed,
            from: range.start,
            to: range.end,
            skip,
        }
    }

    fn end_of(
        &self,
        range: Range<u64>,
        ended: Result<RangeResult, WorkerFailure>,
        lost: Option<LostWorkers>,
        timeout: StallTimeout,
    ) -> Result<RangeEnd, String> {
        let failure = match (ended, lost) {
            (Ok(played), _) => return Ok(RangeEnd::Played(Box::new(played))),
            (Err(WorkerFailure::Interrupted), _) => return Ok(RangeEnd::NotBegun),
            (Err(WorkerFailure::Died(index, death)), Some(lost)) => {
                let how = WorkerEnd::Perhaps(lost, Some(death));
                return Ok(RangeEnd::Ended { index, how });
            }
            (Err(WorkerFailure::Stopped(index) | WorkerFailure::Hung(index)), Some(lost)) => {
                return Ok(RangeEnd::Ended { index, how: WorkerEnd::Perhaps(lost, None) });
            }
            (Err(WorkerFailure::Died(index, death)), None) => {
                return Ok(RangeEnd::Ended { index, how: WorkerEnd::Died(death, timeout) });
            }
            (Err(failure), _) => failure,
        };
        Err(format!(
            "a worker process failed by itself: {failure}; between the scripts {} and {} of seed {} \
             against {}",
            range.start,
            range.end,
            self.campaign.seed,
            self.target.name()
        ))
    }

    /// Judges how a worker's work ended at the script `index`. `None` where nothing is known of the
    /// script, since the campaign is to stop.
    fn judge_end(
        &self,
        slot: &mut WorkerSlot,
        index: u64,
        how: WorkerEnd,
    ) -> Result<Option<RangeResult>, String> {
        let is_suspicion = |timeout| timeout == StallTimeout::Suspicion;
        let (lost, timeout) = match how {
            WorkerEnd::Died(Death::StoodStill, timeout) if is_suspicion(timeout) => {
                (LostWorkers::default(), StallTimeout::Short)
            }
            WorkerEnd::Died(death, _) => return Ok(Some(self.judge_death(index, death))),
            WorkerEnd::Perhaps(lost, _) => (lost, StallTimeout::Full),
        };
        match self.play_by_itself(slot, index, timeout)? {
            RangeEnd::Played(played) => {
                slot.count_lost(lost);
                Ok(Some(*played))
            }
            RangeEnd::Ended { how: WorkerEnd::Died(death, _), .. } => {
                if !how.is_by(death) {
                    slot.count_lost(lost);
                }
                Ok(Some(self.judge_death(index, death)))
            }
            RangeEnd::Ended { how: WorkerEnd::Perhaps(..), .. } | RangeEnd::NotBegun => {
                slot.count_lost(lost);
                Ok(None)
            }
        }
    }

    /// Judges the death of a worker at the script `index`.
    fn judge_death(&self, index: u64, death: Death) -> RangeResult {
        if death == Death::StoodStill {
            self.stalls.store(true, Ordering::Relaxed);
        }
        let exchange = exchange_of_death(death, self.target.role());
        let deviations = self.target.deviations();
        let mut fired = vec![DeviationCounts::default(); deviations.len()];
        let verdict = judge(&exchange, &self.campaign.bounds);
        // Of a script whose worker died, no more is known than that it was played.
        let reach = Reach::of(&Script::default(), &exchange, verdict.reached);
        let judged = Campaign::unaccepted(verdict, deviations, &mut fired);
        let summaries = |found: Vec<Violation>| {
            let once = |violation| ViolationSummary {
                scripts: 1,
                ..ViolationSummary::of(index, violation)
            };
            found.into_iter().map(once).collect()
        };
        let (violations, unproven) = (summaries(judged.violations), summaries(judged.unproven));
        let (from, to, crash_cost) = (index, index + 1, crash_cost(&exchange));
        RangeResult { from, to, fired, violations, unproven, reach, crash_cost }
    }

    fn investigate(
        &self,
        slot: &mut WorkerSlot,
        violation: ViolationSummary,
        depth: Depth,
    ) -> Result<(), String> {
        let campaign = self.campaign;
        let target = self.target;
        let (index, identity) = (violation.index, violation.identity);
        let script = campaign.generator_config(&**target).nth(campaign.seed, index);
        let timeout = stall_timeout_for(violation.identity);
        let mut play = |script: &Script| slot.play(target, campaign.bounds, script, index, timeout);
        let ends = Ends { soon: &|| self.is_stopped(), now: &|| self.interrupt.is_cut() };
        let first = FirstFailure { script, index, violation: violation.into_violation() };
        let accepts = accepts(target.deviations(), self.known);
        let findings = campaign.look_into(first, depth, &accepts, &mut play, ends)?;
        let mut state = self.state();
        state.unreported.extend(findings.iter().map(|finding| finding.violation.identity));
        state.schedule.investigations.finish(identity, findings);
        Ok(())
    }
}

/// How a worker's work on a range ended.
enum RangeEnd {
    /// It played the range, or a part of it before it was stopped.
    Played(Box<RangeResult>),
    /// Its process ended at a script of the range.
    Ended { index: u64, how: WorkerEnd },
    /// Its process was killed before it began the range, or the run is interrupted.
    NotBegun,
}

/// How a worker's process ended.
#[derive(Clone, Copy)]
enum WorkerEnd {
    /// It died of what the target did; as a stall, after this timeout.
    Died(Death, StallTimeout),
    /// Something from outside may have killed it so, or stopped it: these are the workers that it cost.
    Perhaps(LostWorkers, Option<Death>),
}

impl WorkerEnd {
    /// Whether it died just so.
    fn is_by(self, death: Death) -> bool {
        matches!(self, Self::Died(own, _) | Self::Perhaps(_, Some(own)) if own == death)
    }
}

/// Notifies the others when a thread leaves, even by a panic.
struct ThreadGuard<'a, 'b>(&'a CampaignRun<'b>);

impl Drop for ThreadGuard<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.active_threads -= 1;
        if std::thread::panicking() {
            state.error.get_or_insert_with(|| "hangup itself panicked".to_owned());
        }
        drop(state);
        self.0.changed.notify_all();
    }
}
