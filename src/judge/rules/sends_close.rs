//! `sends-close`: a close that begins is put on the wire.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Prompt, Symptom};
use crate::view::View;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::SendsClose,
    class: Class::Safety,
    section: "7.1.2",
    quote: Some((
        "7.1.2",
        "To _Start the WebSocket Closing Handshake_ with a status code (Section 7.4) /code/ and \
                 an optional close reason (Section 7.1.6) /reason/, an endpoint MUST send a Close \
                 control frame, as described in Section 5.5.1",
    )),
    says: "When the application closes, the server sends a whole Close before it ends the \
         connection.",
    explains: "The application asked for the connection to be closed, there was room to write, and\n\
              the connection ended with no Close, or with part of one. The client reports 1006, an\n\
              abnormal closure, and does not see the code and the reason that it was to be told.\n\n\
              Often the session is dropped where it should be closed, or the Close is queued and\n\
              the task that writes is aborted. Await the send of the Close, and flush it, within\n\
              the deadline of the closing; then end the connection.",
    asked_of: AskedOf::Both("7.1.2 says: an endpoint"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::DropsAtClose, Symptom::ResetsAtClose, Symptom::PartOfClose],
    check,
};

/// What the client's Close is answered with is `answers-close`'s, and what a violation is
/// answered with is `refuses-illegal`'s.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(unsent(case.view));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//# To _Start the WebSocket Closing Handshake_ with a status code
//# (Section 7.4) /code/ and an optional close reason (Section 7.1.6)
//# /reason/, an endpoint MUST send a Close control frame, as described
//# in Section 5.5.1
fn unsent(view: &View<'_>) -> Option<Suspicion> {
    let (opened, ended) = (view.opened?, view.told_end()?);
    let own = view.own_close();
    let is_whole = own.is_some_and(|own| own.ended.is_some());
    if is_whole || was_asked_by_the_client(view, ended) || !view.subject_keeps_framing() {
        return None;
    }
    let began = view.notes.iter().find(|(_, note)| *note == Note::BeganToClose);
    let began = began.map(|(event, _)| *event).filter(|began| *began < ended);
    // A shutdown during the opening may end it as it likes.
    let began = began.filter(|began| opened <= *began);
    let (level, symptom, fact) = match (own, began) {
        (Some(_), _) => {
            // 7.1.1 lets an endpoint close by any means where it has to.
            let level = if began.is_some() { Level::Must } else { Level::Should };
            (level, Symptom::PartOfClose, "ended the connection within its Close")
        }
        (None, Some(_)) if view.is_reset(ended) => {
            let fact = "reset the connection at its application's close, without a Close";
            (Level::Must, Symptom::ResetsAtClose, fact)
        }
        (None, Some(_)) => {
            let fact = "ended the connection at its application's close, without a Close";
            (Level::Must, Symptom::DropsAtClose, fact)
        }
        (None, None) => return None,
    };
    let events = [Some(ended), began].into_iter().flatten().collect();
    let prompt = began.map(|_| Prompt::Application);
    // A server that ends the connection in that moment anyway does not do so at the close.
    let suspicion = Suspicion::new(level, symptom, fact, events)
        .unless(excuses::ended_by_itself(own))
        .unless(excuses::silence(view, ended))
        .unless(excuses::client_fin(view, ended))
        .unless(excuses::application_returned(view, ended))
        .unless(excuses::refusable(view, ended));
    Some(Suspicion { prompt, ..suspicion })
}

/// Whether the client had asked for the end by then: by its Close, which the server had read, or
/// by a violation.
fn was_asked_by_the_client(view: &View<'_>, ended: usize) -> bool {
    let received = |close| view.received(close).or_else(|| view.received_by_reset(close));
    let close = view.actor_close().and_then(received);
    let fault = view.actor_fault.map(|fault| fault.event);
    [close, fault].into_iter().flatten().any(|event| event <= ended)
}
