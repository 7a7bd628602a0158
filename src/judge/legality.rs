//! What is illegal is refused, and what is legal is not.

use super::broken::Broken;
use super::facts::{ClientFault, Facts, Seen, came_before};
use crate::verdict::{Invariant, Level};
use crate::wire::{CloseClass, CloseCode, Fault, Opcode};

/// `refuses-illegal`, `accepts-legal`.
pub(super) fn judge(facts: &Facts<'_>, out: &mut Vec<Broken>) {
    out.extend(refuses_illegal(facts));
    out.extend(accepts_legal(facts));
}

/// That the connection ends at all is asked by `ends-in-time`; here, what is said.
fn refuses_illegal(facts: &Facts<'_>) -> Option<Broken> {
    let fault = facts.client_fault?;
    // Behind a Close everything is discarded.
    if facts.client_close().is_some_and(|close| close.end_offset < fault.offset) {
        return None;
    }
    let proven = facts.read_upto(fault.offset, fault.event)?;
    match facts.own_close() {
        None => fails_without_close(facts, proven),
        Some(close) => fails_with(facts, fault, close),
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//# If _The WebSocket Connection is Established_ prior to the point where
//# the endpoint is required to _Fail the WebSocket Connection_, the
//# endpoint SHOULD send a Close frame with an appropriate status code
//# (Section 7.4) before proceeding to _Close the WebSocket Connection_.
fn fails_without_close(facts: &Facts<'_>, proven: usize) -> Option<Broken> {
    let ended = facts.told_end()?;
    // A client that has said FIN ends its stream: what the server does then is about that.
    let gone = came_before(facts.firsts.fin, ended);
    if ended < proven || gone || facts.is_mute_at(ended) || facts.firsts.began.is_some() {
        return None;
    }
    let fact = "ended the connection on the client's protocol violation without a Close".to_owned();
    let invariant = Invariant::RefusesIllegal;
    Some(Broken { invariant, level: Level::Should, fact, events: vec![ended, proven] })
}

/// The Close that answers a violation says that it was one.
fn fails_with(facts: &Facts<'_>, fault: ClientFault, close: &Seen) -> Option<Broken> {
    close.ended?;
    // Some look at a frame once all of it is here. What they send before is about
    // something else, as it is after the application's wish to end.
    let frame = facts.client.iter().find(|frame| frame.fault == Some(fault.fault))?;
    let whole = facts.received(frame)?;
    let began = came_before(facts.firsts.began, close.started);
    // So is one that has waited for room since before.
    let waited = [Some(whole), frame.ended].into_iter().flatten().any(|at| facts.is_blocked_at(at));
    if close.started < whole || began || waited || facts.may_be_unasked(frame) {
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
    let invariant = Invariant::RefusesIllegal;
    Some(Broken { invariant, level, fact, events: vec![close.started, whole] })
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
        CloseCode::TOO_BIG => matches!(fault, Fault::LongControl(_)),
        CloseCode::UNSUPPORTED => matches!(fault, Fault::ReservedOpcode(_)),
        _ => false,
    }
}

/// A Close that blames the client for a protocol error, where it made none.
fn accepts_legal(facts: &Facts<'_>) -> Option<Broken> {
    let close = facts.server.iter().find(|frame| frame.blames())?;
    let at = close.started;
    let blame = close.code()?;
    let came = |event| came_before(event, at);
    // Its own application may have asked for the code, the client may have sent it, and
    // a stream that ends in the middle of a frame is no legal one. A length in more bits
    // than it needs is the sender's fault, whatever a receiver makes of it.
    let faulty = came(facts.client_fault.map(|fault| fault.event));
    let refusable = facts.is_refusable_at(at);
    let asked = came(facts.firsts.began);
    let sent = facts.client_close().and_then(Seen::code);
    if faulty || refusable || asked || sent == Some(blame) || came(facts.firsts.fin) {
        return None;
    }
    let arrived = |frame: &&Seen| frame.ended.is_some_and(|event| event <= at);
    let last = facts.client.iter().rfind(arrived)?;
    let alone = facts.client.iter().filter(arrived).count() == 1;
    let what = if alone && last.is_close() { "legal Close" } else { "legal frames" };
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
    //# An endpoint MUST be capable of handling control frames in the
    //# middle of a fragmented message.
    let level = if is_inside_message(facts, last) { Level::Must } else { Level::Should };
    let fact = format!("answered the client's {what} with code {blame}");
    let events = [Some(at), last.ended].into_iter().flatten().collect();
    Some(Broken { invariant: Invariant::AcceptsLegal, level, fact, events })
}

/// Whether `frame` is a control frame with a fragmented message around it.
fn is_inside_message(facts: &Facts<'_>, frame: &Seen) -> bool {
    let before = facts.client.iter().take_while(|other| other.end_offset < frame.end_offset);
    let last = before.filter(|other| other.opcode.is_data()).last();
    let open = last.and_then(|data| data.head).is_some_and(|head| !head.fin);
    open && matches!(frame.opcode, Opcode::CLOSE | Opcode::PING | Opcode::PONG)
}
