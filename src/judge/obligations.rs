//! What obliges a server to end the connection, and to let go of it, and by when.
//!
//! The deadline is the earliest of the armed ones, and nothing that the client
//! sends moves an armed deadline later: there is no code here that could.

use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Exchange, Time};
use crate::verdict::{Cause, Owed};
use crate::view::View;
use std::time::Duration;

/// The obligation with the earliest deadline that the exchange arms.
///
/// Of several due at the same time the first to happen is named, but for the
/// application's wish and mere idleness: the Close that they led to says more.
pub(super) fn earliest(view: &View<'_>, bounds: &Bounds) -> Option<Owed> {
    if !view.is_accepted() {
        return None;
    }
    let arms =
        closing(view, bounds).into_iter().chain([handshake(view, bounds), idle(view, bounds)]);
    arms.flatten().min_by_key(|owed| (owed.deadline, rank(owed.cause), owed.event))
}

/// The time by which the server, as things stand at the exchange's end, must have
/// done what it has not done yet; `None` where it owes nothing.
pub fn next_deadline(
    exchange: &Exchange,
    connection: ConnectionId,
    bounds: &Bounds,
) -> Option<Time> {
    let view = View::of(exchange, connection);
    let owed = earliest(&view, bounds)?;
    let done = view.ended().is_some() && view.released().is_some();
    (!done).then_some(owed.deadline)
}

/// Tells an actor whether an end that the server owes is overdue. It may be asked before every
/// step: it reads the exchange only where a deadline may have passed since it last did.
#[derive(Clone, Debug)]
pub struct OverdueCheck {
    bounds: Bounds,
    /// How long after the last reading the earliest new deadline is, at least. The release of a
    /// client that reset the connection may be due sooner, and does not count: that client can
    /// do nothing more.
    soonest: Duration,
    /// Up to this time nothing can be overdue.
    on_time_until: Time,
    /// How many events it has read, and what was due then.
    read: (usize, Option<Time>),
    /// With fewer events it is not read again.
    next: usize,
}

/// Below so many events an exchange is read as often as it may have to be; above, once there are a
/// sixteenth more: to read all of it again for each step would make the cost of a play grow with the
/// square of its length. The client of so long a play may then act a little longer than until the
/// first deadline that is missed. What is late stays so.
const READ_EACH_TIME: usize = 4096;

impl OverdueCheck {
    /// A check of a new connection.
    pub fn new(bounds: &Bounds) -> Self {
        let Bounds { close, handshake, idle, .. } = *bounds;
        let soonest = close.min(handshake.unwrap_or(close)).min(idle.unwrap_or(close));
        Self {
            bounds: *bounds,
            soonest,
            on_time_until: Time::ZERO.after(soonest),
            read: (0, None),
            next: 0,
        }
    }

    /// Whether an end is overdue at `now`; `read` shows the exchange.
    pub fn is_overdue(
        &mut self,
        now: Time,
        connection: ConnectionId,
        read: impl FnOnce(&mut dyn FnMut(&Exchange)),
    ) -> bool {
        if now <= self.on_time_until {
            return false;
        }
        let mut due = None;
        read(&mut |exchange| {
            let events = exchange.events.len();
            if events != self.read.0 && events < self.next {
                return;
            }
            if events != self.read.0 {
                self.read = (events, next_deadline(exchange, connection, &self.bounds));
                self.next = if events > READ_EACH_TIME { events + events / 16 } else { 0 };
            }
            due = self.read.1;
        });
        let soonest = now.after(self.soonest);
        self.on_time_until = due.map_or(soonest, |due| due.min(soonest));
        due.is_some_and(|due| now > due)
    }
}

/// What made the server act as it did at `event`: the first thing before it that
/// obliged it to end. Its own Close is a consequence, and no cause here.
pub(super) fn cause_of(view: &View<'_>, bounds: &Bounds, event: usize) -> Option<Cause> {
    let arms = closing(view, bounds).into_iter().flatten();
    let before = arms.filter(|owed| owed.event <= event && owed.cause != Cause::OwnClose);
    let before = before.map(|owed| (owed.event, owed.cause));
    let told = view.firsts.told.filter(|told| *told <= event);
    before.chain(told.map(|told| (told, Cause::Shutdown))).min().map(|(_, cause)| cause)
}

const fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::ClientClose
        | Cause::OwnClose
        | Cause::ClientViolation
        | Cause::ClientFin
        | Cause::ClientReset => 0,
        Cause::AppClose => 1,
        Cause::Handshake | Cause::Idle | Cause::Shutdown => 2,
    }
}

fn arm(view: &View<'_>, cause: Cause, event: Option<usize>, bound: Duration) -> Option<Owed> {
    let event = event?;
    let since = view.at(event);
    let fault = view.actor_fault.map(|client| client.fault);
    let fault = fault.filter(|_| cause == Cause::ClientViolation);
    Some(Owed { cause, since, deadline: since.after(bound), event, fault })
}

/// What is armed by a single event.
fn closing(view: &View<'_>, bounds: &Bounds) -> [Option<Owed>; 6] {
    // What came while the connection waited to be accepted is due from then on.
    let accepted = view.firsts.accepted.unwrap_or(0);
    let once = |cause, event: Option<usize>| {
        arm(view, cause, event.map(|event| event.max(accepted)), bounds.close)
    };
    // Frames mean something once the connection is open; those that came too
    // early are due from then on.
    let open = |event: Option<usize>| Some(event?.max(view.opened?));
    let client_close = view.actor_close().and_then(|close| close.ended);
    let fault = view.actor_fault.and_then(|client| client.known);
    [
        once(Cause::ClientClose, open(client_close)),
        once(Cause::OwnClose, view.own_close().map(|close| close.started)),
        once(Cause::ClientViolation, open(fault)),
        once(Cause::AppClose, view.firsts.began),
        once(Cause::ClientFin, view.firsts.fin),
        arm(
            view,
            Cause::ClientReset,
            view.firsts.reset.map(|event| event.max(accepted)),
            bounds.release,
        ),
    ]
}

/// Accepted, and no complete request within its bound; of a client, connected, and no
/// answer that opens the WebSocket.
fn handshake(view: &View<'_>, bounds: &Bounds) -> Option<Owed> {
    let event = view.firsts.accepted.unwrap_or(0);
    let since = view.firsts.accepted.map_or(Time::ZERO, |event| view.at(event));
    let deadline = since.after(bounds.handshake?);
    // A server's timer may fire within the slack: what came before that, it had.
    let slack = view.exchange.timing_slack;
    let in_time =
        view.actors_opening().is_some_and(|event| view.at(event) <= deadline.after(slack));
    (!in_time).then_some(Owed { cause: Cause::Handshake, since, deadline, event, fault: None })
}

/// Nothing complete for the bound: the first gap that is longer.
fn idle(view: &View<'_>, bounds: &Bounds) -> Option<Owed> {
    let bound = bounds.idle?;
    let mut last = view.opened?;
    for event in view.actor_frames.iter().filter_map(|frame| frame.ended) {
        if view.at(event) > view.at(last).after(bound + view.exchange.timing_slack) {
            break;
        }
        last = event.max(last);
    }
    arm(view, Cause::Idle, Some(last), bound)
}
