//! `closes-all-at-shutdown`: a shutdown sends every open connection a Close. A SHOULD; which code it has
//! is not judged.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{Event, Time, What};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::came_before;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ClosesAllAtShutdown,
    class: Class::Safety,
    section: "7.1.2, 7.4.1",
    quote: Some((
        "7.4.1",
        "1001 indicates that an endpoint is \"going away\", such as a server going down or a \
                 browser having navigated away from a page.",
    )),
    says: "A server that is told to shut down sends every open connection a Close.",
    explains: "A client that gets no Close sees a lost connection: it reports 1006 and reconnects at once,\n\
              together with all other clients. 7.4.1 has a code for a shutdown, 1001; hangup remarks on\n\
              another code, and does not count it as a finding.\n\n\
              Usual causes: the tasks of the connections are aborted, or dropped with the runtime; a\n\
              signal reaches only tasks that wait for it in that moment, and not a connection that is\n\
              still opening; a loop over a map skips entries that are removed meanwhile. Keep the\n\
              shutdown as a state that every connection checks, not as an event. Send the Close from the\n\
              connection's task, and await those tasks within one deadline.",
    asked_of: AskedOf::Server("it is servers that are told to shut down"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::DroppedAtShutdown, Symptom::ForgottenAtShutdown],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
//# 1001 indicates that an endpoint is "going away", such as a server
//# going down or a browser having navigated away from a page.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    let (Some(told), Some(opened)) = (view.firsts.told, view.opened) else { return };
    // Of who comes later, `stops-accepting` speaks.
    if view.firsts.offered.is_some_and(|offered| offered > told) {
        return;
    }
    // Who does not read sees no Close: over TCP nobody else does.
    let is_deaf = |event: &Event| matches!(event.what, What::StoppedReading | What::Cut);
    if !view.sees_both_ends() && view.events().any(is_deaf) {
        return;
    }
    let ended = view.told_end();
    let ends = ended.unwrap_or(usize::MAX);
    let close = view.actor_close().and_then(|close| close.ended);
    let fault = view.actor_fault.map(|fault| fault.event);
    let asked = [close, fault, view.firsts.fin, view.firsts.reset, view.firsts.began];
    let was_asked = asked.into_iter().any(|event| came_before(event, ends));
    let deadline = view.at(told).after(case.bounds.shutdown());
    let by = deadline.after(view.exchange.timing_slack);
    let closes = view.own_close().is_some_and(|own| view.at(own.started) <= by);
    if closes || ends <= told || was_asked || !view.subject_keeps_framing() {
        return;
    }
    // A server that opens it meanwhile may end it with the process: it is only not to be forgotten.
    if opened > told && ended.is_some() && !view.sees_both_ends() {
        return;
    }
    let crashed = view.exchange.events.iter().any(|event| event.what.is_crash());
    let suspicion = match ended {
        Some(ended) if view.own_close().is_none() => {
            let fact = "ended the connection at its shutdown without a Close";
            Suspicion::new(Level::Should, Symptom::DroppedAtShutdown, fact, vec![told, ended])
                .unless(excuses::cut_off(view, ended))
                .unless(excuses::silence(view, ended))
                .unless(excuses::refusable(view, ended))
        }
        _ => {
            let last = view.exchange.events.last().map_or(Time::ZERO, |event| event.at);
            if last <= by || crashed {
                return;
            }
            let fact = "was told to shut down, and sends this connection no Close in time";
            Suspicion::new(Level::Should, Symptom::ForgottenAtShutdown, fact, vec![told])
                .unless(excuses::cut_off(view, usize::MAX))
                .unless(excuses::no_room_to_the_end(view))
                .unless(excuses::other_threads(view))
        }
    };
    out.push(suspicion);
}
