//! A campaign: many scripts against one target, and its findings.
//!
//! It draws, plays and judges one script after another, de-duplicates violations by their
//! [`Identity`](crate::verdict::Identity), shrinks the first script of each problem, and checks
//! that it repeats. The same seed gives the same findings. It uses no files, no terminal and no clock: a callback gets
//! [`CampaignProgress`] and can stop the campaign.
//!
//! [`Campaign::run`] plays in this process. `workers` (feature `cli`) plays in processes that a
//! target may take down.

mod confirm;
mod investigate;
mod investigations;
mod lost_workers;
mod reach;
mod unjudged;
mod work_stage;

pub(crate) use confirm::play_on_threads;
#[cfg(feature = "cli")]
pub(crate) use confirm::{Question, lasting};
#[cfg(all(feature = "cli", unix))]
pub(crate) use investigate::crash_cost;
pub(crate) use investigate::{Ends, FirstFailure};
#[cfg(all(feature = "cli", unix))]
pub(crate) use investigations::Depth;
pub(crate) use investigations::Investigations;
pub use lost_workers::{LostWorkers, MemoryLeft};
pub use reach::{NoEffect, Reach};
pub(crate) use unjudged::UnjudgedScripts;
pub use unjudged::{Unjudged, WhyUnjudged, by_rule};
#[cfg(all(feature = "cli", unix))]
pub(crate) use work_stage::WorkPlayer;
pub(crate) use work_stage::{PlaysHere, work_of};

use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::finding::problem::{Sighting, Sightings};
use crate::finding::share::{JUMPED, Share};
use crate::generate::GeneratorConfig;
use crate::run::control_play::judge_and_decide;
use crate::run::preflight::could_not_test;
use crate::run::virtual_time::play;
use crate::script::Script;
use crate::target::{Deviation, Target, most_connections};
use crate::verdict::{Identity, Level, Pattern, Verdict, Violation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The progress callback is called every so many scripts.
const PROGRESS_EVERY: u64 = 256;

/// The settings of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What the target is held to.
    pub bounds: Bounds,
    /// Names the scripts, together with their index.
    pub seed: u64,
    /// How many scripts to play; `None` for as many as the progress callback allows.
    pub scripts: Option<u64>,
    /// Whether every variant of a problem is shrunk, and not the headline alone.
    pub all_variants: bool,
}

/// An accepted deviation, and how often it fired.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The deviation.
    pub deviation: Deviation,
    /// In how many scripts it accepted a violation.
    pub fired: u64,
    /// In how many of them it accepted one of what the RFC demands.
    pub must: u64,
}

impl Accepted {
    /// Whether, in so many scripts, it fired far more often than its rate says.
    pub fn has_jumped(&self, scripts: u64) -> bool {
        let now = Share { shown: self.fired, scripts };
        self.deviation.rate.is_some_and(|rate| now.rose_from_rate(rate, JUMPED))
    }
}

/// In how many scripts a deviation accepted a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviationCounts {
    /// All of them.
    pub scripts: u64,
    /// Those in which it was one of what the RFC demands.
    pub must: u64,
}

impl DeviationCounts {
    /// Adds the counts of other scripts.
    pub const fn add(&mut self, other: Self) {
        self.scripts += other.scripts;
        self.must += other.must;
    }
}

/// The outcome of a campaign.
#[derive(Clone, Debug, Default)]
pub struct CampaignOutcome {
    /// How many scripts were played or passed over, those of shrinking not counted.
    pub scripts: u64,
    /// How many of them were not played, since scripts like them take their process down.
    pub passed_over: u64,
    /// The findings, by key: the variants of the target's problems. One at least of each problem
    /// is shrunk.
    pub findings: Vec<Finding>,
    /// What looked like a finding, and of which a control acquitted the target.
    pub dismissed: Vec<Finding>,
    /// What was seen and cannot be judged in virtual time: would-be findings.
    pub unjudged: Vec<Unjudged>,
    /// How often each variant of a problem was seen, those included that are dismissed, and those
    /// of a baseline.
    pub sightings: Sightings,
    /// How far the scripts got.
    pub reach: Reach,
    /// The target's accepted deviations.
    pub accepted: Vec<Accepted>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Why the target could not be tested, where it could not, and nothing was played: it opens no
    /// WebSocket, or sends everybody away as soon as one is open.
    pub could_not_test: Option<String>,
    /// Whether it ended early because scripts that took their process down cost too much time.
    pub given_up: bool,
    /// The worker processes that were lost through no fault of the target.
    pub lost_workers: LostWorkers,
}

