//! Something good never came: the end, or the release, by its deadline.

use super::facts::Facts;
use crate::trace::{Event, Outcome, Time, What};
use crate::verdict::{Cause, Condition, Ending, Invariant, Key, Level, Owed, Violation};
use crate::wire::{Decoder, Fault, Role, handshake};
use std::time::Duration;

/// `ends-in-time`, `handshake-in-time`, `idle-in-time`, `releases-in-time`.
///
/// A server that spins, or stands still, freezes the clock: that is `no-spin`, not
/// lateness. One that fails to end is not blamed for holding its transport as well.
pub(super) fn judge(facts: &Facts<'_>, owed: Option<Owed>, out: &mut Vec<Violation>) {
    let Some(owed) = owed.filter(|_| facts.stood_still().is_none()) else { return };
    if !facts.trace.sees_release && is_blind(facts, owed.deadline) {
        return;
    }
    // After the client's reset there is no end left to owe, but the release.
    if !kept(facts, facts.ended(), owed) {
        let invariant = match owed.cause {
            Cause::Handshake => Invariant::HandshakeInTime,
            Cause::Idle => Invariant::IdleInTime,
            _ => Invariant::EndsInTime,
        };
        out.push(violation(facts, owed, invariant, facts.ended()));
    } else if !kept(facts, facts.released(), owed) {
        out.push(violation(facts, owed, Invariant::ReleasesInTime, facts.released()));
    }
}

/// Whether the client could not see an end at `time`: it did not read, or was cut
/// off. Without a look at the server's end there was nobody else to see it.
fn is_blind(facts: &Facts<'_>, time: Time) -> bool {
    let (mut deaf, mut cut) = (false, false);
    for event in facts.trace.events.iter().take_while(|event| event.at <= time) {
        match event.what {
            What::StoppedReading => deaf = true,
            What::ResumedReading => deaf = false,
            What::Cut => cut = true,
            _ => {}
        }
    }
    deaf || cut
}

/// Whether `event` came by the deadline. What was not watched up to the deadline
/// is not held against anybody.
fn kept(facts: &Facts<'_>, event: Option<usize>, owed: Owed) -> bool {
    // A server's timer may fire within the grain; the client's reset is no merit of its.
    let is_reset = event.is_some() && event == facts.firsts.reset;
    let grain = if is_reset { Duration::ZERO } else { facts.trace.grain };
    let deadline = owed.deadline.after(grain);
    match event {
        Some(event) => facts.at(event) <= deadline,
        None => facts.trace.events.last().is_none_or(|last| last.at <= deadline),
    }
}

fn violation(
    facts: &Facts<'_>,
    owed: Owed,
    invariant: Invariant,
    came: Option<usize>,
) -> Violation {
    let ending = came.map_or_else(|| left_open(facts), |event| Ending::Late(facts.at(event)));
    let waited = was_waited_for(facts, owed, came);
    let condition = if waited { Condition::HalfSent } else { condition(facts, owed) };
    let what = match invariant {
        Invariant::ReleasesInTime => "kept its transport",
        _ => "did not end the connection",
    };
    let key = Key { invariant, cause: Some(owed.cause), condition: Some(condition) };
    let events = [Some(owed.event), came.or(facts.firsts.became)].into_iter().flatten().collect();
    Violation {
        key,
        level: level(facts, owed, condition == Condition::HalfSent),
        ending,
        owed: Some(owed),
        fact: what.to_owned(),
        events,
    }
}

/// What the RFC's own words ask for. It sets no time; the target's bound does.
fn level(facts: &Facts<'_>, owed: Owed, half_sent: bool) -> Level {
    let in_time =
        |event: Option<usize>| event.is_some_and(|event| facts.at(event) <= owed.deadline);
    let both_closes = in_time(facts.own_close().and_then(|close| close.ended))
        && in_time(facts.client_close().and_then(|close| close.ended));
    match owed.cause {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# After both sending and receiving a Close message, an endpoint
        //# considers the WebSocket connection closed and MUST close the
        //# underlying TCP connection.  The server MUST close the underlying TCP
        //# connection immediately;
        Cause::ClientClose => Level::Must,
        _ if both_closes => Level::Must,
        Cause::ClientViolation => match owed.fault {
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
            //# The server MUST close the connection upon receiving a
            //# frame that is not masked.
            Some(Fault::Unmasked) => Level::Must,
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
            //# If a nonzero value is received and none of
            //# the negotiated extensions defines the meaning of such a nonzero
            //# value, the receiving endpoint MUST _Fail the WebSocket
            //# Connection_.
            Some(Fault::ReservedBits(_)) => Level::Must,
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
            //# If an unknown opcode is received, the receiving endpoint MUST _Fail
            //# the WebSocket Connection_.
            Some(Fault::ReservedOpcode(_)) => Level::Must,
            //= https://www.rfc-editor.org/rfc/rfc6455#section-8.1
            //# When an endpoint is to interpret a byte stream as UTF-8 but finds
            //# that the byte stream is not, in fact, a valid UTF-8 stream, that
            //# endpoint MUST _Fail the WebSocket Connection_.
            // Who looks at whole messages has not found it before it is whole.
            Some(Fault::TextNotUtf8) if !half_sent => Level::Must,
            // Of the other faults the RFC forbids the sending, and leaves the rest open.
            _ => Level::Should,
        },
        // On a peer that never answers, sends FIN or RST, or says nothing, it is silent.
        Cause::OwnClose
        | Cause::AppClose
        | Cause::ClientFin
        | Cause::ClientReset
        | Cause::Handshake
        | Cause::Idle => Level::Should,
    }
}

