//! The schedule of a campaign: which scripts to play next, which ranges are in progress, and
//! the results so far. Plain data, without processes, threads or clocks: the outcome does not
//! depend on how many workers there are and in which order they finish.
//!
//! Workers get scripts in ranges of indices. A script is settled when all scripts before it
//! were played. Only then is a violation certainly the first with its key, and only then is
//! it investigated, the earliest first: the first of a problem becomes its headline.
//!
//! Once crashes are expensive, [`CrashShapes`] learns what their scripts have in common. What is
//! learned at a script counts for every script after it. Results of later scripts that were
//! played before that are discarded, and their scripts are played again.

use super::crash_shapes::{CrashShapes, Decision, Held, Shape};
use super::messages::{RangeResult, ViolationSummary};
use crate::finding::problem::{Sighting, Sightings};
use crate::run::campaign::{
    CampaignOutcome, Depth, DeviationCounts, Investigations, LostWorkers, Reach, UnjudgedScripts,
    accepted_counts,
};
use crate::script::Script;
use crate::target::Deviation;
use crate::verdict::{Identity, Violation};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The most scripts in a range: about 20 ms of work.
const MAX_RANGE: u64 = 1024;

/// The most that the crashes of a campaign may cost: 20,000 crashes or 800 stalls, each a few
/// minutes, and a fifth as many crashes as it has scripts. Without this limit, a campaign would
/// take hours where scripts that crash or stall have no shape in common.
const MAX_CRASH_COST: u64 = 20_000;
const SCRIPTS_PER_CRASH: u64 = 5;

/// The next work for a worker's thread.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// Play these scripts.
    PlayRange(RangeWork),
    /// Play this script by itself: it holds a shape that scripts that crash have.
    PlayAlone(u64),
    /// Look into this violation, so far.
    Investigate(ViolationSummary, Depth),
    /// Nothing now: ranges in progress may still lead to more work.
    Wait,
    /// The campaign has ended.
    Done,
}

/// A range of scripts to play.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RangeWork {
    pub range: Range<u64>,
    /// Scripts that hold one of these are not played with the range, but reported as held.
    pub shapes: Arc<[(usize, Shape)]>,
    /// How often the shapes had changed.
    pub epoch: u32,
}

/// A played part of a range, and the scripts in it that were not played since they hold a shape:
/// their indices, in order, each with the number of its shape.
#[derive(Debug)]
pub(super) struct PlayedRange {
    pub result: RangeResult,
    pub held: Vec<(u64, usize)>,
    /// That of the [`RangeWork`].
    pub epoch: u32,
}

/// Draws the script of an index.
pub(super) type DrawScript<'a> = dyn Fn(u64) -> Script + Send + Sync + 'a;

/// A campaign's work and results.
pub(super) struct Schedule<'a> {
    draw: Box<DrawScript<'a>>,
    /// The number of scripts; `None` for no limit.
    end: Option<u64>,
    /// How many scripts a range has.
    range_size: u64,
    /// The first index that was never assigned.
    next_unassigned: u64,
    /// Ranges that were assigned and not played.
    returned: Vec<Range<u64>>,
    /// How many ranges are in progress.
    in_progress: usize,
    /// Results with a gap before them, by their first index.
    played_ahead: BTreeMap<u64, PlayedRange>,
    /// All scripts before this index were played; the counts below are theirs.
    settled: u64,
    fired: Vec<DeviationCounts>,
    sightings: Sightings,
    reach: Reach,
    unjudged: UnjudgedScripts,
    crash_cost: u64,
    crash_shapes: CrashShapes,
    /// The shapes that scripts after the settled ones are held against, and how often they
    /// changed.
    shapes: Arc<[(usize, Shape)]>,
    epoch: u32,
    /// Settled scripts that are played by themselves, each with the number of its shape: those
    /// not yet assigned, and all that were not played.
    alone: BTreeMap<u64, usize>,
    unassigned_alone: BTreeSet<u64>,
    /// The earliest violation of each key so far.
    first_violations: BTreeMap<Identity, ViolationSummary>,
    /// What is looked into, and what came of it.
    pub investigations: Investigations,
    stopped: bool,
    given_up: bool,
}

