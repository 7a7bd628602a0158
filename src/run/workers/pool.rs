//! The supervisor of a campaign: one thread for each worker process.
//!
//! A thread takes work from the [`Schedule`], has its worker play it, restarts a worker that
//! died, and shrinks findings. Which work comes next, the schedule decides.

use super::crash_shapes::{Shape, features};
use super::messages::{Job, RangeResult, Server, ViolationSummary};
use super::process::{StallTimeout, WorkerFailure, WorkerProcess};
use super::schedule::{PlayedRange, RangeWork, Schedule, Work};
use crate::bounds::Bounds;
use crate::exchange::{Death, Exchange, Time, What, Work as WorkFigures};
use crate::finding::Finding;
use crate::judge::judge;
use crate::run::campaign::{
    Campaign, CampaignOutcome, CampaignProgress, Depth, Fired, FirstFailure, Investigations,
    Question, Reach, WorkPlayer, accepts, crash_cost, work_of,
};
use crate::run::preflight::could_not_test;
use crate::script::Script;
use crate::target::Target;
use crate::verdict::{Identity, Invariant, Pattern, Violation};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the progress callback of a campaign is called.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Worker processes, started when they are needed.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    slots: Vec<WorkerSlot>,
}

impl WorkerPool {
    /// So many workers, one at least, each of which may use `memory` bytes.
    pub fn new(jobs: usize, memory: u64) -> Self {
        let slot = || WorkerSlot { memory, worker: None };
        Self { slots: std::iter::repeat_with(slot).take(jobs.max(1)).collect() }
    }

    /// Plays a campaign, in which findings of these patterns are known and not looked into:
    /// [`Campaign::run`] in worker processes.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn run(
        &mut self,
        campaign: &Campaign,
        known: &[Pattern],
        target: &Arc<dyn Target>,
        mut watch: impl FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> Result<CampaignOutcome, String> {
        let could_not_test = self.could_not_test(target, campaign.bounds)?;
        if could_not_test.is_some() {
            return Ok(CampaignOutcome { could_not_test, ..CampaignOutcome::default() });
        }
        let jobs = self.slots.len();
        let deviations = target.deviations().len();
        let config = campaign.generator_config(&**target);
        let draw = Box::new(move |index| config.nth(campaign.seed, index));
        let investigations = Investigations::new(campaign.all_variants, known);
        let schedule = Schedule::new(campaign.scripts, jobs, deviations, investigations, draw);
        let found = campaign.work_findings(&mut self.work_player(target, campaign.bounds))?;
        let is_accepted = accepts(target.deviations(), known);
        for finding in found.iter().filter(|found| !is_accepted(found.violation.identity)) {
            // Whoever wants to stop says so again when scripts are played.
            let _ = watch(CampaignProgress { scripts: 0, problems: 1, new_finding: Some(finding) });
        }
        let run = CampaignRun::new(campaign, known, target, schedule, jobs);
        std::thread::scope(|scope| {
            for slot in &mut self.slots {
                scope.spawn(|| run.run_thread(slot));
            }
            run.watch(&mut watch);
        });
        let state = run.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.error {
            Some(error) => Err(error),
            None => {
                let mut outcome = state.schedule.into_outcome(target.deviations());
                outcome.take_in(found, known);
                Ok(outcome)
            }
        }
    }

