//! Scripts of several connections: how they are played; what is shrunk is minimal, also in its connections.

use crate::vocabulary::{Scale, check, script_of_several};
use hangup::run::virtual_time::{play, play_together};
use hangup::script::{Act, ConnectionNumber, Script, Step};
use hangup::shrink::{BUDGET, shrink};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::mem::{Discriminant, discriminant};

/// The kind of an act, and whether another connection than the first kind's has to do it.
type Needed = (Discriminant<Act>, Discriminant<Act>, bool);

/// Whether some connection does the one, and that one, or another one, does the other.
fn fails(script: &Script, (one, other, elsewhere): Needed) -> bool {
    let each = script.each();
    let does =
        |script: &Script, kind| script.steps.iter().any(|step| discriminant(&step.act) == kind);
    let doing = |kind| (0..each.len()).filter(|at| does(&each[*at], kind)).collect::<Vec<_>>();
    let others = doing(other);
    doing(one).iter().any(|at| others.iter().any(|other| (at == other) != elsewhere))
}

fn without(script: &Script, is_gone: impl Fn(usize, &Step) -> bool) -> Script {
    let steps = script.steps.iter().enumerate().filter(|(at, step)| !is_gone(*at, step));
    Script::of_steps(steps.map(|(_, step)| step.clone()).collect())
}

#[test]
fn no_connection_no_step_and_no_pair_of_steps_is_too_many_in_what_is_shrunk() {
    let scripts = (script_of_several(Scale::Small), any::<Index>(), any::<Index>());
    check(200, scripts, |(script, one, other)| {
        if script.steps.is_empty() {
            return Ok(());
        }
        let [one, other] = [one, other].map(|at| &script.steps[at.index(script.steps.len())]);
        let elsewhere = one.connection != other.connection;
        let needed = (discriminant(&one.act), discriminant(&other.act), elsewhere);
        let shrunk = shrink(script.clone(), BUDGET, |candidate| fails(candidate, needed));
        let small = shrunk.script;
        prop_assert!(fails(&small, needed), "{} does not fail like\n{}", small, script);
        prop_assert_eq!(small.to_string().parse::<Script>(), Ok(small.clone()));
        prop_assert_eq!(small.connections(), if elsewhere { 2 } else { 1 }, "{}", small);
        for number in ConnectionNumber::first(small.connections()) {
            let fewer = without(&small, |_, step| step.connection == number);
            prop_assert!(!fails(&fewer, needed), "{} is less than\n{}", fewer, small);
        }
        for first in 0..small.steps.len() {
            for second in first..small.steps.len() {
                let fewer = without(&small, |at, _| at == first || at == second);
                prop_assert!(!fails(&fewer, needed), "{} is less than\n{}", fewer, small);
            }
        }
        let again = shrink(small.clone(), BUDGET, |candidate| fails(candidate, needed));
        prop_assert_eq!(again.script, small);
        Ok(())
    });
}

#[test]
fn a_script_of_several_connections_is_played_as_its_connections_together() {
    let registry = hangup::Registry::built_in();
    let servers = select(vec!["reference", "tungstenite/no-deadline"]);
    check(150, (servers, script_of_several(Scale::Small)), |(name, script)| {
        let target = registry.find(name).expect("built in");
        let exchange = play(target, &target.bounds(), &script, 0);
        let together = play_together(target, &target.bounds(), &script.each(), 0);
        prop_assert_eq!(exchange.connections().count(), usize::from(script.connections()));
        prop_assert_eq!(exchange.digest(), together.digest(), "{}", script);
        Ok(())
    });
}
