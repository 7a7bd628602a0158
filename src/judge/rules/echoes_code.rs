//! `echoes-code`: the answer to a Close repeats its code.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::EchoesCode,
    class: Class::Safety,
    section: "5.5.1",
    quote: Some((
        "5.5.1",
        "When sending a Close frame in response, the endpoint typically echos the status code it \
                 received.",
    )),
    says: "The answer to a Close repeats its code.",
    explains: "The client closed with a code, and the answer has another one or none: always 1000, say.\n\
              The client's log then shows a reason that nobody gave. Not judged where the application\n\
              closed as well, or where the Close refuses data that the client sent before.",
    asked_of: AskedOf::Both("5.5.1 says: the endpoint"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::OtherCode, Symptom::NoCode],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# When sending a Close frame in response, the endpoint
//# typically echos the status code it received.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(other_code(case.view));
}

fn other_code(view: &View<'_>) -> Option<Suspicion> {
    let theirs = view.actor_close().filter(|close| close.fault.is_none())?;
    let own = view.own_close().filter(|close| close.ended.is_some() && close.fault.is_none())?;
    let wanted = theirs.code()?;
    let sent = own.code();
    let received = view.received(theirs)?;
    if sent == Some(wanted) || own.started <= received {
        return None;
    }
    let symptom = if sent.is_some() { Symptom::OtherCode } else { Symptom::NoCode };
    let sent = sent.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    let fact = format!("answered the client's Close with {sent}, which had code {wanted}");
    // A Close that came after the client's need not answer it. Of blame, `accepts-legal` speaks.
    let suspicion = Suspicion::new(Level::Should, symptom, fact, vec![own.started, received])
        .unless(excuses::application_closed(view, own.started))
        .unless(excuses::waited_for_room(view, std::iter::once(received)))
        .unless(excuses::about_data(view, own))
        .unless(excuses::blames_the_client(Some(own)))
        .unless(excuses::reason_of_its_own(view, theirs));
    Some(suspicion.about_an_answer(view, theirs))
}
