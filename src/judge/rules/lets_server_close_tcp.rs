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
    says: "After its Close a client gives the server time to answer it, and after both Closes to close TCP.",
    explains: "The client ended TCP as soon as both Closes had been exchanged. It may (5.5.1), but its port\n\
              then stays in TIME_WAIT, which the RFC wants at the server (7.1.1); and a FIN right after\n\
              the client's Close makes some servers drop the connection. Or it ended TCP with its own\n\
              Close, where the server had sent none: what the server still had to send, and its Close,\n\
              are lost. Go on reading until the server's FIN, or the deadline of the closing.",
    asked_of: AskedOf::Client("5.5.1 has the server close TCP at once, and the client wait"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::EndsTcpFirst, Symptom::EndsWithClose],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(ended_behind_both(case));
    out.extend(ended_behind_its_own(case));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# the client SHOULD wait for the server to
//# close the connection but MAY close the connection at any time after
//# sending and receiving a Close message
/// TCP ended as soon as both Closes were there.
fn ended_behind_both(case: &Case<'_>) -> Option<Suspicion> {
    let view = case.view;
    let theirs = view.actor_close().filter(|close| close.fault.is_none());
    let own = view.own_close().filter(|close| close.ended.is_some());
    let received = theirs.and_then(|close| view.received(close));
    let (received, sent) = (received?, own?.ended?);
    let ended = view.ended().filter(|ended| *ended > received.min(sent))?;
    let slack = view.exchange.timing_slack;
    let both = received.max(sent);
    // Who had waited for the other Close may have a timer that runs out in this moment.
    let waited = view.at(both) > view.at(received.min(sent)).after(slack);
    let at_once = view.at(ended) <= view.at(both).after(slack);
    // What came behind the Close may have led to a reset.
    let is_last = theirs.is_some_and(|close| close.end_offset == view.bytes.to_subject.len());
    if !at_once || waited || !is_last || had_to_end(case, ended) {
        return None;
    }
    let fact = "closed TCP as soon as both Closes were there, before the client could";
    let events = vec![ended, both];
    let suspicion = Suspicion::new(Level::Should, Symptom::EndsTcpFirst, fact, events);
    // A Close that waited for room may have been sent for another reason, whose time is up by now.
    let suspicion = suspicion.unless(excuses::had_to_wait_for_room(view, sent));
    // Who fails the connection need not wait (7.1.7): whether it had a reason is for other rules.
    Some(suspicion.unless(excuses::blames_the_client(view.own_close())))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//# Once an endpoint has both sent and received
//# a Close control frame, that endpoint SHOULD _Close the WebSocket
//# Connection_ as defined in Section 7.1.1.
/// TCP ended with the client's own Close, where the server had not begun to send one: by FIN too,
/// since it is the server who begins with that.
fn ended_behind_its_own(case: &Case<'_>) -> Option<Suspicion> {
    let view = case.view;
    let own = view.own_close()?;
    let sent = own.ended?;
    let ended = view.ended().filter(|ended| *ended >= sent)?;
    let at_once = view.at(ended) <= view.at(sent).after(view.exchange.timing_slack);
    let answers = view.actor_close().is_some_and(|close| close.started <= ended);
    // Over TCP nobody sees which of two ends that come at once was the first: TLS says the server's before its RST.
    let until = view.at(ended).after(view.exchange.timing_slack);
    let is_reset =
        !view.sees_both_ends() && view.firsts.reset.is_some_and(|reset| view.at(reset) <= until);
    if !at_once || answers || is_reset || had_to_end(case, ended) {
        return None;
    }
    let fact = "ended TCP with its Close, before an answer could come";
    let events = vec![ended, own.started];
    let suspicion = Suspicion::new(Level::Should, Symptom::EndsWithClose, fact, events)
        .unless(excuses::refusable(view, ended))
        .unless(excuses::had_to_wait_for_room(view, sent))
        .unless(excuses::blames_the_client(view.own_close()))
        .unless(excuses::server_failed(own));
    Some(suspicion)
}

/// Whether the client had another reason to end TCP: the deadline, the server or the network that was gone or broke a
/// rule, its application that returned, or a panic.
fn had_to_end(case: &Case<'_>, ended: usize) -> bool {
    let view = case.view;
    let slack = view.exchange.timing_slack;
    let is_late = case.owed.is_some_and(|owed| view.at(ended).after(slack) >= owed.deadline);
    let firsts = &view.firsts;
    let gone = [firsts.fin, firsts.reset, firsts.cut, firsts.began_to_return];
    is_late
        || gone.into_iter().flatten().any(|event| event <= ended)
        || view.actor_fault.is_some_and(|fault| fault.event <= ended)
        || firsts.panicked.is_some()
}
