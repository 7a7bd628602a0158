//! What a server may and must send around its Close.

use super::facts::{Facts, Seen};
use super::owed::cause_of;
use crate::bounds::Bounds;
use crate::verdict::{Ending, Invariant, Key, Level, Violation};
use crate::wire::{CloseClass, CloseCode, ClosePayload, Fault, Opcode};

/// `answers-close`, `closes-once`, `silent-after-close`, `legal-close`.
pub(super) fn judge(facts: &Facts<'_>, bounds: &Bounds, out: &mut Vec<Violation>) {
    // Bytes before the 101 are the client's own violation (4.1): what a server
    // makes of them is its choice, as long as the connection ends.
    if facts.early || facts.opened.is_none() {
        return;
    }
    let found =
        [answers_close(facts), closes_once(facts), silent_after_close(facts), legal_close(facts)];
    for Broken { invariant, level, fact, events } in found.into_iter().flatten() {
        let first = events.first().copied().unwrap_or_default();
        let cause = cause_of(facts, bounds, first);
        let key = Key { invariant, cause, condition: None };
        let ending = Ending::InTime;
        out.push(Violation { key, level, ending, owed: None, fact, events });
    }
}

struct Broken {
    invariant: Invariant,
    level: Level,
    fact: String,
    events: Vec<usize>,
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# If an endpoint receives a Close frame and did not previously send a
//# Close frame, the endpoint MUST send a Close frame in response.
fn answers_close(facts: &Facts<'_>) -> Option<Broken> {
    // A malformed Close is a violation; to answer that with a Close is a SHOULD (7.1.7).
    let close = facts.client_close().filter(|close| close.fault.is_none())?;
    let answered = facts.own_close().is_some_and(|close| close.ended.is_some());
    let firsts = &facts.firsts;
    // What could excuse a server: it crashed, it had nobody to answer any more,
    // or there was never room for the answer.
    let excused = firsts.panicked.or(firsts.spun).or(firsts.reset).is_some() || facts.blocked;
    if answered || excused {
        return None;
    }
    // Arrived is not received: it counts from when the server read it.
    let received = facts.read_up_to(close.end_offset)?;
    let ended = facts.ended()?;
    let returned_before = firsts.began_to_return.is_some_and(|event| event < received);
    if ended < received || returned_before {
        return None;
    }
    let fact = "ended the connection without answering the client's Close".to_owned();
    Some(Broken {
        invariant: Invariant::AnswersClose,
        level: Level::Must,
        fact,
        events: vec![received, ended],
    })
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# After both sending and receiving a Close message, an endpoint
//# considers the WebSocket connection closed and MUST close the
//# underlying TCP connection.
// Nothing says in so many words that a second Close is forbidden: a SHOULD.
fn closes_once(facts: &Facts<'_>) -> Option<Broken> {
    let mut closes = facts.server.iter().filter(|frame| frame.is_close() && frame.ended.is_some());
    let first = closes.next()?;
    let second = closes.next()?;
    Some(Broken {
        invariant: Invariant::ClosesOnce,
        level: Level::Should,
        fact: "sent a second Close".to_owned(),
        events: vec![second.started, first.started],
    })
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# The application MUST NOT send any more data frames after sending a
//# Close frame.
fn silent_after_close(facts: &Facts<'_>) -> Option<Broken> {
    let close = facts.server.iter().position(|frame| frame.is_close())?;
    let (upto, later) = facts.server.split_at(close + 1);
    let own = upto.last()?;
    let broken = |frame: &Seen, level, fact| Broken {
        invariant: Invariant::SilentAfterClose,
        level,
        fact,
        events: vec![frame.started, own.started],
    };
    let data = later.iter().find(|frame| !frame.opcode.is_control() || frame.opcode.is_reserved());
    if let Some(frame) = data {
        return Some(broken(frame, Level::Must, format!("sent {} after its Close", frame.opcode)));
    }
    let frame = later.iter().find(|frame| is_idle_chatter(facts, frame))?;
    let fact = format!("sent {} after both Closes", frame.opcode);
    Some(broken(frame, Level::Should, fact))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
//# Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in
//# response, unless it already received a Close frame.
/// Whether a control frame after the own Close was owed to nobody any more: the
/// client's Close had been received too, and it is no answer to a ping before that.
fn is_idle_chatter(facts: &Facts<'_>, frame: &Seen) -> bool {
    let Some(close) = facts.client_close() else { return false };
    let received = facts.read_up_to(close.end_offset);
    let after_both = received.is_some_and(|received| received < frame.started);
    if !after_both || frame.is_close() {
        return false;
    }
    let count =
        |frames: &[Seen], opcode| frames.iter().filter(|frame| frame.opcode == opcode).count();
    let pings = facts.client.iter().take_while(|frame| !frame.is_close());
    let pings = pings.filter(|frame| frame.opcode == Opcode::PING).count();
    frame.opcode != Opcode::PONG || count(&facts.server, Opcode::PONG) > pings
}

fn legal_close(facts: &Facts<'_>) -> Option<Broken> {
    let closes = facts.server.iter().filter(|frame| frame.is_close());
    let (frame, level, fact) = closes
        .filter_map(|frame| close_fault(frame).map(|(level, fact)| (frame, level, fact)))
        .min_by_key(|(_, level, _)| *level)?;
    let invariant = Invariant::LegalClose;
    Some(Broken { invariant, level, fact, events: vec![frame.started] })
}

/// What is wrong with a Close frame of the server's.
fn close_fault(frame: &Seen) -> Option<(Level, String)> {
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
    //# All control frames MUST have a payload length of 125 bytes or less
    //# and MUST NOT be fragmented.
    match frame.fault {
        Some(Fault::FragmentedControl(_)) => {
            return Some((Level::Must, "sent a Close without FIN".to_owned()));
        }
        Some(Fault::LongControl(_)) => {
            return Some((Level::Must, "sent a Close of more than 125 bytes".to_owned()));
        }
        _ => {}
    }
    frame.ended?;
    match frame.close_payload() {
        ClosePayload::Empty => None,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# If there is a body, the first two bytes of
        //# the body MUST be a 2-byte unsigned integer (in network byte order)
        //# representing a status code
        ClosePayload::OneByte(_) => {
            Some((Level::Must, "sent a Close payload of one byte".to_owned()))
        }
        ClosePayload::Code(code, reason) => code_fault(code).or_else(|| {
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
            //# Following the 2-byte integer, the body MAY contain UTF-8-encoded data
            let bad = std::str::from_utf8(reason).is_err();
            bad.then(|| (Level::Must, "sent a close reason that is not UTF-8".to_owned()))
        }),
    }
}

fn code_fault(code: CloseCode) -> Option<(Level, String)> {
    let level = match code.class() {
        CloseClass::Defined
        | CloseClass::Registered
        | CloseClass::Library
        | CloseClass::Private => {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
        //# 1005 is a reserved value and MUST NOT be set as a status code in a
        //# Close control frame by an endpoint.
        CloseClass::NeverSent => Level::Must,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2
        //# Status codes in the range 0-999 are not used.
        CloseClass::Reserved | CloseClass::Unassigned | CloseClass::OutOfRange => Level::Should,
    };
    Some((level, format!("sent a Close with code {code}")))
}