impl<'a> Schedule<'a> {
    /// A campaign of so many scripts, which `draw` draws, for so many workers, against a target
    /// with so many deviations.
    pub fn new(
        scripts: Option<u64>,
        jobs: usize,
        deviations: usize,
        investigations: Investigations,
        draw: Box<DrawScript<'a>>,
    ) -> Self {
        let share = scripts.map_or(MAX_RANGE, |scripts| scripts / (4 * jobs as u64).max(1));
        Self {
            draw,
            end: scripts,
            range_size: share.clamp(1, MAX_RANGE),
            next_unassigned: 0,
            returned: Vec::new(),
            in_progress: 0,
            played_ahead: BTreeMap::new(),
            settled: 0,
            fired: vec![DeviationCounts::default(); deviations],
            sightings: Sightings::default(),
            reach: Reach::default(),
            unjudged: UnjudgedScripts::default(),
            crash_cost: 0,
            crash_shapes: CrashShapes::default(),
            shapes: Arc::default(),
            epoch: 0,
            alone: BTreeMap::new(),
            unassigned_alone: BTreeSet::new(),
            first_violations: BTreeMap::new(),
            investigations,
            stopped: false,
            given_up: false,
        }
    }

    /// The next work. A range counts as in progress until [`finish_range`](Self::finish_range).
    pub fn next_work(&mut self) -> Work {
        if let Some((violation, depth)) = self.next_violation() {
            self.investigations.begin(violation.identity);
            return Work::Investigate(violation, depth);
        }
        if !self.stopped
            && let Some(index) = self.unassigned_alone.pop_first()
        {
            self.in_progress += 1;
            return Work::PlayAlone(index);
        }
        if let Some(range) = self.next_range().filter(|range| !range.is_empty()) {
            self.in_progress += 1;
            let shapes = Arc::clone(&self.shapes);
            return Work::PlayRange(RangeWork { range, shapes, epoch: self.epoch });
        }
        let idle = self.in_progress == 0 && self.investigations.is_idle();
        if idle { Work::Done } else { Work::Wait }
    }

    /// A violation to investigate: no earlier one of its problem can come any more.
    fn next_violation(&self) -> Option<(ViolationSummary, Depth)> {
        let all = self.stopped && self.in_progress == 0;
        let unplayed = self.alone.first_key_value().map_or(u64::MAX, |(index, _)| *index);
        let is_first =
            |violation: &&ViolationSummary| all || violation.index < self.settled.min(unplayed);
        let firsts = self.first_violations.values().filter(is_first);
        let open = firsts.filter_map(|violation| {
            Some((violation, self.investigations.depth(violation.identity)?))
        });
        let (earliest, depth) =
            open.min_by_key(|(violation, _)| (violation.index, violation.identity))?;
        Some((earliest.clone(), depth))
    }

    fn next_range(&mut self) -> Option<Range<u64>> {
        if self.stopped {
            return None;
        }
        // The first, so that settling goes on.
        let first = (0..self.returned.len()).min_by_key(|at| self.returned[*at].start);
        first.map(|at| self.returned.swap_remove(at)).or_else(|| {
            let from = self.next_unassigned;
            self.next_unassigned =
                self.end.unwrap_or(u64::MAX).min(from.saturating_add(self.range_size));
            Some(from..self.next_unassigned)
        })
    }

    /// Returns the unplayed part of a range in progress.
    pub fn return_range(&mut self, range: Range<u64>) {
        let beyond = self.given_up && self.end.is_some_and(|end| range.start >= end);
        if !range.is_empty() && !beyond {
            self.returned.push(range);
        }
    }

    /// Records the played part of a range in progress. If shapes have changed since it was
    /// assigned, it is played again.
    pub fn record(&mut self, played: PlayedRange) {
        let PlayedRange { result, epoch, .. } = &played;
        if result.from == result.to || self.end.is_some_and(|end| result.from >= end) {
            return;
        }
        if *epoch != self.epoch {
            return self.return_range(result.from..result.to);
        }
        self.note_violations(&played.result);
        self.played_ahead.insert(played.result.from, played);
        self.settle_played();
    }

    /// Records a script that was played by itself.
    pub fn record_alone(&mut self, result: &RangeResult) {
        // A worker that was stopped has not played it.
        if result.from == result.to {
            return;
        }
        if let Some(shape) = self.alone.remove(&result.from) {
            self.note_violations(result);
            self.count(result);
            self.crash_shapes.sample_played(shape, result.crash_cost);
            self.settle_played();
        }
    }

    /// Returns a script that was to be played by itself and was not.
    pub fn return_alone(&mut self, index: u64) {
        self.unassigned_alone.insert(index);
    }

    fn note_violations(&mut self, played: &RangeResult) {
        for violation in &played.violations {
            let first = self
                .first_violations
                .entry(violation.identity)
                .or_insert_with(|| violation.clone());
            if violation.index < first.index {
                *first = violation.clone();
            }
        }
    }

