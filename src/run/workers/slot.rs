//! The place of one worker in the pool: starts the process when it is needed, has it do jobs, and
//! starts another when it died.
//!
//! It knows nothing of campaigns.

use super::messages::{Job, Server};
use super::process::{StallTimeout, WorkerFailure, WorkerProcess};
use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::run::campaign::WorkPlayer;
use crate::script::Script;
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// The place of one worker, which is started when it is first needed.
#[derive(Debug)]
pub(super) struct WorkerSlot {
    memory: u64,
    worker: Option<WorkerProcess>,
}

impl WorkerSlot {
    /// A place for a worker that may use `memory` bytes.
    pub const fn new(memory: u64) -> Self {
        Self { memory, worker: None }
    }

    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// Its worker is gone.
    pub fn lose(&mut self) {
        self.worker = None;
    }

    pub fn worker(&mut self) -> Result<&mut WorkerProcess, String> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            // Something may kill a worker before it is ready: one more try.
            None => {
                WorkerProcess::start(self.memory).or_else(|_| WorkerProcess::start(self.memory))?
            }
        };
        Ok(self.worker.insert(worker))
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

/// An error of hangup itself, on one line.
fn internal_error(why: &str, script: &Script) -> String {
    let steps: Vec<String> = script.to_string().lines().map(str::to_owned).collect();
    format!("a worker process failed by itself: {why}; at the script: {}", steps.join("; "))
}
