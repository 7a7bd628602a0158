//! What is to be done in a campaign, what is in hand, and what is known: plain data,
//! so that who works on it, in which order, does not show in what comes out.
//!
//! Scripts are given out in stretches. A script below which everything has been
//! played is settled: only then is it sure that its findings are the first of their
//! keys, and only then are they looked into.

use super::messages::{Seen, Stretched};
use crate::finding::Finding;
use crate::run::campaign::{Outcome, accepted};
use crate::target::Deviation;
use crate::verdict::Identity;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How many scripts are given out at a time, at most: a fiftieth of a second's work.
const STRETCH: u64 = 1024;

/// What the deaths of one campaign may cost: a thousand crashes, or forty
/// standstills, each about twenty seconds. A target that takes its process down in
/// every third script would keep a campaign from its end for hours.
pub(super) const TOLL: u32 = 1000;

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// Play these scripts.
    Stretch(Range<u64>),
    /// Look into this violation.
    Finding(Seen),
    /// Nothing now: others are at work, and more may come of it.
    Wait,
    /// All is done.
    Over,
}

#[derive(Debug)]
pub(super) struct Board {
    /// How many scripts there are, where that is known.
    end: Option<u64>,
    /// The size of a stretch.
    size: u64,
    /// What was never given out begins here.
    next: u64,
    /// What was given back.
    again: Vec<Range<u64>>,
    /// How many stretches are in hand.
    in_hand: usize,
    /// Played, but with a gap below: by its first index.
    ahead: BTreeMap<u64, Stretched>,
    /// Everything below is played; and what that came to.
    settled: u64,
    fired: Vec<u64>,
    toll: u32,
    /// The first sight of each key so far.
    seen: BTreeMap<Identity, Seen>,
    /// Those that are looked into, or were.
    taken: BTreeSet<Identity>,
    findings: BTreeMap<Identity, Finding>,
    stopped: bool,
    given_up: bool,
}

impl Board {
    /// A campaign of so many scripts, for so many workers, against a target with so
    /// many deviations.
    pub fn new(scripts: Option<u64>, jobs: usize, deviations: usize) -> Self {
        let share = scripts.map_or(STRETCH, |scripts| scripts / (4 * jobs as u64).max(1));
        Self {
            end: scripts,
            size: share.clamp(1, STRETCH),
            next: 0,
            again: Vec::new(),
            in_hand: 0,
            ahead: BTreeMap::new(),
            settled: 0,
            fired: vec![0; deviations],
            toll: 0,
            seen: BTreeMap::new(),
            taken: BTreeSet::new(),
            findings: BTreeMap::new(),
            stopped: false,
            given_up: false,
        }
    }

    /// What to do next; a stretch counts as in hand until it is [`played`](Self::played).
    pub fn take(&mut self) -> Work {
        if let Some(seen) = self.ripe() {
            self.taken.insert(seen.key);
            return Work::Finding(seen);
        }
        if let Some(range) = self.stretch().filter(|range| !range.is_empty()) {
            self.in_hand += 1;
            return Work::Stretch(range);
        }
        let looked_into = self.findings.len() == self.taken.len();
        if self.in_hand == 0 && looked_into { Work::Over } else { Work::Wait }
    }

    /// A violation to look into: nothing can come before it any more.
    fn ripe(&self) -> Option<Seen> {
        let all = self.stopped && self.in_hand == 0;
        let ripe =
            |seen: &&Seen| (all || seen.index < self.settled) && !self.taken.contains(&seen.key);
        self.seen.values().find(ripe).cloned()
    }

    fn stretch(&mut self) -> Option<Range<u64>> {
        if self.stopped {
            return None;
        }
        self.again.pop().or_else(|| {
            let from = self.next;
            self.next = self.end.unwrap_or(u64::MAX).min(from.saturating_add(self.size));
            Some(from..self.next)
        })
    }

    /// Gives back what of a stretch in hand was not played, the first last.
    pub fn give_back(&mut self, range: Range<u64>) {
        let beyond = self.given_up && self.end.is_some_and(|end| range.start >= end);
        if !range.is_empty() && !beyond {
            self.again.push(range);
        }
    }

