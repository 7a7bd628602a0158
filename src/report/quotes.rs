//! The sentence of RFC 6455 that a finding breaks: the one that decides, which may be another one than
//! its rule's, or none.
//!
//! Each sentence here is the RFC's own, and stands as a comment at the code that decides by it. This
//! file knows a finding by its identity and by what is said of it; it judges nothing.

use crate::judge::Rule;
use crate::verdict::{Cause, Class, Condition, Identity, Invariant, Level, Symptom};
use crate::wire::Role;

/// The section, and its sentence.
type Quote = (&'static str, &'static str);

const UNMASKED: Quote =
    ("5.1", "The server MUST close the connection upon receiving a frame that is not masked.");
const MASKED: Quote = ("5.1", "A client MUST close a connection if it detects a masked frame.");
const CLIENT_MASKS: Quote = ("5.1", "a client MUST mask all frames that it sends to the server");
const RESERVED_BITS: Quote = (
    "5.2",
    "If a nonzero value is received and none of the negotiated extensions defines the meaning of \
     such a nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_.",
);
const BITS_ARE_0: Quote = (
    "5.2",
    "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.",
);
const RESERVED_OPCODE: Quote = (
    "5.2",
    "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket \
     Connection_.",
);
const TOP_BIT: Quote = (
    "5.2",
    "If 127, the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant \
     bit MUST be 0) are the payload length.",
);
const SHORTEST_LENGTH: Quote = (
    "5.2",
    "Note that in all cases, the minimal number of bytes MUST be used to encode the length",
);
const FRAGMENTS: Quote = (
    "5.4",
    "A fragmented message consists of a single frame with the FIN bit clear and an opcode other \
     than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and \
     terminated by a single frame with the FIN bit set and an opcode of 0.",
);
const INTERLEAVED: Quote = (
    "5.4",
    "The fragments of one message MUST NOT be interleaved between the fragments of another message \
     unless an extension has been negotiated that can interpret the interleaving.",
);
const CONTROL_FRAMES: Quote = (
    "5.5",
    "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.",
);
const MAY_HAVE_A_BODY: Quote = ("5.5.1", "The Close frame MAY contain a body");
const CODE_FIRST: Quote = (
    "5.5.1",
    "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in \
     network byte order) representing a status code",
);
const REASON: Quote =
    ("5.5.1", "Following the 2-byte integer, the body MAY contain UTF-8-encoded data");
const TEXT: Quote = ("5.6", "The \"Payload data\" is text data encoded as UTF-8.");
const CLOSED_BY_BOTH: Quote = (
    "5.5.1",
    "After both sending and receiving a Close message, an endpoint considers the WebSocket \
     connection closed and MUST close the underlying TCP connection.",
);
const ANSWERS_AND_CLOSES: Quote = (
    "5.5.1",
    "If an endpoint receives a Close frame and did not previously send a Close frame, the \
     endpoint MUST send a Close frame in response. [..] After both sending and receiving a Close \
     message, an endpoint considers the WebSocket connection closed and MUST close the underlying \
     TCP connection.",
);
const CLOSES_THE_SOCKET: Quote = (
    "7.1.1",
    "As an example of how to obtain a clean closure in C using Berkeley sockets, one would call \
     shutdown() with SHUT_WR on the socket, call recv() until obtaining a return value of 0 \
     indicating that the peer has also performed an orderly shutdown, and finally call close() on \
     the socket.",
);
const UNASKED_PROTOCOL: Quote = (
    "4.1",
    "If the response includes a |Sec-WebSocket-Protocol| header field and this header field \
     indicates the use of a subprotocol that was not present in the client's handshake (the server \
     has indicated a subprotocol not requested by the client), the client MUST _Fail the WebSocket \
     Connection_.",
);
const AFTER_BOTH: Quote = (
    "7.1.2",
    "Once an endpoint has both sent and received a Close control frame, that endpoint SHOULD _Close \
     the WebSocket Connection_ as defined in Section 7.1.1.",
);
const REPORTED_CODE: Quote = (
    "7.1.5",
    "_The WebSocket Connection Close Code_ is defined as the status code (Section 7.4) contained in \
     the first Close control frame received by the application implementing this protocol.",
);
const NO_CODE: Quote = (
    "7.1.5",
    "If _The WebSocket Connection is Closed_ and no Close control frame was received by the endpoint \
     (such as could occur if the underlying transport connection is lost), _The WebSocket \
     Connection Close Code_ is considered to be 1006.",
);
const READS_NO_MORE: Quote = (
    "7.1.7",
    "An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) \
     from the remote endpoint after being instructed to _Fail the WebSocket Connection_.",
);
const CODES: Quote = (
    "7.4.1",
    "Endpoints MAY use the following pre-defined status codes when sending a Close frame.",
);
const UNUSED_CODES: Quote = ("7.4.2", "Status codes in the range 0-999 are not used.");
const REGISTERED_CODES: Quote = (
    "7.4.2",
    "Status codes in the range 1000-2999 are reserved for definition by this protocol, its future \
     revisions, and extensions specified in a permanent and readily available public \
     specification.",
);
const PRIVATE_CODES: Quote = (
    "7.4.2",
    "Status codes in the range 3000-3999 are reserved for use by libraries, frameworks, and \
     applications. [..] Status codes in the range 4000-4999 are reserved for private use",
);
const BAD_TEXT: Quote = (
    "8.1",
    "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, \
     in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_.",
);
const WRONG_ACCEPT: Quote = (
    "4.1",
    "If the response lacks a |Sec-WebSocket-Accept| header field or the |Sec-WebSocket-Accept| \
     contains a value other than the base64-encoded SHA-1 of the concatenation of the \
     |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string [..] the client MUST \
     _Fail the WebSocket Connection_.",
);

