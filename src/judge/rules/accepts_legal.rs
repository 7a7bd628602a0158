//! `accepts-legal`: what is legal is not taken for a violation.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View, came_before};
use crate::wire::{CloseClass, CloseCode, Opcode};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::AcceptsLegal,
    class: Class::Safety,
    section: "5.4, 5.5, 5.5.1",
    quote: Some((
        "5.4",
        "An endpoint MUST be capable of handling control frames in the middle of a fragmented \
                 message.",
    )),
    says: "The server does not refuse legal frames.",
    explains: "The client broke no rule, and got a Close with 1002 or 1007. Servers often refuse a Close\n\
              without a payload, or with a code and no reason; one of 125 bytes; a Close or a ping\n\
              between the fragments of a message, which every endpoint must be able to take; a Close\n\
              that crosses the server's own.",
    asked_of: AskedOf::Both("5.4 says: an endpoint"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[
        Symptom::RefusesEmptyClose,
        Symptom::RefusesBareCode,
        Symptom::RefusesRegisteredCode,
        Symptom::RefusesPrivateCode,
        Symptom::RefusesReason,
        Symptom::RefusesCloseInside,
        Symptom::RefusesControlInside,
        Symptom::RefusesOther,
    ],
    check,
};

/// A Close that blames the client for a protocol error, where it made none.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(blame(case.view));
}

fn blame(view: &View<'_>) -> Option<Suspicion> {
    let close = view.subject_frames.iter().find(|frame| frame.blames())?;
    let at = close.started;
    let blame = close.code()?;
    // What comes behind a Close is discarded, be it legal or not.
    let behind = view.actor_close().map_or(usize::MAX, |close| close.end_offset);
    let fault = view.actor_fault.filter(|fault| fault.offset <= behind);
    if came_before(fault.map(|fault| fault.event), at) {
        return None;
    }
    let arrived =
        |frame: &&Frame| frame.end_offset <= behind && frame.ended.is_some_and(|event| event <= at);
    let last = view.actor_frames.iter().rfind(arrived)?;
    let alone = view.actor_frames.iter().filter(arrived).count() == 1;
    let what = match last.code() {
        Some(code) if alone && last.is_close() => format!("legal Close (its code is {code})"),
        None if alone && last.is_close() => "legal Close".to_owned(),
        _ => "legal frames".to_owned(),
    };
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
    //# An endpoint MUST be capable of handling control frames in the
    //# middle of a fragmented message.
    let level = if is_inside_message(view, last) { Level::Must } else { Level::Should };
    let fact = format!("refused the client's {what}: it sent a Close with code {blame}");
    let symptom = refused(view, at);
    let events = [Some(at), last.ended].into_iter().flatten().collect();
    // Of a Close inside a message it may be its code that is refused.
    let inside = view.actor_close().filter(|_| symptom == Symptom::RefusesCloseInside);
    // The client may have sent the code itself, and a stream that ends in the middle of a
    // frame, or without a Close, is no legal one.
    let suspicion = Suspicion::new(level, symptom, fact, events)
        .unless(excuses::refusable(view, at))
        .unless(excuses::application_closed(view, at))
        .unless(excuses::clients_own_code(view, blame))
        .unless(excuses::unusual_code(inside))
        .unless(excuses::client_fin_without_close(view, at));
    Some(suspicion.about_an_answer(view, last))
}

/// Whether `frame` is a control frame with a fragmented message around it.
fn is_inside_message(view: &View<'_>, frame: &Frame) -> bool {
    let before = view.actor_frames.iter().take_while(|other| other.end_offset < frame.end_offset);
    let last = before.filter(|other| other.opcode.is_data()).last();
    let open = last.and_then(|data| data.head).is_some_and(|head| !head.fin);
    open && matches!(frame.opcode, Opcode::CLOSE | Opcode::PING | Opcode::PONG)
}

/// What was refused: a Close, where one had come by then; a ping or pong inside a message, where
/// one had; else it could be anything.
fn refused(view: &View<'_>, at: usize) -> Symptom {
    let here = |frame: &&Frame| frame.ended.is_some_and(|ended| ended <= at);
    let mut arrived = view.actor_frames.iter().filter(here);
    let Some(close) = arrived.clone().find(|frame| frame.is_close()) else {
        let inside = arrived.any(|frame| is_inside_message(view, frame));
        return if inside { Symptom::RefusesControlInside } else { Symptom::RefusesOther };
    };
    let reason = close.close.as_deref().is_some_and(|payload| payload.len() > 2);
    match close.code().map(CloseCode::class) {
        _ if is_inside_message(view, close) => Symptom::RefusesCloseInside,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# The Close frame MAY contain a body
        None => Symptom::RefusesEmptyClose,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2
        //# Status codes in the range 1000-2999 are reserved for definition by
        //# this protocol, its future revisions, and extensions specified in a
        //# permanent and readily available public specification.
        Some(CloseClass::Registered) => Symptom::RefusesRegisteredCode,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2
        //# Status codes in the range 3000-3999 are reserved for use by
        //# libraries, frameworks, and applications. [..]
        //# Status codes in the range 4000-4999 are reserved for private use
        Some(CloseClass::Library | CloseClass::Private) => Symptom::RefusesPrivateCode,
        Some(_) if reason => Symptom::RefusesReason,
        Some(_) => Symptom::RefusesBareCode,
    }
}
