//! From the first script that broke a rule to a finding: shrunk, and played again to
//! see whether it repeats. Who plays is the caller's business: this process, or one
//! that may die of it.

use super::Campaign;
use crate::exchange::{Death, Trace, What};
use crate::finding::Finding;
use crate::judge::judge;
use crate::script::Script;
use crate::shrink::{BUDGET, Shrinker};
use crate::verdict::{Identity, Violation};

/// How often a finding is played again to see whether it repeats.
const REPEATS: u32 = 10;

/// The same for one that keeps its process from going on, where each takes real time.
const REPEATS_OF_STANDSTILLS: u32 = 3;

/// What shrinking may cost in processes, by [`toll`].
const TOLL: u32 = 400;

/// What a death costs beside its process: one that crashes counts 1, and a few
/// hundred of those take a second or so; to fill the memory takes longer, and to wait
/// for what does not come longest.
pub(crate) fn toll(trace: &Trace) -> u32 {
    match trace.events.last().map(|event| &event.what) {
        Some(What::Died(Death::Signal(_) | Death::Exited(_))) => 1,
        Some(What::Died(Death::OutOfMemory)) => 10,
        Some(What::Died(Death::StoodStill)) => 25,
        _ => 0,
    }
}

/// Plays a script once more.
pub(crate) type Again<'a, E> = dyn FnMut(&Script) -> Result<Trace, E> + 'a;

impl Campaign {
    /// Shrinks a script that broke a rule, and looks at what is left of it. Once
    /// somebody has `hurried` it, it plays nothing more that costs a process.
    pub(crate) fn finding<E>(
        &self,
        script: Script,
        index: u64,
        first: Violation,
        again: &mut Again<'_, E>,
        hurried: &dyn Fn() -> bool,
    ) -> Result<Finding, E> {
        let key = first.identity;
        let mut shown = Shown { campaign: self, key, again, last: None, paid: 0 };
        shown.fails(&script)?;
        let mut shrinker = Shrinker::new(script);
        let mut plays = 0;
        while plays < BUDGET && shown.paid < TOLL && !(shown.paid > 0 && hurried()) {
            let Some(candidate) = shrinker.candidate() else { break };
            plays += 1;
            let failed = shown.fails(candidate)?;
            shrinker.tell(failed);
        }
        let script = shrinker.into_best();
        let rate = shown.rate(&script, hurried)?;
        let (trace, violation) = match shown.last {
            Some(shown) => shown,
            // One that never repeats is shown as it was first seen, on a trace without it.
            None => ((shown.again)(&script)?, Violation { events: Vec::new(), ..first }),
        };
        Ok(Finding { violation, script, index, runtime_seed: index, plays, rate, trace })
    }
}

/// Plays again, and keeps what last showed the violation.
struct Shown<'a, 'b, E> {
    campaign: &'a Campaign,
    key: Identity,
    again: &'a mut Again<'b, E>,
    last: Option<(Trace, Violation)>,
    /// What it has cost so far.
    paid: u32,
}

impl<E> Shown<'_, '_, E> {
    fn fails(&mut self, script: &Script) -> Result<bool, E> {
        let trace = (self.again)(script)?;
        self.paid += toll(&trace);
        let verdict = judge(&trace, &self.campaign.bounds);
        let violation = verdict.find(self.key).cloned();
        let failed = violation.is_some();
        if let Some(violation) = violation {
            self.last = Some((trace, violation));
        }
        Ok(failed)
    }

    /// The share of more plays of `script` that fail.
    fn rate(&mut self, script: &Script, hurried: &dyn Fn() -> bool) -> Result<f64, E> {
        let slow = self.last.as_ref().is_some_and(|(trace, _)| toll(trace) > 1);
        let repeats = if slow { REPEATS_OF_STANDSTILLS } else { REPEATS };
        let (mut played, mut failed) = (0, 0);
        while played < repeats && !(slow && played > 0 && hurried()) {
            played += 1;
            failed += u32::from(self.fails(script)?);
        }
        Ok(f64::from(failed) / f64::from(played))
    }
}
