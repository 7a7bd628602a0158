//! `connects-in-time`: a connection that does not open is given up.

use super::handshake_in_time::{self, SYMPTOMS};
use super::{AskedOf, Case, JudgedFrom, Rule, Suspicions, refuses_bad_opening};
use crate::verdict::{Class, Invariant};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ConnectsInTime,
    class: Class::Liveness,
    section: "4.1",
    quote: None,
    says: "The client gives up a connection that does not open within its bound.",
    explains: "The server took the connection and never opened a WebSocket: it sent nothing, half of an\n\
              answer, one byte now and then, a status other than 101, or a 101 that does not answer\n\
              the client's key. One deadline around the whole opening ends that; a time-out for each\n\
              read does not, and neither does one around the TCP connection alone. Judged only where\n\
              a bound is set for it.",
    asked_of: AskedOf::Client("it waits for the response; what a server waits for is the request"),
    judged_from: JudgedFrom::Accept,
    symptoms: SYMPTOMS,
    check,
};

/// Who opened the WebSocket on an answer that opens none has a rule for that.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    if refuses_bad_opening::opened_all_the_same(case.view).is_none() {
        handshake_in_time::check(case, out);
    }
}
