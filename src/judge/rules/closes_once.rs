//! `closes-once`: at most one Close.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ClosesOnce,
    class: Class::Safety,
    section: "5.5.1",
    quote: Some((
        "5.5.1",
        "After both sending and receiving a Close message, an endpoint considers the WebSocket \
                 connection closed",
    )),
    says: "A server sends at most one Close.",
    explains: "Two places in the server send a Close: the application's close and the answer to the client's\n\
              Close, for example. Two ends that answer every Close with a Close would never stop.",
    asked_of: AskedOf::Both("5.5.1 speaks of endpoints"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[Symptom::SecondClose],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# After both sending and receiving a Close message, an endpoint
//# considers the WebSocket connection closed and MUST close the
//# underlying TCP connection.
// Nothing says in so many words that a second Close is forbidden: a SHOULD.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let closes = case.view.subject_frames.iter();
    let mut closes = closes.filter(|frame| frame.is_close() && frame.ended.is_some());
    if let (Some(first), Some(second)) = (closes.next(), closes.next()) {
        let events = vec![second.started, first.started];
        out.push(Suspicion::new(
            Level::Should,
            Symptom::SecondClose,
            "sent a second Close",
            events,
        ));
    }
}
