//! Which smaller scripts are played next when a script is shrunk over TCP.
//!
//! A play takes as long as a bound, so that rounds are what costs: a round has the candidates that
//! come next as long as none of them fails. Nothing is played here.

use super::remote_subject::pauses;
use crate::script::Script;
use crate::shrink::Shrinker;
use std::collections::BTreeMap;
use std::time::Duration;

/// The candidates that come next after `best` as long as none of them fails, `width`
/// that have not been played.
pub(super) fn next_candidates(
    best: &Script,
    suits: &dyn Fn(&Script) -> bool,
    known: &BTreeMap<Script, bool>,
    width: usize,
) -> Vec<Script> {
    let mut ahead = Shrinker::new(best.clone());
    let mut batch = Vec::new();
    while batch.len() < width {
        let Some(candidate) = ahead.candidate() else { break };
        // What the URL does anyway cannot be left out of the script, nor changed; and to
        // leave a step out must not make what is left take longer than a script may.
        if suits(candidate) && !known.contains_key(candidate) {
            batch.push(candidate.clone());
        }
        ahead.tell(false);
    }
    batch
}

/// How small a script is: by steps, then by time, then by length.
pub(super) fn size(script: &Script) -> (usize, Duration, usize) {
    (script.steps.len(), pauses(script), script.to_string().len())
}

/// `best` without all steps that one or another of the `smaller` scripts does without.
pub(super) fn without_all<'a>(
    best: &Script,
    smaller: impl Iterator<Item = &'a Script>,
) -> Option<Script> {
    let mut kept = vec![true; best.steps.len()];
    for script in smaller {
        let mut rest = script.steps.iter().peekable();
        let keeps: Vec<bool> =
            best.steps.iter().map(|step| rest.next_if(|next| *next == step).is_some()).collect();
        if rest.peek().is_none() {
            kept.iter_mut().zip(keeps).for_each(|(kept, keeps)| *kept &= keeps);
        }
    }
    let steps = best.steps.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(step, _)| step);
    let script = Script { steps: steps.cloned().collect() };
    (script.steps.len() < best.steps.len()).then_some(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::real_time::remote_subject::UrlRole;

    fn script(text: &str) -> Script {
        text.parse().expect(text)
    }

    #[test]
    fn steps_that_can_go_one_by_one_are_tried_together() {
        let best = script("upgrade\nping\nclose\nfin\n");
        let smaller = [script("upgrade\nclose\nfin\n"), script("upgrade\nping\nclose\n")];
        assert_eq!(without_all(&best, smaller.iter()), Some(script("upgrade\nclose\n")));
        assert_eq!(without_all(&best, [script("upgrade\npong\n")].iter()), None);
    }

    #[test]
    fn the_step_of_the_role_stays_in_every_candidate() {
        let best = script("upgrade\napp close\nping x 9 every 1s\nwait 5s\n");
        let candidates =
            next_candidates(&best, &|script| UrlRole::Bye.suits(script), &BTreeMap::new(), 100);
        assert!(candidates.len() > 5);
        assert!(candidates.iter().all(|candidate| UrlRole::Bye.suits(candidate)));
        assert!(candidates.contains(&script("upgrade\napp close\n")));
    }
}
