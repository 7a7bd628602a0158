//! `no-spin`: progress or sleep. The RFC is silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::What;
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoSpin,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "The server makes progress or sleeps; it does not poll for ever.",
    explains: "A task that reads the end of the stream, or an error, again and again keeps a core busy for\n\
              as long as the connection lives. hangup counts polls without progress. A poll that does\n\
              not return at all is worse: it stops every task of its thread, and no time-out around it\n\
              can fire.",
    asked_of: AskedOf::Both("every program"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::PollsForEver, Symptom::StandsStill],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let Some(event) = case.view.stood_still() else { return };
    let (symptom, fact) = match &case.view.exchange.events[event].what {
        What::Spun { polls } => {
            (Symptom::PollsForEver, format!("polled {polls} times while time stood still"))
        }
        What::Died(death) => (Symptom::StandsStill, death.to_string()),
        _ => return,
    };
    out.push(Suspicion::new(Level::Should, symptom, fact, vec![event]));
}
