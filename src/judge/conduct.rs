//! How the server behaved as a program: no panic, no spin.

use super::facts::Facts;
use super::liveness;
use super::owed::cause_of;
use crate::bounds::Bounds;
use crate::trace::What;
use crate::verdict::{Ending, Invariant, Key, Level, Owed, Violation};

/// `no-panic`, `no-spin`. The RFC is silent on both; so a SHOULD.
pub(super) fn judge(
    facts: &Facts<'_>,
    owed: Option<Owed>,
    bounds: &Bounds,
    out: &mut Vec<Violation>,
) {
    let mut broken = |event: Option<usize>, invariant, fact: &dyn Fn(&What) -> String| {
        let Some(event) = event else { return };
        let cause = cause_of(facts, bounds, event);
        let ending = match invariant {
            Invariant::NoSpin => Ending::Spinning(facts.at(event)),
            _ => liveness::ending(facts, owed),
        };
        out.push(Violation {
            key: Key { invariant, cause, condition: None },
            level: Level::Should,
            ending,
            owed: None,
            fact: fact(&facts.trace.events[event].what),
            events: vec![event],
        });
    };
    broken(facts.firsts.panicked, Invariant::NoPanic, &|what| match what {
        What::Panicked(message) => format!("panicked: {message}"),
        _ => "panicked".to_owned(),
    });
    broken(facts.firsts.spun, Invariant::NoSpin, &|what| match what {
        What::Spun { polls } => format!("polled {polls} times while time stood still"),
        _ => "spun".to_owned(),
    });
}
