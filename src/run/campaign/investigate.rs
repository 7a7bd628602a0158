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
use crate::script::{MAX_ACTS, MAX_BYTES};
use crate::shrink::{BUDGET, MOST_COST, Shrinker};
use crate::verdict::{Identity, Problem, Verdict, Violation};

/// How often a finding is played again to see whether it repeats.
const REPEATS: u32 = 10;

/// The same for a finding that stalls or fills its process, where each play takes real time.
const REPEATS_OF_STALLS: u32 = 3;

/// The same for a finding whose plays have cost all that they may.
const REPEATS_OF_COSTLY: u32 = 1;

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

/// Whether an investigation is to end before it is complete.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    /// It plays nothing more that costs a process.
    pub soon: &'a dyn Fn() -> bool,
    /// Plays fail from now on: what is known by then is the finding.
    pub now: &'a dyn Fn() -> bool,
}

impl Ends<'_> {
    /// It goes on until it is complete.
    pub const COMPLETE: Self = Self { soon: &|| false, now: &|| false };
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
        ends: Ends<'_>,
    ) -> Result<Vec<Finding>, E> {
        let identity = first.violation.identity;
        let goal = match depth {
            Depth::Headline => Goal::Problem(identity.problem(), accepts),
            Depth::Shrink | Depth::Check => Goal::Variant(identity),
        };
        let shrinks = depth != Depth::Check;
        let budget = if shrinks { BUDGET } else { 0 };
        let again = (depth == Depth::Headline).then(|| first.clone());
        let found = self.pursue(first, goal, budget, play_again, ends)?;
        let mut findings = vec![found];
        if let Some(again) = again.filter(|_| findings[0].violation.identity != identity) {
            let depth = if self.all_variants { Depth::Shrink } else { Depth::Check };
            findings.extend(self.look_into(again, depth, accepts, play_again, ends)?);
        }
        Ok(findings)
    }

    /// Shrinks a script that broke a rule to one that shows the same variant, and measures how
    /// often it fails.
    pub(crate) fn investigate<E>(
        &self,
        first: FirstFailure,
        play_again: &mut PlayScript<'_, E>,
        ends: Ends<'_>,
    ) -> Result<Finding, E> {
        let goal = Goal::Variant(first.violation.identity);
        self.pursue(first, goal, BUDGET, play_again, ends)
    }

    /// Shrinks a script within `budget` plays, as long as it shows the `goal`.
    fn pursue<E>(
        &self,
        FirstFailure { script, index, violation: first }: FirstFailure,
        goal: Goal<'_>,
        budget: u32,
        play_again: &mut PlayScript<'_, E>,
        ends: Ends<'_>,
    ) -> Result<Finding, E> {
        let shrunk = budget > 0;
        let mut replayer = Replayer {
            campaign: self,
            goal,
            play_again,
            ends,
            last_failure: None,
            crash_cost: 0,
            cost: 0,
        };
        let shows = replayer.fails(&script)?;
        let mut shrinker = Shrinker::new(script);
        let mut plays = 0;
        while plays < budget
            && shows.is_some()
            && replayer.crash_cost < MAX_SHRINK_CRASH_COST
            && replayer.cost < MOST_COST
            && !(replayer.crash_cost > 0 && (ends.soon)())
        {
            let Some(candidate) = shrinker.candidate() else { break };
            plays += 1;
            let Some(failed) = replayer.fails(candidate)? else { break };
            shrinker.tell(failed);
        }
        let cut_short =
            shrinker.is_cut_short() || replayer.cost >= MOST_COST && shrinker.candidate().is_some();
        let script = shrinker.into_best();
        let rate = match shows {
            // Nothing says that it does not repeat.
            None => 1.0,
            Some(_) if shrunk => replayer.rate(&script)?,
            Some(shows) => f64::from(u8::from(shows)),
        };
        let (exchange, violation) = match replayer.last_failure.take() {
            Some(shown) => shown,
            // The violation never repeated: the finding has the first one, and an exchange without it.
            None => {
                let exchange = replayer.play(&script)?.unwrap_or_else(|| Exchange::new(true));
                (exchange, Violation { events: Vec::new(), ..first })
            }
        };
        let shrunk = shrunk && shows.is_some();
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
            cut_short,
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
    ends: Ends<'a>,
    last_failure: Option<(Exchange, Violation)>,
    /// The cost of its crashes so far.
    crash_cost: u32,
    /// What its plays have cost so far, those of controls too.
    cost: u64,
}

impl<E> Replayer<'_, '_, E> {
    /// What a play comes to; `None` where it was cut off.
    fn unless_cut<T>(&self, played: Result<T, E>) -> Result<Option<T>, E> {
        match played {
            Err(_) if (self.ends.now)() => Ok(None),
            played => played.map(Some),
        }
    }

    fn play(&mut self, script: &Script) -> Result<Option<Exchange>, E> {
        let played = (self.play_again)(script);
        self.unless_cut(played)
    }

    /// Whether it shows the goal; `None` where a play was cut off.
    fn fails(&mut self, script: &Script) -> Result<Option<bool>, E> {
        // A smaller step may send far more: all of what was only a piece.
        if script.max_bytes_sent() > MAX_BYTES || script.acts() > MAX_ACTS {
            return Ok(Some(false));
        }
        let bounds = &self.campaign.bounds;
        let Self { play_again, cost, .. } = self;
        let mut play = |script: &Script| {
            let exchange = play_again(script)?;
            *cost += exchange.cost() + script.steps.len() as u64;
            Ok(exchange)
        };
        let judged = play(script).and_then(|exchange| {
            let verdict = judge_and_decide(&exchange, bounds, script, &mut play)?;
            Ok((exchange, verdict))
        });
        let Some((exchange, verdict)) = self.unless_cut(judged)? else { return Ok(None) };
        self.crash_cost += crash_cost(&exchange);
        let violation = self.goal.shown(&verdict).cloned();
        let failed = violation.is_some();
        if let Some(violation) = violation {
            self.last_failure = Some((exchange, violation));
        }
        Ok(Some(failed))
    }

    /// The share of more plays of `script` that fail; 1 where there were none.
    fn rate(&mut self, script: &Script) -> Result<f64, E> {
        let costly =
            self.last_failure.as_ref().is_some_and(|(exchange, _)| crash_cost(exchange) > 1);
        let repeats = match () {
            () if self.cost >= MOST_COST => REPEATS_OF_COSTLY,
            () if costly => REPEATS_OF_STALLS,
            () => REPEATS,
        };
        let (mut played, mut failed) = (0, 0);
        while played < repeats && !(costly && played > 0 && (self.ends.soon)()) {
            let Some(fails) = self.fails(script)? else { break };
            played += 1;
            failed += u32::from(fails);
        }
        Ok(if played == 0 { 1.0 } else { f64::from(failed) / f64::from(played) })
    }
}
