//! `releases-in-time`: the transport is let go of by the deadline.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicions, refuses_bad_opening, refuses_illegal};
use crate::judge::lateness;
use crate::verdict::{Cause, Class, Invariant, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ReleasesInTime,
    class: Class::Liveness,
    section: "7.1.1",
    quote: Some((
        "5.5.1",
        "After both sending and receiving a Close message, an endpoint considers the WebSocket \
                 connection closed and MUST close the underlying TCP connection.",
    )),
    says: "The server closes its socket by the deadline; sending FIN is not enough.",
    explains: "The client has seen the end, or has reset the connection, and the server still holds\n\
              the socket: it shut down its writing side and waits for the client's FIN without a\n\
              deadline, or a task, a session or a split half keeps the transport alive.\n\n\
              Such sockets sit in FIN_WAIT2 or CLOSE_WAIT and use up file descriptors. Bound the\n\
              wait for the client's FIN, and drop every half of the stream. Where FIN was sent in time,\n\
              it is a should: for the client the connection has ended.",
    asked_of: AskedOf::Both("both ends hold a socket"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::KeepsSocket,
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

/// Who served a violation, and closes for another reason, has more time than that called for.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let violation = case.owed.filter(|owed| owed.cause == Cause::ClientViolation);
    let served = violation.is_some_and(|owed| refuses_illegal::went_on(case.view, owed));
    // A client that opened on what opens nothing has no opening left to give up.
    let opened = case.owes(|cause| cause == Cause::Handshake)
        && refuses_bad_opening::opened_all_the_same(case.view).is_some();
    out.extend(lateness::missed_release(case).filter(|_| !served && !opened));
}
