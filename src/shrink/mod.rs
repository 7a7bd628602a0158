//! The shrinker: from a failing script to a canonical, 1-minimal one.
//!
//! 1-minimal: no connection can go, no step can go, no pair of steps can go, no value can be simpler,
//! and no two neighbours stand in a more usual order, with the failure still the same.
//! Canonical: scripts that fail for one reason end as one script, because every
//! step also tries the simplest acts that could stand in for it (`simpler`).
//!
//! [`Shrinker`] proposes candidates, and its caller tells it which of them failed. Campaigns,
//! proptest and fuzzers drive the same one. It plays nothing itself, and its budget is counted
//! in plays, never in seconds.

mod connections;
mod simpler;
mod what_matters;

use crate::script::Script;
use connections::ConnectionPass;
use simpler::Complexity;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

pub use simpler::NumberKind;
pub use what_matters::{
    Codes, MOST_BYTES, NumberRange, PLAYS, StepMatters, What, WhatMatters, what_matters, with_code,
    with_value,
};

/// The most plays that [`shrink`] spends on one script.
pub const BUDGET: u32 = 500;

/// What all plays of one shrinking may cost together, by [`Exchange::cost`](crate::exchange::Exchange::cost):
/// as much as ten plays of the most events. What is drawn costs a hundredth of that.
pub const MOST_COST: u64 = 3_000_000;

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
    complexity: Complexity,
    pass: Pass,
    /// Whether a candidate was accepted since the first pass began.
    progress: bool,
    /// Candidates that did not fail: they are not proposed again.
    /// By what they hash to: a long script has many candidates, each as long.
    tried: BTreeSet<u64>,
    proposed: Option<Script>,
    /// The [weight](weight) of the best script, and of all candidates that it looked at.
    weight: u64,
    looked: u64,
}

/// What all candidates may weigh together, those that are not proposed included: to leave out any of
/// 100,000 equal steps is the same, and to see that costs as much as to play it.
const MOST_LOOKED: u64 = 10_000_000;

/// What it costs to copy a script, about: a unit is a short step.
fn weight(script: &Script) -> u64 {
    1 + script.to_string().len() as u64 / 16
}

/// The kind of candidate that is tried, and the position in it.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// About whole connections, where there are several; then without `then` steps, or at first
    /// without half of them.
    Connections {
        pass: ConnectionPass,
        then: Option<usize>,
    },
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
    SimplerActs {
        at: usize,
        choice: usize,
    },
    /// With the `choice`-th simplest send in the place of the two sends from `at` on.
    Merge {
        at: usize,
        choice: usize,
    },
    /// With the `slot`-th number of step `at` smaller; `largest_passing` is the largest
    /// value known not to fail.
    Numbers {
        at: usize,
        slot: usize,
        largest_passing: Option<u32>,
    },
    /// With the steps `at` and `at + 1` swapped.
    Order {
        at: usize,
    },
    Done,
}

/// The same in every process.
fn hash(script: &Script) -> u64 {
    let mut hasher = DefaultHasher::new();
    script.hash(&mut hasher);
    hasher.finish()
}

impl Pass {
    /// The first pass over `script`, which goes on without `size` steps at a time, or half of them.
    fn first(script: &Script, size: Option<usize>) -> Self {
        match script.connections() {
            1 => Self::chunks(script, size),
            _ => Self::Connections { pass: ConnectionPass::FIRST, then: size },
        }
    }

    fn chunks(script: &Script, size: Option<usize>) -> Self {
        let half = || script.steps.len().div_ceil(2).max(1);
        Self::Chunks { size: size.unwrap_or_else(half), at: 0 }
    }
}

impl Shrinker {
    /// Begins with `script`, which fails.
    pub fn new(script: Script) -> Self {
        Self {
            complexity: Complexity::of(&script),
            weight: weight(&script),
            pass: Pass::first(&script, None),
            best: script,
            progress: false,
            tried: BTreeSet::new(),
            proposed: None,
            looked: 0,
        }
    }

