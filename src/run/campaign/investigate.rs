//! Makes a finding of the first script that broke a rule: shrinks it where that is asked for, and
//! plays it again to measure how often it fails.
//!
//! The caller supplies the function that plays: in this process, or in a worker.

use super::Campaign;
use super::investigations::Depth;
use crate::exchange::{Death, Exchange, What};
use crate::finding::Finding;
use crate::run::control_play::{PlayScript, judge_and_decide};
use crate::script::Script;
use crate::shrink::{BUDGET, Shrinker};
use crate::verdict::{Identity, Problem, Verdict, Violation};

/// How often a finding is played again to see whether it repeats.
const REPEATS: u32 = 10;

/// The same for a finding that stalls or fills its process, where each play takes real time.
const REPEATS_OF_STALLS: u32 = 3;

/// The most that the crashes of one shrinking may cost, by [`crash_cost`].
const MAX_SHRINK_CRASH_COST: u32 = 400;

/// The cost of the death of a process: 1 for a crash, of which a few hundred take about a
/// second; more for a full memory, and most for a stall, which takes its whole timeout.
/// 0 if the process survived.
pub(crate) fn crash_cost(exchange: &Exchange) -> u32 {
    match exchange.events.last().map(|event| &event.what) {
        Some(What::Died(Death::Signal(_) | Death::Exited(_))) => 1,
        Some(What::Died(Death::OutOfMemory)) => 10,
        Some(What::Died(Death::StoodStill)) => 25,
        _ => 0,
    }
}

/// A script that broke a rule.
#[derive(Clone, Debug)]
pub(crate) struct FirstFailure {
    pub script: Script,
    /// Its index in the campaign.
    pub index: u64,
    pub violation: Violation,
}

impl Campaign {
    /// Looks into the first script of a variant of a problem. Where that is to become the
    /// headline, and shrinks to another variant, there are two findings: the headline first.
    /// What is accepted is no headline.
    pub(crate) fn look_into<E>(
        &self,
        first: FirstFailure,
        depth: Depth,
        accepts: &dyn Fn(Identity) -> bool,
        play_again: &mut PlayScript<'_, E>,
        stop_requested: &dyn Fn() -> bool,
    ) -> Result<Vec<Finding>, E> {
        let identity = first.violation.identity;
        let goal = match depth {
            Depth::Headline => Goal::Problem(identity.problem(), accepts),
            Depth::Shrink | Depth::Check => Goal::Variant(identity),
        };
        let shrinks = depth != Depth::Check;
        let budget = if shrinks { BUDGET } else { 0 };
        let again = (depth == Depth::Headline).then(|| first.clone());
        let found = self.pursue(first, goal, budget, play_again, stop_requested)?;
        let mut findings = vec![found];
        if let Some(again) = again.filter(|_| findings[0].violation.identity != identity) {
            let depth = if self.all_variants { Depth::Shrink } else { Depth::Check };
            findings.extend(self.look_into(again, depth, accepts, play_again, stop_requested)?);
        }
        Ok(findings)
    }

    /// Shrinks a script that broke a rule to one that shows the same variant, and measures how
    /// often it fails. Once `stop_requested`, it plays nothing more that costs a process.
    pub(crate) fn investigate<E>(
        &self,
        first: FirstFailure,
        play_again: &mut PlayScript<'_, E>,
        stop_requested: &dyn Fn() -> bool,
    ) -> Result<Finding, E> {
        let goal = Goal::Variant(first.violation.identity);
        self.pursue(first, goal, BUDGET, play_again, stop_requested)
    }

    /// Shrinks a script within `budget` plays, as long as it shows the `goal`.
    fn pursue<E>(
        &self,
        FirstFailure { script, index, violation: first }: FirstFailure,
        goal: Goal<'_>,
        budget: u32,
        play_again: &mut PlayScript<'_, E>,
        stop_requested: &dyn Fn() -> bool,
    ) -> Result<Finding, E> {
        let shrunk = budget > 0;
        let mut replayer =
            Replayer { campaign: self, goal, play_again, last_failure: None, crash_cost: 0 };
        let shows = replayer.fails(&script)?;
        let mut shrinker = Shrinker::new(script);
        let mut plays = 0;
        while plays < budget
            && replayer.crash_cost < MAX_SHRINK_CRASH_COST
            && !(replayer.crash_cost > 0 && stop_requested())
        {
            let Some(candidate) = shrinker.candidate() else { break };
            plays += 1;
            let failed = replayer.fails(candidate)?;
            shrinker.tell(failed);
        }
        let script = shrinker.into_best();
        let rate = if shrunk {
            replayer.rate(&script, stop_requested)?
        } else {
            f64::from(u8::from(shows))
        };
        let (exchange, violation) = match replayer.last_failure {
            Some(shown) => shown,
            // The violation never repeated: the finding has the first one, and an exchange without it.
            None => ((replayer.play_again)(&script)?, Violation { events: Vec::new(), ..first }),
        };
        let runtime_seed = index;
        Ok(Finding {
            violation,
            script,
            shrunk,
            index,
            runtime_seed,
            plays,
            rate,
            exchange,
            dismissed: None,
        })
    }
}

/// What a shrunk script still has to show.
#[derive(Clone, Copy)]
enum Goal<'a> {
    /// The same variant.
    Variant(Identity),
    /// The same problem, in a variant of which this does not say that it is accepted.
    Problem(Problem, &'a dyn Fn(Identity) -> bool),
}

impl Goal<'_> {
    fn shown<'a>(&self, verdict: &'a Verdict) -> Option<&'a Violation> {
        match *self {
            Self::Variant(identity) => verdict.find(identity),
            Self::Problem(problem, accepts) => verdict.violations.iter().find(|violation| {
                let identity = violation.identity;
                identity.problem() == problem && !accepts(identity)
            }),
        }
    }
}

/// Plays candidates, and keeps the last exchange that had the violation.
struct Replayer<'a, 'b, E> {
    campaign: &'a Campaign,
    goal: Goal<'a>,
    play_again: &'a mut PlayScript<'b, E>,
    last_failure: Option<(Exchange, Violation)>,
    /// The cost of its crashes so far.
    crash_cost: u32,
}

impl<E> Replayer<'_, '_, E> {
    fn fails(&mut self, script: &Script) -> Result<bool, E> {
        let exchange = (self.play_again)(script)?;
        self.crash_cost += crash_cost(&exchange);
        let bounds = &self.campaign.bounds;
        let verdict = judge_and_decide(&exchange, bounds, script, self.play_again)?;
        let violation = self.goal.shown(&verdict).cloned();
        let failed = violation.is_some();
        if let Some(violation) = violation {
            self.last_failure = Some((exchange, violation));
        }
        Ok(failed)
    }

    /// The share of more plays of `script` that fail.
    fn rate(&mut self, script: &Script, stop_requested: &dyn Fn() -> bool) -> Result<f64, E> {
        let costly =
            self.last_failure.as_ref().is_some_and(|(exchange, _)| crash_cost(exchange) > 1);
        let repeats = if costly { REPEATS_OF_STALLS } else { REPEATS };
        let (mut played, mut failed) = (0, 0);
        while played < repeats && !(costly && played > 0 && stop_requested()) {
            played += 1;
            failed += u32::from(self.fails(script)?);
        }
        Ok(f64::from(failed) / f64::from(played))
    }
}
