//! Deadlines: whether the end, or the release, came by the time that it was owed.

use super::excuses;
use super::rules::{Case, Suspicion};
use crate::exchange::{AfterDeadline, Event, Standing, Time, What};
use crate::verdict::{Cause, Condition, Ending, Level, Owed, Symptom, WhyUnproven};
use crate::view::{Stream, View};
use crate::wire::Fault;
use std::time::Duration;

/// The end did not come by the deadline.
///
/// A server that spins, or stands still, freezes the clock: that is `no-spin`, not lateness.
pub(super) fn missed_end(case: &Case<'_>) -> Option<Suspicion> {
    let owed = judged(case)?;
    let ended = case.view.ended();
    if kept(case.view, ended, owed) {
        return None;
    }
    let missed = suspicion(case.view, owed, "did not end the connection", ended);
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
    //# An endpoint MUST NOT continue to
    //# attempt to process data (including a responding Close frame) from the
    //# remote endpoint after being instructed to _Fail the WebSocket
    //# Connection_.
    let half_sent = missed.timing.is_some_and(|(_, when, _)| when == Condition::HalfSent);
    // One that could not write its Close may have seen the frame, and waits for room.
    let may_wait_for_it = may_read_on(&missed) && !waited_for_room(case.view, owed);
    if half_sent && owed.cause == Cause::ClientViolation && may_wait_for_it {
        return Some(Suspicion { symptom: Symptom::AwaitsIllegalRest, ..missed });
    }
    Some(missed)
}

/// Whether the server's wish to write waited for room when the end was due: it may do so for a Close.
pub(super) fn waited_for_room(view: &View<'_>, owed: Owed) -> bool {
    let behind = view.indexed_events().find(|(_, event)| event.at > owed.deadline);
    view.is_blocked_at(behind.map_or(view.exchange.events.len(), |(index, _)| index))
}

/// Whether a server that missed an end went on reading, as far as anybody saw.
pub(super) const fn may_read_on(missed: &Suspicion) -> bool {
    matches!(missed.symptom, Symptom::WaitsToRead | Symptom::OwnTimer | Symptom::StillOpen)
}

/// The end came by the deadline, and the server held its transport beyond it. One that fails
/// to end is not blamed for holding its transport as well; after the client's reset there is
/// no end left to owe, but the release.
pub(super) fn missed_release(case: &Case<'_>) -> Option<Suspicion> {
    let owed = judged(case)?;
    let view = case.view;
    let released = view.released();
    if !kept(view, view.ended(), owed) || kept(view, released, owed) {
        return None;
    }
    let missed = suspicion(view, owed, "kept its transport", released);
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
    //# As an example of how to obtain a clean closure in C using Berkeley
    //# sockets, one would call shutdown() with SHUT_WR on the socket, call
    //# recv() until obtaining a return value of 0 indicating that the peer
    //# has also performed an orderly shutdown, and finally call close() on
    //# the socket.
    let sent_fin = view.firsts.shut.or(view.firsts.got_end).is_some();
    let level = if sent_fin { Level::Should } else { missed.level };
    Some(Suspicion { level, ..missed })
}

/// What is owed, where time went on.
fn judged(case: &Case<'_>) -> Option<Owed> {
    case.owed.filter(|_| case.view.stood_still().is_none())
}

/// Whether `event` came by the deadline. What was not watched up to the deadline
/// is not held against anybody.
fn kept(view: &View<'_>, event: Option<usize>, owed: Owed) -> bool {
    // A server's timer may fire within the slack; the client's reset is no merit of its.
    let is_reset = event.is_some() && event == view.firsts.reset;
    let slack = if is_reset { Duration::ZERO } else { view.exchange.timing_slack };
    let deadline = owed.deadline.after(slack);
    match event {
        Some(event) => view.at(event) <= deadline,
        None => view.events().next_back().is_none_or(|last| last.at <= deadline),
    }
}

fn suspicion(view: &View<'_>, owed: Owed, fact: &'static str, came: Option<usize>) -> Suspicion {
    let ending = missed(view, came);
    let waited = was_waited_for(view, owed, came);
    let condition = if waited { Condition::HalfSent } else { condition(view, owed) };
    let events = [Some(owed.event), came.or(view.firsts.became)].into_iter().flatten().collect();
    let half_sent = condition == Condition::HalfSent;
    let level = level(view, owed, half_sent);
    let symptom = match came {
        Some(came) if acted_by_itself(view, owed, came) => Symptom::OwnTimer,
        Some(_) => Symptom::StillOpen,
        None => standing(view),
    };
    let suspicion = Suspicion::new(level, symptom, fact, events);
    Suspicion { timing: Some((owed, condition, ending)), ..suspicion }
        .unless(excuses::nobody_could_see(view, owed.deadline))
        .unless(excuses::other_threads(view))
}

