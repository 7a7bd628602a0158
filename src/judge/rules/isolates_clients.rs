//! `isolates-clients`: what one client does or leaves undone delays no other. The RFC is
//! silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{End, Time, What};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{View, messages};
use crate::wire::Opcode;
use std::time::Duration;

/// What takes longer is slow. In virtual time a server that waits for nobody takes no time at all.
const SLOW: Duration = Duration::from_millis(100);
/// The same in real time, beside what the machine may have taken.
const SLOW_IN_REAL_TIME: Duration = Duration::from_secs(1);

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::IsolatesClients,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "The server answers and closes a well-behaved client as fast with other clients \
         connected as alone.",
    explains: "One client does not read, does not answer, or opens and sends nothing; another, well-behaved\n\
              client then waits for its opening, an answer, a broadcast, or its Close. If hangup plays that\n\
              client alone, with the same commands to the server, it does not wait.\n\n\
              The classic ways to break it: a broadcast that awaits the send to each client in turn; a\n\
              lock that is held across a send; an opening handshake inside the accept loop; connections\n\
              that are closed one after the other. Give each connection a task and a bounded queue of its\n\
              own, put into the queue without waiting, and give up the client whose queue is full.",
    asked_of: AskedOf::Server("a client has one connection"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::OpeningHeldUp,
        Symptom::PongHeldUp,
        Symptom::BroadcastHeldUp,
        Symptom::AnswerHeldUp,
        Symptom::CloseHeldUp,
        Symptom::EndHeldUp,
    ],
    check,
};

/// Whether the server is the slower for the other clients is for a control to say.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    // Most exchanges are over one connection.
    if view.firsts.offered.is_none() || view.exchange.connections().len() < 2 {
        return;
    }
    if view.exchange.events.iter().any(|event| event.what.is_crash()) {
        return;
    }
    let mut slow: Vec<Wait> = slow(view).collect();
    slow.sort_by_key(|wait| wait.since);
    out.extend(slow.into_iter().map(|Wait { symptom, since, came, .. }| {
        let events = [Some(since), came].into_iter().flatten().collect();
        Suspicion::new(Level::Should, symptom, fact(symptom), events)
            .unless(excuses::same_alone(view))
    }));
}

/// Whether a client that is alone, in a control, gets at once what it waited for beside others. What
/// it does not get, nobody else can have held up.
pub(in crate::judge) fn comes_at_once(view: &View<'_>, symptom: Symptom) -> bool {
    let mut waits = waits(view).into_iter().filter(|wait| wait.symptom == symptom);
    waits.next().is_some_and(|first| {
        std::iter::once(first).chain(waits).all(|wait| wait.is_answered && !is_slow(view, &wait))
    })
}

const fn fact(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::OpeningHeldUp => {
            "lets a client wait for its opening that it gets at once when it is alone"
        }
        Symptom::PongHeldUp => {
            "lets a client wait for its pong that it gets at once when it is alone"
        }
        Symptom::BroadcastHeldUp => {
            "lets a client wait for a broadcast that it gets at once when it is alone"
        }
        Symptom::AnswerHeldUp => {
            "lets a client wait for the answer to its Close that it gets at once when it is alone"
        }
        Symptom::CloseHeldUp => {
            "lets a client wait for the Close of the shutdown that it gets at once when it is alone"
        }
        _ => {
            "lets a client wait for the end of its connection that it gets at once when it is alone"
        }
    }
}

/// Something that a client waits for.
struct Wait {
    symptom: Symptom,
    /// The event from which on it does.
    since: usize,
    /// The event with which it came, or with which it was in vain.
    came: Option<usize>,
    /// Whether it came.
    is_answered: bool,
}

/// What a client that behaves waits for long, or in vain. One that does not read, or breaks a rule,
/// has itself to thank.
fn slow<'a>(view: &'a View<'_>) -> impl Iterator<Item = Wait> + use<'a> {
    let is_own_fault = |what: &What| {
        matches!(what, What::StoppedReading | What::Cut | What::ResetArrived | What::FinArrived)
    };
    let behaves = view.actor_fault.is_none()
        && !view.early
        && !view.events().any(|event| is_own_fault(&event.what))
        && !leaves_no_room(view);
    let waits = behaves.then(|| waits(view)).into_iter().flatten();
    waits.filter(|wait| is_slow(view, wait))
}