impl CampaignOutcome {
    /// Takes in what [`Campaign::look_at_work`] found. What the target's deviations accept is
    /// counted for them, and what is `known` is counted.
    pub(crate) fn take_in(&mut self, found: Vec<Finding>, known: &[Pattern]) {
        for finding in found {
            let identity = finding.violation.identity;
            let mut accepted = self.accepted.iter_mut();
            if let Some(accepted) = accepted.find(|accepted| accepted.deviation.accepts(identity)) {
                accepted.fired += 1;
                continue;
            }
            let level = finding.violation.level;
            self.sightings.add(identity, Sighting { first: finding.index, scripts: 1, level });
            if !known.iter().any(|pattern| pattern.matches(identity)) {
                self.findings.push(finding);
            }
        }
        self.findings.sort_by_key(|finding| finding.violation.identity);
    }

    /// The accepted deviations that never fired although `after` scripts or more were
    /// played ([`Target::stale_after`]), and as many as [`Deviation::is_due`] asks for: the target
    /// does not deviate so any more, or never did.
    pub fn stale(&self, after: u64) -> impl Iterator<Item = &Deviation> {
        let enough = self.scripts >= after;
        let silent = move |accepted: &&Accepted| {
            enough && accepted.fired == 0 && accepted.deviation.is_due(self.scripts)
        };
        self.accepted.iter().filter(silent).map(|accepted| &accepted.deviation)
    }
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct CampaignProgress<'a> {
    /// Scripts played so far.
    pub scripts: u64,
    /// Problems so far.
    pub problems: usize,
    /// A finding that has just been made; it is complete. Of a problem, the headline comes first.
    pub new_finding: Option<&'a Finding>,
}

