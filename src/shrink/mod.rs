//! The shrinker: from a failing script to a canonical, 1-minimal one.
//!
//! 1-minimal: no step can go, no pair of steps can go, no value can be simpler, and
//! no two neighbours stand in a more usual order, with the failure still the same.
//! Canonical: scripts that fail for one reason end as one script, because every
//! step also tries the simplest acts that could stand in for it (`simpler`).
//!
//! [`Shrinker`] is a machine that proposes candidates and is told what became of
//! them; campaigns, proptest and fuzzers drive the same one. It plays nothing
//! itself, and its budget is counted in plays, never in seconds.

mod simpler;

use crate::script::Script;
use simpler::Measure;
use std::collections::BTreeSet;

/// The most plays that [`shrink`] spends on one script.
pub const BUDGET: u32 = 500;

/// A shrunk script and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest script found that still fails.
    pub script: Script,
    /// How many candidates were played.
    pub plays: u32,
}

/// Shrinks `script` as long as `fails` says of the candidates that they still fail
/// in the same way, within `budget` plays.
pub fn shrink(script: Script, budget: u32, mut fails: impl FnMut(&Script) -> bool) -> Shrunk {
    let mut shrinker = Shrinker::new(script);
    let mut plays = 0;
    while plays < budget {
        let Some(candidate) = shrinker.candidate() else { break };
        plays += 1;
        let failed = fails(candidate);
        shrinker.tell(failed);
    }
    Shrunk { script: shrinker.into_best(), plays }
}

/// Walks from a failing script to its minimum, a candidate at a time.
#[derive(Clone, Debug)]
pub struct Shrinker {
    best: Script,
    measure: Measure,
    pass: Pass,
    /// Whether a candidate was accepted since the first pass began.
    progress: bool,
    /// Candidates that did not fail: they are not proposed again.
    tried: BTreeSet<Script>,
    proposed: Option<Script>,
}

/// What is tried, and how far.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// Without `size` steps from `at` on.
    Chunks {
        size: usize,
        at: usize,
    },
    /// Without the steps `first` and `second`.
    Pairs {
        first: usize,
        second: usize,
    },
    /// With the `choice`-th simpler act in the place of step `at`.
    Acts {
        at: usize,
        choice: usize,
    },
    /// With the `choice`-th simplest send in the place of the two sends from `at` on.
    Merge {
        at: usize,
        choice: usize,
    },
    /// With the `slot`-th number of step `at` smaller; `passes` is the largest
    /// value known not to fail.
    Numbers {
        at: usize,
        slot: usize,
        passes: Option<u32>,
    },
    /// With the steps `at` and `at + 1` swapped.
    Order {
        at: usize,
    },
    Done,
}

impl Shrinker {
    /// Begins with `script`, which fails.
    pub fn new(script: Script) -> Self {
        let size = script.steps.len().div_ceil(2).max(1);
        Self {
            measure: Measure::of(&script),
            best: script,
            pass: Pass::Chunks { size, at: 0 },
            progress: false,
            tried: BTreeSet::new(),
            proposed: None,
        }
    }

    /// The smallest script known to fail.
    pub const fn best(&self) -> &Script {
        &self.best
    }

    /// The smallest script known to fail, for good.
    pub fn into_best(self) -> Script {
        self.best
    }

    /// The next script to play; `None` once nothing smaller fails. Asked twice, it
    /// proposes the same one until [`tell`](Self::tell) is called.
    pub fn candidate(&mut self) -> Option<&Script> {
        while self.proposed.is_none() {
            if matches!(self.pass, Pass::Done) {
                return None;
            }
            let candidate = self.current().filter(|candidate| {
                Measure::of(candidate) < self.measure && !self.tried.contains(candidate)
            });
            match candidate {
                Some(candidate) => self.proposed = Some(candidate),
                None => self.rejected(),
            }
        }
        self.proposed.as_ref()
    }

    /// Says whether the proposed candidate failed in the same way.
    pub fn tell(&mut self, failed: bool) {
        let Some(candidate) = self.proposed.take() else { return };
        if failed {
            self.measure = Measure::of(&candidate);
            self.best = candidate;
            self.progress = true;
            self.accepted();
        } else {
            self.tried.insert(candidate);
            self.rejected();
        }
    }

