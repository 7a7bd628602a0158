//! A campaign: many scripts against one target, and what they found.
//!
//! Draws, plays and judges one script after another, de-duplicates violations by
//! their [`Key`], shrinks the first script of each, and checks that it repeats. The
//! same seed gives the same findings. Where files, terminals and clocks are
//! concerned, it asks nobody: who watches gets [`Progress`] and can say stop.

use crate::bounds::Bounds;
use crate::generate::Grammar;
use crate::judge::judge;
use crate::script::Script;
use crate::shrink::{BUDGET, Shrunk, shrink};
use crate::sim::play;
use crate::target::{Deviation, Target};
use crate::trace::Trace;
use crate::verdict::{Key, Verdict, Violation};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How often a finding is played again to see whether it repeats.
const REPEATS: u32 = 10;

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

/// Something found: the first script that broke a rule in this way, shrunk.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The violation, as the minimal script shows it.
    pub violation: Violation,
    /// The minimal script.
    pub script: Script,
    /// The index in the campaign of the script that it was shrunk from.
    pub index: u64,
    /// The seed of the runtime's own choices, for [`play`].
    pub runtime_seed: u64,
    /// How many plays shrinking took.
    pub plays: u32,
    /// Of ten more plays of the minimal script, the share that failed: 1 unless flaky.
    pub rate: f64,
    /// The minimal script's trace.
    pub trace: Trace,
}

impl Finding {
    /// Whether the minimal script does not fail every time.
    pub fn is_flaky(&self) -> bool {
        self.rate < 1.0
    }
}

/// An accepted deviation, and how often it fired.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The deviation.
    pub deviation: Deviation,
    /// How many scripts showed it.
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
    /// Plays the campaign against `target`. `watch` is told of every finding and now
    /// and then in between; `Break` ends the campaign with what it has.
    pub fn run(
        &self,
        target: &Arc<dyn Target>,
        mut watch: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Outcome {
        let grammar = Grammar { bounds: self.bounds, app: target.obeys() };
        let mut accepted: Vec<Accepted> = target
            .deviations()
            .iter()
            .map(|deviation| Accepted { deviation: *deviation, fired: 0 })
            .collect();
        let mut found: BTreeMap<Key, Finding> = BTreeMap::new();
        let mut outcome = Outcome::default();
        while self.scripts.is_none_or(|scripts| outcome.scripts < scripts) {
            let index = outcome.scripts;
            let script = grammar.nth(self.seed, index);
            let verdict = self.verdict(target, &script, index).1;
            outcome.scripts += 1;
            let mut go_on = ControlFlow::Continue(());
            for violation in verdict.violations {
                let key = violation.key;
                if let Some(known) = accepted.iter_mut().find(|known| known.deviation.accepts(key))
                {
                    known.fired += 1;
                } else if !found.contains_key(&key) {
                    let finding = self.finding(target, script.clone(), index, violation);
                    let (scripts, findings) = (outcome.scripts, found.len() + 1);
                    let told = watch(Progress { scripts, findings, news: Some(&finding) });
                    found.insert(key, finding);
                    go_on = if told.is_break() { told } else { go_on };
                }
            }
            if outcome.scripts.is_multiple_of(TELL_EVERY) && go_on.is_continue() {
                let progress =
                    Progress { scripts: outcome.scripts, findings: found.len(), news: None };
                go_on = watch(progress);
            }
            if go_on.is_break() {
                outcome.stopped = true;
                break;
            }
        }
        outcome.findings = found.into_values().collect();
        outcome.accepted = accepted;
        outcome
    }

    fn verdict(
        &self,
        target: &Arc<dyn Target>,
        script: &Script,
        runtime_seed: u64,
    ) -> (Trace, Verdict) {
        let trace = play(target, &self.bounds, script, runtime_seed);
        let verdict = judge(&trace, &self.bounds);
        (trace, verdict)
    }

    /// Shrinks a script that broke a rule, and looks at what is left of it.
    pub(crate) fn finding(
        &self,
        target: &Arc<dyn Target>,
        script: Script,
        index: u64,
        first: Violation,
    ) -> Finding {
        let key = first.key;
        let fails = |script: &Script| self.verdict(target, script, index).1.find(key).is_some();
        let Shrunk { script, plays } = shrink(script, BUDGET, fails);
        let failed = (0..REPEATS).filter(|_| fails(&script)).count();
        // One that never repeats is shown as it was first seen.
        let (trace, verdict) = self.verdict(target, &script, index);
        let violation =
            verdict.violations.into_iter().find(|violation| violation.key == key).unwrap_or(first);
        let rate = failed as f64 / f64::from(REPEATS);
        Finding { violation, script, index, runtime_seed: index, plays, rate, trace }
    }
}
