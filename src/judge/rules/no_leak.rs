//! `no-leak`: no task outlives the connection. The RFC is silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions, close_returns};
use crate::exchange::What;
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoLeak,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "No task that the server spawned for the connection outlives it.",
    explains: "The connection has ended, the time to close has passed once more, and tasks that it\n\
              spawned still run or wait: a keepalive ticker, a writer that waits on a\n\
              channel which a registry keeps open. Abort them, or let them own what ends with the\n\
              connection. Judged in virtual time only.",
    asked_of: AskedOf::Both("every program"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::TaskLeft],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    // Of an application that is left in its close, `close-returns` speaks.
    let close = close_returns::hangs(case.view);
    let Some(event) = case.view.firsts.outlived.filter(|_| close.is_none()) else { return };
    let What::Outlived { tasks } = case.view.exchange.events[event].what else { return };
    let fact = match tasks {
        1 => "left a task behind that outlives the connection".to_owned(),
        tasks => format!("left {tasks} tasks behind that outlive the connection"),
    };
    out.push(Suspicion::new(Level::Should, Symptom::TaskLeft, fact, vec![event]));
}
