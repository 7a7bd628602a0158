//! Faults that several libraries share, as accepted deviations of the guide's servers.

use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};

/// A frame is looked at once all of it is here: one that its header proves illegal, and
/// that never becomes complete, is no error yet.
pub(crate) const WHOLE_FRAMES: Deviation = Deviation {
    pattern: Pattern::of(Invariant::EndsInTime)
        .with_cause(Cause::ClientViolation)
        .with_condition(Condition::HalfSent),
    reason: "the library looks at a frame once all of it has come: a frame that its beginning \
             proves illegal, and that never becomes complete, is no error yet \
             (findings/half-a-frame-without-a-mask.toml)",
    rfc: "5.1: The server MUST close the connection upon receiving a frame that is not masked.",
    rate: None,
};

/// The same, where the transport outlasts the end of the stream.
pub(crate) const WHOLE_FRAMES_RELEASE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
    ..WHOLE_FRAMES
};

/// 1014, which IANA has registered since, is taken for no code.
pub(crate) const CODE_1014: Deviation = Deviation {
    pattern: Pattern::of(Invariant::AcceptsLegal).with_symptom(Symptom::RefusesRegisteredCode),
    reason: "the library does not know 1014 (Bad Gateway), registered since, and answers it \
             with 1002 (findings/code-1014-refused.toml)",
    rfc: "7.4.2: Status codes in the range 1000-2999 are reserved for definition by this \
          protocol, its future revisions, and extensions specified in a permanent and readily \
          available public specification.",
    rate: None,
};

/// Frames without a mask are served like any other.
pub(crate) const UNMASKED: Deviation = Deviation {
    pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientViolation),
    reason: "the library reads frames without a mask like any other, and does not let its user \
             see whether there was one (findings/a-frame-without-a-mask-is-served.toml)",
    rfc: "5.1: The server MUST close the connection upon receiving a frame that is not masked.",
    rate: None,
};

/// What is answered to a violation that the library does not see.
pub(crate) const UNSEEN_VIOLATION: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
    reason: "what the library does not take for a violation it does not answer as one",
    rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
    rate: None,
};

/// The same of a frame that came with the request, which has no cause: it is no violation yet.
pub(crate) const EARLY_UNMASKED: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesUnmasked),
    reason: UNMASKED.reason,
    ..UNSEEN_VIOLATION
};

/// The same of text that is not UTF-8, which the library hands on unchecked.
pub(crate) const EARLY_BAD_TEXT: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesBadText),
    ..UNSEEN_VIOLATION
};

/// A Close that may not be is answered with another code than that of a protocol error.
pub(crate) const MALFORMED_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientClose),
    reason: "the library takes a Close payload of one byte for an empty one \
             (findings/a-close-of-one-byte-is-an-empty-one.toml)",
    rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
    rate: None,
};

/// The same where the cause is another: that of a FIN which came with request and Close.
pub(crate) const SHORT_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesOneByteClose),
    ..MALFORMED_CLOSE
};

/// Of a fragmented message in another one, which came with the request.
pub(crate) const EARLY_NESTED: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesInterruptedMessage),
    ..UNSEEN_VIOLATION
};

/// 1015 is answered with 1015.
pub(crate) const ECHOES_1015: Deviation = Deviation {
    pattern: Pattern::of(Invariant::LegalClose).with_cause(Cause::ClientClose),
    reason: "the library answers a Close by itself, 1015 with 1015 \
             (findings/code-1015-is-sent-back.toml)",
    rfc: "7.4.1: 1015 is a reserved value and MUST NOT be set as a status code in a Close \
          control frame by an endpoint.",
    rate: None,
};

/// An own Close is sent behind an answer that waits for room.
pub(crate) const SECOND_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::ClosesOnce).with_cause(Cause::ClientClose),
    reason: "the library takes an own Close, or sends one, while its answer to the client's waits \
             for room (findings/sockudo-ws-closes-behind-its-answer.toml, \
             findings/jsonrpsee-a-failed-writers-close-goes-ahead-of-the-answer.toml)",
    rfc: "5.5.1: After both sending and receiving a Close message, an endpoint considers the \
          WebSocket connection closed",
    rate: None,
};

/// Of hosts that write what they answer to a request without a deadline.
pub(crate) const UNREAD_ANSWER: Deviation = Deviation {
    pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientFin),
    reason: "the host has no time for writing an answer, and sees no FIN while one waits for room \
             (findings/an-answer-that-nobody-reads-has-no-deadline.toml)",
    rfc: "7.1.1: An endpoint MAY close the connection via any means available when necessary, such \
          as when under attack.",
    rate: None,
};