    /// Why the target cannot be tested, where it cannot: it opens no WebSocket that stays open.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn could_not_test(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
    ) -> Result<Option<String>, String> {
        could_not_test(&mut |script: &Script| {
            self.slots[0].play(target, bounds, script, 0, StallTimeout::Short)
        })
    }

    /// Plays a script; [`play`](crate::run::virtual_time::play) in a worker process. Where the target
    /// takes that down, the exchange says so.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<Exchange, String> {
        self.slots[0].play(target, bounds, script, runtime_seed, StallTimeout::Full)
    }

    /// Plays all of these at once while the clock runs, each in a worker process of its own.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn play_in_real_time(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        questions: &[Question],
    ) -> Result<Vec<Option<Exchange>>, String> {
        let memory = self.slots[0].memory;
        let play = |question: &Question| {
            let Question { script, runtime_seed, limit, .. } = question;
            let job = Job::Confirm {
                server: Server::of(&**target, bounds),
                script: script.to_string(),
                runtime_seed: *runtime_seed,
                limit: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX),
            };
            let mut slot = WorkerSlot { memory, worker: None };
            slot.play_job(target, &job, script, StallTimeout::Full)
        };
        std::thread::scope(|scope| {
            let playing: Vec<_> =
                questions.iter().map(|question| scope.spawn(move || play(question))).collect();
            playing.into_iter().map(|played| played.join().ok().transpose()).collect()
        })
    }

    /// What the bytes of a script cost, where it is one of those that are measured.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn work_of(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
    ) -> Result<Option<WorkFigures>, String> {
        work_of(script, &mut self.work_player(target, bounds))
    }

    fn work_player<'a>(
        &'a mut self,
        target: &'a Arc<dyn Target>,
        bounds: Bounds,
    ) -> SlotPlayer<'a> {
        SlotPlayer { slot: &mut self.slots[0], target, bounds, died: false }
    }

    /// Shrinks a script that breaks a rule, and sees whether it repeats.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn investigate(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: Script,
        first: Violation,
        runtime_seed: u64,
    ) -> Result<Finding, String> {
        let campaign = Campaign { bounds, seed: 0, scripts: None, all_variants: false };
        let timeout = stall_timeout_for(first.identity);
        let mut play =
            |script: &Script| self.slots[0].play(target, bounds, script, runtime_seed, timeout);
        let first = FirstFailure { script, index: runtime_seed, violation: first };
        campaign.investigate(first, &mut play, &|| false)
    }
}

/// The place of one worker, which is started when it is first needed.
#[derive(Debug)]
struct WorkerSlot {
    memory: u64,
    worker: Option<WorkerProcess>,
}

impl WorkerSlot {
    fn worker(&mut self) -> Result<&mut WorkerProcess, String> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            // Something may kill a worker before it is ready: one more try.
            None => {
                WorkerProcess::start(self.memory).or_else(|_| WorkerProcess::start(self.memory))?
            }
        };
        Ok(self.worker.insert(worker))
    }

    fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
        timeout: StallTimeout,
    ) -> Result<Exchange, String> {
        let server = Server::of(&**target, bounds);
        let job = Job::PlayScript { server, script: script.to_string(), runtime_seed };
        self.play_job(target, &job, script, timeout)
    }

    fn play_job(
        &mut self,
        target: &Arc<dyn Target>,
        job: &Job,
        script: &Script,
        timeout: StallTimeout,
    ) -> Result<Exchange, String> {
        match self.worker()?.play_script(job, timeout) {
            Ok((mut exchange, death)) => {
                if death.is_some() {
                    self.worker = None;
                }
                exchange.request = target.opening().unusual_request();
                Ok(exchange)
            }
            Err(WorkerFailure::Internal(why)) => Err(internal_error(&why, script)),
            Err(WorkerFailure::Died(..)) => Err(internal_error("it died", script)),
        }
    }
}

/// Times scripts in a worker, until one dies: then the target has other problems.
struct SlotPlayer<'a> {
    slot: &'a mut WorkerSlot,
    target: &'a Arc<dyn Target>,
    bounds: Bounds,
    died: bool,
}

impl WorkPlayer<String> for SlotPlayer<'_> {
    fn time(&mut self, script: &Script) -> Result<Option<Duration>, String> {
        if self.died {
            return Ok(None);
        }
        let server = Server::of(&**self.target, self.bounds);
        let job = Job::TimeScript { server, script: script.to_string() };
        match self.slot.worker()?.time_script(&job) {
            Ok(took) => Ok(took),
            Err(WorkerFailure::Died(..)) => {
                self.slot.worker = None;
                self.died = true;
                Ok(None)
            }
            Err(WorkerFailure::Internal(why)) => Err(internal_error(&why, script)),
        }
    }

    fn play(&mut self, script: &Script) -> Result<Exchange, String> {
        self.slot.play(self.target, self.bounds, script, 0, StallTimeout::Full)
    }
}

/// A short timeout for a finding that is known to stall.
fn stall_timeout_for(key: Identity) -> StallTimeout {
    if key.invariant() == Invariant::NoSpin { StallTimeout::Short } else { StallTimeout::Full }
}

/// The exchange of a script whose worker died while it played a range: the death alone.
fn exchange_of_death(death: Death) -> Exchange {
    let mut exchange = Exchange::new(true);
    exchange.push(Time::ZERO, What::Died(death));
    exchange
}

