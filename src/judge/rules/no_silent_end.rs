//! `no-silent-end`: a server that ends a connection by itself sends a Close first.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;
use crate::wire::Role;

/// Up to this a client has to take an answer to its opening request: what is longer it may find too long.
const LONG_ANSWER: usize = 4096;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoSilentEnd,
    class: Class::Safety,
    section: "1.4, 7.1.5",
    quote: Some((
        "7.1.5",
        "If _The WebSocket Connection is Closed_ and no Close control frame was received by the \
                 endpoint (such as could occur if the underlying transport connection is lost), _The \
                 WebSocket Connection Close Code_ is considered to be 1006.",
    )),
    says: "If the server ends a connection on its own initiative, it sends a Close first.",
    explains: "The server ended the connection without a Close, although the client had broken no rule and\n\
              sent neither Close nor FIN, the application had not asked for an end, and there was room to\n\
              write. Usual causes: a time-out that drops the socket, an error in a handler, a message\n\
              that is too big. The client reports 1006 and cannot tell this from a lost network; if it\n\
              reconnects at once, it does so again and again.\n\n\
              Send a Close that says why: 1001 for a server that gives up waiting, 1009 for a message\n\
              that is too big, 1011 for an error of its own; then end the connection.",
    asked_of: AskedOf::Both("the closing handshake of 1.4 is either end's"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[Symptom::EndsSilently, Symptom::ResetsSilently],
    check,
};

/// An end at the application's close is `sends-close`'s, and one at a shutdown `closes-all-at-shutdown`'s; the end of a connection that the client
/// wanted to end, by a Close, FIN or a violation, is judged by other rules.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(unprovoked(case.view));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5
//# If _The WebSocket
//# Connection is Closed_ and no Close control frame was received by the
//# endpoint (such as could occur if the underlying transport connection
//# is lost), _The WebSocket Connection Close Code_ is considered to be
//# 1006.
fn unprovoked(view: &View<'_>) -> Option<Suspicion> {
    let (opened, ended) = (view.opened?, view.told_end()?);
    let has_closed = view.own_close().is_some() || !view.subject_keeps_framing();
    if has_closed || ended < opened || Some(ended) == view.firsts.reset {
        return None;
    }
    // A client that gave up on the answer has opened nothing: many bound the length of a header.
    let is_client = view.subject_role() == Role::Client;
    if is_client && view.subject_frames.is_empty() && view.answer_length() > LONG_ANSWER {
        return None;
    }
    let fault = view.actor_fault.map(|fault| fault.event);
    let close = view.actor_close().and_then(|close| close.ended);
    let asked = [fault, close, view.wish_to_close(), view.firsts.fin];
    if asked.into_iter().flatten().any(|event| event <= ended) {
        return None;
    }
    let (symptom, fact) = if view.is_reset(ended) {
        (Symptom::ResetsSilently, "reset the connection by itself, without a Close")
    } else {
        (Symptom::EndsSilently, "ended the connection by itself, without a Close")
    };
    // A server that finds its client gone need not tell it.
    let suspicion = Suspicion::new(Level::Should, symptom, fact, vec![ended])
        .unless(excuses::cut_off(view, ended))
        .unless(excuses::silence(view, ended))
        .unless(excuses::refusable(view, ended));
    Some(suspicion)
}