    /// Adds the counts of a range.
    fn count(&mut self, played: &RangeResult) {
        self.reach.add(&played.reach);
        for (sum, fired) in self.fired.iter_mut().zip(&played.fired) {
            sum.add(*fired);
        }
        for &ViolationSummary { identity, index, scripts, strongest, .. } in &played.violations {
            self.sightings.add(identity, Sighting { first: index, scripts, level: strongest });
        }
        for suspicion in &played.unproven {
            let (first, scripts) = (suspicion.index, suspicion.scripts);
            let strongest =
                Violation { level: suspicion.strongest, ..suspicion.clone().into_violation() };
            self.unjudged.add(&strongest, first, scripts);
        }
    }

    /// A range is no longer in progress.
    pub fn finish_range(&mut self) {
        self.in_progress -= 1;
    }

    /// Settles what follows the settled scripts.
    fn settle_played(&mut self) {
        while !self.given_up
            && let Some(played) = self.played_ahead.remove(&self.settled)
        {
            match self.crash_shapes.first_decision(&played.held) {
                None => self.settle(&played),
                // What is decided at a script counts from there on: the scripts before it first.
                Some((index, _)) if index > played.result.from => {
                    self.return_range(played.result.from..index);
                    self.return_range(index..played.result.to);
                }
                Some((index, shape)) => match self.crash_shapes.decide(shape, index) {
                    Decision::SampleMore => {
                        self.played_ahead.insert(self.settled, played);
                    }
                    Decision::Wait => {
                        self.played_ahead.insert(self.settled, played);
                        return;
                    }
                    Decision::PassOver(cost) => {
                        self.played_ahead.insert(self.settled, played);
                        self.add_crash_cost(cost);
                    }
                    Decision::Drop(cost) => {
                        self.return_range(played.result.from..played.result.to);
                        self.change_shapes();
                        self.add_crash_cost(cost);
                    }
                },
            }
        }
    }

    fn settle(&mut self, played: &PlayedRange) {
        let result = &played.result;
        self.settled = result.to;
        self.count(result);
        for (index, shape) in &played.held {
            if self.crash_shapes.meet(*shape) == Held::PlayAlone {
                self.alone.insert(*index, *shape);
                self.unassigned_alone.insert(*index);
            }
        }
        if result.crash_cost > 0 {
            let learned = self.crash_shapes.crashed(result.from, result.crash_cost, &*self.draw);
            if learned {
                self.change_shapes();
            }
            self.add_crash_cost(u64::from(result.crash_cost));
        }
    }

    /// The shapes have changed: all after the settled scripts is played again.
    fn change_shapes(&mut self) {
        self.epoch += 1;
        self.shapes = self.crash_shapes.active().into();
        for (_, played) in std::mem::take(&mut self.played_ahead) {
            self.return_range(played.result.from..played.result.to);
        }
        self.forget_unsettled_violations();
    }

    fn forget_unsettled_violations(&mut self) {
        self.first_violations.retain(|_, violation| violation.index < self.settled);
    }

    fn add_crash_cost(&mut self, cost: u64) {
        self.crash_cost += cost;
        let most = MAX_CRASH_COST + self.settled / SCRIPTS_PER_CRASH;
        if self.crash_cost >= most && self.end.is_none_or(|end| end > self.settled) {
            self.give_up();
        }
    }

    /// Ends the campaign at the settled index, whatever was played after it.
    fn give_up(&mut self) {
        self.given_up = true;
        self.end = Some(self.settled);
        self.next_unassigned = self.settled;
        self.returned.clear();
        self.played_ahead.clear();
        self.forget_unsettled_violations();
    }

    /// Assigns no more ranges.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// How many scripts were played or passed over.
    pub fn done(&self) -> u64 {
        let ahead = self
            .played_ahead
            .values()
            .map(|played| played.result.to - played.result.from - played.held.len() as u64);
        self.settled - self.alone.len() as u64 + ahead.sum::<u64>()
    }

    /// The outcome of the campaign.
    pub fn into_outcome(mut self, deviations: &[Deviation]) -> CampaignOutcome {
        let scripts = self.done();
        for (_, played) in std::mem::take(&mut self.played_ahead) {
            self.count(&played.result);
        }
        let (findings, dismissed) = self.investigations.into_findings();
        CampaignOutcome {
            scripts,
            passed_over: self.crash_shapes.passed_over(),
            findings,
            dismissed,
            unjudged: self.unjudged.into_list(),
            sightings: self.sightings,
            reach: self.reach,
            accepted: accepted_counts(deviations, &self.fired),
            stopped: self.stopped && self.end.is_none_or(|end| scripts < end),
            given_up: self.given_up,
            could_not_test: None,
            lost_workers: LostWorkers::default(),
        }
    }
}

#[cfg(test)]
mod tests;
