//! The sentence of RFC 6455 that a symptom breaks, where it is another one than its rule's: a maintainer
//! reads one sentence, and wants the one that decides.

use crate::verdict::Symptom;

/// The section, and its sentence; `None` where the rule's own sentence says it.
pub(super) fn of_symptom(symptom: Symptom) -> Option<(&'static str, &'static str)> {
    Some(match symptom {
        Symptom::ServesUnmasked => (
            "5.1",
            "The server MUST close the connection upon receiving a frame that is not masked.",
        ),
        Symptom::ServesReservedBits => (
            "5.2",
            "If a nonzero value is received and none of the negotiated extensions defines the meaning of \
             such a nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_.",
        ),
        Symptom::ServesReservedOpcode => (
            "5.2",
            "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket \
             Connection_.",
        ),
        Symptom::ServesBadText | Symptom::ServesBadReason => (
            "8.1",
            "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, \
             in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_.",
        ),
        Symptom::LongClose | Symptom::ServesLongControl | Symptom::NoFrame => (
            "5.5",
            "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.",
        ),
        Symptom::NeverSentCode => (
            "7.4.1",
            "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame by an \
             endpoint. [1006 and 1015 likewise.]",
        ),
        Symptom::RefusesCloseInside | Symptom::RefusesControlInside => (
            "5.4",
            "Control frames (see Section 5.5) MAY be injected in the middle of a fragmented message.",
        ),
        _ => return None,
    })
}
