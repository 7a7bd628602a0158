//! The schedule of a campaign: which scripts to play next, which ranges are in progress, and
//! the results so far. Plain data, without processes, threads or clocks: the outcome does not
//! depend on how many workers there are and in which order they finish.
//!
//! Workers get scripts in ranges of indices. A script is settled when all scripts before it
//! were played. Only then is a violation certainly the first with its key, and only then is
//! it investigated, the earliest first: the first of a problem becomes its headline.

use super::messages::{RangeResult, ViolationSummary};
use crate::finding::problem::{Sighting, Sightings};
use crate::run::campaign::{CampaignOutcome, Depth, Investigations, accepted_counts};
use crate::target::Deviation;
use crate::verdict::Identity;
use std::collections::BTreeMap;
use std::ops::Range;

/// The most scripts in a range: about 20 ms of work.
const MAX_RANGE: u64 = 1024;

/// The most that the crashes of one campaign may cost: 1,000 crashes or 40 stalls, each
/// about 20 s. Without this limit, a target that crashes in every third script would make a
/// campaign take hours.
pub(super) const MAX_CRASH_COST: u32 = 1000;

/// The next work for a worker's thread.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// Play these scripts.
    PlayRange(Range<u64>),
    /// Look into this violation, so far.
    Investigate(ViolationSummary, Depth),
    /// Nothing now: ranges in progress may still lead to more work.
    Wait,
    /// The campaign has ended.
    Done,
}

/// A campaign's work and results.
#[derive(Debug)]
pub(super) struct Schedule {
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
    played_ahead: BTreeMap<u64, RangeResult>,
    /// All scripts before this index were played; the counts below are theirs.
    settled: u64,
    fired: Vec<u64>,
    sightings: Sightings,
    crash_cost: u32,
    /// The earliest violation of each key so far.
    first_violations: BTreeMap<Identity, ViolationSummary>,
    /// What is looked into, and what came of it.
    pub investigations: Investigations,
    stopped: bool,
    given_up: bool,
}

