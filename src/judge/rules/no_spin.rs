//! `no-spin`: progress or sleep. The RFC is silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::What;
use crate::verdict::{Class, Invariant, Level};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoSpin,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "The server makes progress or sleeps; it does not poll for ever.",
    explains: "Reading the end of the stream, or an error, again and again without ending burns a core\n\
              for as long as the connection lives. tokio's cooperative budget hides it, a counter of\n\
              polls without progress does not. A poll that does not return at all is worse: it stops\n\
              every task of its thread, and no time-out around it can fire.",
    asked_of: AskedOf::Both("every program"),
    judged_from: JudgedFrom::Accept,
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let Some(event) = case.view.stood_still() else { return };
    let fact = match &case.view.exchange.events[event].what {
        What::Spun { polls } => format!("polled {polls} times while time stood still"),
        What::Died(death) => death.to_string(),
        _ => return,
    };
    out.push(Suspicion::new(Level::Should, fact, vec![event]));
}
