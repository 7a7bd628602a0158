//! `answers-close`: a Close gets a Close, before the end.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View};
use crate::wire::{CloseClass, ClosePayload};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::AnswersClose,
    class: Class::Safety,
    section: "5.5.1",
    quote: Some((
        "5.5.1",
        "If an endpoint receives a Close frame and did not previously send a Close frame, the \
                 endpoint MUST send a Close frame in response.",
    )),
    says: "The server answers the client's Close with a Close before it ends the connection.",
    explains: "The server read the client's Close, could write, and ended the connection without\n\
              sending its own. Often the reply was queued and the transport dropped before it was\n\
              flushed. The client then reports 1006, an abnormal closure.",
    asked_of: AskedOf::Both("5.5.1 says: an endpoint"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[
        Symptom::EmptyClose,
        Symptom::DefinedCode,
        Symptom::RegisteredCode,
        Symptom::PrivateCode,
        Symptom::CloseWithReason,
        Symptom::PartOfAnswer,
    ],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# If an endpoint receives a Close frame and did not previously send a
//# Close frame, the endpoint MUST send a Close frame in response.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(unanswered(case.view));
}

fn unanswered(view: &View<'_>) -> Option<Suspicion> {
    // A malformed Close is a violation; to answer that with a Close is a SHOULD (7.1.7).
    let close = view.actor_close().filter(|close| close.fault.is_none())?;
    let answered = view.own_close().is_some_and(|close| close.ended.is_some());
    let received = view.received(close).or_else(|| view.received_by_reset(close))?;
    let ended = view.told_end()?;
    // Behind a frame that is none nobody can tell what it sent: that is another rule's.
    if answered || ended < received || view.subject_lost_framing() {
        return None;
    }
    let (symptom, fact) = match view.own_close() {
        Some(_) => {
            (Symptom::PartOfAnswer, "ended the connection within its answer to the client's Close")
        }
        None => {
            (kind(close), "got the client's Close, and ended the connection without answering it")
        }
    };
    let suspicion = Suspicion::new(Level::Must, symptom, fact, vec![received, ended])
        .unless(excuses::silence(view, ended))
        .unless(excuses::application_left(view, received))
        .unless(excuses::wide_length(view, close));
    Some(suspicion.about_an_answer(view, close))
}

/// Which kind of Close was not answered: servers that parse before they answer differ by it.
fn kind(close: &Frame) -> Symptom {
    match ClosePayload::parse(close.close.as_deref().unwrap_or_default()) {
        ClosePayload::Empty | ClosePayload::OneByte(_) => Symptom::EmptyClose,
        ClosePayload::Code(code, reason) => match code.class() {
            CloseClass::Registered => Symptom::RegisteredCode,
            CloseClass::Library | CloseClass::Private => Symptom::PrivateCode,
            _ if !reason.is_empty() => Symptom::CloseWithReason,
            _ => Symptom::DefinedCode,
        },
    }
}
