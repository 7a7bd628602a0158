//! A campaign: many scripts against one target, and what they found.
//!
//! Draws, plays and judges one script after another, de-duplicates violations by
//! their [`Identity`], shrinks the first script of each, and checks that it repeats. The
//! same seed gives the same findings. Where files, terminals and clocks are
//! concerned, it asks nobody: who watches gets [`Progress`] and can say stop.
//!
//! [`Campaign::run`] plays in this process; `workers`, where the feature
//! `cli` is on, in processes that a target may take down.

mod look_into;

#[cfg(all(feature = "cli", unix))]
pub(crate) use look_into::toll;

use crate::bounds::Bounds;
use crate::exchange::Trace;
use crate::finding::Finding;
use crate::generate::Grammar;
use crate::judge::judge;
use crate::run::virtual_time::play;
use crate::script::Script;
use crate::target::{Deviation, Target};
use crate::verdict::{Identity, Violation};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How often progress is told: every so many scripts.
const TELL_EVERY: u64 = 256;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What the target is held to.
    pub bounds: Bounds,
    /// Names the scripts, together with their index.
    pub seed: u64,
    /// How many scripts to play; `None` for as many as the watcher allows.
    pub scripts: Option<u64>,
}

/// An accepted deviation, and how often it fired.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The deviation.
    pub deviation: Deviation,
    /// How many violations it accepted.
    pub fired: u64,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many scripts were played, those of shrinking not counted.
    pub scripts: u64,
    /// What was found, by key.
    pub findings: Vec<Finding>,
    /// The target's accepted deviations.
    pub accepted: Vec<Accepted>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Whether it ended early because too many scripts took their process down.
    pub given_up: bool,
}

impl Outcome {
    /// The accepted deviations that never fired although `after` scripts or more were
    /// played ([`Target::stale_after`]): the target does not deviate so any more, or never did.
    pub fn stale(&self, after: u64) -> impl Iterator<Item = &Deviation> {
        let enough = self.scripts >= after;
        let silent = move |accepted: &&Accepted| enough && accepted.fired == 0;
        self.accepted.iter().filter(silent).map(|accepted| &accepted.deviation)
    }
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Scripts played so far.
    pub scripts: u64,
    /// What was found so far.
    pub findings: usize,
    /// A finding that has just been made; it is complete.
    pub news: Option<&'a Finding>,
}

impl Campaign {
    /// Plays the campaign against `target`, in this process. `watch` is told of every
    /// finding and now and then in between; `Break` ends the campaign with what it has.
    pub fn run(
        &self,
        target: &Arc<dyn Target>,
        mut watch: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Outcome {
        let grammar = self.grammar(&**target);
        let deviations = target.deviations();
        let mut fired = vec![0; deviations.len()];
        let mut found: BTreeMap<Identity, Finding> = BTreeMap::new();
        let mut outcome = Outcome::default();
        while self.scripts.is_none_or(|scripts| outcome.scripts < scripts) {
            let index = outcome.scripts;
            let script = grammar.nth(self.seed, index);
            let play = |script: &Script| play(target, &self.bounds, script, index);
            let violations = self.not_accepted(&play(&script), deviations, &mut fired);
            outcome.scripts += 1;
            let mut go_on = ControlFlow::Continue(());
            for violation in violations {
                let key = violation.identity;
                if found.contains_key(&key) {
                    continue;
                }
                let mut again = |script: &Script| Ok::<_, Infallible>(play(script));
                let Ok(finding) =
                    self.finding(script.clone(), index, violation, &mut again, &|| false);
                let (scripts, findings) = (outcome.scripts, found.len() + 1);
                let told = watch(Progress { scripts, findings, news: Some(&finding) });
                found.insert(key, finding);
                go_on = if told.is_break() { told } else { go_on };
            }
            if outcome.scripts.is_multiple_of(TELL_EVERY) && go_on.is_continue() {
                let (scripts, findings) = (outcome.scripts, found.len());
                go_on = watch(Progress { scripts, findings, news: None });
            }
            if go_on.is_break() {
                outcome.stopped = true;
                break;
            }
        }
        outcome.findings = found.into_values().collect();
        outcome.accepted = accepted(deviations, &fired);
        outcome
    }

    /// What its scripts are drawn for.
    pub(crate) fn grammar(&self, target: &dyn Target) -> Grammar {
        Grammar { bounds: self.bounds, app: target.obeys() }
    }

    /// The rules that a trace breaks but for those that `deviations` accept, which
    /// are counted in `fired`.
    pub(crate) fn not_accepted(
        &self,
        trace: &Trace,
        deviations: &[Deviation],
        fired: &mut [u64],
    ) -> Vec<Violation> {
        let mut violations = judge(trace, &self.bounds).violations;
        violations.retain(|violation| {
            let known = Deviation::accepting(deviations, violation.identity);
            if let Some(known) = known {
                fired[known] += 1;
            }
            known.is_none()
        });
        violations
    }
}

/// Deviations with how often each fired.
pub(crate) fn accepted(deviations: &[Deviation], fired: &[u64]) -> Vec<Accepted> {
    let pairs = deviations.iter().zip(fired);
    pairs.map(|(deviation, fired)| Accepted { deviation: *deviation, fired: *fired }).collect()
}
