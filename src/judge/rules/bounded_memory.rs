//! `bounded-memory`: the client cannot make the server buffer without limit.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Death;
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::BoundedMemory,
    class: Class::Safety,
    section: "10.4",
    quote: Some((
        "10.4",
        "Such an implementation SHOULD impose a limit on frame sizes and the total message size \
                 after reassembly from multiple frames.",
    )),
    says: "No client makes the server hold memory without limit.",
    explains: "A queue of replies that grows while the client does not read, a message that is gathered\n\
              from fragments without end, a buffer as large as a header says before the bytes are\n\
              there: one connection then takes down the whole process. Bound every queue and every\n\
              message, and refuse what is larger. Judged where the target has a bound, and where it\n\
              uses up all that its process may have.",
    asked_of: AskedOf::Both("10.4 speaks of implementations"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::MoreThanPromised, Symptom::AllMemory],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-10.4
//# Such an
//# implementation SHOULD impose a limit on frame sizes and the total
//# message size after reassembly from multiple frames.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    if let Some((event, death @ Death::OutOfMemory)) = case.view.death() {
        out.push(Suspicion::new(Level::Should, Symptom::AllMemory, death.to_string(), vec![event]));
    } else if let (Some(peak), Some(bound)) = (case.view.exchange.peak_heap, case.bounds.memory)
        && peak > bound
    {
        let fact = format!("held {peak} bytes of heap for one connection; its bound is {bound}");
        out.push(Suspicion::new(Level::Should, Symptom::MoreThanPromised, fact, Vec::new()));
    }
}