    /// Part of a stretch in hand was played; the rest of it was given back, or is here too.
    pub fn note(&mut self, played: Stretched) {
        if played.from == played.to || self.end.is_some_and(|end| played.from >= end) {
            return;
        }
        for seen in &played.seen {
            let first = self.seen.entry(seen.key).or_insert_with(|| seen.clone());
            if seen.index < first.index {
                *first = seen.clone();
            }
        }
        self.ahead.insert(played.from, played);
        while !self.given_up
            && let Some(played) = self.ahead.remove(&self.settled)
        {
            self.settle(&played);
        }
    }

    /// A stretch that was in hand is not any more.
    pub fn laid_down(&mut self) {
        self.in_hand -= 1;
    }

    fn settle(&mut self, played: &Stretched) {
        self.settled = played.to;
        for (sum, fired) in self.fired.iter_mut().zip(&played.fired) {
            *sum += fired;
        }
        self.toll += played.toll;
        if self.toll >= TOLL && self.end.is_none_or(|end| end > self.settled) {
            self.give_up();
        }
    }

    /// Ends the campaign here, so that it is the same however far others are ahead.
    fn give_up(&mut self) {
        self.given_up = true;
        self.end = Some(self.settled);
        self.next = self.settled;
        self.again.clear();
        self.ahead.clear();
        self.seen.retain(|_, seen| seen.index < self.settled);
    }

    /// A violation was looked into.
    pub fn found(&mut self, finding: Finding) {
        self.findings.insert(finding.violation.identity, finding);
    }

    /// The finding of a key, where there is one.
    pub fn finding(&self, key: Identity) -> Option<&Finding> {
        self.findings.get(&key)
    }

    /// No more stretches are given out.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// How many scripts were played.
    pub fn played(&self) -> u64 {
        self.settled + self.ahead.values().map(|played| played.to - played.from).sum::<u64>()
    }

    /// How many keys were found.
    pub fn found_so_far(&self) -> usize {
        self.findings.len()
    }

