//! `refuses-illegal`: a protocol violation fails the connection, with a Close that says so.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::{excuses, lateness};
use crate::verdict::{Cause, Class, Invariant, Level, Owed, Symptom};
use crate::view::{ActorFault, Frame, View, came_before};
use crate::wire::{CloseClass, CloseCode, Fault, Opcode};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::RefusesIllegal,
    class: Class::Safety,
    section: "5.1, 7.1.7, 7.4.1",
    quote: Some((
        "7.1.7",
        "If _The WebSocket Connection is Established_ prior to the point where the endpoint is \
                 required to _Fail the WebSocket Connection_, the endpoint SHOULD send a Close frame with \
                 an appropriate status code (Section 7.4) before proceeding to _Close the WebSocket \
                 Connection_.",
    )),
    says: "The server answers a protocol violation with a Close that says so, and does not echo \
         an illegal code.",
    explains: "The client sent an illegal frame: with a wrong mask, with reserved bits or a reserved opcode,\n\
              a fragment out of place, text or a reason that is not UTF-8, a Close of one byte or with an\n\
              illegal code. The server has to refuse it with a Close that says why: 1002, or 1007 for bad\n\
              UTF-8. Whether the connection then ends, ends-in-time judges.\n\n\
              Usual causes: the server handles such a frame like any other, drops the socket in its error\n\
              path, sends back whatever code came, or takes a payload of one byte, or a bad reason, for\n\
              none. Parse a Close's payload before you answer it.",
    asked_of: AskedOf::Both("5.1 has both ends fail on a wrong mask, 7.1.7 speaks of endpoints"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[
        Symptom::ServesUnmasked,
        Symptom::ServesMasked,
        Symptom::ServesReservedBits,
        Symptom::ServesReservedOpcode,
        Symptom::ServesFragmentedControl,
        Symptom::ServesLongControl,
        Symptom::ServesTopBit,
        Symptom::ServesLoneContinuation,
        Symptom::ServesInterruptedMessage,
        Symptom::ServesBadText,
        Symptom::ServesOneByteClose,
        Symptom::ServesBadCode,
        Symptom::ServesBadReason,
        Symptom::RefusesSilently,
        Symptom::RefusesByReset,
        Symptom::RefusesWithOtherCode,
        Symptom::AnswersWhatCameWith,
    ],
    check,
};

/// That a violation is refused, and what is said then. That the connection of one that was
/// refused ends is asked by `ends-in-time`.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(served(case));
    out.extend(answer_to_a_fault(case.view));
}

/// The violation was served: when the end was due that it called for, the server had said
/// nothing about it and went on reading.
fn served(case: &Case<'_>) -> Option<Suspicion> {
    let fault = case.view.actor_fault?;
    let missed = lateness::missed_end(case).filter(|missed| is_served(case, missed))?;
    // Its Close, too, may wait for room. What comes late then says nothing of the time to close, either: it may be
    // late for a reason that has nothing to do with the violation.
    let waited = |owed| lateness::waited_for_room(case.view, owed);
    if missed.timing.is_some_and(|(owed, ..)| waited(owed)) {
        return None;
    }
    let level = lateness::of_a_violation(fault.fault);
    let fact =
        format!("accepted the client's protocol violation ({}) as if it were legal", fault.fault);
    let suspicion = Suspicion::new(level, Symptom::serves(fault.fault), fact, vec![fault.event]);
    Some(Suspicion { excuses: missed.excuses, ..suspicion })
}

/// Whether the end that did not come was owed for a violation that the server serves: it has
/// read it, sent no Close that says so, and goes on reading. One that does not read any more may have
/// refused it.
pub(super) fn is_served(case: &Case<'_>, missed: &Suspicion) -> bool {
    let view = case.view;
    let (Some((owed, ..)), Some(fault)) = (missed.timing, view.actor_fault) else { return false };
    if owed.cause != Cause::ClientViolation {
        return false;
    }
    let read = !view.sees_both_ends() || view.read_upto(fault.offset, fault.event).is_some();
    // A Close that the application wanted, or that came when the end was due already and may be
    // an idle time-out's, is no refusal, unless it says so.
    let said_so = !went_on(view, owed)
        && view.own_close().is_some_and(|own| {
            let code_fits = own.code().is_some_and(|code| fits(code, fault.fault));
            let in_time = view.at(own.started) <= owed.deadline;
            code_fits || in_time && !is_applications(view, own)
        });
    // Such a Close stays in the buffers of a client that does not read, where nobody else sees it.
    let would_be_seen = view.sees_both_ends() || !view.is_blind_at(owed.deadline);
    lateness::may_read_on(missed) && read && would_be_seen && !said_so
}

