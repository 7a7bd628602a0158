//! The worker processes of a supervisor, and what can be asked of them: a campaign, one play,
//! several at once.
//!
//! A [`WorkerSlot`] has one process, a [`CampaignRun`] the threads of a campaign.

use super::campaign_run::CampaignRun;
use super::messages::{Job, Server};
use super::schedule::Schedule;
use super::slot::{SlotPlayer, WorkerSlot};
use super::stall::StallTimeout;
use crate::bounds::Bounds;
use crate::exchange::{Exchange, Work as WorkFigures};
use crate::finding::Finding;
use crate::run::campaign::{
    Campaign, CampaignOutcome, CampaignProgress, Ends, FirstFailure, Investigations, LostWorkers,
    Question, accepts, work_of,
};
use crate::run::interrupt::Interrupt;
use crate::run::preflight::could_not_test;
use crate::script::Script;
use crate::target::Target;
use crate::verdict::{Identity, Invariant, Pattern, Violation};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Worker processes, started when they are needed.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    slots: Vec<WorkerSlot>,
    interrupt: Interrupt,
}

impl WorkerPool {
    /// So many workers, one at least, each of which may use `memory` bytes.
    /// Once the `interrupt` cuts plays off, a campaign ends with what it has found so far, and all
    /// else that plays fails with [`INTERRUPTED`](crate::run::interrupt::INTERRUPTED).
    pub fn new(jobs: usize, memory: u64, interrupt: &Interrupt) -> Self {
        let slot = || WorkerSlot::new(memory, interrupt);
        let slots = std::iter::repeat_with(slot).take(jobs.max(1)).collect();
        Self { slots, interrupt: interrupt.clone() }
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
        watch: impl FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> Result<CampaignOutcome, String> {
        let interrupt = self.interrupt.clone();
        match self.run_until_cut(campaign, known, target, watch) {
            Err(_) if interrupt.is_cut() => {
                Ok(CampaignOutcome { stopped: true, ..CampaignOutcome::default() })
            }
            outcome => outcome,
        }
    }

    /// The same, but where plays are cut off before the first script is played that is an error.
    fn run_until_cut(
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
        let interrupt = self.interrupt.clone();
        let run = CampaignRun::new(campaign, known, target, schedule, jobs, interrupt);
        let mut outcome = run.play(&mut self.slots, &mut watch)?.into_outcome(target.deviations());
        outcome.take_in(found, known);
        Ok(outcome)
    }

    /// The workers that were lost through no fault of a target since this was last asked.
    pub fn take_lost(&mut self) -> LostWorkers {
        let mut lost = LostWorkers::default();
        for slot in &mut self.slots {
            lost.add(slot.take_lost());
        }
        lost
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
        could_not_test(target.role(), &mut |script: &Script| {
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
        let (memory, interrupt) = (self.slots[0].memory(), &self.interrupt);
        let play = |question: &Question| {
            let Question { script, runtime_seed, limit, .. } = question;
            let job = Job::Confirm {
                server: Server::of(&**target, bounds),
                script: script.to_string(),
                runtime_seed: *runtime_seed,
                limit: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX),
            };
            let mut slot = WorkerSlot::new(memory, interrupt);
            let played = slot.play_job(target, &job, script, StallTimeout::Full);
            (played, slot.take_lost())
        };
        let played: Vec<_> = std::thread::scope(|scope| {
            let playing: Vec<_> =
                questions.iter().map(|question| scope.spawn(move || play(question))).collect();
            playing.into_iter().map(|played| played.join().ok()).collect()
        });
        let mut take = |(played, lost)| {
            self.slots[0].count_lost(lost);
            played
        };
        played.into_iter().map(|played| played.map(&mut take).transpose()).collect()
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
        SlotPlayer::new(&mut self.slots[0], target, bounds)
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
        let interrupt = self.interrupt.clone();
        let mut play =
            |script: &Script| self.slots[0].play(target, bounds, script, runtime_seed, timeout);
        let first = FirstFailure { script, index: runtime_seed, violation: first };
        let ends = Ends { soon: &|| interrupt.is_asked(), now: &|| interrupt.is_cut() };
        campaign.investigate(first, &mut play, ends)
    }
}

/// A short timeout for a finding that is known to stall.
pub(super) fn stall_timeout_for(key: Identity) -> StallTimeout {
    if key.invariant() == Invariant::NoSpin { StallTimeout::Short } else { StallTimeout::Full }
}