    /// The smallest script known to fail.
    pub const fn best(&self) -> &Script {
        &self.best
    }

    /// Whether it ended because it has looked at so much; the best script may not be minimal then.
    pub const fn is_cut_short(&self) -> bool {
        self.looked >= MOST_LOOKED
    }

    /// The smallest script known to fail, for good.
    pub fn into_best(self) -> Script {
        self.best
    }

    /// The next script to play; `None` once nothing smaller fails. Asked twice, it
    /// proposes the same one until [`tell`](Self::tell) is called.
    pub fn candidate(&mut self) -> Option<&Script> {
        while self.proposed.is_none() {
            if matches!(self.pass, Pass::Done) || self.is_cut_short() {
                return None;
            }
            self.looked += self.weight;
            let candidate = self.current().filter(|candidate| {
                Complexity::of(candidate) < self.complexity
                    && !self.tried.contains(&hash(candidate))
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
            self.complexity = Complexity::of(&candidate);
            self.weight = weight(&candidate);
            self.best = candidate;
            self.progress = true;
            self.accepted();
        } else {
            self.tried.insert(hash(&candidate));
            self.rejected();
        }
    }

    /// The candidate that the pass stands at.
    fn current(&self) -> Option<Script> {
        let steps = &self.best.steps;
        let mut script = self.best.clone();
        match self.pass {
            Pass::Connections { pass, .. } => return pass.candidate(&script),
            Pass::Chunks { size, at } => {
                script.steps.drain(at..(at + size).min(steps.len()));
            }
            Pass::Pairs { first, second } => {
                script.steps.remove(second);
                script.steps.remove(first);
            }
            Pass::SimplerActs { at, choice } => {
                script.steps[at] = simpler::steps(steps.get(at)?).into_iter().nth(choice)?;
            }
            Pass::Merge { at, choice } => {
                let (first, second) = (steps.get(at)?, steps.get(at + 1)?);
                let is_one = first.connection == second.connection;
                let plain = simpler::merged(&first.act, &second.act, choice).filter(|_| is_one)?;
                script.steps.remove(at + 1);
                script.steps[at].act = plain;
            }
            Pass::Numbers { at, slot, largest_passing } => {
                let number = simpler::numbers(&steps.get(at)?.act).into_iter().nth(slot)?;
                let value = match largest_passing {
                    None => number.minimum,
                    Some(largest_passing) => {
                        largest_passing + (number.value.saturating_sub(largest_passing)) / 2
                    }
                };
                script.steps[at].act = simpler::with_number(&steps[at].act, slot, value);
            }
            Pass::Order { at } => {
                let (first, second) = (steps.get(at)?, steps.get(at + 1)?);
                if first.connection != second.connection || first.connects() {
                    return None;
                }
                script.steps.swap(at, at + 1);
            }
            Pass::Done => return None,
        }
        // Of several connections one may have no step left.
        Some(if self.best.connections() == 1 { script } else { Script::of_steps(script.steps) })
    }

    /// The candidate became the best: sets where to go on.
    fn accepted(&mut self) {
        let len = self.best.steps.len();
        self.pass = match self.pass {
            Pass::Connections { pass, then } => Pass::Connections { pass: pass.accepted(), then },
            Pass::Chunks { size, at } if at < len => Pass::Chunks { size: size.min(len), at },
            Pass::Chunks { size, .. } => Self::smaller_chunks(size),
            Pass::Pairs { .. } => Pass::Chunks { size: 1, at: 0 },
            Pass::SimplerActs { at, .. } => Pass::SimplerActs { at, choice: 0 },
            Pass::Merge { at, .. } => Pass::Merge { at, choice: 0 },
            Pass::Numbers { at, slot, largest_passing } => {
                Pass::Numbers { at, slot, largest_passing }
            }
            Pass::Order { at } => Pass::Order { at: at.saturating_sub(1) },
            Pass::Done => Pass::Done,
        };
        self.skip_finished_passes();
    }

    /// The candidate did not fail, or does not exist: moves to the next.
    fn rejected(&mut self) {
        let steps = &self.best.steps;
        self.pass = match self.pass {
            Pass::Connections { pass, then } => Pass::Connections { pass: pass.rejected(), then },
            Pass::Chunks { size, at } if at + size < steps.len() => {
                Pass::Chunks { size, at: at + size }
            }
            Pass::Chunks { size, .. } => Self::smaller_chunks(size),
            Pass::SimplerActs { at, choice } => {
                if choice + 1 < steps.get(at).map_or(0, |step| simpler::steps(step).len()) {
                    Pass::SimplerActs { at, choice: choice + 1 }
                } else {
                    Pass::SimplerActs { at: at + 1, choice: 0 }
                }
            }
            Pass::Merge { at, choice } if choice + 1 < simpler::PLAIN_SENDS => {
                Pass::Merge { at, choice: choice + 1 }
            }
            Pass::Merge { at, .. } => Pass::Merge { at: at + 1, choice: 0 },
            Pass::Numbers { at, slot, largest_passing } => {
                self.next_number(at, slot, largest_passing)
            }
            Pass::Order { at } => Pass::Order { at: at + 1 },
            Pass::Pairs { first, second } if second + 1 < steps.len() => {
                Pass::Pairs { first, second: second + 1 }
            }
            Pass::Pairs { first, .. } => Pass::Pairs { first: first + 1, second: first + 2 },
            Pass::Done => Pass::Done,
        };
        self.skip_finished_passes();
    }

    const fn smaller_chunks(size: usize) -> Pass {
        if size > 1 {
            Pass::Chunks { size: size / 2, at: 0 }
        } else {
            Pass::SimplerActs { at: 0, choice: 0 }
        }
    }

    /// Bisects between the largest value known to pass and the one known to fail.
    fn next_number(&self, at: usize, slot: usize, largest_passing: Option<u32>) -> Pass {
        let numbers = self.best.steps.get(at).map(|step| simpler::numbers(&step.act));
        let Some(number) = numbers.as_ref().and_then(|numbers| numbers.get(slot)) else {
            return Pass::Numbers { at: at + 1, slot: 0, largest_passing: None };
        };
        let largest_passing = match largest_passing {
            None => number.minimum,
            Some(largest_passing) => {
                largest_passing + number.value.saturating_sub(largest_passing) / 2
            }
        };
        if number.value.saturating_sub(largest_passing) > 1 {
            Pass::Numbers { at, slot, largest_passing: Some(largest_passing) }
        } else {
            Pass::Numbers { at, slot: slot + 1, largest_passing: None }
        }
    }

    /// Moves on from a pass that stands beyond its end.
    fn skip_finished_passes(&mut self) {
        let len = self.best.steps.len();
        loop {
            self.pass = match self.pass {
                Pass::Connections { pass, then } if pass.is_beyond(&self.best) => match pass.next()
                {
                    Some(pass) => Pass::Connections { pass, then },
                    None => Pass::chunks(&self.best, then),
                },
                Pass::Chunks { at, .. } if at >= len => Pass::SimplerActs { at: 0, choice: 0 },
                Pass::SimplerActs { at, .. } if at >= len => Pass::Merge { at: 0, choice: 0 },
                Pass::Merge { at, .. } if at + 1 >= len => {
                    Pass::Numbers { at: 0, slot: 0, largest_passing: None }
                }
                Pass::Numbers { at, .. } if at >= len => Pass::Order { at: 0 },
                Pass::Order { at } if at + 1 >= len => Pass::Pairs { first: 0, second: 1 },
                // Only now, when little is left, are all pairs affordable.
                Pass::Pairs { second, .. } if second >= len => {
                    if std::mem::take(&mut self.progress) {
                        Pass::first(&self.best, Some(1))
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
mod tests;
