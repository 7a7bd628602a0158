//! The place of one worker in the pool: starts the process when it is needed, has it do jobs, and
//! starts another when it died.
//!
//! What something else than the target ended, an OOM killer, `kill`, is done again by another worker, and
//! is held against the target only where that ends too, every time. It knows nothing of campaigns.

use super::messages::{Job, RangeResult, Server};
use super::process::{WorkerFailure, WorkerProcess, may_be_from_outside};
use super::stall::StallTimeout;
use crate::bounds::Bounds;
use crate::excerpt::clipped;
use crate::exchange::{Death, Exchange};
use crate::run::campaign::{LostWorkers, WorkPlayer};
use crate::run::interrupt::{INTERRUPTED, Interrupt};
use crate::script::Script;
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// How often a job is given to workers that something from outside ends. Where all of them end so,
/// that is the target's doing; of a target that has done so once, fewer show it.
const ATTEMPTS: u32 = 5;
const ATTEMPTS_OF_KNOWN: u32 = 2;

/// So many workers in a row may end before they have begun what they were to do.
const MOST_FRUITLESS: u32 = 50;

/// How often a worker is started before none can be.
const STARTS: u32 = 5;

/// The place of one worker, which is started when it is first needed.
#[derive(Debug)]
pub(super) struct WorkerSlot {
    memory: u64,
    worker: Option<WorkerProcess>,
    /// Those that were lost through no fault of a target.
    lost: LostWorkers,
    /// How many in a row were lost before they had begun what they were to do.
    fruitless: u32,
    /// Whether all workers that were given a job have ended as if from outside.
    repeats: bool,
    interrupt: Interrupt,
}

/// How something from outside ended a worker's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FromOutside {
    Killed,
    Stopped,
    /// hangup's own code has hung: no fault of the target's either.
    Hung,
}

impl FromOutside {
    /// How a job ended, where that may be from outside.
    fn of<T: MayHaveDied>(ended: &Result<T, WorkerFailure>) -> Option<Self> {
        let died = match ended {
            Ok(result) => result.death(),
            Err(WorkerFailure::Died(_, death)) => Some(*death),
            Err(WorkerFailure::Stopped(_)) => return Some(Self::Stopped),
            Err(WorkerFailure::Hung(_)) => return Some(Self::Hung),
            Err(WorkerFailure::Internal(_) | WorkerFailure::Interrupted) => None,
        };
        died.is_some_and(may_be_from_outside).then_some(Self::Killed)
    }
}

/// A result of a job that the worker may not have survived.
pub(super) trait MayHaveDied {
    fn death(&self) -> Option<Death>;
}

impl MayHaveDied for (Exchange, Option<Death>) {
    fn death(&self) -> Option<Death> {
        self.1
    }
}

impl MayHaveDied for RangeResult {
    fn death(&self) -> Option<Death> {
        None
    }
}

impl MayHaveDied for Option<Duration> {
    fn death(&self) -> Option<Death> {
        None
    }
}

impl WorkerSlot {
    /// A place for a worker that may use `memory` bytes.
    pub fn new(memory: u64, interrupt: &Interrupt) -> Self {
        let (lost, interrupt) = (LostWorkers::default(), interrupt.clone());
        Self { memory, worker: None, lost, fruitless: 0, repeats: false, interrupt }
    }

    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// The workers that were lost here since this was last asked. What is played from here on is
    /// another target's.
    pub fn take_lost(&mut self) -> LostWorkers {
        self.repeats = false;
        std::mem::take(&mut self.lost)
    }

    /// Counts workers that were lost.
    pub fn count_lost(&mut self, lost: LostWorkers) {
        self.lost.add(lost);
    }

    /// Counts workers that were lost before they had begun what they were to do.
    ///
    /// # Errors
    ///
    /// Where that happens again and again.
    pub fn count_fruitless(&mut self, lost: LostWorkers) -> Result<(), String> {
        self.lost.add(lost);
        self.fruitless += 1;
        if self.fruitless < MOST_FRUITLESS {
            return Ok(());
        }
        Err(format!("{MOST_FRUITLESS} worker processes in a row ended before they played a script"))
    }

    /// Has a worker do a job, once.
    ///
    /// # Errors
    ///
    /// Where none can be started, or plays are cut off.
    pub fn attempt<T: MayHaveDied>(
        &mut self,
        job: impl FnOnce(&mut WorkerProcess) -> Result<T, WorkerFailure>,
    ) -> Result<Attempt<T>, String> {
        if self.interrupt.is_cut() {
            return Err(INTERRUPTED.to_owned());
        }
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        let ended = job(&mut worker);
        let in_play = worker.target_runs();
        let mut lost = LostWorkers::default();
        let from_outside = FromOutside::of(&ended);
        match from_outside {
            Some(FromOutside::Killed) => (lost.killed, lost.memory) = (1, worker.memory()),
            Some(FromOutside::Stopped) => lost.stopped = 1,
            Some(FromOutside::Hung) => lost.hung = 1,
            None => {}
        }
        if ended.as_ref().is_ok_and(|result| result.death().is_none()) {
            self.worker = Some(worker);
            self.fruitless = 0;
        }
        Ok(Attempt { ended, lost: from_outside.map(|_| lost), in_play })
    }

