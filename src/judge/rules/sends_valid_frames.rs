//! `sends-valid-frames`: every byte is part of an opening or a frame that this end may send.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View};
use crate::wire::Fault;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::SendsValidFrames,
    class: Class::Safety,
    section: "4.1, 5.1, 5.2",
    quote: Some(("5.1", "A server MUST NOT mask any frames that it sends to the client.")),
    says: "The server's part of the opening and all its frames are legal.",
    explains: "The server sent a mask that 5.1 forbids, or none where 5.1 asks for one, reserved bits\n\
              without an extension, an unknown opcode, a length not in its shortest form, a continuation\n\
              with no message open, text that ends inside a character, or a wrong Sec-WebSocket-Accept.\n\
              Often a send was cancelled halfway: the client then reads the next frame, or the Close, as\n\
              the rest of that frame.",
    asked_of: AskedOf::Both(
        "5.1 asks a client for masks and a server for none; the rest of 5.2 binds both",
    ),
    judged_from: JudgedFrom::Opening,
    symptoms: &[
        Symptom::WrongAccept,
        Symptom::WrongMask,
        Symptom::WideLength,
        Symptom::FragmentOutOfPlace,
        Symptom::TextNotUtf8,
        Symptom::NoFrame,
    ],
    check,
};

/// What is wrong with a Close is `legal-close`'s, and what comes behind one is
/// `no-data-after-close`'s, but for an illegal control frame.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(wrong_accept(case.view).or_else(|| ill_formed(case.view)));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# If the response lacks a |Sec-WebSocket-Accept| header field or
//# the |Sec-WebSocket-Accept| contains a value other than the
//# base64-encoded SHA-1 of the concatenation of the
//# |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string [..]
//# the client MUST _Fail the WebSocket Connection_.
fn wrong_accept(view: &View<'_>) -> Option<Suspicion> {
    let fact = "sent a Sec-WebSocket-Accept that does not answer the client's key";
    let events = || view.opened.into_iter().collect();
    (view.accepts_the_key() == Some(false))
        .then(|| Suspicion::new(Level::Must, Symptom::WrongAccept, fact, events()))
}

fn ill_formed(view: &View<'_>) -> Option<Suspicion> {
    let own = view.own_close().map_or(usize::MAX, |close| close.end_offset);
    let odd = |fault| matches!(fault, Some(Fault::LongControl(_) | Fault::FragmentedControl(_)));
    let counts = |frame: &&Frame| frame.end_offset <= own || odd(frame.fault);
    view.subject_frames.iter().filter(counts).find_map(|frame| {
        let fault = fault(frame)?;
        let fact = format!("sent an illegal frame: {fault}");
        Some(Suspicion::new(Level::Must, symptom(fault), fact, vec![frame.started]))
    })
}

/// The middle of another frame, read as one, may break any rule, but most often sets reserved
/// bits or has a reserved opcode: what it breaks there is not told apart.
const fn symptom(fault: Fault) -> Symptom {
    match fault {
        Fault::Masked | Fault::Unmasked => Symptom::WrongMask,
        Fault::LengthNotMinimal => Symptom::WideLength,
        Fault::LoneContinuation | Fault::InterruptedMessage => Symptom::FragmentOutOfPlace,
        Fault::TextNotUtf8 => Symptom::TextNotUtf8,
        _ => Symptom::NoFrame,
    }
}

fn fault(frame: &Frame) -> Option<Fault> {
    match frame.fault {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# Note that in all cases, the minimal number of bytes MUST be used to
        //# encode the length
        None => frame.wide.then_some(Fault::LengthNotMinimal),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
        //# A server MUST NOT mask any frames that it sends to the client.
        Some(fault @ Fault::Masked) => Some(fault),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
        //# a client MUST mask all frames that it sends to the server
        Some(fault @ Fault::Unmasked) => Some(fault),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.6
        //# The "Payload data" is text data encoded as UTF-8.
        Some(fault @ Fault::TextNotUtf8) => Some(fault),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# MUST be 0 unless an extension is negotiated that defines meanings
        //# for non-zero values.
        Some(fault @ Fault::ReservedBits(_)) => Some(fault),
        Some(Fault::CloseOneByte | Fault::CloseCode(_) | Fault::CloseReasonNotUtf8) => None,
        Some(Fault::FragmentedControl(_) | Fault::LongControl(_)) if frame.is_close() => None,
        Some(fault) => Some(fault),
    }
}
