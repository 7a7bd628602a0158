//! Makes a finding of the first script that broke a rule: shrinks it, and plays it again to
//! measure how often it fails.
//!
//! The caller supplies the function that plays: in this process, or in a worker.

use super::Campaign;
use crate::exchange::{Death, Exchange, What};
use crate::finding::Finding;
use crate::judge::judge;
use crate::run::control_play::{PlayScript, decide};
use crate::script::Script;
use crate::shrink::{BUDGET, Shrinker};
use crate::verdict::{Identity, Violation};

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

impl Campaign {
    /// Shrinks a script that broke a rule, and measures how often it fails. Once
    /// `stop_requested`, it plays nothing more that costs a process.
    pub(crate) fn investigate<E>(
        &self,
        script: Script,
        index: u64,
        first: Violation,
        play_again: &mut PlayScript<'_, E>,
        stop_requested: &dyn Fn() -> bool,
    ) -> Result<Finding, E> {
        let key = first.identity;
        let mut replayer =
            Replayer { campaign: self, key, play_again, last_failure: None, crash_cost: 0 };
        replayer.fails(&script)?;
        let mut shrinker = Shrinker::new(script);
        let mut plays = 0;
        while plays < BUDGET
            && replayer.crash_cost < MAX_SHRINK_CRASH_COST
            && !(replayer.crash_cost > 0 && stop_requested())
        {
            let Some(candidate) = shrinker.candidate() else { break };
            plays += 1;
            let failed = replayer.fails(candidate)?;
            shrinker.tell(failed);
        }
        let script = shrinker.into_best();
        let rate = replayer.rate(&script, stop_requested)?;
        let (exchange, violation) = match replayer.last_failure {
            Some(shown) => shown,
            // The violation never repeated: the finding has the first one, and an exchange without it.
            None => ((replayer.play_again)(&script)?, Violation { events: Vec::new(), ..first }),
        };
        let decided = decide(violation, &exchange, &script, replayer.play_again)?;
        let (violation, dismissed) = decided.into_parts();
        let runtime_seed = index;
        Ok(Finding { violation, script, index, runtime_seed, plays, rate, exchange, dismissed })
    }
}

/// Plays candidates, and keeps the last exchange that had the violation.
struct Replayer<'a, 'b, E> {
    campaign: &'a Campaign,
    key: Identity,
    play_again: &'a mut PlayScript<'b, E>,
    last_failure: Option<(Exchange, Violation)>,
    /// The cost of its crashes so far.
    crash_cost: u32,
}

impl<E> Replayer<'_, '_, E> {
    fn fails(&mut self, script: &Script) -> Result<bool, E> {
        let exchange = (self.play_again)(script)?;
        self.crash_cost += crash_cost(&exchange);
        let verdict = judge(&exchange, &self.campaign.bounds);
        let violation = verdict.find(self.key).cloned();
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
