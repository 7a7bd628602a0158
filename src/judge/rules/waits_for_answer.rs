//! `waits-for-answer`: a well-behaved client gets the Close, and time to answer it.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View};
use std::time::Duration;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::WaitsForAnswer,
    class: Class::Safety,
    section: "1.4, 7.1.1, 7.1.2",
    quote: Some((
        "7.1.1",
        "An endpoint SHOULD use a method that cleanly closes the TCP connection",
    )),
    says: "After its Close the server gives a well-behaved client time to read it and to answer: it sends no \
         RST, and does not close the socket at once.",
    explains: "The server sent its Close and ended TCP in the same moment, so that no answer could come;\n\
              or it dropped its socket with bytes unread, and the reset that this sends destroyed the\n\
              Close on its way. The client sees 1006, an abnormal closure, although neither end failed.\n\n\
              Send the Close; go on reading until the client's Close arrives or a deadline passes; then\n\
              send FIN, and read to the client's FIN, or the deadline, before you drop the socket.",
    asked_of: AskedOf::Server(
        "a server closes TCP first, and by that may cut the client short (7.1.1)",
    ),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::ResetDestroysClose, Symptom::EndsWithClose],
    check,
};

/// Over a network no answer can be waited for in less time than this.
const AT_ONCE: Duration = Duration::from_millis(100);

fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(eaten_close(case));
    out.extend(cut_at_once(case));
}

/// Whether the client has behaved so far that it may expect a clean end: it broke no
/// rule, kept its socket and the network, and sent nothing behind its own Close.
fn is_polite(view: &View<'_>, at: usize) -> bool {
    // A reset of the client's is an end by itself.
    let came = |event: Option<usize>| event.is_some_and(|event| event <= at);
    let firsts = &view.firsts;
    let behind_close = match view.actor_close() {
        Some(close) => close.end_offset < view.bytes.to_subject.len(),
        None => came(firsts.fin),
    };
    let fault = view.actor_fault.map(|fault| fault.event);
    let left = came(fault) || came(firsts.reset) || came(firsts.cut);
    !behind_close && !left && !view.is_not_reading_at(at)
}

/// Why a server need not wait although the client is polite.
fn hurried(suspicion: Suspicion, view: &View<'_>, own: &Frame, at: usize) -> Suspicion {
    suspicion
        .unless(excuses::refusable(view, at))
        .unless(excuses::application_returned(view, at))
        .unless(excuses::crashed(view, at))
        .unless(excuses::server_failed(own))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//# To _Close the WebSocket Connection_, an endpoint closes the
//# underlying TCP connection.  An endpoint SHOULD use a method that
//# cleanly closes the TCP connection
/// A reset that came before the client could read the server's Close.
fn eaten_close(case: &Case<'_>) -> Option<Suspicion> {
    let view = case.view;
    let reset = view.firsts.got_reset?;
    let own = view.own_close().filter(|close| close.ended.is_some() && close.started < reset)?;
    let had = !view.sees_both_ends() || view.got_before(reset) >= own.end_offset;
    // Whose time to close is up must end then, though room for its Close came in that moment.
    let slack = view.exchange.timing_slack;
    let time_was_up = case.owed.is_some_and(|owed| view.at(reset).after(slack) >= owed.deadline);
    if had || time_was_up || !is_polite(view, reset) {
        return None;
    }
    let fact = "reset the connection before the client could read its Close";
    let events = vec![reset, own.started];
    let suspicion = Suspicion::new(Level::Should, Symptom::ResetDestroysClose, fact, events);
    Some(hurried(suspicion, view, own, reset))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//# Once an endpoint has both sent and received
//# a Close control frame, that endpoint SHOULD _Close the WebSocket
//# Connection_ as defined in Section 7.1.1.
/// An end that came with the own Close, before any answer to it could. FIN alone is none:
/// who shuts down and reads on (7.1.1) can still be answered. So it counts only where it
/// was seen when the server let go: to a client, a drop and a FIN look the same.
fn cut_at_once(case: &Case<'_>) -> Option<Suspicion> {
    let view = case.view;
    let own = view.own_close()?;
    let sent = own.ended?;
    let (released, patience) = if view.sees_both_ends() {
        (view.released(), view.exchange.timing_slack)
    } else {
        (view.left_a_silent_client(), AT_ONCE)
    };
    let ended = released.filter(|ended| *ended >= sent)?;
    let at_once = view.at(ended) <= view.at(sent).after(patience);
    // A message that crossed the Close is no answer, and ends no wait either.
    let took_message = |frame: &Frame| {
        let came = frame.ended.filter(|came| *came > sent && *came <= ended);
        let in_that_moment = came
            .is_some_and(|came| view.at(ended) <= view.at(came).after(view.exchange.timing_slack));
        in_that_moment && frame.opcode.is_data()
    };
    // The server's own deadline may pass in the moment of the message, where it is as short.
    let soon = view.at(ended) <= view.at(sent).after(AT_ONCE) && case.bounds.close > AT_ONCE;
    let at_once = at_once || (soon && view.actor_frames.iter().any(took_message));
    // An answer that came in the meantime was all that there was to wait for.
    let answers =
        |frame: &Frame| frame.is_close() && frame.ended.is_some_and(|arrived| arrived <= ended);
    if !at_once || view.actor_frames.iter().any(answers) || !is_polite(view, ended) {
        return None;
    }
    let fact = "ended the connection with its Close, before an answer could come";
    let suspicion =
        Suspicion::new(Level::Should, Symptom::EndsWithClose, fact, vec![ended, own.started])
            .unless(excuses::had_to_wait_for_room(view, sent));
    Some(hurried(suspicion, view, own, ended))
}