/// Whether the client had done nothing since the deadline when `came` happened, so that it
/// was the server's own doing. In virtual time a client that is owed an end waits for it; what
/// arrives then had waited for room that the server made, and a reset answers what the server sent to
/// a socket that was closed. Over TCP the client acts until the
/// server is late beyond the slack: what the server does because of that follows within the slack.
fn acted_by_itself(view: &View<'_>, owed: Owed, came: usize) -> bool {
    if view.sees_both_ends() {
        return true;
    }
    let slack = view.exchange.timing_slack;
    let acts = |event: &Event| {
        let arrived = matches!(event.what, What::Arrived { .. } | What::FinArrived);
        let led_to_it = event.at > owed.deadline && event.at.after(slack) >= view.at(came);
        led_to_it && (arrived || event.what == What::ResumedReading)
    };
    !view.events_before(came).any(acts)
}

/// With fewer bytes unsent a server over TCP is not taken to wait for room: on loopback, send
/// buffers take a megabyte and more, unless the server asked for less.
const SEND_BUFFER: u32 = 64 << 10;

/// What a server that has not let go is doing.
fn standing(view: &View<'_>) -> Symptom {
    let Some(standing) = view.standing else { return Symptom::StillOpen };
    let Standing { reads, writes, has_input, unsent, room } = standing;
    let would_write = writes == Some(true);
    // The client may have read the FIN of a socket that no look at the table found in that state.
    let sent_fin = view.firsts.shut.or(view.firsts.got_end).is_some();
    let has_more_to_say = view.own_close().is_none_or(|own| own.ended.is_none());
    // Who neither reads nor writes may have left, unless there is nothing more to read.
    let may_write = reads != Some(false) || view.firsts.read_end.is_some();
    match reads {
        _ if sent_fin => Symptom::KeepsSocket,
        _ if would_write && room == Some(0) => Symptom::WaitsForRoom,
        _ if would_write => Symptom::IgnoresRoom,
        _ if may_write && has_more_to_say && view.blocked => Symptom::WaitsForRoom,
        _ if may_write && has_more_to_say && view.unused_room.is_some() => Symptom::IgnoresRoom,
        // Over TCP only the queues are seen. A server that is stuck in a write does not read.
        None if unsent >= SEND_BUFFER => Symptom::WaitsForRoom,
        None if has_input => Symptom::IgnoresInput,
        None => Symptom::StillOpen,
        Some(_) if has_input => Symptom::IgnoresInput,
        Some(true) => Symptom::WaitsToRead,
        Some(false) => Symptom::Forgotten,
    }
}

/// What the RFC's own words ask for. It sets no time; the target's bound does.
fn level(view: &View<'_>, owed: Owed, half_sent: bool) -> Level {
    let in_time = |event: Option<usize>| event.is_some_and(|event| view.at(event) <= owed.deadline);
    let both_closes = in_time(view.own_close().and_then(|close| close.ended))
        && in_time(view.actor_close().and_then(|close| close.ended));
    match owed.cause {
        // Section 4.1 has the client wait for the 101: what a server makes of what came before
        // is its choice.
        _ if view.early => Level::Should,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# After both sending and receiving a Close message, an endpoint
        //# considers the WebSocket connection closed and MUST close the
        //# underlying TCP connection.  The server MUST close the underlying TCP
        //# connection immediately;
        Cause::ClientClose => Level::Must,
        _ if both_closes => Level::Must,
        // Who looks at whole messages has not found it before it is whole.
        Cause::ClientViolation if half_sent && owed.fault == Some(Fault::TextNotUtf8) => {
            Level::Should
        }
        Cause::ClientViolation => owed.fault.map_or(Level::Should, of_a_violation),
        // On a peer that never answers, sends FIN or RST, or says nothing, it is silent.
        Cause::OwnClose
        | Cause::AppClose
        | Cause::ClientFin
        | Cause::ClientReset
        | Cause::Handshake
        | Cause::Idle
        | Cause::Shutdown => Level::Should,
    }
}