fn is_slow(view: &View<'_>, wait: &Wait) -> bool {
    let last = view.exchange.events.last().map_or(Time::ZERO, |event| event.at);
    let slow =
        if view.sees_both_ends() { SLOW } else { SLOW_IN_REAL_TIME + view.exchange.timing_slack };
    wait.came.map_or(last, |event| view.at(event)) > view.at(wait.since).after(slow)
}

/// Whether a wish to write had to wait for room, so that time went by.
fn leaves_no_room(view: &View<'_>) -> bool {
    let mut since = None;
    for event in view.events() {
        match event.what {
            What::WriteBlocked => since = since.or(Some(event.at)),
            What::Writable if since.take().is_some_and(|since| since < event.at) => return true,
            _ => {}
        }
    }
    view.blocked
}

fn waits(view: &View<'_>) -> Vec<Wait> {
    let told = view.firsts.told;
    let is_before = |event: usize, other: Option<usize>| other.is_none_or(|other| event < other);
    let ended = view.ended();
    let own = view.own_close();
    let own_started = own.map(|own| own.started);
    let actor_close = view.actor_close();
    let actor_closed = actor_close.and_then(|close| close.ended);
    let mut waits = Vec::new();
    // What comes, and what ends the wait.
    let mut wait = |symptom, since, came: Option<usize>, ends: Option<usize>| {
        let first = [came, ends].into_iter().flatten().min();
        let is_answered = came.is_some() && came == first;
        waits.push(Wait { symptom, since, came: first, is_answered });
    };
    if let Some(request) = view.request.filter(|request| is_before(*request, told)) {
        let wrote = |(index, event): (usize, &crate::exchange::Event)| {
            let is_answer = match event.what {
                What::Wrote { .. } => true,
                // Over TCP nobody sees it write.
                What::Read { .. } => event.end == End::Actor && !view.sees_both_ends(),
                _ => false,
            };
            is_answer.then_some(index)
        };
        let answered = view.indexed_events().find_map(wrote);
        // A shutdown ends the wait, whatever the server does then.
        let ends = [ended, told].into_iter().flatten().min();
        wait(Symptom::OpeningHeldUp, request, answered, ends);
    }
    let Some(opened) = view.opened else { return waits };
    let closing = [own_started, actor_closed, ended].into_iter().flatten().min();
    let mut pings = view.actor_frames.iter().filter(|frame| frame.opcode == Opcode::PING);
    if let Some(ping) = pings.find_map(|frame| frame.ended)
        && is_before(ping, closing)
    {
        let mut pongs = view.subject_frames.iter().filter(|frame| frame.opcode == Opcode::PONG);
        let pong = pongs.next().map(|frame| frame.started);
        wait(Symptom::PongHeldUp, ping.max(opened), pong, closing);
    }
    broadcasts(view, opened, closing, &mut wait);
    if let Some(close) = actor_closed.filter(|close| is_before(*close, own_started)) {
        wait(Symptom::AnswerHeldUp, close.max(opened), own_started, ended);
    }
    if let Some(told) = told.filter(|told| opened < *told && is_before(*told, closing)) {
        let ends = [ended, actor_closed].into_iter().flatten().min();
        wait(Symptom::CloseHeldUp, told, own_started, ends);
    }
    if let (Some(theirs), Some(own)) = (actor_closed, own.and_then(|own| own.ended)) {
        wait(Symptom::EndHeldUp, theirs.max(own), ended, None);
    }
    waits
}

/// The broadcasts of which a client that was there had to get a message.
fn broadcasts(
    view: &View<'_>,
    opened: usize,
    closing: Option<usize>,
    wait: &mut impl FnMut(Symptom, usize, Option<usize>, Option<usize>),
) {
    let until = [closing, view.firsts.told].into_iter().flatten().min().unwrap_or(usize::MAX);
    let told = |(index, event): (usize, &crate::exchange::Event)| match event.what {
        What::ToldToBroadcast { fingerprint, .. } => Some((index, fingerprint)),
        _ => None,
    };
    let mut told = view.exchange.events.iter().enumerate().filter_map(told).peekable();
    if told.peek().is_none() {
        return;
    }
    let stream = &view.bytes.to_actor;
    let mut came = messages(&view.subject_frames, stream);
    for (index, fingerprint) in told.filter(|(index, _)| opened < *index && *index < until) {
        let place = came.iter().position(|message| {
            message.started > index && message.fingerprint(stream) == fingerprint
        });
        let message = place.map(|place| came.remove(place));
        let came = message.and_then(|message| message.ended);
        wait(Symptom::BroadcastHeldUp, index, came, (until < usize::MAX).then_some(until));
    }
}