impl Schedule {
    /// A campaign of so many scripts, for so many workers, against a target with so
    /// many deviations.
    pub fn new(scripts: Option<u64>, jobs: usize, deviations: usize, all_variants: bool) -> Self {
        let share = scripts.map_or(MAX_RANGE, |scripts| scripts / (4 * jobs as u64).max(1));
        Self {
            end: scripts,
            range_size: share.clamp(1, MAX_RANGE),
            next_unassigned: 0,
            returned: Vec::new(),
            in_progress: 0,
            played_ahead: BTreeMap::new(),
            settled: 0,
            fired: vec![0; deviations],
            sightings: Sightings::default(),
            crash_cost: 0,
            first_violations: BTreeMap::new(),
            investigations: Investigations::new(all_variants),
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
        if let Some(range) = self.next_range().filter(|range| !range.is_empty()) {
            self.in_progress += 1;
            return Work::PlayRange(range);
        }
        let idle = self.in_progress == 0 && self.investigations.is_idle();
        if idle { Work::Done } else { Work::Wait }
    }

    /// A violation to investigate: no earlier one of its problem can come any more.
    fn next_violation(&self) -> Option<(ViolationSummary, Depth)> {
        let all = self.stopped && self.in_progress == 0;
        let is_first = |violation: &&ViolationSummary| all || violation.index < self.settled;
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
        self.returned.pop().or_else(|| {
            let from = self.next_unassigned;
            self.next_unassigned =
                self.end.unwrap_or(u64::MAX).min(from.saturating_add(self.range_size));
            Some(from..self.next_unassigned)
        })
    }

    /// Returns the unplayed part of a range in progress. Of several parts, the first is returned
    /// last.
    pub fn return_range(&mut self, range: Range<u64>) {
        let beyond = self.given_up && self.end.is_some_and(|end| range.start >= end);
        if !range.is_empty() && !beyond {
            self.returned.push(range);
        }
    }

    /// Records the played part of a range in progress.
    pub fn record(&mut self, played: RangeResult) {
        if played.from == played.to || self.end.is_some_and(|end| played.from >= end) {
            return;
        }
        for violation in &played.violations {
            let first = self
                .first_violations
                .entry(violation.identity)
                .or_insert_with(|| violation.clone());
            if violation.index < first.index {
                *first = violation.clone();
            }
        }
        self.played_ahead.insert(played.from, played);
        while !self.given_up
            && let Some(played) = self.played_ahead.remove(&self.settled)
        {
            self.settle(&played);
        }
    }

    /// A range is no longer in progress.
    pub fn finish_range(&mut self) {
        self.in_progress -= 1;
    }

    fn settle(&mut self, played: &RangeResult) {
        self.settled = played.to;
        self.count(played);
        self.crash_cost += played.crash_cost;
        if self.crash_cost >= MAX_CRASH_COST && self.end.is_none_or(|end| end > self.settled) {
            self.give_up();
        }
    }

    /// Adds the counts of a range.
    fn count(&mut self, played: &RangeResult) {
        for (sum, fired) in self.fired.iter_mut().zip(&played.fired) {
            *sum += fired;
        }
        for &ViolationSummary { identity, index, scripts, .. } in &played.violations {
            self.sightings.add(identity, Sighting { first: index, scripts });
        }
    }

    /// Ends the campaign at the settled index, whatever was played after it.
    fn give_up(&mut self) {
        self.given_up = true;
        self.end = Some(self.settled);
        self.next_unassigned = self.settled;
        self.returned.clear();
        self.played_ahead.clear();
        self.first_violations.retain(|_, violation| violation.index < self.settled);
    }

    /// Assigns no more ranges.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// How many scripts were played.
    pub fn played(&self) -> u64 {
        self.settled + self.played_ahead.values().map(|played| played.to - played.from).sum::<u64>()
    }

    /// The outcome of the campaign.
    pub fn into_outcome(mut self, deviations: &[Deviation]) -> CampaignOutcome {
        let scripts = self.played();
        for played in std::mem::take(&mut self.played_ahead).values() {
            self.count(played);
        }
        let (findings, dismissed) = self.investigations.into_findings();
        CampaignOutcome {
            scripts,
            findings,
            dismissed,
            sightings: self.sightings,
            accepted: accepted_counts(deviations, &self.fired),
            stopped: self.stopped && self.end.is_none_or(|end| scripts < end),
            given_up: self.given_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Exchange;
    use crate::finding::Finding;
    use crate::script::Script;
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
    fn investigate(schedule: &mut Schedule, violation: ViolationSummary, depth: Depth) {
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
    /// cause, every 50th from 30 on another, every 100th kills, every 3rd fires the deviation.
    fn play(range: Range<u64>) -> RangeResult {
        let mut first = BTreeMap::new();
        let mut fired = 0;
        for index in range.clone() {
            let cause = (index % 2 == 0).then_some(Cause::OwnClose);
            let rules = [
                (index % 7 == 3, Identity::safety(Invariant::EndsInTime, cause)),
                (index % 50 == 30, Identity::safety(Invariant::NoSpin, None)),
            ];
            for (_, identity) in rules.into_iter().filter(|(broken, _)| *broken) {
                let none = ViolationSummary { identity, scripts: 0, ..violation(index, NoSpin) };
                first.entry(identity).or_insert(none).scripts += 1;
            }
            fired += u64::from(index % 3 == 0);
        }
        let violations = first.into_values().collect();
        RangeResult {
            from: range.start,
            to: range.end,
            fired: vec![fired],
            violations,
            crash_cost: 0,
        }
    }

    fn kills(index: u64) -> bool {
        index % 100 == 99
    }

    fn death(index: u64, crash_cost: u32) -> RangeResult {
        let violations = vec![violation(index, Invariant::NoPanic)];
        RangeResult { from: index, to: index + 1, fired: vec![0], violations, crash_cost }
    }

    /// Finishes one range as a worker's thread does.
    fn finish(schedule: &mut Schedule, range: Range<u64>, crash_cost: u32) {
        match range.clone().find(|index| kills(*index)) {
            Some(index) => {
                schedule.return_range(index + 1..range.end);
                schedule.record(death(index, crash_cost));
                schedule.return_range(range.start..index);
            }
            None => schedule.record(play(range)),
        }
        schedule.finish_range();
    }

    /// A campaign with so many workers that finish in an order that `mix` shuffles.
    fn campaign(scripts: u64, jobs: usize, mix: u64, crash_cost: u32) -> Played {
        let mut schedule = Schedule::new(Some(scripts), jobs, 1, false);
        let mut in_progress: Vec<Range<u64>> = Vec::new();
        let mut random = mix;
        loop {
            let work = if in_progress.len() < jobs { schedule.next_work() } else { Work::Wait };
            match work {
                Work::PlayRange(range) => in_progress.push(range),
                Work::Investigate(violation, depth) => investigate(&mut schedule, violation, depth),
                Work::Done => break,
                Work::Wait => {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let which = (random >> 33) as usize % in_progress.len();
                    let range = in_progress.swap_remove(which);
                    finish(&mut schedule, range, crash_cost);
                }
            }
        }
        assert_eq!(in_progress, [], "every range was finished");
        outcome(schedule)
    }

    #[derive(Debug, PartialEq)]
    struct Played {
        scripts: u64,
        given_up: bool,
        /// Each finding's index, and whether it is shrunk.
        findings: Vec<(u64, bool)>,
        accepted: Vec<u64>,
        /// In how many scripts each variant was seen.
        seen: Vec<u64>,
    }

    fn outcome(schedule: Schedule) -> Played {
        let accepted = schedule.fired.clone();
        let out = schedule.into_outcome(&[]);
        let sightings = &out.sightings;
        let scripts = |identity| sightings.of(identity).map(|seen| seen.scripts);
        let seen = sightings.identities().filter_map(scripts).collect();
        let findings = out.findings.iter().map(|finding| (finding.index, finding.shrunk)).collect();
        let CampaignOutcome { scripts, given_up, .. } = out;
        Played { scripts, given_up, findings, accepted, seen }
    }

    #[test]
    fn the_outcome_does_not_depend_on_the_number_of_workers_or_their_order() {
        let alone = campaign(5000, 1, 0, 1);
        let findings = vec![(3, true), (10, false), (99, true), (30, true)];
        // Every 7th of 5,000, by turns for no cause, but for those that crash, and for one; the
        // crashes, and every 50th.
        let seen = vec![350, 357, 50, 100];
        let (scripts, given_up, accepted) = (5000, false, vec![1650]);
        assert_eq!(alone, Played { scripts, given_up, findings, accepted, seen });
        for jobs in 1..6 {
            for mix in 0..50 {
                assert_eq!(campaign(5000, jobs, mix, 1), alone, "{jobs} jobs, mix {mix}");
            }
        }
    }

    #[test]
    fn too_many_crashes_end_a_campaign_at_the_same_script_for_any_number_of_workers() {
        // The 20th crash, at script 1999, reaches the limit.
        let alone = campaign(5000, 1, 0, MAX_CRASH_COST / 20);
        assert_eq!((alone.scripts, alone.given_up), (2000, true));
        for jobs in 1..6 {
            for mix in 0..50 {
                assert_eq!(
                    campaign(5000, jobs, mix, MAX_CRASH_COST / 20),
                    alone,
                    "{jobs} jobs, mix {mix}"
                );
            }
        }
    }

    #[test]
    fn a_crash_at_the_last_script_does_not_give_the_campaign_up() {
        let played = campaign(2000, 2, 1, MAX_CRASH_COST / 20);
        assert_eq!((played.scripts, played.given_up), (2000, false));
    }

    #[test]
    fn a_violation_is_investigated_once_no_earlier_one_can_come() {
        let mut schedule = Schedule::new(Some(4096), 1, 1, false);
        assert_eq!(
            [schedule.next_work(), schedule.next_work()],
            [0..1024, 1024..2048].map(Work::PlayRange)
        );
        schedule.record(play(1024..2048));
        schedule.finish_range();
        assert!(
            matches!(schedule.next_work(), Work::PlayRange(_)),
            "the first range is still in progress"
        );
        schedule.record(play(0..1024));
        let Work::Investigate(first, Depth::Headline) = schedule.next_work() else {
            panic!("no earlier one can come")
        };
        assert_eq!(first.index, 3);
    }

    #[test]
    fn a_variant_waits_for_the_headline_of_its_problem() {
        let mut schedule = Schedule::new(Some(28), 1, 1, false);
        while let Work::PlayRange(range) = schedule.next_work() {
            schedule.record(play(range));
            schedule.finish_range();
            if let Some((first, Depth::Headline)) = schedule.next_violation() {
                schedule.investigations.begin(first.identity);
                assert_eq!(first.index, 3);
                break;
            }
        }
        while let Work::PlayRange(range) = schedule.next_work() {
            schedule.record(play(range));
            schedule.finish_range();
        }
        assert_eq!(schedule.next_work(), Work::Wait, "script 10 shows a variant of it");
        let first = violation(3, Invariant::EndsInTime);
        investigate(&mut schedule, first, Depth::Headline);
        let Work::Investigate(variant, Depth::Check) = schedule.next_work() else {
            panic!("the headline is there")
        };
        assert_eq!(variant.index, 10);
    }

    #[test]
    fn a_stopped_schedule_assigns_no_more_ranges_and_investigates_every_violation() {
        let mut schedule = Schedule::new(None, 2, 1, false);
        assert_eq!(
            [schedule.next_work(), schedule.next_work()],
            [0..1024, 1024..2048].map(Work::PlayRange)
        );
        schedule.stop();
        schedule.record(RangeResult { to: 1035, ..play(1024..1035) });
        schedule.return_range(1035..2048);
        schedule.finish_range();
        assert_eq!(
            schedule.next_work(),
            Work::Wait,
            "the range in progress may have an earlier one"
        );
        schedule.record(RangeResult { to: 0, ..play(0..0) });
        schedule.return_range(0..1024);
        schedule.finish_range();
        let Work::Investigate(violation, depth) = schedule.next_work() else {
            panic!("no range is in progress any more")
        };
        investigate(&mut schedule, violation, depth);
        let Work::Investigate(other, Depth::Headline) = schedule.next_work() else {
            panic!("and the other")
        };
        let Work::Investigate(variant, Depth::Check) = schedule.next_work() else {
            panic!("and the variant")
        };
        assert_eq!(schedule.next_work(), Work::Wait, "until it was investigated");
        investigate(&mut schedule, other, Depth::Headline);
        investigate(&mut schedule, variant, Depth::Check);
        assert_eq!(schedule.next_work(), Work::Done);
        let outcome = schedule.into_outcome(&[]);
        assert_eq!((outcome.scripts, outcome.stopped), (11, true));
    }
}
