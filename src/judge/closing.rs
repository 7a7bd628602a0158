//! What a server may and must send around its Close.

use super::broken::Broken;
use super::facts::{Facts, Seen};
use crate::verdict::{Invariant, Level};
use crate::wire::{CloseClass, CloseCode, ClosePayload, Fault, Opcode};

/// `answers-close`, `closes-once`, `silent-after-close`, `legal-close`.
pub(super) fn judge(facts: &Facts<'_>, out: &mut Vec<Broken>) {
    let found =
        [answers_close(facts), closes_once(facts), silent_after_close(facts), legal_close(facts)];
    out.extend(found.into_iter().flatten());
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# If an endpoint receives a Close frame and did not previously send a
//# Close frame, the endpoint MUST send a Close frame in response.
fn answers_close(facts: &Facts<'_>) -> Option<Broken> {
    // A malformed Close is a violation; to answer that with a Close is a SHOULD (7.1.7).
    let close = facts.client_close().filter(|close| close.fault.is_none())?;
    let answered = facts.own_close().is_some_and(|close| close.ended.is_some());
    let received = facts.received(close).or_else(|| facts.received_by_reset(close))?;
    let ended = facts.told_end()?;
    let left = facts.app_left_by(received);
    if answered || facts.is_mute_at(ended) || ended < received || left || facts.is_wide_upto(close)
    {
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
    let close = facts.server.iter().position(Seen::is_close)?;
    let (upto, later) = facts.server.split_at(close + 1);
    let own = upto.last()?;
    let broken = |frame: &Seen, level, fact| Broken {
        invariant: Invariant::SilentAfterClose,
        level,
        fact,
        events: vec![frame.started, own.started],
    };
    if let Some(frame) = later.iter().find(|frame| frame.opcode.is_data()) {
        return Some(broken(frame, Level::Must, format!("sent {} after its Close", frame.opcode)));
    }
    let garbled = |frame: &&Seen| !frame.is_recognised();
    if let Some(frame) = later.iter().find(garbled) {
        let fact = "sent bytes that are no frame after its Close".to_owned();
        return Some(broken(frame, Level::Must, fact));
    }
    let frame = later.iter().find(|frame| is_idle_chatter(facts, frame))?;
    let fact = format!("sent {} after both Closes", frame.opcode);
    Some(broken(frame, Level::Should, fact))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
//# Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in
//# response, unless it already received a Close frame.
/// Whether a control frame after the own Close was owed to nobody any more: the
/// client's Close had been received too, and it answers no ping from before that.
fn is_idle_chatter(facts: &Facts<'_>, frame: &Seen) -> bool {
    let Some(close) = facts.client_close() else { return false };
    if frame.is_close() || !is_after_both(facts, close, frame) {
        return false;
    }
    // Which pong answers which ping cannot be told; none is held against the server
    // as long as there are no more of them than there were pings.
    let pings = facts.client.iter().take_while(|frame| !frame.is_close());
    let pings = pings.filter(|frame| frame.opcode == Opcode::PING).count();
    let after_own = facts.server.iter().skip_while(|frame| !frame.is_close());
    let pongs = after_own.filter(|frame| frame.opcode == Opcode::PONG).count();
    frame.opcode != Opcode::PONG || pongs > pings
}

/// Whether the server had sent its Close, and received the client's, before `frame`. A
/// client alone knows that of a server which closed second, or after a while.
fn is_after_both(facts: &Facts<'_>, theirs: &Seen, frame: &Seen) -> bool {
    let (Some(received), Some(own)) = (facts.received(theirs), facts.own_close()) else {
        return false;
    };
    let closed_second = facts.exchange.both_ends || own.started > received;
    let later = facts.at(frame.started) > facts.at(received).after(facts.exchange.timing_slack);
    received < frame.started && (closed_second || later)
}

fn legal_close(facts: &Facts<'_>) -> Option<Broken> {
    let closes = facts.server.iter().filter(|frame| frame.is_close());
    let faults = closes.flat_map(|frame| {
        close_faults(frame).into_iter().flatten().map(move |fault| (frame, fault))
    });
    let (frame, (level, fact)) = faults.min_by_key(|(_, (level, _))| *level)?;
    let invariant = Invariant::LegalClose;
    Some(Broken { invariant, level, fact, events: vec![frame.started] })
}

/// All that is wrong with a Close frame of the server's.
fn close_faults(frame: &Seen) -> [Option<(Level, String)>; 4] {
    let must = |broken: bool, fact: &str| broken.then(|| (Level::Must, fact.to_owned()));
    let Some(head) = frame.head else {
        let cut = matches!(frame.fault, Some(Fault::FragmentedControl(_)));
        return [must(cut, "began a Close without FIN"), None, None, None];
    };
    let (code, reason) = match ClosePayload::parse(frame.close.as_deref().unwrap_or_default()) {
        ClosePayload::Empty => (None, None),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# If there is a body, the first two bytes of
        //# the body MUST be a 2-byte unsigned integer (in network byte order)
        //# representing a status code
        ClosePayload::OneByte(_) => (None, must(true, "sent a Close payload of one byte")),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# Following the 2-byte integer, the body MAY contain UTF-8-encoded data
        ClosePayload::Code(code, reason) => {
            // Of one that is too long, only the beginning was kept: it may end inside a character.
            let bad = std::str::from_utf8(reason)
                .is_err_and(|error| error.error_len().is_some() || head.length <= 125);
            (code_fault(code), must(bad, "sent a close reason that is not UTF-8"))
        }
    };
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
    //# All control frames MUST have a payload length of 125 bytes or less
    //# and MUST NOT be fragmented.
    let fin = must(!head.fin, "sent a Close without FIN");
    [fin, must(head.length > 125, "sent a Close of more than 125 bytes"), reason, code]
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