/// How the connection ended, measured against what was owed.
pub(super) fn ending(facts: &Facts<'_>, owed: Option<Owed>) -> Ending {
    match (owed, facts.ended()) {
        (Some(owed), ended) if kept(facts, ended, owed) => Ending::InTime,
        (Some(_), Some(event)) => Ending::Late(facts.at(event)),
        (Some(_), None) => left_open(facts),
        (None, _) => Ending::InTime,
    }
}

/// How a connection that never ended stands when the trace does.
fn left_open(facts: &Facts<'_>) -> Ending {
    let became = facts.firsts.became.map(|event| &facts.trace.events[event].what);
    match became {
        Some(What::Became(Outcome::Quiet)) => Ending::Never,
        Some(What::Became(Outcome::Ticking { wakes, lasting })) => {
            Ending::Ticking(lasting / u64::from((*wakes).max(1)))
        }
        _ => Ending::Open(facts.trace.events.last().map_or(Time::ZERO, |event| event.at)),
    }
}

/// What the client did, or left undone, from the obligation to its deadline.
/// What the cause itself implies is not named again.
fn condition(facts: &Facts<'_>, owed: Owed) -> Condition {
    let mut gone = false;
    let mut cut = false;
    let mut deaf = false;
    let mut half_closed = false;
    let mut dripped = false;
    let mut arrived = 0;
    for (index, Event { at, what }) in facts.trace.events.iter().enumerate() {
        if *at > owed.deadline {
            break;
        }
        match what {
            What::ResetArrived => gone = owed.cause != Cause::ClientReset,
            What::Cut => cut = true,
            What::StoppedReading => deaf = true,
            What::ResumedReading => deaf = false,
            What::FinArrived => half_closed = owed.cause != Cause::ClientFin,
            What::Arrived { bytes } => {
                arrived = (arrived + *bytes as usize).min(facts.trace.to_server.len());
                dripped |= index > owed.event;
            }
            _ => {}
        }
    }
    let replied = matches!(owed.cause, Cause::OwnClose | Cause::AppClose)
        && facts.client_close().is_some_and(|close| close.end_offset <= arrived);
    let words = [
        (gone, Condition::Gone),
        (is_half_sent(&facts.trace.to_server[..arrived]), Condition::HalfSent),
        (cut, Condition::CutOff),
        (deaf, Condition::Deaf),
        (half_closed, Condition::HalfClosed),
        (replied, Condition::Replied),
        (dripped, Condition::Dripping),
    ];
    words.iter().find(|(holds, _)| *holds).map_or(Condition::Silent, |(_, condition)| *condition)
}

/// Whether a server that was late was in time by the end of the frame that broke the
/// protocol: some look at a frame once all of it is here, and this one came in halves.
fn was_waited_for(facts: &Facts<'_>, owed: Owed, came: Option<usize>) -> bool {
    let Some(came) = came.filter(|_| owed.cause == Cause::ClientViolation) else { return false };
    let mut broken = facts.client.iter().filter(|frame| frame.fault == owed.fault);
    let whole = broken.next().and_then(|frame| frame.ended);
    let bound = owed.deadline.since_accept().saturating_sub(owed.since.since_accept());
    whole.is_some_and(|whole| {
        let deadline = facts.at(whole).after(bound).after(facts.trace.grain);
        facts.at(whole) > owed.since && whole < came && facts.at(came) <= deadline
    })
}

/// Whether a client that had sent `bytes` was in the middle of a frame or of its request.
fn is_half_sent(bytes: &[u8]) -> bool {
    let Some(head) = handshake::request_length(bytes) else { return !bytes.is_empty() };
    let mut decoder = Decoder::new(Role::Client);
    let mut rest = &bytes[head..];
    while decoder.next(&mut rest).is_some() {}
    !decoder.is_between_frames()
}
