//! `no-panic`: no task panics, and none ends its process. The RFC is silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{Death, What};
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoPanic,
    class: Class::Safety,
    section: "-",
    quote: None,
    says: "No task of the server panics, and none ends its process, whatever the client sends.",
    explains: "The runtime catches a panic in a connection's task, and it is easily overlooked; the rest of\n\
              the task does not run. An abort, a signal and a call of exit end all other connections too.\n\
              Over TCP hangup sees the death of a server that it started (--run); of another one it sees\n\
              that no connection is accepted any more.",
    asked_of: AskedOf::Both("every program"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::Panics, Symptom::ProcessEnds],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    // Excused, as all that is suspected of such an exchange: a runtime that lacks something is the
    // harness's.
    if let Some((event, lack)) = view.lack() {
        out.push(Suspicion::new(Level::Should, Symptom::Panics, lack.to_string(), vec![event]));
    } else if let Some(event) = view.firsts.panicked {
        let What::Panicked(message) = &view.exchange.events[event].what else { return };
        let fact = format!("panicked: {message}");
        // A panic may end the process; where that took the record with it, only the end is known.
        let symptom = if view.death().is_some() { Symptom::ProcessEnds } else { Symptom::Panics };
        out.push(Suspicion::new(Level::Should, symptom, fact, vec![event]));
    } else if let Some((event, death @ (Death::Signal(_) | Death::Exited(_) | Death::Unseen))) =
        view.death()
    {
        out.push(Suspicion::new(
            Level::Should,
            Symptom::ProcessEnds,
            death.to_string(),
            vec![event],
        ));
    }
}