    /// Has workers do a job until nothing from outside ends that. How it ended; where something did
    /// every time, that.
    ///
    /// # Errors
    ///
    /// Where none can be started.
    pub fn attempts<T: MayHaveDied>(
        &mut self,
        mut job: impl FnMut(&mut WorkerProcess) -> Result<T, WorkerFailure>,
    ) -> Result<Attempt<T>, String> {
        let mut all_lost = LostWorkers::default();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Attempt { ended, lost, in_play } = self.attempt(&mut job)?;
            let Some(lost) = lost else {
                self.lost.add(all_lost);
                return Ok(Attempt { ended, lost: None, in_play });
            };
            all_lost.add(lost);
            if lost.killed > 0 && !in_play {
                // No script had begun, or its play was over.
                attempts -= 1;
                self.count_fruitless(LostWorkers::default())?;
            }
            if attempts == if self.repeats { ATTEMPTS_OF_KNOWN } else { ATTEMPTS } {
                self.repeats = true;
                return Ok(Attempt { ended, lost: Some(all_lost), in_play });
            }
        }
    }

    /// Starts a worker. Something may kill one before it is ready, or stop it: then others.
    fn start(&mut self) -> Result<WorkerProcess, String> {
        let mut lost = LostWorkers::default();
        let mut starts = 0;
        loop {
            starts += 1;
            match WorkerProcess::start(self.memory, &self.interrupt) {
                Ok(worker) => {
                    self.lost.add(lost);
                    return Ok(worker);
                }
                Err(WorkerFailure::Interrupted) => return Err(INTERRUPTED.to_owned()),
                Err(failure) if starts == STARTS => {
                    return Err(format!("no worker process can be started: {failure}"));
                }
                Err(WorkerFailure::Stopped(_)) => lost.stopped += 1,
                Err(WorkerFailure::Died(..)) => lost.killed += 1,
                Err(WorkerFailure::Hung(_)) => lost.hung += 1,
                // What the system refuses once it may give a moment later.
                Err(WorkerFailure::Internal(_)) => starts = starts.max(STARTS - 1),
            }
        }
    }

    pub fn play(
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

    pub fn play_job(
        &mut self,
        target: &Arc<dyn Target>,
        job: &Job,
        script: &Script,
        timeout: StallTimeout,
    ) -> Result<Exchange, String> {
        match self.attempts(|worker| worker.play_script(job, timeout))?.ended {
            Ok((mut exchange, _)) => {
                exchange.request = target.opening().unusual_request();
                exchange.subject = target.role();
                Ok(exchange)
            }
            Err(WorkerFailure::Interrupted) => Err(INTERRUPTED.to_owned()),
            Err(failure) => Err(internal_error(&failure.to_string(), script)),
        }
    }
}

/// How a job ended in one worker, or in the last of several.
#[derive(Debug)]
pub(super) struct Attempt<T> {
    pub ended: Result<T, WorkerFailure>,
    /// Where something from outside may have ended it: the workers that it cost.
    pub lost: Option<LostWorkers>,
    /// Whether the target ran when it ended.
    in_play: bool,
}

/// Times scripts in a worker, until one dies: then the target has other problems.
pub(super) struct SlotPlayer<'a> {
    slot: &'a mut WorkerSlot,
    target: &'a Arc<dyn Target>,
    bounds: Bounds,
    died: bool,
}

impl<'a> SlotPlayer<'a> {
    pub const fn new(
        slot: &'a mut WorkerSlot,
        target: &'a Arc<dyn Target>,
        bounds: Bounds,
    ) -> Self {
        Self { slot, target, bounds, died: false }
    }
}

impl WorkPlayer<String> for SlotPlayer<'_> {
    fn time(&mut self, script: &Script) -> Result<Option<Duration>, String> {
        if self.died {
            return Ok(None);
        }
        let server = Server::of(&**self.target, self.bounds);
        let job = Job::TimeScript { server, script: script.to_string() };
        let Attempt { ended, lost, .. } = self.slot.attempts(|worker| worker.time_script(&job))?;
        match ended {
            Ok(took) => Ok(took),
            Err(WorkerFailure::Died(..)) => {
                // Nobody is blamed for it here, so that it is no death of the target's.
                self.slot.count_lost(lost.unwrap_or_default());
                self.died = true;
                Ok(None)
            }
            Err(WorkerFailure::Interrupted) => Err(INTERRUPTED.to_owned()),
            Err(failure) => Err(internal_error(&failure.to_string(), script)),
        }
    }

    fn play(&mut self, script: &Script) -> Result<Exchange, String> {
        self.slot.play(self.target, self.bounds, script, 0, StallTimeout::Full)
    }
}

/// An error of hangup itself, on one line.
fn internal_error(why: &str, script: &Script) -> String {
    let steps: Vec<String> = script.to_string().lines().map(str::to_owned).collect();
    format!(
        "a worker process failed by itself: {why}; at the script: {}",
        clipped(&steps.join("; "), 200)
    )
}