/// The codes that no frame may carry, each by its own sentence.
const NEVER_SENT: [(&str, Quote); 3] = [
    (
        "code 1005",
        (
            "7.4.1",
            "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame \
             by an endpoint.",
        ),
    ),
    (
        "code 1006",
        (
            "7.4.1",
            "1006 is a reserved value and MUST NOT be set as a status code in a Close control frame \
             by an endpoint.",
        ),
    ),
    (
        "code 1015",
        (
            "7.4.1",
            "1015 is a reserved value and MUST NOT be set as a status code in a Close control frame \
             by an endpoint.",
        ),
    ),
];

/// What is wrong with a frame, by a part of its name, and what that asks of whoever receives it.
const RECEIVED: &[(&str, Quote)] = &[
    ("frame without a mask", UNMASKED),
    ("frame with a mask", MASKED),
    ("reserved bits", RESERVED_BITS),
    ("reserved opcode", RESERVED_OPCODE),
    ("of more than 125 bytes", CONTROL_FRAMES),
    ("without FIN", CONTROL_FRAMES),
    ("top bit", TOP_BIT),
    ("continuation with no message open", FRAGMENTS),
    ("new message inside a fragmented one", INTERLEAVED),
    ("Close payload of one byte", CODE_FIRST),
    ("not UTF-8", BAD_TEXT),
];

/// The same of whoever sends it.
const SENT: &[(&str, Quote)] = &[
    ("reserved bits", BITS_ARE_0),
    ("reserved opcode", RESERVED_OPCODE),
    ("of more than 125 bytes", CONTROL_FRAMES),
    ("without FIN", CONTROL_FRAMES),
    ("top bit", TOP_BIT),
    ("new message inside a fragmented one", INTERLEAVED),
    ("continuation with no message open", FRAGMENTS),
];

/// The sentence that a finding breaks, of which `said` is said; `None` where the RFC has none.
pub fn quote(identity: Identity, said: &str) -> Option<Quote> {
    let own = identity.invariant().rule().quote;
    let Some(symptom) = identity.symptom() else { return own };
    match identity.invariant() {
        Invariant::EndsInTime => of_a_late_end(identity, said),
        Invariant::ReleasesInTime if symptom == Symptom::KeepsSocket => Some(CLOSES_THE_SOCKET),
        Invariant::ReleasesInTime => of_a_late_end(identity, said),
        _ => of_symptom(symptom, identity.variant().subject(), said, own),
    }
}

/// Why a rule is asked for, where no single sentence of the RFC decides.
pub fn without_quote(rule: &Rule, level: Level, subject: Role) -> String {
    let (subject, actor) = (subject.word(), subject.other().word());
    match (level, rule.class) {
        (Level::Should, Class::Liveness) => format!(
            "RFC 6455 does not demand this. It is asked of every {subject} that is to close well: what it never \
             lets go of is lost to it for as long as it runs."
        ),
        (Level::Should, Class::Safety) => format!(
            "RFC 6455 does not demand this. It is asked of every {subject} that is to close well."
        ),
        (Level::Must, Class::Liveness) => format!(
            "RFC 6455 demands the end in some variants, and these are a must: the {actor} had sent its Close, \
             which is to be answered before TCP is ended (5.5.1), or it broke the protocol (5.1 to 5.6). Of the \
             others it says nothing."
        ),
        (Level::Must, Class::Safety) => {
            format!("RFC 6455 demands this in no single sentence: {}.", rule.basis())
        }
    }
}

