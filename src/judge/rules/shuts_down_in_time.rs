//! `shuts-down-in-time`: a shutdown is over within its bound. The RFC is silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{AfterDeadline, ConnectionId, Event, Exchange, Time, What};
use crate::judge::{excuses, lateness};
use crate::verdict::{
    Cause, Class, Condition, Ending, Invariant, Level, Owed, Symptom, WhyUnproven,
};
use crate::view::View;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ShutsDownInTime,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "After the command to shut down, the server finishes by the deadline, whatever its \
         clients do.",
    explains: "A deployment waits for the old process to exit. One client that does not answer the Close,\n\
              does not read, or is only idle must not be able to delay that; nor may the sum of many.\n\n\
              The classic ways to break it: wait until all clients have left by themselves; close one\n\
              after the other; a time-out for each connection where the shutdown needs one in all; a\n\
              counter of open connections that an error path does not lower, so that the server waits\n\
              for nobody.\n\n\
              Tell all connections at once, give all of them one deadline together, and drop what is\n\
              left when it passes.",
    asked_of: AskedOf::Server("it is servers that are told to shut down"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::WaitsForClients, Symptom::WaitsForNobody, Symptom::ShutsDownLate],
    check,
};

/// Judged once, with the first connection. A server that spins, or died, is another rule's.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let (view, exchange) = (case.view, case.view.exchange);
    let Some(told) = view.firsts.told.filter(|_| view.connection() == ConnectionId::FIRST) else {
        return;
    };
    let since = view.at(told);
    let deadline = since.after(case.bounds.shutdown());
    let late_from = deadline.after(exchange.timing_slack);
    // What crashes later was late by then.
    let in_time = |event: &&Event| event.at <= late_from;
    if exchange.events.iter().filter(in_time).any(|event| event.what.is_crash()) {
        return;
    }
    let returned = view.firsts.returned;
    let last = exchange.events.last().map_or(Time::ZERO, |event| event.at);
    // What was not watched up to the deadline is not held against anybody.
    if returned.map_or(last, |event| view.at(event)) <= late_from {
        return;
    }
    let owed = Owed { cause: Cause::Shutdown, since, deadline, event: told, fault: None };
    let open = open_at(exchange, deadline);
    let condition = open.first().map_or(Condition::Silent, |connection| {
        lateness::condition(&View::of(exchange, *connection), owed)
    });
    let (symptom, fact) = match (returned, open.len()) {
        (Some(_), _) => (Symptom::ShutsDownLate, "shuts down by itself, but too late".to_owned()),
        (None, 0) => (
            Symptom::WaitsForNobody,
            "does not shut down although no connection is open".to_owned(),
        ),
        (None, 1) => {
            (Symptom::WaitsForClients, "does not shut down while 1 connection is open".to_owned())
        }
        (None, open) => (
            Symptom::WaitsForClients,
            format!("does not shut down while {open} connections are open"),
        ),
    };
    let ending = ending(view, last);
    let events = [Some(told), returned.or(view.firsts.server_became)];
    let suspicion =
        Suspicion::new(Level::Should, symptom, fact, events.into_iter().flatten().collect());
    let timing = Some((owed, condition, ending));
    out.push(Suspicion { timing, ..suspicion }.unless(excuses::unproven(&ending)));
}

/// How a shutdown ended that was not over in time, where watching ended at `last`.
fn ending(view: &View<'_>, last: Time) -> Ending {
    if let Some(event) = view.firsts.returned {
        return Ending::Late(view.at(event));
    }
    let became = view.firsts.server_became.map(|event| &view.exchange.events[event].what);
    match became {
        Some(What::ServerBecame(AfterDeadline::Quiet)) => Ending::Never,
        Some(What::ServerBecame(AfterDeadline::Ticking { wakes, lasting })) => {
            Ending::Ticking(lasting / u64::from((*wakes).max(1)))
        }
        Some(What::ServerBecame(AfterDeadline::Unproven(threads))) => {
            Ending::Unproven(WhyUnproven::Threads(*threads))
        }
        _ => Ending::Open(last),
    }
}

/// The connections that the server had accepted and held at `time`.
fn open_at(exchange: &Exchange, time: Time) -> Vec<ConnectionId> {
    let is_open = |connection: &ConnectionId| {
        let view = View::of(exchange, *connection);
        let its = view.events().find(|event| !event.what.is_servers());
        let came = its.is_some_and(|event| event.at <= time);
        let released = view.released().is_some_and(|event| view.at(event) <= time);
        came && view.is_accepted() && !released
    };
    exchange.connections().filter(is_open).collect()
}