fn answer_to_a_fault(view: &View<'_>) -> Option<Suspicion> {
    let fault = view.actor_fault?;
    // Behind a Close everything is discarded.
    if view.actor_close().is_some_and(|close| close.end_offset < fault.offset) {
        return None;
    }
    let proven = view.read_upto(fault.offset, fault.event)?;
    let suspicion = match view.own_close() {
        None => fails_without_close(view, proven),
        Some(close) => fails_with(view, fault, close),
    }?;
    let frame = view.actor_frames.iter().find(|frame| frame.fault == Some(fault.fault))?;
    Some(suspicion.about_an_answer(view, frame))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//# If _The WebSocket Connection is Established_ prior to the point where
//# the endpoint is required to _Fail the WebSocket Connection_, the
//# endpoint SHOULD send a Close frame with an appropriate status code
//# (Section 7.4) before proceeding to _Close the WebSocket Connection_.
fn fails_without_close(view: &View<'_>, proven: usize) -> Option<Suspicion> {
    let ended = view.told_end()?;
    if ended < proven {
        return None;
    }
    let (symptom, fact) = if view.is_reset(ended) {
        let fact = "reset the connection on the client's protocol violation without a Close";
        (Symptom::RefusesByReset, fact)
    } else {
        let fact = "ended the connection on the client's protocol violation without a Close";
        (Symptom::RefusesSilently, fact)
    };
    let suspicion = Suspicion::new(Level::Should, symptom, fact, vec![ended, proven])
        .unless(excuses::client_fin(view, ended))
        .unless(excuses::silence(view, ended))
        .unless(excuses::application_closed(view, usize::MAX));
    Some(suspicion)
}

/// Whether a Close came after the application's wish to close.
fn is_applications(view: &View<'_>, own: &Frame) -> bool {
    came_before(view.wish_to_close(), own.started)
}

/// The Close that answers a violation says that it was one.
fn fails_with(view: &View<'_>, fault: ActorFault, close: &Frame) -> Option<Suspicion> {
    close.ended?;
    // Some look at a frame once all of it is here. What they send before is about
    // something else, as it is after the application's wish to end.
    let frame = view.actor_frames.iter().find(|frame| frame.fault == Some(fault.fault))?;
    let whole = view.received(frame)?;
    if close.started < whole {
        return None;
    }
    let code = close.code();
    let fits_reason = code == Some(CloseCode::INVALID_DATA) && frame.has_bad_reason();
    if fits_reason || code.is_some_and(|code| fits(code, fault.fault)) {
        return None;
    }
    let echoes = matches!(fault.fault, Fault::CloseCode(bad) if code == Some(bad));
    let level = match code.map(CloseCode::class) {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# 1005 is a reserved value and MUST NOT be set as a status code in a
        //# Close control frame by an endpoint.
        Some(CloseClass::NeverSent) if echoes => Level::Must,
        _ => Level::Should,
    };
    let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    let how = if echoes { "echoed" } else { "answered" };
    let fact = format!("{how} the client's protocol violation ({}) with {code}", fault.fault);
    // One that has waited for room since before the frame came is about something else.
    let came = [Some(whole), frame.ended].into_iter().flatten();
    let symptom = match is_taken(view, fault.fault, close, whole) {
        Some(true) => Symptom::serves(fault.fault),
        Some(false) => Symptom::RefusesWithOtherCode,
        None => Symptom::AnswersWhatCameWith,
    };
    let suspicion = Suspicion::new(level, symptom, fact, vec![close.started, whole])
        .unless(excuses::application_closed(view, close.started))
        .unless(excuses::waited_for_room(view, came))
        .unless(excuses::reason_of_its_own(view, frame));
    Some(suspicion)
}

/// Whether a Close answers another one, or a later violation, so that this one, which had come
/// with the event `whole`, was served. `None` where both came at once, and nobody can tell.
fn is_taken(view: &View<'_>, fault: Fault, own: &Frame, whole: usize) -> Option<bool> {
    let code = own.code();
    match fault {
        Fault::CloseCode(bad) => Some([None, Some(bad), Some(CloseCode::NORMAL)].contains(&code)),
        Fault::CloseOneByte | Fault::CloseReasonNotUtf8 => {
            let theirs = view.actor_close().and_then(Frame::code);
            Some([None, theirs, Some(CloseCode::NORMAL)].contains(&code))
        }
        // Behind a frame that is none, a Close is none to us, but to a server that went on.
        _ => {
            let is_answered = |frame: &&Frame| {
                let says_so = |fault| code.is_some_and(|code| fits(code, fault));
                // With reserved bits, too: it may be those that were overlooked.
                let is_close = frame.opcode == Opcode::CLOSE;
                // Of a frame that never ends the length may be what was too big.
                let too_big = frame.ended.is_none() && code == Some(CloseCode::TOO_BIG);
                is_close && frame.code() == code || too_big || frame.fault.is_some_and(says_so)
            };
            let received = |frame: &Frame| about(view, frame, own);
            let Some(answered) = view
                .actor_frames
                .iter()
                .filter(is_answered)
                .find(|frame| received(frame).is_some())
            else {
                return Some(false);
            };
            let later = received(answered).is_some_and(|read| read > whole);
            let echoes = answered.fault == Some(fault) && code != Some(CloseCode::NORMAL);
            (later || echoes).then_some(true)
        }
    }
}

/// Whether what the server does is about a later Close, or its application's wish, and not about
/// the violation before, for which the end is owed: it then owes no more for that than for the
/// Close. What comes once the end is overdue makes nobody less late.
pub(super) fn went_on(view: &View<'_>, owed: Owed) -> bool {
    let in_time = |own: &&Frame| view.at(own.started) <= owed.deadline;
    let own = view.own_close().filter(in_time);
    let (Some(fault), Some(own)) = (view.actor_fault, own) else { return false };
    let mut broken = view.actor_frames.iter().filter(|frame| frame.fault == Some(fault.fault));
    let Some(whole) = broken.next().and_then(|frame| view.received(frame)) else { return false };
    let code_fits = own.code().is_some_and(|code| fits(code, fault.fault));
    // A refusal comes at once; what comes with a later Close or violation is about that.
    let slack = view.exchange.timing_slack;
    let later = |frame: &Frame| {
        let comes = frame.is_close() || frame.fault.is_some();
        comes && about(view, frame, own).is_some_and(|at| view.at(at) > view.at(whole).after(slack))
    };
    view.actor_frames.iter().any(later)
        || !code_fits
            && (is_taken(view, fault.fault, own, whole) == Some(true) || is_applications(view, own))
}

/// The event with which the server had received a Close, or the byte that proves a violation, or
/// the beginning of a frame that never ends, before it began its own Close.
fn about(view: &View<'_>, frame: &Frame, own: &Frame) -> Option<usize> {
    let proven = frame.faults.first().map(|(_, event)| *event);
    let begun = frame.ended.is_none().then_some(frame.started);
    view.received(frame).or(proven).or(begun).filter(|event| *event < own.started)
}

/// Whether `code` tells a client that `fault` was one.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
//# 1002 indicates that an endpoint is terminating the connection due
//# to a protocol error.
fn fits(code: CloseCode, fault: Fault) -> bool {
    match code {
        // 1008 "can be returned when there is no other more suitable status code".
        CloseCode::PROTOCOL_ERROR | CloseCode::POLICY => true,
        CloseCode::INVALID_DATA => {
            matches!(fault, Fault::TextNotUtf8 | Fault::CloseReasonNotUtf8)
        }
        CloseCode::TOO_BIG => matches!(fault, Fault::LongControl(_) | Fault::LengthTopBit),
        CloseCode::UNSUPPORTED => matches!(fault, Fault::ReservedOpcode(_)),
        _ => false,
    }
}