/// The RFC sets no time: it says what ends a connection.
fn of_a_late_end(identity: Identity, said: &str) -> Option<Quote> {
    match identity.cause() {
        _ if identity.condition() == Some(Condition::Answered) => Some(CLOSED_BY_BOTH),
        Some(Cause::ClientClose) => Some(ANSWERS_AND_CLOSES),
        Some(Cause::ClientViolation) => Some(named(said, RECEIVED).unwrap_or(READS_NO_MORE)),
        _ => None,
    }
}

/// The sentence of a symptom, where its rule's `own` is another one.
fn of_symptom(symptom: Symptom, subject: Role, said: &str, own: Option<Quote>) -> Option<Quote> {
    match symptom {
        Symptom::ControlBehindClose => Some(CLOSED_BY_BOTH),

        Symptom::FragmentedClose | Symptom::LongClose => Some(CONTROL_FRAMES),
        Symptom::OneByteClose | Symptom::ServesOneByteClose => Some(CODE_FIRST),
        Symptom::BadReason => Some(REASON),
        Symptom::ApplicationsReason => Some(named(said, SENT).unwrap_or(REASON)),
        Symptom::NeverSentCode
        | Symptom::UnusedCode
        | Symptom::ApplicationsCode
        | Symptom::ServesBadCode => Some(named(said, &NEVER_SENT).unwrap_or_else(|| of_code(said))),

        Symptom::ServesUnmasked => Some(UNMASKED),
        Symptom::ServesMasked => Some(MASKED),
        Symptom::ServesReservedBits => Some(RESERVED_BITS),
        Symptom::ServesReservedOpcode => Some(RESERVED_OPCODE),
        Symptom::ServesFragmentedControl | Symptom::ServesLongControl => Some(CONTROL_FRAMES),
        Symptom::ServesTopBit => Some(TOP_BIT),
        Symptom::ServesLoneContinuation => Some(FRAGMENTS),
        Symptom::ServesInterruptedMessage => Some(INTERLEAVED),
        Symptom::ServesBadText | Symptom::ServesBadReason => Some(BAD_TEXT),
        Symptom::AnswersWhatCameWith => Some(READS_NO_MORE),

        Symptom::RefusesEmptyClose => Some(MAY_HAVE_A_BODY),
        Symptom::RefusesBareCode => Some(CODE_FIRST),
        Symptom::RefusesRegisteredCode => Some(REGISTERED_CODES),
        Symptom::RefusesPrivateCode => Some(PRIVATE_CODES),
        Symptom::RefusesReason => Some(REASON),
        Symptom::RefusesOther => None,

        Symptom::EndsWithClose => Some(AFTER_BOTH),

        Symptom::TakesUnaskedProtocol => Some(UNASKED_PROTOCOL),

        Symptom::WrongAccept => Some(WRONG_ACCEPT),
        Symptom::WrongMask if subject == Role::Client => Some(CLIENT_MASKS),
        Symptom::WideLength => Some(SHORTEST_LENGTH),
        Symptom::FragmentOutOfPlace => Some(named(said, SENT).unwrap_or(FRAGMENTS)),
        Symptom::TextNotUtf8 => Some(TEXT),
        Symptom::NoFrame => named(said, SENT),

        Symptom::ToldOtherCode => Some(REPORTED_CODE),
        Symptom::CodeWithoutClose => Some(NO_CODE),
        Symptom::ToldTwice | Symptom::NeverTold => None,
        _ => own,
    }
}

/// The sentence of the close code that is named in what is said.
fn of_code(said: &str) -> Quote {
    let code = said.split("code ").skip(1).find_map(|behind| {
        behind.split(|other: char| !other.is_ascii_digit()).next()?.parse::<u16>().ok()
    });
    match code {
        Some(0..=999) => UNUSED_CODES,
        Some(1016..=2999) => REGISTERED_CODES,
        _ => CODES,
    }
}