/// An error of hangup itself, on one line.
fn internal_error(why: &str, script: &Script) -> String {
    let steps: Vec<String> = script.to_string().lines().map(str::to_owned).collect();
    format!("a worker process failed by itself: {why}; at the script: {}", steps.join("; "))
}

/// A campaign in progress, shared by the threads of its workers.
struct CampaignRun<'a> {
    campaign: &'a Campaign,
    known: &'a [Pattern],
    target: &'a Arc<dyn Target>,
    state: Mutex<RunState<'a>>,
    /// Signalled when a thread changed the state or has left.
    changed: Condvar,
    stopped: AtomicBool,
    /// Whether the target has stalled before: then shorter timeouts apply.
    stalls: AtomicBool,
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
    fn new(
        campaign: &'a Campaign,
        known: &'a [Pattern],
        target: &'a Arc<dyn Target>,
        schedule: Schedule<'a>,
        active_threads: usize,
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
        }
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
        let (played, rest) = match self.play_in(slot, range.clone(), skip)? {
            RangeEnd::Played(played) => {
                let rest = played.to..range.end;
                (Some(*played), rest)
            }
            RangeEnd::Died { index, death, timeout } => {
                // The scripts before it are played again: their counts died with the worker.
                self.state().schedule.return_range(index + 1..range.end);
                let fatal = self.judge_death(slot, index, death, timeout)?;
                (Some(fatal), range.start..index)
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
        let played = match self.play_in(slot, index..index + 1, Vec::new())? {
            RangeEnd::Played(played) => Some(*played),
            RangeEnd::Died { death, timeout, .. } => {
                Some(self.judge_death(slot, index, death, timeout)?)
            }
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
    fn play_in(
        &self,
        slot: &mut WorkerSlot,
        range: Range<u64>,
        skip: Vec<u64>,
    ) -> Result<RangeEnd, String> {
        let campaign = self.campaign;
        let job = Job::PlayRange {
            target: self.target.name().to_owned(),
            bounds: campaign.bounds,
            seed: campaign.seed,
            from: range.start,
            to: range.end,
            skip,
        };
        let stalls = self.stalls.load(Ordering::Relaxed);
        let timeout = if stalls { StallTimeout::Suspicion } else { StallTimeout::Full };
        match slot.worker()?.play_range(&job, timeout, &|| self.is_stopped()) {
            Ok(played) => Ok(RangeEnd::Played(Box::new(played))),
            Err(WorkerFailure::Died(index, death)) => {
                slot.worker = None;
                let began = range.contains(&index);
                Ok(if began {
                    RangeEnd::Died { index, death, timeout }
                } else {
                    RangeEnd::NotBegun
                })
            }
            Err(WorkerFailure::Internal(why)) => Err(format!(
                "a worker process failed by itself: {why}; between the scripts {} and {} of \
                 seed {} against {}",
                range.start,
                range.end,
                campaign.seed,
                self.target.name()
            )),
        }
    }

    /// Judges the death of a worker at the script `index`.
    fn judge_death(
        &self,
        slot: &mut WorkerSlot,
        index: u64,
        death: Death,
        timeout: StallTimeout,
    ) -> Result<RangeResult, String> {
        let campaign = self.campaign;
        let mut exchange = exchange_of_death(death);
        if timeout == StallTimeout::Suspicion && death == Death::StoodStill {
            let script = campaign.generator_config(&**self.target).nth(campaign.seed, index);
            let again =
                slot.play(self.target, campaign.bounds, &script, index, StallTimeout::Short)?;
            exchange = if crash_cost(&again) > 0 { exchange } else { again };
        }
        let crash_cost = crash_cost(&exchange);
        if crash_cost > 0 && death == Death::StoodStill {
            self.stalls.store(true, Ordering::Relaxed);
        }
        let deviations = self.target.deviations();
        let mut fired = vec![Fired::default(); deviations.len()];
        let verdict = judge(&exchange, &campaign.bounds);
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
        let (from, to) = (index, index + 1);
        Ok(RangeResult { from, to, fired, violations, unproven, reach, crash_cost })
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
        let stopped = || self.is_stopped();
        let first = FirstFailure { script, index, violation: violation.into_violation() };
        let accepts = accepts(target.deviations(), self.known);
        let findings = campaign.look_into(first, depth, &accepts, &mut play, &stopped)?;
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
    /// It died at a script of the range.
    Died { index: u64, death: Death, timeout: StallTimeout },
    /// Its process was killed before it began the range.
    NotBegun,
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