impl Campaign {
    /// Plays the campaign against `target`, in this process. `watch` is called
    /// with every finding, and now and then in between; `Break` stops the campaign.
    pub fn run(
        &self,
        target: &Arc<dyn Target>,
        watch: impl FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> CampaignOutcome {
        self.run_knowing(&[], target, watch)
    }

    /// The same, where findings of these patterns are `known`: they are counted, and not looked
    /// into.
    pub(crate) fn run_knowing(
        &self,
        known: &[Pattern],
        target: &Arc<dyn Target>,
        mut watch: impl FnMut(CampaignProgress<'_>) -> ControlFlow<()>,
    ) -> CampaignOutcome {
        let config = self.generator_config(&**target);
        let deviations = target.deviations();
        let mut fired = vec![DeviationCounts::default(); deviations.len()];
        let mut investigations = Investigations::new(self.all_variants, known);
        let mut outcome = CampaignOutcome::default();
        let mut unjudged = UnjudgedScripts::default();
        let accepts = accepts(deviations, known);
        outcome.could_not_test = cannot_be_tested(target, &self.bounds);
        if outcome.could_not_test.is_some() {
            return outcome;
        }
        while self.scripts.is_none_or(|scripts| outcome.scripts < scripts) {
            let index = outcome.scripts;
            let script = config.nth(self.seed, index);
            let play = |script: &Script| play(target, &self.bounds, script, index);
            let mut again = |script: &Script| play(script);
            let JudgedScript { violations, unproven, reach } =
                self.play_and_judge(&script, &mut again, deviations, &mut fired);
            for suspicion in &unproven {
                unjudged.add(suspicion, index, 1);
            }
            outcome.scripts += 1;
            outcome.reach.add(&reach);
            let mut go_on = ControlFlow::Continue(());
            for violation in violations {
                let (key, level) = (violation.identity, violation.level);
                outcome.sightings.add(key, Sighting { first: index, scripts: 1, level });
                let Some(depth) = investigations.depth(key) else { continue };
                investigations.begin(key);
                let first = FirstFailure { script: script.clone(), index, violation };
                let mut play_again = |script: &Script| Ok::<_, Infallible>(play(script));
                let Ok(findings) =
                    self.look_into(first, depth, &accepts, &mut play_again, Ends::COMPLETE);
                investigations.finish(key, findings.clone());
                let (scripts, problems) = (outcome.scripts, investigations.problems());
                for finding in findings.iter().filter(|finding| !finding.is_dismissed()) {
                    let new_finding = Some(finding);
                    let answer = watch(CampaignProgress { scripts, problems, new_finding });
                    go_on = if answer.is_break() { answer } else { go_on };
                }
            }
            if outcome.scripts.is_multiple_of(PROGRESS_EVERY) && go_on.is_continue() {
                let (scripts, problems) = (outcome.scripts, investigations.problems());
                go_on = watch(CampaignProgress { scripts, problems, new_finding: None });
            }
            if go_on.is_break() {
                outcome.stopped = true;
                break;
            }
        }
        (outcome.findings, outcome.dismissed) = investigations.into_findings();
        outcome.accepted = accepted_counts(deviations, &fired);
        outcome.unjudged = unjudged.into_list();
        outcome
    }

    /// The generator's settings for this campaign against `target`.
    pub(crate) fn generator_config(&self, target: &dyn Target) -> GeneratorConfig {
        let request_bytes = target.opening().request().len() as u32;
        let (bounds, app, connections) = (self.bounds, target.obeys(), most_connections(target));
        GeneratorConfig { bounds, app, connections, request_bytes, subject: target.role() }
    }

    /// Plays a script, and the controls that it needs.
    pub(crate) fn play_and_judge(
        &self,
        script: &Script,
        play: &mut dyn FnMut(&Script) -> Exchange,
        deviations: &[Deviation],
        fired: &mut [DeviationCounts],
    ) -> JudgedScript {
        let exchange = play(script);
        let mut again = |script: &Script| Ok::<_, Infallible>(play(script));
        let Ok(verdict) = judge_and_decide(&exchange, &self.bounds, script, &mut again);
        let reach = Reach::of(script, &exchange, verdict.reached);
        JudgedScript { reach, ..Self::unaccepted(verdict, deviations, fired) }
    }

    /// The rules that are broken, and those of which that is unproven, but for what `deviations`
    /// accept; of what is broken that is counted in `fired`.
    pub(crate) fn unaccepted(
        verdict: Verdict,
        deviations: &[Deviation],
        fired: &mut [DeviationCounts],
    ) -> JudgedScript {
        let is_new = |suspicion: &&Violation| {
            suspicion.is_lack() || Deviation::accepting(deviations, suspicion.identity).is_none()
        };
        let unproven = verdict.unproven().filter(is_new).cloned().collect();
        let mut violations = verdict.violations;
        // The strongest level of those that each of the deviations accepts: must comes first.
        let mut accepted: BTreeMap<usize, Level> = BTreeMap::new();
        violations.retain(|violation| {
            let known = Deviation::accepting(deviations, violation.identity);
            if let Some(known) = known {
                let level = accepted.entry(known).or_insert(violation.level);
                *level = violation.level.min(*level);
            }
            known.is_none()
        });
        for (known, level) in accepted {
            fired[known].add(DeviationCounts { scripts: 1, must: u64::from(level == Level::Must) });
        }
        violations.sort_by_key(|violation| violation.identity);
        violations.dedup_by_key(|violation| violation.identity);
        JudgedScript { violations, unproven, reach: Reach::default() }
    }
}

/// What a script's exchange shows, but for what is accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct JudgedScript {
    /// The first violation of each identity, in their order.
    pub violations: Vec<Violation>,
    /// What would be violations if the target's time were virtual.
    pub unproven: Vec<Violation>,
    /// How far it got.
    pub reach: Reach,
}

/// Why `target` cannot be tested, where it cannot: it opens no WebSocket that stays open. Played in
/// this process.
pub(crate) fn cannot_be_tested(target: &Arc<dyn Target>, bounds: &Bounds) -> Option<String> {
    let mut polite = |script: &Script| Ok::<_, Infallible>(play(target, bounds, script, 0));
    let Ok(why) = could_not_test(target.role(), &mut polite);
    why
}

/// Whether a finding is accepted, by a deviation or as known.
pub(crate) fn accepts(deviations: &[Deviation], known: &[Pattern]) -> impl Fn(Identity) -> bool {
    move |identity| {
        Deviation::accepting(deviations, identity).is_some()
            || known.iter().any(|pattern| pattern.matches(identity))
    }
}

/// The deviations, each with how often it fired.
pub(crate) fn accepted_counts(
    deviations: &[Deviation],
    fired: &[DeviationCounts],
) -> Vec<Accepted> {
    let pairs = deviations.iter().zip(fired);
    let accepted = |(deviation, fired): (&Deviation, &DeviationCounts)| Accepted {
        deviation: *deviation,
        fired: fired.scripts,
        must: fired.must,
    };
    pairs.map(accepted).collect()
}
