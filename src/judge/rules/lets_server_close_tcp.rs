//! `lets-server-close-tcp`: a client leaves it to the server to close TCP.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::LetsServerCloseTcp,
    class: Class::Safety,
    section: "5.5.1, 7.1.1",
    quote: Some((
        "5.5.1",
        "the client SHOULD wait for the server to close the connection but MAY close the connection \
                 at any time after sending and receiving a Close message",
    )),
    says: "After both Closes a client gives the server time to close TCP.",
    explains: "The client ended TCP as soon as both Closes had been exchanged. It may (5.5.1), but its port\n\
              then stays in TIME_WAIT, which the RFC wants at the server (7.1.1); and a FIN right after\n\
              the client's Close makes some servers drop the connection. Go on reading until the\n\
              server's FIN, or the deadline of the closing.",
    asked_of: AskedOf::Client("5.5.1 has the server close TCP at once, and the client wait"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::EndsTcpFirst],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# the client SHOULD wait for the server to
//# close the connection but MAY close the connection at any time after
//# sending and receiving a Close message
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    let theirs = view.actor_close().filter(|close| close.fault.is_none());
    let own = view.own_close().filter(|close| close.ended.is_some());
    let received = theirs.and_then(|close| view.received(close));
    let (Some(received), Some(sent)) = (received, own.and_then(|own| own.ended)) else { return };
    let Some(ended) = view.ended().filter(|ended| *ended > received.min(sent)) else { return };
    let slack = view.exchange.timing_slack;
    let both = received.max(sent);
    // Who had waited for the other Close may have a timer that runs out in this moment.
    let waited = view.at(both) > view.at(received.min(sent)).after(slack);
    let at_once = view.at(ended) <= view.at(both).after(slack);
    let is_late = case.owed.is_some_and(|owed| view.at(ended).after(slack) >= owed.deadline);
    let gone = [view.firsts.fin, view.firsts.reset, view.firsts.cut, view.firsts.began_to_return];
    let is_asked = gone.into_iter().flatten().any(|event| event <= ended)
        || view.actor_fault.is_some_and(|fault| fault.event <= ended);
    // What came behind the Close may have led to a reset.
    let is_last = theirs.is_some_and(|close| close.end_offset == view.bytes.to_subject.len());
    if !at_once || waited || is_late || is_asked || !is_last || view.firsts.panicked.is_some() {
        return;
    }
    let fact = "closed TCP as soon as both Closes were there, before the client could";
    let events = vec![ended, both];
    let suspicion = Suspicion::new(Level::Should, Symptom::EndsTcpFirst, fact, events);
    // A Close that waited for room may have been sent for another reason, whose time is up by now.
    let suspicion = suspicion.unless(excuses::had_to_wait_for_room(view, sent));
    // Who fails the connection need not wait (7.1.7): whether it had a reason is for other rules.
    out.push(suspicion.unless(excuses::blames_the_client(view.own_close())));
}
