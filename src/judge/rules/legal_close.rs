//! `legal-close`: a Close frame is well formed and its code sendable.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View, came_before};
use crate::wire::{CloseClass, CloseCode, ClosePayload, Fault};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::LegalClose,
    class: Class::Safety,
    section: "5.5, 5.5.1, 7.4",
    quote: Some((
        "7.4.1",
        "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame \
                 by an endpoint.",
    )),
    says: "A Close frame is well formed, and its code is one that may be sent.",
    explains: "A Close must never carry 1005, 1006 and 1015: an endpoint reports them to its own application.\n\
              It should not carry 1004, 0-999, 1016-2999 and 5000 up. The payload is empty or begins with two bytes, has\n\
              at most 125, and its reason is UTF-8 (cut at a character's border, not at byte 123).",
    asked_of: AskedOf::Both("5.5.1 and 7.4.1 speak of endpoints"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[
        Symptom::FragmentedClose,
        Symptom::LongClose,
        Symptom::OneByteClose,
        Symptom::BadReason,
        Symptom::NeverSentCode,
        Symptom::UnusedCode,
        Symptom::ApplicationsCode,
        Symptom::ApplicationsReason,
    ],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let closes = case.view.subject_frames.iter().filter(|frame| frame.is_close());
    let faults = closes.flat_map(|frame| {
        close_faults(frame).into_iter().flatten().map(move |fault| (frame, fault))
    });
    if let Some((frame, (level, symptom, fact))) = faults.min_by_key(|(_, (level, ..))| *level) {
        let asked_for = is_applications(case.view, frame);
        let symptom = if asked_for { as_applications(symptom) } else { symptom };
        out.push(Suspicion::new(level, symptom, fact, vec![frame.started]));
    }
}

/// Whether a Close is what the application asked for, and no echo of the client's: one that
/// came while the application's was waiting for room is answered by it.
fn is_applications(view: &View<'_>, own: &Frame) -> bool {
    let before = |event: usize| event < own.started;
    let theirs = view.actor_close().filter(|theirs| theirs.ended.is_some_and(before));
    let is_echo = theirs.is_some_and(|theirs| {
        let waited =
            came_before(view.firsts.began, theirs.started) && view.is_blocked_at(theirs.started);
        theirs.code() == own.code() && !waited
    });
    came_before(view.firsts.began, own.started) && !is_echo
}

/// What an application should not have been able to send is the library's mistake, but
/// another one than to send it by itself.
const fn as_applications(symptom: Symptom) -> Symptom {
    match symptom {
        Symptom::NeverSentCode | Symptom::UnusedCode => Symptom::ApplicationsCode,
        Symptom::LongClose | Symptom::BadReason => Symptom::ApplicationsReason,
        other => other,
    }
}

/// What is wrong with a Close: how bad it is, what it is, and in words.
type CloseFault = (Level, Symptom, String);

/// All that is wrong with a Close frame of the server's.
fn close_faults(frame: &Frame) -> [Option<CloseFault>; 4] {
    let must = |broken: bool, symptom: Symptom, fact: &str| {
        broken.then(|| (Level::Must, symptom, fact.to_owned()))
    };
    let Some(head) = frame.head else {
        let cut = matches!(frame.fault, Some(Fault::FragmentedControl(_)));
        return [
            must(cut, Symptom::FragmentedClose, "began a Close without FIN"),
            None,
            None,
            None,
        ];
    };
    let (code, reason) = match ClosePayload::parse(frame.close.as_deref().unwrap_or_default()) {
        ClosePayload::Empty => (None, None),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# If there is a body, the first two bytes of
        //# the body MUST be a 2-byte unsigned integer (in network byte order)
        //# representing a status code
        ClosePayload::OneByte(_) => {
            (None, must(true, Symptom::OneByteClose, "sent a Close payload of one byte"))
        }
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# Following the 2-byte integer, the body MAY contain UTF-8-encoded data
        ClosePayload::Code(code, reason) => {
            // Of one that is too long, only the beginning was kept: it may end inside a character.
            let bad = std::str::from_utf8(reason)
                .is_err_and(|error| error.error_len().is_some() || head.length <= 125);
            (
                code_fault(code),
                must(bad, Symptom::BadReason, "sent a close reason that is not UTF-8"),
            )
        }
    };
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
    //# All control frames MUST have a payload length of 125 bytes or less
    //# and MUST NOT be fragmented.
    let fin = must(!head.fin, Symptom::FragmentedClose, "sent a Close without FIN");
    let long = must(head.length > 125, Symptom::LongClose, "sent a Close of more than 125 bytes");
    [fin, long, reason, code]
}

fn code_fault(code: CloseCode) -> Option<CloseFault> {
    let (level, symptom) = match code.class() {
        CloseClass::Defined
        | CloseClass::Registered
        | CloseClass::Library
        | CloseClass::Private => {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# 1005 is a reserved value and MUST NOT be set as a status code in a
        //# Close control frame by an endpoint.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# 1006 is a reserved value and MUST NOT be set as a status code in a
        //# Close control frame by an endpoint.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# 1015 is a reserved value and MUST NOT be set as a status code in a
        //# Close control frame by an endpoint.
        CloseClass::NeverSent => (Level::Must, Symptom::NeverSentCode),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# Endpoints MAY use the following pre-defined status codes when sending
        //# a Close frame.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2
        //# Status codes in the range 0-999 are not used.
        CloseClass::Reserved | CloseClass::Unassigned | CloseClass::OutOfRange => {
            (Level::Should, Symptom::UnusedCode)
        }
    };
    Some((level, symptom, format!("sent a Close with code {code}")))
}