    /// The candidate that the pass stands at.
    fn current(&self) -> Option<Script> {
        let steps = &self.best.steps;
        let mut script = self.best.clone();
        match self.pass {
            Pass::Chunks { size, at } => {
                script.steps.drain(at..(at + size).min(steps.len()));
            }
            Pass::Pairs { first, second } => {
                script.steps.remove(second);
                script.steps.remove(first);
            }
            Pass::Acts { at, choice } => {
                script.steps[at] = simpler::steps(steps.get(at)?).into_iter().nth(choice)?;
            }
            Pass::Merge { at, choice } => {
                let plain = simpler::merged(&steps.get(at)?.act, &steps.get(at + 1)?.act, choice)?;
                script.steps.remove(at + 1);
                script.steps[at].act = plain;
            }
            Pass::Numbers { at, slot, passes } => {
                let number = simpler::numbers(&steps.get(at)?.act).into_iter().nth(slot)?;
                let value = match passes {
                    None => number.least,
                    Some(passes) => passes + (number.value.saturating_sub(passes)) / 2,
                };
                script.steps[at].act = simpler::with_number(&steps[at].act, slot, value);
            }
            Pass::Order { at } => script.steps.swap(at, at + 1),
            Pass::Done => return None,
        }
        Some(script)
    }

    /// The candidate became the best: where to go on.
    fn accepted(&mut self) {
        let len = self.best.steps.len();
        self.pass = match self.pass {
            Pass::Chunks { size, at } if at < len => Pass::Chunks { size: size.min(len), at },
            Pass::Chunks { size, .. } => Self::smaller_chunks(size),
            Pass::Pairs { .. } => Pass::Chunks { size: 1, at: 0 },
            Pass::Acts { at, .. } => Pass::Acts { at, choice: 0 },
            Pass::Merge { at, .. } => Pass::Merge { at, choice: 0 },
            Pass::Numbers { at, slot, passes } => Pass::Numbers { at, slot, passes },
            Pass::Order { at } => Pass::Order { at: at.saturating_sub(1) },
            Pass::Done => Pass::Done,
        };
        self.skip_ends();
    }

    /// The candidate was no good, or was none: what comes next.
    fn rejected(&mut self) {
        let steps = &self.best.steps;
        self.pass = match self.pass {
            Pass::Chunks { size, at } if at + size < steps.len() => {
                Pass::Chunks { size, at: at + size }
            }
            Pass::Chunks { size, .. } => Self::smaller_chunks(size),
            Pass::Acts { at, choice } => {
                if choice + 1 < steps.get(at).map_or(0, |step| simpler::steps(step).len()) {
                    Pass::Acts { at, choice: choice + 1 }
                } else {
                    Pass::Acts { at: at + 1, choice: 0 }
                }
            }
            Pass::Merge { at, choice } if choice + 1 < simpler::PLAIN => {
                Pass::Merge { at, choice: choice + 1 }
            }
            Pass::Merge { at, .. } => Pass::Merge { at: at + 1, choice: 0 },
            Pass::Numbers { at, slot, passes } => self.next_number(at, slot, passes),
            Pass::Order { at } => Pass::Order { at: at + 1 },
            Pass::Pairs { first, second } if second + 1 < steps.len() => {
                Pass::Pairs { first, second: second + 1 }
            }
            Pass::Pairs { first, .. } => Pass::Pairs { first: first + 1, second: first + 2 },
            Pass::Done => Pass::Done,
        };
        self.skip_ends();
    }

    const fn smaller_chunks(size: usize) -> Pass {
        if size > 1 {
            Pass::Chunks { size: size / 2, at: 0 }
        } else {
            Pass::Acts { at: 0, choice: 0 }
        }
    }

    /// Bisects between the largest value known to pass and the one known to fail.
    fn next_number(&self, at: usize, slot: usize, passes: Option<u32>) -> Pass {
        let numbers = self.best.steps.get(at).map(|step| simpler::numbers(&step.act));
        let Some(number) = numbers.as_ref().and_then(|numbers| numbers.get(slot)) else {
            return Pass::Numbers { at: at + 1, slot: 0, passes: None };
        };
        let passes = match passes {
            None => number.least,
            Some(passes) => passes + number.value.saturating_sub(passes) / 2,
        };
        if number.value.saturating_sub(passes) > 1 {
            Pass::Numbers { at, slot, passes: Some(passes) }
        } else {
            Pass::Numbers { at, slot: slot + 1, passes: None }
        }
    }

