//! `stops-accepting`: who comes during the shutdown is sent away, and not held. The RFC is silent:
//! a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Time;
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;
use std::time::Duration;

/// So soon a client that comes during the shutdown is to know that it came in vain.
const GRACE: Duration = Duration::from_secs(1);

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::StopsAccepting,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "A server that shuts down refuses new connections at once, or ends them within a second.",
    explains: "A client that is refused tries the next server. A client that waits in the queue of a\n\
              listener, from which the server accepts no more, waits as long as the shutdown takes, and is\n\
              reset in the end. A client that is served loses its connection soon, or delays the shutdown.\n\n\
              Drop the listener first, and then close the connections. A connection that was accepted\n\
              in that moment gets a 503, or the same Close as all others.",
    asked_of: AskedOf::Server("it is servers that accept connections"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::HoldsNewcomers, Symptom::ServesNewcomers],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    let (Some(told), Some(offered)) = (view.firsts.told, view.firsts.offered) else { return };
    let left = [view.firsts.fin, view.firsts.reset, view.firsts.cut];
    let crashed = view.exchange.events.iter().any(|event| event.what.is_crash());
    if offered < told || left.into_iter().any(|event| event.is_some()) || crashed {
        return;
    }
    let last = view.exchange.events.last().map_or(Time::ZERO, |event| event.at);
    let too_late = |since: usize, event: Option<usize>| {
        let by = view.at(since).after(GRACE).after(view.exchange.timing_slack);
        event.map_or(last, |event| view.at(event)) > by
    };
    let noticed = [view.firsts.accepted, view.firsts.refused].into_iter().flatten().min();
    let suspicion = if too_late(offered, noticed) {
        let fact = "neither refuses nor accepts a connection that comes during its shutdown";
        let events = [Some(told), Some(offered), noticed].into_iter().flatten().collect();
        Suspicion::new(Level::Should, Symptom::HoldsNewcomers, fact, events)
    } else if let Some(opened) = view.opened.filter(|opened| too_late(*opened, sent_away(view))) {
        let fact = "serves a connection that comes during its shutdown";
        Suspicion::new(Level::Should, Symptom::ServesNewcomers, fact, vec![told, offered, opened])
    } else {
        return;
    };
    out.push(suspicion.unless(excuses::other_threads(view)));
}

/// The event with which the client learned that the server goes away.
fn sent_away(view: &View<'_>) -> Option<usize> {
    let close = view.own_close().map(|own| own.started);
    [close, view.ended()].into_iter().flatten().min()
}
