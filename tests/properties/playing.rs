//! Scripts that are played: honest servers are not blamed, and what is shrunk is minimal.

use crate::vocabulary::{Scale, check, script};
use hangup::generate::GeneratorConfig;
use hangup::judge::judge;
use hangup::run::virtual_time::play;
use hangup::script::Script;
use hangup::shrink::{BUDGET, shrink};
use hangup::target::Target;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::verdict::Identity;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many scripts are drawn in search of one that fails.
const DRAWN: u64 = 60;

/// What `script` shows of `target` that it does not declare.
pub fn blamed(target: &Arc<dyn Target>, script: &Script) -> BTreeSet<Identity> {
    let bounds = target.bounds();
    let violations = judge(&play(target, &bounds, script, 0), &bounds).violations;
    let keys = violations.into_iter().map(|violation| violation.identity);
    keys.filter(|key| !target.deviations().iter().any(|known| known.accepts(*key))).collect()
}

/// `script`, which breaks `key`, shrinks to one that breaks it too, is no longer, has no step
/// and no pair of steps too many, and shrinks to itself.
pub fn shrinks_well(target: &Arc<dyn Target>, script: &Script, key: Identity) -> TestCaseResult {
    let fails = |candidate: &Script| blamed(target, candidate).contains(&key);
    let shrunk = shrink(script.clone(), BUDGET, fails);
    let small = shrunk.script;
    prop_assert!(fails(&small), "{} does not fail like\n{}", small, script);
    prop_assert!(small.steps.len() <= script.steps.len());
    if shrunk.plays == BUDGET {
        return Ok(());
    }
    for first in 0..small.steps.len() {
        for second in first..small.steps.len() {
            let mut fewer = small.clone();
            fewer.steps.remove(second);
            if second > first {
                fewer.steps.remove(first);
            }
            prop_assert!(!fails(&fewer), "{} is less than\n{}", fewer, small);
        }
    }
    prop_assert_eq!(&shrink(small.clone(), BUDGET, fails).script, &small);
    Ok(())
}

#[test]
fn what_a_planted_fault_shows_shrinks_to_a_minimum() {
    check(40, (select(PlantedFault::ALL), any::<u64>()), |(fault, seed)| {
        let target: Arc<dyn Target> = Arc::new(Reference::with(fault));
        let grammar = GeneratorConfig {
            bounds: target.bounds(),
            app: target.obeys(),
            ..GeneratorConfig::default()
        };
        let scripts = (0..DRAWN).map(|index| grammar.nth(seed, index));
        let shown = scripts.map(|script| (blamed(&target, &script), script));
        let failing = shown.filter_map(|(keys, script)| Some((keys.first().copied()?, script)));
        for (key, script) in failing.take(1) {
            shrinks_well(&target, &script, key)?;
        }
        Ok(())
    });
}

#[test]
fn an_honest_server_is_blamed_for_nothing_whatever_the_script() {
    check(2500, (select(Reference::STYLES.to_vec()), script(Scale::Small)), |(style, script)| {
        let target: Arc<dyn Target> = Arc::new(style);
        prop_assert_eq!(blamed(&target, &script), BTreeSet::new(), "{}", target.name());
        Ok(())
    });
}

#[test]
fn a_script_that_is_played_twice_leaves_one_trace() {
    let servers = select(vec!["tungstenite/read-deadline", "reference/split-tasks"]);
    let registry = hangup::Registry::built_in();
    check(500, (servers, script(Scale::Small), any::<u64>()), |(name, script, seed)| {
        let target = registry.find(name).expect("built in");
        let exchange = || play(target, &target.bounds(), &script, seed).digest();
        prop_assert_eq!(exchange(), exchange());
        Ok(())
    });
}