/// How strongly the RFC asks that this violation be refused.
pub(super) const fn of_a_violation(fault: Fault) -> Level {
    match fault {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
        //# The server MUST close the connection upon receiving a
        //# frame that is not masked.
        Fault::Unmasked => Level::Must,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
        //# A client MUST close a connection if it detects a masked
        //# frame.
        Fault::Masked => Level::Must,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# If a nonzero value is received and none of
        //# the negotiated extensions defines the meaning of such a nonzero
        //# value, the receiving endpoint MUST _Fail the WebSocket
        //# Connection_.
        Fault::ReservedBits(_) => Level::Must,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# If an unknown opcode is received, the receiving endpoint MUST _Fail
        //# the WebSocket Connection_.
        Fault::ReservedOpcode(_) => Level::Must,
        //= https://www.rfc-editor.org/rfc/rfc6455#section-8.1
        //# When an endpoint is to interpret a byte stream as UTF-8 but finds
        //# that the byte stream is not, in fact, a valid UTF-8 stream, that
        //# endpoint MUST _Fail the WebSocket Connection_.
        Fault::TextNotUtf8 => Level::Must,
        // Of the other faults the RFC forbids the sending, and leaves the rest open.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# If 127, the following 8 bytes interpreted as a
        //# 64-bit unsigned integer (the most significant bit MUST be 0) are
        //# the payload length.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
        //# A fragmented message consists of a single frame with the FIN bit
        //# clear and an opcode other than 0, followed by zero or more frames
        //# with the FIN bit clear and the opcode set to 0, and terminated by
        //# a single frame with the FIN bit set and an opcode of 0.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
        //# The fragments of one message MUST NOT be interleaved between the
        //# fragments of another message unless an extension has been
        //# negotiated that can interpret the interleaving.
        _ => Level::Should,
    }
}

/// How the connection ended, measured against what was owed.
pub(super) fn ending(view: &View<'_>, owed: Option<Owed>) -> Ending {
    match (owed, view.ended()) {
        (Some(owed), ended) if kept(view, ended, owed) => Ending::InTime,
        (Some(_), ended) => missed(view, ended),
        (None, _) => Ending::InTime,
    }
}

/// How what was missed ended, where `came` is the event with which it came at last.
fn missed(view: &View<'_>, came: Option<usize>) -> Ending {
    match (view.other_threads(), came) {
        (Some(threads), _) => Ending::Unproven(WhyUnproven::Threads(threads)),
        (None, Some(event)) => Ending::Late(view.at(event)),
        (None, None) => left_open(view),
    }
}

/// How a connection that never ended stands when the exchange does.
fn left_open(view: &View<'_>) -> Ending {
    let became = view.firsts.became.map(|event| &view.exchange.events[event].what);
    match became {
        Some(What::Became(AfterDeadline::Quiet)) => Ending::Never,
        Some(What::Became(AfterDeadline::Ticking { wakes, lasting })) => {
            Ending::Ticking(lasting / u64::from((*wakes).max(1)))
        }
        _ => Ending::Open(view.events().next_back().map_or(Time::ZERO, |event| event.at)),
    }
}

/// What the client did, or left undone, from the obligation to its deadline.
/// What the cause itself implies is not named again.
pub(super) fn condition(view: &View<'_>, owed: Owed) -> Condition {
    let mut gone = false;
    let mut cut = false;
    let mut deaf = false;
    let mut half_closed = false;
    let mut dripped = false;
    let mut arrived = 0;
    for (index, event) in view.indexed_events() {
        let Event { at, what, .. } = event;
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
                arrived = (arrived + *bytes as usize).min(view.bytes.to_subject.len());
                dripped |= index > owed.event;
            }
            _ => {}
        }
    }
    let replied = matches!(owed.cause, Cause::OwnClose | Cause::AppClose)
        && view.actor_close().is_some_and(|close| close.end_offset <= arrived);
    let words = [
        (gone, Condition::Disconnected),
        (is_half_sent(view, arrived), Condition::HalfSent),
        (cut, Condition::CutOff),
        (deaf, Condition::NotReading),
        (half_closed, Condition::HalfClosed),
        (replied, Condition::Answered),
        (dripped, Condition::StillSending),
    ];
    words.iter().find(|(holds, _)| *holds).map_or(Condition::Silent, |(_, condition)| *condition)
}

/// Whether a server that was late was in time by the end of the frame that broke the
/// protocol: some look at a frame once all of it is here, and this one came in halves.
fn was_waited_for(view: &View<'_>, owed: Owed, came: Option<usize>) -> bool {
    let Some(came) = came.filter(|_| owed.cause == Cause::ClientViolation) else { return false };
    let mut broken = view.actor_frames.iter().filter(|frame| frame.fault == owed.fault);
    let whole = broken.next().and_then(|frame| frame.ended);
    let bound = owed.deadline.since_accept().saturating_sub(owed.since.since_accept());
    whole.is_some_and(|whole| {
        let deadline = view.at(whole).after(bound).after(view.exchange.timing_slack);
        view.at(whole) > owed.since && whole < came && view.at(came) <= deadline
    })
}

/// Whether a client that had sent so many bytes was in the middle of a frame or of its request.
fn is_half_sent(view: &View<'_>, bytes: usize) -> bool {
    let mut stream = Stream::new(view.actor_role(), &view.bytes.to_subject);
    stream.take(u32::try_from(bytes).unwrap_or(u32::MAX), 0);
    stream.is_half_sent()
}
