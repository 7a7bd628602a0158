//! `idle-in-time`: a silent client does not hold a connection, where a bound is set for that.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicions};
use crate::judge::lateness;
use crate::verdict::{Cause, Class, Invariant, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::IdleInTime,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "The server ends a connection that is idle for longer than its bound; half a frame does not count as activity.",
    explains: "The server's own pings and messages are no activity of the client, and neither is half a\n\
              frame. Judged only where a bound is set for it.",
    asked_of: AskedOf::Both("whoever has a bound for it"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::WaitsToRead,
        Symptom::WaitsForRoom,
        Symptom::IgnoresRoom,
        Symptom::IgnoresInput,
        Symptom::Forgotten,
        Symptom::OwnTimer,
        Symptom::StillOpen,
    ],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(lateness::missed_end(case).filter(|_| case.owes(|cause| cause == Cause::Idle)));
}
