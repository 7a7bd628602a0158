//! Puts the exchanges of several connections that were played at the same time together in one,
//! with what is known of the server as a whole. Plain data.

use crate::exchange::{ConnectionId, Event, Exchange, Time, What};
use std::time::Duration;

/// What one connection of a script came to.
#[derive(Debug, Default)]
pub(super) struct OneConnection {
    /// When the client tried to connect.
    pub offered: Time,
    /// When that failed, where it did.
    pub refused: Option<Time>,
    /// When it was connected, and what it saw since; `None` where it was not.
    pub seen: Option<(Time, Exchange)>,
    /// Whether it was there from the beginning: then the server had it at once.
    pub is_first: bool,
}

/// All of it as one exchange, connection after connection; `server` has what happened to the whole.
pub(super) fn merged(connections: Vec<OneConnection>, server: Vec<Event>) -> Exchange {
    let mut all = Exchange::new(false);
    all.sees_release = true;
    (all.transit, all.timing_slack) = (Duration::ZERO, Duration::ZERO);
    let mut events = server;
    for (number, one) in connections.into_iter().enumerate() {
        let id = if number == 0 { ConnectionId::FIRST } else { all.connect() };
        let of = |event: Event| Event { connection: id, ..event };
        let OneConnection { offered, refused, seen, is_first } = one;
        if seen.is_none() && refused.is_none() {
            // Its steps are the server's alone: nobody connects.
            continue;
        }
        events.push(of(Event::new(offered, What::Offered)));
        events.extend(refused.map(|at| of(Event::new(at, What::Refused))));
        let Some((start, exchange)) = seen else { continue };
        let at = |time: Time| start.after(time.since_accept());
        let first = exchange.events.iter().find(|event| matches!(event.what, What::Read { .. }));
        let accepted = first.map(|event| at(event.at)).filter(|_| !is_first);
        let accepted = accepted.or(is_first.then_some(start));
        events.extend(accepted.map(|at| of(Event::new(at, What::Accepted).inferred())));
        *all.bytes_mut(id) = exchange.bytes(ConnectionId::FIRST).clone();
        all.sees_release &= exchange.sees_release;
        all.transit = all.transit.max(exchange.transit);
        all.timing_slack = all.timing_slack.max(exchange.timing_slack);
        if number == 0 {
            (all.steps, all.request) = (exchange.steps, exchange.request.clone());
            all.preamble_bytes = exchange.preamble_bytes;
        }
        let shifted = |event: Event| of(Event { at: at(event.at), ..event });
        events.extend(exchange.events.into_iter().map(shifted));
    }
    // What happened at the same time keeps the order in which it was written.
    events.sort_by_key(|event| event.at);
    all.events = events;
    all
}
