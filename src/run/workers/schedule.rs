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
    CampaignOutcome, Depth, Fired, Investigations, Reach, UnjudgedScripts, accepted_counts,
};
use crate::script::Script;
use crate::target::Deviation;
use crate::verdict::Identity;
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
    fired: Vec<Fired>,
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
            fired: vec![Fired::default(); deviations],
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
        for &ViolationSummary { identity, index, scripts, level, .. } in &played.violations {
            self.sightings.add(identity, Sighting { first: index, scripts, level });
        }
        for suspicion in &played.unproven {
            let (first, scripts) = (suspicion.index, suspicion.scripts);
            self.unjudged.add(&suspicion.clone().into_violation(), first, scripts);
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Exchange;
    use crate::finding::Finding;
    use crate::generate::GeneratorConfig;
    use crate::run::workers::crash_shapes::features;
    use crate::verdict::Invariant::{self, NoSpin};
    use crate::verdict::{Cause, Ending, Level, Violation};

    fn violation(index: u64, invariant: Invariant) -> ViolationSummary {
        let identity = Identity::safety(invariant, None);
        ViolationSummary {
            index,
            identity,
            level: Level::Should,
            ending: Ending::InTime,
            fact: String::new(),
            scripts: 1,
        }
    }

    fn finding(violation: ViolationSummary) -> Finding {
        Finding {
            index: violation.index,
            runtime_seed: violation.index,
            violation: violation.into_violation(),
            script: Script::default(),
            shrunk: true,
            plays: 0,
            rate: 1.0,
            exchange: Exchange::new(true),
            dismissed: None,
        }
    }

    /// Looks into a violation as a worker's thread does: a headline shows under no condition.
    fn investigate(schedule: &mut Schedule<'_>, violation: ViolationSummary, depth: Depth) {
        let identity = violation.identity;
        let headline = Finding {
            violation: Violation {
                identity: Identity::safety(identity.invariant(), None),
                ..violation.clone().into_violation()
            },
            ..finding(violation.clone())
        };
        let own = Finding { shrunk: false, ..finding(violation) };
        let findings = match depth {
            Depth::Headline => vec![own, headline],
            Depth::Shrink | Depth::Check => vec![own],
        };
        schedule.investigations.finish(identity, findings);
    }

    /// The scripts of these tests: every 7th breaks one rule, on every other occasion for a
    /// cause, every 50th from 30 on another, every 3rd fires the deviation.
    fn play(range: Range<u64>, skip: &dyn Fn(u64) -> bool) -> RangeResult {
        let mut first = BTreeMap::new();
        let mut fired = Fired::default();
        for index in range.clone().filter(|index| !skip(*index)) {
            let cause = (index % 2 == 0).then_some(Cause::OwnClose);
            let rules = [
                (index % 7 == 3, Identity::safety(Invariant::EndsInTime, cause)),
                (index % 50 == 30, Identity::safety(Invariant::NoSpin, None)),
            ];
            for (_, identity) in rules.into_iter().filter(|(broken, _)| *broken) {
                let none = ViolationSummary { identity, scripts: 0, ..violation(index, NoSpin) };
                first.entry(identity).or_insert(none).scripts += 1;
            }
            fired.scripts += u64::from(index % 3 == 0);
        }
        let violations = first.into_values().collect();
        RangeResult {
            from: range.start,
            to: range.end,
            fired: vec![fired],
            violations,
            unproven: Vec::new(),
            reach: Reach::of_scripts(range.end - range.start),
            crash_cost: 0,
        }
    }

    /// What a campaign is played against: which scripts there are, which of them crash, and
    /// what that costs.
    #[derive(Clone, Copy)]
    struct Server {
        draw: fn(u64) -> Script,
        crashes: fn(u64) -> bool,
        crash_cost: u32,
    }

    /// Every 100th script crashes, and nothing tells it from others.
    const PLAIN: Server =
        Server { draw: |_| Script::default(), crashes: |index| index % 100 == 99, crash_cost: 1 };

    fn script(text: &str) -> Script {
        text.parse().expect("a script")
    }

    /// Every third script crashes: those with a ping.
    const CRASHES_ON_PING: Server = Server {
        draw: |index| script(if index % 3 == 1 { "upgrade\nping \"x\"\n" } else { "upgrade\n" }),
        crashes: |index| index % 3 == 1,
        crash_cost: 25,
    };

    fn death(index: u64, crash_cost: u32) -> RangeResult {
        let violations = vec![violation(index, Invariant::NoPanic)];
        RangeResult {
            from: index,
            to: index + 1,
            fired: vec![Fired::default()],
            violations,
            unproven: Vec::new(),
            reach: Reach::of_scripts(1),
            crash_cost,
        }
    }

    fn played(result: RangeResult) -> PlayedRange {
        PlayedRange { result, held: Vec::new(), epoch: 0 }
    }

    /// Plays one range, or a script by itself, as a worker's thread does. The script that crashed.
    fn finish(schedule: &mut Schedule<'_>, work: Work, server: Server) -> Option<u64> {
        let crashed = match work {
            Work::PlayRange(RangeWork { range, shapes, epoch }) => {
                let held = |index: u64| {
                    let steps = features(&(server.draw)(index));
                    let (number, _) = shapes.iter().find(|(_, shape)| shape.is_held_by(&steps))?;
                    Some((index, *number))
                };
                let mut held: Vec<_> = range.clone().filter_map(held).collect();
                let is_held = |index: u64| held.iter().any(|(held, _)| *held == index);
                let crash =
                    range.clone().find(|index| (server.crashes)(*index) && !is_held(*index));
                let result = match crash {
                    Some(index) => {
                        schedule.return_range(index + 1..range.end);
                        schedule.return_range(range.start..index);
                        held.clear();
                        death(index, server.crash_cost)
                    }
                    None => play(range, &is_held),
                };
                schedule.record(PlayedRange { result, held, epoch });
                crash
            }
            Work::PlayAlone(index) if (server.crashes)(index) => {
                schedule.record_alone(&death(index, server.crash_cost));
                Some(index)
            }
            Work::PlayAlone(index) => {
                schedule.record_alone(&play(index..index + 1, &|_| false));
                None
            }
            Work::Investigate(..) | Work::Wait | Work::Done => unreachable!("no range"),
        };
        schedule.finish_range();
        crashed
    }

    /// The outcome of a campaign.
    #[derive(Debug, PartialEq)]
    struct Played {
        scripts: u64,
        passed_over: u64,
        given_up: bool,
        /// The indices of the findings, and whether they are shrunk.
        findings: Vec<(u64, bool)>,
        fired: Vec<u64>,
        /// In how many scripts each variant was seen.
        seen: Vec<u64>,
    }

    /// A campaign with so many workers that finish in an order that `mix` shuffles.
    fn campaign(scripts: u64, jobs: usize, mix: u64, server: Server) -> Played {
        campaign_and_crashes(scripts, jobs, mix, server).0
    }

    /// A campaign, and the scripts that were seen to crash.
    fn campaign_and_crashes(
        scripts: u64,
        jobs: usize,
        mix: u64,
        server: Server,
    ) -> (Played, BTreeSet<u64>) {
        let mut crashed = BTreeSet::new();
        let mut schedule = Schedule::new(
            Some(scripts),
            jobs,
            1,
            Investigations::new(false, &[]),
            Box::new(server.draw),
        );
        let mut in_progress: Vec<Work> = Vec::new();
        let mut random = mix;
        loop {
            let work = if in_progress.len() < jobs { schedule.next_work() } else { Work::Wait };
            match work {
                Work::PlayRange(_) | Work::PlayAlone(_) => in_progress.push(work),
                Work::Investigate(violation, depth) => investigate(&mut schedule, violation, depth),
                Work::Done => break,
                Work::Wait => {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let which = (random >> 33) as usize % in_progress.len();
                    let work = in_progress.swap_remove(which);
                    crashed.extend(finish(&mut schedule, work, server));
                }
            }
        }
        assert_eq!(in_progress, [], "every range was finished");
        let fired = schedule.fired.iter().map(|fired| fired.scripts).collect();
        let outcome = schedule.into_outcome(&[]);
        let sightings = &outcome.sightings;
        let scripts_of = |identity| sightings.of(identity).map(|seen| seen.scripts);
        let seen = sightings.identities().filter_map(scripts_of).collect();
        let CampaignOutcome { scripts, passed_over, findings, given_up, .. } = outcome;
        let findings = findings.iter().map(|finding| (finding.index, finding.shrunk)).collect();
        (Played { scripts, passed_over, given_up, findings, fired, seen }, crashed)
    }

    /// The outcome, which is the same for any number of workers in any order.
    fn same_for_all(scripts: u64, server: Server) -> Played {
        let alone = campaign(scripts, 1, 0, server);
        for jobs in 1..6 {
            for mix in 0..10 {
                assert_eq!(campaign(scripts, jobs, mix, server), alone, "{jobs} jobs, mix {mix}");
            }
        }
        alone
    }

    #[test]
    fn the_outcome_does_not_depend_on_the_number_of_workers_or_their_order() {
        let outcome = Played {
            scripts: 5000,
            passed_over: 0,
            given_up: false,
            findings: vec![(3, true), (10, false), (99, true), (30, true)],
            fired: vec![1650],
            // Every 7th of 5,000, by turns for no cause, but for crashes, and for one; the crashes and
            // the 50th.
            seen: vec![350, 357, 50, 100],
        };
        assert_eq!(same_for_all(5000, PLAIN), outcome);
    }

    #[test]
    fn a_crash_in_every_third_script_does_not_end_a_campaign() {
        let outcome = same_for_all(6000, CRASHES_ON_PING);
        // It learns at the 16th crash, and plays 100 more.
        assert_eq!((outcome.scripts, outcome.given_up), (6000, false));
        assert_eq!(outcome.passed_over, 2000 - 116);
        // A rule that every 50th script breaks, whether it has a ping or not.
        assert_eq!(outcome.findings, [(3, true), (24, false), (1, true), (30, true)]);
        assert_eq!(outcome.fired, [2000], "no script is counted twice");
    }

    #[test]
    fn at_least_half_of_what_is_passed_over_would_crash() {
        fn draw(index: u64) -> Script {
            let config = GeneratorConfig::default();
            config.nth(1, index)
        }
        // A server that crashes on a ping before a Close, but for every tenth time.
        fn crashes(index: u64) -> bool {
            let text = draw(index).to_string();
            let before = text.split("\nclose").next().unwrap_or_default();
            before.starts_with("upgrade") && before.contains("\nping ") && !index.is_multiple_of(10)
        }
        let server = Server { draw, crashes, crash_cost: 25 };
        let scripts = 10_000;
        let (outcome, crashed) = campaign_and_crashes(scripts, 1, 0, server);
        assert_eq!((outcome.scripts, outcome.given_up), (scripts, false));
        let would_crash = (0..scripts).filter(|index| crashes(*index)).count() as u64;
        let passed_over_crashes = would_crash - crashed.len() as u64;
        assert!(passed_over_crashes > 200, "{passed_over_crashes} of {would_crash}");
        let most = 2 * passed_over_crashes;
        assert!(outcome.passed_over <= most, "{} of at most {most}", outcome.passed_over);
        assert_eq!(campaign(scripts, 3, 7, server), outcome);
    }

    #[test]
    fn too_few_scripts_that_hold_a_shape_crash_for_it_to_be_passed_over() {
        // Two of three pings crash until a shape is learned, and then one of three.
        let server = Server {
            crashes: |index| {
                index % 3 == 1 && if index < 100 { index % 9 != 1 } else { index % 9 == 1 }
            },
            ..CRASHES_ON_PING
        };
        let outcome = same_for_all(2000, server);
        assert_eq!((outcome.scripts, outcome.passed_over), (2000, 0));
        let all = Server { crash_cost: 1, ..server };
        assert_eq!(outcome.fired, same_for_all(2000, all).fired, "what survives is played");
    }

    #[test]
    fn crashes_that_nothing_tells_apart_end_a_campaign_at_the_same_script_for_any_workers() {
        // 20,000, and 1 for every 5 scripts: the 21st crash, at script 2099, reaches the limit.
        let outcome = same_for_all(5000, Server { crash_cost: 1000, ..PLAIN });
        assert_eq!((outcome.scripts, outcome.given_up), (2100, true));
    }

    #[test]
    fn a_crash_at_the_last_script_does_not_give_the_campaign_up() {
        let outcome = campaign(2100, 2, 1, Server { crash_cost: 1000, ..PLAIN });
        assert_eq!((outcome.scripts, outcome.given_up), (2100, false));
    }

    fn range_of(range: Range<u64>) -> Work {
        Work::PlayRange(RangeWork { range, shapes: Arc::default(), epoch: 0 })
    }

    #[test]
    fn a_violation_is_investigated_once_no_earlier_one_can_come() {
        let mut schedule =
            Schedule::new(Some(4096), 1, 1, Investigations::new(false, &[]), Box::new(PLAIN.draw));
        assert_eq!(
            [schedule.next_work(), schedule.next_work()],
            [0..1024, 1024..2048].map(range_of)
        );
        schedule.record(played(play(1024..2048, &|_| false)));
        schedule.finish_range();
        assert!(
            matches!(schedule.next_work(), Work::PlayRange(_)),
            "the first range is still in progress"
        );
        schedule.record(played(play(0..1024, &|_| false)));
        let Work::Investigate(first, Depth::Headline) = schedule.next_work() else {
            panic!("no earlier one can come")
        };
        assert_eq!(first.index, 3);
    }

    #[test]
    fn a_stopped_schedule_assigns_no_more_ranges_and_investigates_every_violation() {
        let mut schedule =
            Schedule::new(None, 2, 1, Investigations::new(false, &[]), Box::new(PLAIN.draw));
        assert_eq!(
            [schedule.next_work(), schedule.next_work()],
            [0..1024, 1024..2048].map(range_of)
        );
        schedule.stop();
        schedule.record(played(play(1024..1035, &|_| false)));
        schedule.return_range(1035..2048);
        schedule.finish_range();
        assert_eq!(
            schedule.next_work(),
            Work::Wait,
            "the range in progress may have an earlier one"
        );
        schedule.record(played(play(0..0, &|_| false)));
        schedule.return_range(0..1024);
        schedule.finish_range();
        let Work::Investigate(violation, depth) = schedule.next_work() else {
            panic!("no range is in progress any more")
        };
        investigate(&mut schedule, violation, depth);
        let others = [schedule.next_work(), schedule.next_work()];
        assert_eq!(schedule.next_work(), Work::Wait, "until they were investigated");
        for other in others {
            let Work::Investigate(violation, depth) = other else { panic!("and two others") };
            investigate(&mut schedule, violation, depth);
        }
        assert_eq!(schedule.next_work(), Work::Done);
        let outcome = schedule.into_outcome(&[]);
        assert_eq!((outcome.scripts, outcome.stopped), (11, true));
    }
}
