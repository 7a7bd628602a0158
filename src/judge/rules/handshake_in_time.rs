//! `handshake-in-time`: an unfinished opening does not hold a connection.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicions};
use crate::judge::lateness;
use crate::verdict::{Cause, Class, Invariant, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::HandshakeInTime,
    class: Class::Liveness,
    section: "4.2, 10.4",
    quote: None,
    says: "The server ends a connection whose opening handshake takes longer than its bound.",
    explains: "The client connected and never completed its request: it sent nothing, half of it, or\n\
              one header byte now and then. One deadline over the whole opening ends that; a time-out\n\
              for each read does not. Judged only where a bound is set for it.",
    asked_of: AskedOf::Server("it waits for the request; what a client waits for is the response"),
    judged_from: JudgedFrom::Accept,
    symptoms: SYMPTOMS,
    check,
};

/// What an opening that is never given up shows, of a server and of a client (`connects-in-time`).
pub(super) const SYMPTOMS: &[Symptom] = &[
    Symptom::WaitsToRead,
    Symptom::WaitsForRoom,
    Symptom::IgnoresRoom,
    Symptom::IgnoresInput,
    Symptom::Forgotten,
    Symptom::OwnTimer,
    Symptom::StillOpen,
];

/// The end that an unfinished opening owes; for `connects-in-time` too.
pub(super) fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(lateness::missed_end(case).filter(|_| case.owes(|cause| cause == Cause::Handshake)));
}