    /// Moves on from a pass that stands beyond its end.
    fn skip_ends(&mut self) {
        let len = self.best.steps.len();
        loop {
            self.pass = match self.pass {
                Pass::Chunks { at, .. } if at >= len => Pass::Acts { at: 0, choice: 0 },
                Pass::Acts { at, .. } if at >= len => Pass::Merge { at: 0, choice: 0 },
                Pass::Merge { at, .. } if at + 1 >= len => {
                    Pass::Numbers { at: 0, slot: 0, passes: None }
                }
                Pass::Numbers { at, .. } if at >= len => Pass::Order { at: 0 },
                Pass::Order { at } if at + 1 >= len => Pass::Pairs { first: 0, second: 1 },
                // Only now, when little is left, are all pairs affordable.
                Pass::Pairs { second, .. } if second >= len => {
                    if std::mem::take(&mut self.progress) {
                        Pass::Chunks { size: 1, at: 0 }
                    } else {
                        Pass::Done
                    }
                }
                _ => return,
            };
            if matches!(self.pass, Pass::Done) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Grammar;

    fn script(text: &str) -> Script {
        text.parse().expect(text)
    }

    fn shrunk(text: &str, fails: impl Fn(&Script) -> bool) -> String {
        let shrunk = shrink(script(text), BUDGET, |candidate| fails(candidate));
        shrunk.script.to_string()
    }

    fn has(script: &Script, word: &str) -> bool {
        script.to_string().lines().any(|line| line.contains(word))
    }

    #[test]
    fn steps_that_do_not_matter_go() {
        let text = "upgrade\nping\nwait 2s\nclose 1000\nfin\nwait 5s\ncut";
        assert_eq!(shrunk(text, |script| has(script, "fin")), "fin\n");
    }

    #[test]
    fn steps_that_matter_only_together_go_together() {
        let even = |script: &Script| {
            let stops = script.to_string().matches("stop reading").count();
            let resumes = script.to_string().matches("resume reading").count();
            stops == resumes && has(script, "fin")
        };
        assert_eq!(shrunk("stop reading\nresume reading\nfin", even), "fin\n");
    }

    #[test]
    fn a_number_ends_at_its_exact_border() {
        let waits = |script: &Script| {
            script.steps.iter().any(|step| match step.act {
                crate::script::Act::Wait(time) => time.0 > 5000,
                _ => false,
            })
        };
        assert_eq!(shrunk("upgrade\nwait 43210ms", waits), "wait 5001ms\n");
    }

    #[test]
    fn neighbours_end_in_their_usual_order() {
        let both = |script: &Script| has(script, "stop") && has(script, "app close");
        let expected = "stop reading\napp close\n";
        assert_eq!(shrunk("app close 1000 \"bye\"\nstop reading", both), expected);
        assert_eq!(shrunk("stop reading\n+ app close", both), expected);
    }

    /// The bug class: any bytes of the client's after the application's close.
    #[test]
    fn a_hundred_failing_scripts_of_one_bug_end_as_one() {
        let fails = |script: &Script| {
            let acts: Vec<String> = script.steps.iter().map(|step| step.act.to_string()).collect();
            let close = acts.iter().position(|act| act.starts_with("app close"));
            let sends = |act: &String| {
                ["text", "binary", "ping", "pong", "close", "opcode", "unmasked"]
                    .iter()
                    .any(|word| act.starts_with(word))
            };
            acts.first().is_some_and(|act| act == "upgrade")
                && close.is_some_and(|close| acts[close..].iter().any(sends))
        };
        let failing = (0..).map(|index| Grammar::default().nth(11, index)).filter(fails).take(100);
        for start in failing {
            let shrunk = shrink(start.clone(), BUDGET, fails);
            assert_eq!(shrunk.script.to_string(), "upgrade\napp close\nping\n", "from\n{start}");
            assert!(shrunk.plays <= 200, "{} plays from\n{start}", shrunk.plays);
        }
    }

    #[test]
    fn nothing_smaller_than_the_result_was_left_untried() {
        let fails = |script: &Script| has(script, "fin") && has(script, "wait");
        let result = shrink(script("upgrade\nwait 9s\nping \"x\"\nfin"), BUDGET, fails).script;
        let mut again = Shrinker::new(result.clone());
        while let Some(candidate) = again.candidate() {
            let failed = fails(candidate);
            assert!(!failed, "{candidate} is smaller than {result}");
            again.tell(failed);
        }
    }

    /// All that is proposed for `text`, where `fails` says what of it fails.
    fn proposed(text: &str, fails: impl Fn(&str) -> bool) -> Vec<String> {
        let mut shrinker = Shrinker::new(script(text));
        let mut all = Vec::new();
        while let Some(candidate) = shrinker.candidate() {
            let lines = candidate.to_string().trim_end().replace('\n', "; ");
            let failed = fails(&lines);
            shrinker.tell(failed);
            all.push(lines);
        }
        all
    }

    #[test]
    fn halves_go_first_then_quarters_then_acts_are_simpler_then_pairs_go() {
        let found = proposed("upgrade\nwait 2ms\nreset\nfin", |_| false);
        let expected = [
            "reset; fin",
            "upgrade; wait 2ms",
            "wait 2ms; reset; fin",
            "upgrade; reset; fin",
            "upgrade; wait 2ms; fin",
            "upgrade; wait 2ms; reset",
            "upgrade; wait 2ms; fin; fin",
            "upgrade; wait 1ms; reset; fin",
            "upgrade; wait 2ms; fin; reset",
            "wait 2ms; fin",
            "wait 2ms; reset",
            "upgrade; fin",
            "upgrade; reset",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_became_the_best_is_gone_on_from_and_all_is_tried_once_more() {
        let text = "upgrade\nfin\nreset\ncut\ndrop\nstop reading\nresume reading";
        let found = proposed(text, |lines| lines.contains("upgrade") && lines.contains("drop"));
        let expected = [
            "drop; stop reading; resume reading",
            "upgrade; fin; reset; cut",
            "reset; cut; drop; stop reading; resume reading",
            "upgrade; fin; drop; stop reading; resume reading",
            "upgrade; fin; resume reading",
            "upgrade; fin; drop; stop reading",
            "fin; drop; stop reading",
            "upgrade; drop; stop reading",
            "upgrade; stop reading",
            "upgrade; drop",
            "upgrade; fin",
            "upgrade; reset",
            "",
            "drop",
            "upgrade",
        ];
        assert_eq!(found, expected);
        assert_eq!(proposed("cut", |_| true), [""]);
    }

    #[test]
    fn two_parts_of_a_frame_become_one_frame() {
        let [first, rest] = ["first 3 bytes of close 1000", "rest after 3 bytes of close 1000"];
        let fails = |lines: &str| {
            let both = lines.contains("first 3") && lines.contains("rest");
            lines.contains("upgrade") && (both || lines.contains("; close"))
        };
        let found = proposed(&format!("upgrade\n{first}\n{rest}"), fails);
        let merged = ["upgrade; ping", "upgrade; first 1 byte of ping", "upgrade; close"];
        let at = found.iter().position(|lines| lines == merged[0]).expect("merged");
        assert_eq!(found[at..at + 3], merged);
        let fins = proposed("fin\nfin\nreset", |lines| lines.contains("; "));
        assert_eq!(fins, ["reset", "fin; fin", "fin", ""]);
    }

    #[test]
    fn a_number_is_bisected_between_what_passes_and_what_fails() {
        let millis = |lines: &str| lines.strip_prefix("wait ")?.strip_suffix("ms")?.parse().ok();
        let found = proposed("wait 20ms", |lines| millis(lines).is_some_and(|ms: u32| ms >= 7));
        let expected =
            ["", "wait 1ms", "wait 10ms", "wait 5ms", "wait 7ms", "wait 6ms", "wait 4ms"];
        assert_eq!(found, expected);
    }

    #[test]
    fn neighbours_are_swapped_back_as_far_as_they_can_go_and_then_pairs_go() {
        let all = |lines: &str| ["fin", "keep", "stop"].iter().all(|word| lines.contains(word));
        let expected = [
            "stop reading",
            "fin; app keep",
            "app keep; stop reading",
            "fin; stop reading",
            "app keep; fin; stop reading",
            "app keep; stop reading; fin",
            "stop reading; app keep; fin",
            "fin",
            "app keep",
            "app keep; fin",
            "stop reading; fin",
            "stop reading; app keep",
        ];
        assert_eq!(proposed("fin\napp keep\nstop reading", all), expected);
        let paired = |lines: &str| {
            lines.contains("stop") == lines.contains("resume") && lines.contains("fin")
        };
        let expected = [
            "resume reading",
            "stop reading; fin",
            "fin; resume reading",
            "stop reading; resume reading",
            "stop reading; resume reading; fin",
            "fin",
            "",
        ];
        assert_eq!(proposed("stop reading\nfin\nresume reading", paired), expected);
    }

    #[test]
    fn each_candidate_is_smaller_than_the_best_and_what_passed_is_not_played_again() {
        for index in 0..40 {
            let start = Grammar::default().nth(5, index);
            let mut shrinker = Shrinker::new(start);
            let mut passed = BTreeSet::new();
            while let Some(candidate) = shrinker.candidate().cloned() {
                assert_eq!(shrinker.candidate(), Some(&candidate), "asked twice");
                assert!(Measure::of(&candidate) < Measure::of(shrinker.best()), "{candidate}");
                assert!(!passed.contains(&candidate), "{candidate}");
                let failed = candidate.steps.len() > 1 && candidate.to_string().len() % 3 == 0;
                shrinker.tell(failed);
                if failed {
                    assert_eq!(shrinker.best(), &candidate);
                } else {
                    passed.insert(candidate);
                }
            }
            assert_eq!(shrinker.candidate(), None, "the end is the end");
            shrinker.tell(true);
        }
    }

    #[test]
    fn no_more_than_the_budget_is_played() {
        let text = "upgrade\nping\nwait 2s\nfin";
        for budget in 0..4 {
            assert_eq!(shrink(script(text), budget, |_| false).plays, budget);
        }
        let enough = shrink(script("fin"), BUDGET, |_| false);
        assert_eq!(enough, Shrunk { script: script("fin"), plays: 1 });
    }
}
