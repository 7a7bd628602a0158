//! `ends-in-time`: the client sees the end by the deadline.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicions, refuses_illegal};
use crate::judge::lateness;
use crate::verdict::{Cause, Class, Invariant, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::EndsInTime,
    class: Class::Liveness,
    section: "5.5.1, 7.1.1",
    quote: Some((
        "5.5.1",
        "After both sending and receiving a Close message, an endpoint considers the WebSocket \
                 connection closed and MUST close the underlying TCP connection.",
    )),
    says: "When a server has to end a connection, the client sees the end by the deadline, \
         whatever the client does.",
    explains: "The server has to end the connection from the first of these events on: the client's\n\
              Close, the server's own Close, the application's call to close, a protocol violation\n\
              by the client, the client's FIN. A client that does not answer, does not read,\n\
              goes on sending or leaves a frame half sent must not be able to delay it.\n\n\
              The classic way to break it: send a Close, then read for the reply with no deadline.\n\
              Others: a deadline around the read but not around the write of the Close, which a\n\
              client that does not read blocks; a deadline that every received frame re-arms.\n\n\
              Put one deadline, set once, around all of: sending the Close, waiting for the reply,\n\
              and closing TCP. When it passes, drop the connection.\n\n\
              RFC 6455 demands the end (must) once the client has sent its Close, and where the\n\
              client broke the protocol in most of its ways. Of a client that never answers, or\n\
              vanishes, it says nothing (should), and sets no time for any.",
    asked_of: AskedOf::Both(
        "either end that has closed, failed or lost its peer closes TCP (7.1.1)",
    ),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::WaitsToRead,
        Symptom::WaitsForRoom,
        Symptom::IgnoresRoom,
        Symptom::IgnoresInput,
        Symptom::Forgotten,
        Symptom::AwaitsIllegalRest,
        Symptom::OwnTimer,
        Symptom::StillOpen,
    ],
    check,
};

/// The opening and idleness have rules of their own, and so has a violation that the server
/// serves as if it were none: there it owes a refusal first.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let of_its_own = |cause| matches!(cause, Cause::Handshake | Cause::Idle);
    let missed = lateness::missed_end(case).filter(|_| !case.owes(of_its_own));
    out.extend(missed.filter(|missed| !refuses_illegal::is_served(case, missed)));
}