/// The sentence of what is named in what is said.
fn named(said: &str, quotes: &[(&str, Quote)]) -> Option<Quote> {
    quotes.iter().find(|(name, _)| said.contains(name)).map(|(_, quote)| *quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CloseCode, Fault, Opcode};

    fn section(rule: Invariant, symptom: Symptom, said: &str) -> Option<&'static str> {
        let identity = Identity::safety(rule, None).with_symptom(symptom);
        quote(identity, said).map(|(section, _)| section)
    }

    #[test]
    fn a_close_is_quoted_by_what_is_wrong_with_it() {
        let of = |symptom, said| section(Invariant::LegalClose, symptom, said);
        let long = "At 0.000 s the server sent a Close of more than 125 bytes.";
        assert_eq!(of(Symptom::LongClose, long), Some("5.5"));
        assert_eq!(of(Symptom::ApplicationsReason, long), Some("5.5"));
        assert_eq!(of(Symptom::ApplicationsReason, "sent a close reason that .."), Some("5.5.1"));
        let code =
            Identity::safety(Invariant::LegalClose, None).with_symptom(Symptom::NeverSentCode);
        let (section, sentence) =
            quote(code, "the server sent a Close with code 1015.").expect("one");
        assert!(section == "7.4.1" && sentence.starts_with("1015 is a reserved value"));
        for (said, begins) in [
            ("sent a Close with the unassigned code 0.", "Status codes in the range 0-999 are not"),
            ("accepted it (Close with code 2999) as if", "Status codes in the range 1000-2999 are"),
            ("sent a Close with code 5000.", "Endpoints MAY use"),
        ] {
            let (_, sentence) = quote(code.with_symptom(Symptom::UnusedCode), said).expect("one");
            assert!(sentence.starts_with(begins), "{said}: {sentence}");
        }
    }

    #[test]
    fn a_late_end_is_quoted_by_its_cause_and_one_that_no_answer_comes_to_is_not() {
        let of = |cause, condition, said: &str| {
            let identity = Identity::liveness(Invariant::EndsInTime, cause, condition)
                .with_symptom(Symptom::WaitsToRead);
            quote(identity, said).map(|(section, _)| section)
        };
        assert_eq!(of(Cause::OwnClose, Condition::Silent, ""), None);
        assert_eq!(of(Cause::OwnClose, Condition::Answered, ""), Some("5.5.1"));
        assert_eq!(of(Cause::ClientClose, Condition::NotReading, ""), Some("5.5.1"));
        assert_eq!(of(Cause::ClientFin, Condition::Silent, ""), None);
        let broke = "The client broke the protocol (client frame without a mask) at 0.000 s";
        assert_eq!(of(Cause::ClientViolation, Condition::HalfSent, broke), Some("5.1"));
        assert_eq!(of(Cause::ClientViolation, Condition::HalfSent, "It did."), Some("7.1.7"));
    }

    #[test]
    fn what_is_wrong_with_a_received_frame_has_a_sentence_by_its_name() {
        for (fault, section) in [
            (Fault::Unmasked, "5.1"),
            (Fault::Masked, "5.1"),
            (Fault::ReservedBits(1), "5.2"),
            (Fault::FragmentedControl(Opcode::PING), "5.5"),
            (Fault::LongControl(Opcode::CLOSE), "5.5"),
            (Fault::LengthTopBit, "5.2"),
            (Fault::LoneContinuation, "5.4"),
            (Fault::InterruptedMessage, "5.4"),
            (Fault::TextNotUtf8, "8.1"),
            (Fault::CloseReasonNotUtf8, "8.1"),
            (Fault::CloseOneByte, "5.5.1"),
        ] {
            assert_eq!(
                named(&fault.to_string(), RECEIVED).map(|it| it.0),
                Some(section),
                "{fault}"
            );
        }
        assert_eq!(named(&Fault::Unmasked.to_string(), RECEIVED), Some(UNMASKED));
        let code = Fault::CloseCode(CloseCode(0)).to_string();
        assert_eq!(named(&code, RECEIVED), None);
    }

    #[test]
    fn a_refused_code_is_not_quoted_as_a_frame_in_the_middle_of_a_message() {
        let of = |symptom| section(Invariant::AcceptsLegal, symptom, "");
        assert_eq!(of(Symptom::RefusesRegisteredCode), Some("7.4.2"));
        assert_eq!(of(Symptom::RefusesCloseInside), Some("5.4"));
        assert_eq!(of(Symptom::RefusesOther), None);
    }
}
