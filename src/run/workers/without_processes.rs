//! The worker pool of systems without worker processes: it plays everything in this process.
//!
//! A target that takes the process down ends the campaign.

use crate::bounds::Bounds;
use crate::exchange::{Exchange, Work};
use crate::finding::Finding;
use crate::run::campaign::{
    Campaign, CampaignOutcome, CampaignProgress, Ends, FirstFailure, LostWorkers, PlaysHere,
    Question, cannot_be_tested, play_on_threads, work_of,
};
use crate::run::interrupt::Interrupt;
use crate::run::virtual_time::play;
use crate::script::Script;
use crate::target::{Registry, Target};
use crate::verdict::{Pattern, Violation};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The interface of the worker pool, without workers.
#[derive(Debug)]
pub(crate) struct WorkerPool;

impl WorkerPool {
    /// A play that has begun is not cut off.
    pub fn new(_: usize, _: u64, _: &Interrupt) -> Self {
        Self
    }

    pub fn run(
        &mut self,
        campaign: &Campaign,
        known: &[Pattern],
        target: &Arc<dyn Target>,
        watch: impl FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> Result<CampaignOutcome, String> {
        let mut outcome = campaign.run_knowing(known, target, watch);
        outcome.take_in(campaign.look_at_work(target), known);
        Ok(outcome)
    }

    /// None: there are no workers.
    pub fn take_lost(&mut self) -> LostWorkers {
        LostWorkers::default()
    }

    pub fn could_not_test(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
    ) -> Result<Option<String>, String> {
        Ok(cannot_be_tested(target, &bounds))
    }

    pub fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<Exchange, String> {
        Ok(play(target, &bounds, script, runtime_seed))
    }

    pub fn play_in_real_time(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        questions: &[Question],
    ) -> Result<Vec<Option<Exchange>>, String> {
        Ok(play_on_threads(target, &bounds, questions))
    }

    pub fn work_of(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
    ) -> Result<Option<Work>, String> {
        let Ok(work) = work_of(script, &mut PlaysHere(target, bounds));
        Ok(work)
    }

    pub fn investigate(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: Script,
        first: Violation,
        runtime_seed: u64,
    ) -> Result<Finding, String> {
        let campaign = Campaign { bounds, seed: 0, scripts: None, all_variants: false };
        let mut play_script =
            |script: &Script| Ok::<_, Infallible>(play(target, &bounds, script, runtime_seed));
        let first = FirstFailure { script, index: runtime_seed, violation: first };
        let Ok(finding) = campaign.investigate(first, &mut play_script, Ends::COMPLETE);
        Ok(finding)
    }
}

/// No supervisor starts a worker on this system.
pub(crate) fn serve(_: &Registry, _: u64, _: impl FnOnce() + Send + 'static) -> Result<(), String> {
    Err("there are no worker processes on this system".to_owned())
}