    /// What it came to.
    pub fn outcome(mut self, deviations: &[Deviation]) -> Outcome {
        let scripts = self.played();
        for played in self.ahead.values() {
            for (sum, fired) in self.fired.iter_mut().zip(&played.fired) {
                *sum += fired;
            }
        }
        Outcome {
            scripts,
            findings: self.findings.into_values().collect(),
            accepted: accepted(deviations, &self.fired),
            stopped: self.stopped && self.end.is_none_or(|end| scripts < end),
            given_up: self.given_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Trace;
    use crate::script::Script;
    use crate::verdict::{Ending, Invariant, Level};

    fn seen(index: u64, invariant: Invariant) -> Seen {
        let key = Identity::safety(invariant, None);
        Seen { index, key, level: Level::Should, ending: Ending::InTime, fact: String::new() }
    }

    fn finding(seen: Seen) -> Finding {
        Finding {
            index: seen.index,
            runtime_seed: seen.index,
            violation: seen.violation(),
            script: Script::default(),
            plays: 0,
            rate: 1.0,
            trace: Trace::new(true),
        }
    }

    /// What the scripts of these tests do: every 7th breaks one rule, every 50th from
    /// 30 on another, every 100th kills, every 3rd fires the deviation.
    fn play(range: Range<u64>) -> Stretched {
        let mut seen_here = BTreeMap::new();
        let mut fired = 0;
        for index in range.clone() {
            let rules =
                [(index % 7 == 3, Invariant::EndsInTime), (index % 50 == 30, Invariant::NoSpin)];
            for (_, invariant) in rules.into_iter().filter(|(broken, _)| *broken) {
                seen_here.entry(invariant).or_insert_with(|| seen(index, invariant));
            }
            fired += u64::from(index % 3 == 0);
        }
        let seen = seen_here.into_values().collect();
        Stretched { from: range.start, to: range.end, fired: vec![fired], seen, toll: 0 }
    }

    fn kills(index: u64) -> bool {
        index % 100 == 99
    }

    fn death(index: u64, toll: u32) -> Stretched {
        let seen = vec![seen(index, Invariant::NoPanic)];
        Stretched { from: index, to: index + 1, fired: vec![0], seen, toll }
    }

    /// Does one piece of work as a crew does; `order` says which of the pieces in hand.
    fn finish(board: &mut Board, range: Range<u64>, toll: u32) {
        match range.clone().find(|index| kills(*index)) {
            Some(index) => {
                board.give_back(index + 1..range.end);
                board.note(death(index, toll));
                board.give_back(range.start..index);
            }
            None => board.note(play(range)),
        }
        board.laid_down();
    }

    /// A campaign by so many workers that finish in an order that `mix` shuffles.
    fn campaign(scripts: u64, jobs: usize, mix: u64, toll: u32) -> (u64, bool, Vec<u64>, Vec<u64>) {
        let mut board = Board::new(Some(scripts), jobs, 1);
        let mut in_hand: Vec<Range<u64>> = Vec::new();
        let mut dice = mix;
        loop {
            let work = if in_hand.len() < jobs { board.take() } else { Work::Wait };
            match work {
                Work::Stretch(range) => in_hand.push(range),
                Work::Finding(seen) => board.found(finding(seen)),
                Work::Over => break,
                Work::Wait => {
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let which = (dice >> 33) as usize % in_hand.len();
                    let range = in_hand.swap_remove(which);
                    finish(&mut board, range, toll);
                }
            }
        }
        assert_eq!(in_hand, [], "all was laid down");
        let Outcome { scripts, findings, given_up, accepted, .. } = outcome(board);
        let indices = findings.iter().map(|finding| finding.index).collect();
        (scripts, given_up, indices, accepted)
    }

    struct Outcome {
        scripts: u64,
        findings: Vec<Finding>,
        given_up: bool,
        accepted: Vec<u64>,
    }

    fn outcome(board: Board) -> Outcome {
        let accepted = board.fired.clone();
        let out = board.outcome(&[]);
        Outcome { scripts: out.scripts, findings: out.findings, given_up: out.given_up, accepted }
    }

    #[test]
    fn who_works_and_in_which_order_does_not_show_in_what_comes_out() {
        let alone = campaign(5000, 1, 0, 1);
        assert_eq!(alone, (5000, false, vec![3, 99, 30], vec![1650]));
        for jobs in 1..6 {
            for mix in 0..50 {
                assert_eq!(campaign(5000, jobs, mix, 1), alone, "{jobs} jobs, mix {mix}");
            }
        }
    }

    #[test]
    fn too_many_deaths_end_it_at_the_same_script_for_everybody() {
        // The twentieth death is at 1999, and there it reaches what deaths may cost.
        let alone = campaign(5000, 1, 0, TOLL / 20);
        assert_eq!((alone.0, alone.1), (2000, true));
        for jobs in 1..6 {
            for mix in 0..50 {
                assert_eq!(campaign(5000, jobs, mix, TOLL / 20), alone, "{jobs} jobs, mix {mix}");
            }
        }
    }

    #[test]
    fn a_death_with_the_last_script_gives_nothing_up() {
        let (scripts, given_up, ..) = campaign(2000, 2, 1, TOLL / 20);
        assert_eq!((scripts, given_up), (2000, false));
    }

    #[test]
    fn a_violation_is_looked_into_once_nothing_can_come_before_it() {
        let mut board = Board::new(Some(4096), 1, 1);
        assert_eq!([board.take(), board.take()], [0..1024, 1024..2048].map(Work::Stretch));
        board.note(play(1024..2048));
        board.laid_down();
        assert!(matches!(board.take(), Work::Stretch(_)), "the first stretch is still in hand");
        board.note(play(0..1024));
        let Work::Finding(first) = board.take() else { panic!("now it is ripe") };
        assert_eq!(first.index, 3);
    }

    #[test]
    fn one_that_is_stopped_gives_out_no_more_and_looks_into_all_that_was_seen() {
        let mut board = Board::new(None, 2, 1);
        assert_eq!([board.take(), board.take()], [0..1024, 1024..2048].map(Work::Stretch));
        board.stop();
        board.note(Stretched { to: 1035, ..play(1024..1035) });
        board.give_back(1035..2048);
        board.laid_down();
        assert_eq!(board.take(), Work::Wait, "who is still at work may see an earlier one");
        board.note(Stretched { to: 0, ..play(0..0) });
        board.give_back(0..1024);
        board.laid_down();
        let Work::Finding(seen) = board.take() else { panic!("nobody is at work any more") };
        board.found(finding(seen));
        let Work::Finding(seen) = board.take() else { panic!("and the other") };
        assert_eq!(board.take(), Work::Wait, "until it was looked into");
        board.found(finding(seen));
        assert_eq!(board.take(), Work::Over);
        let outcome = board.outcome(&[]);
        assert_eq!((outcome.scripts, outcome.stopped), (11, true));
    }
}
