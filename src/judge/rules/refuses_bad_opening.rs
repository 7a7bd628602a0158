//! `refuses-bad-opening`: a client opens no WebSocket on a 101 that does not answer its request.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;
use crate::wire::handshake::BadOpening;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::RefusesBadOpening,
    class: Class::Safety,
    section: "4.1",
    quote: Some((
        "4.1",
        "If the response lacks a |Sec-WebSocket-Accept| header field or the \
                 |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 of the \
                 concatenation of the |Sec-WebSocket-Key| (as a string, not base64-decoded) with the \
                 string \"258EAFA5-E914-47DA-95CA-C5AB0DC85B11\" but ignoring any leading and trailing \
                 whitespace, the client MUST _Fail the WebSocket Connection_.",
    )),
    says: "The client gives up a connection whose 101 does not have the hash of its key, or has a \
         subprotocol that it did not offer.",
    explains: "The server sent a 101 without the hash of the client's key, or with a subprotocol that the client\n\
              had not offered, and the client opened the WebSocket: its application was told so, or it sent\n\
              a frame. The hash is what tells a WebSocket server from another program, or a cache, that\n\
              repeats what it was sent; with a subprotocol that nobody offered the two ends read the same\n\
              messages by different rules.\n\n\
              Compare the whole Sec-WebSocket-Accept with the hash of your own key, and look the\n\
              subprotocol up in your offer; give up the connection where either fails. How soon\n\
              a connection that does not open has to be given up, connects-in-time judges.",
    asked_of: AskedOf::Client("4.1 has the client check the answer"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::TakesWrongKey, Symptom::TakesUnaskedProtocol],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# If the response lacks a |Sec-WebSocket-Accept| header field or
//# the |Sec-WebSocket-Accept| contains a value other than the
//# base64-encoded SHA-1 of the concatenation of the |Sec-WebSocket-Key|
//# (as a string, not base64-decoded) with the string
//# "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" but ignoring any leading and
//# trailing whitespace, the client MUST _Fail the WebSocket
//# Connection_.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# If the response includes a |Sec-WebSocket-Protocol| header field
//# and this header field indicates the use of a subprotocol that was
//# not present in the client's handshake (the server has indicated a
//# subprotocol not requested by the client), the client MUST _Fail
//# the WebSocket Connection_.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let Some((bad, came, opened)) = opened_all_the_same(case.view) else { return };
    let (symptom, fact) = match bad {
        BadOpening::Key => {
            (Symptom::TakesWrongKey, "opened the WebSocket on a 101 without the hash of its key")
        }
        BadOpening::Subprotocol => (
            Symptom::TakesUnaskedProtocol,
            "opened the WebSocket on a 101 with a subprotocol that it had not offered",
        ),
    };
    out.push(Suspicion::new(Level::Must, symptom, fact, vec![opened, came]));
}

/// Where a client opened the WebSocket on an answer on which it must not: what is wrong with the
/// answer, when that had come, and with which event it is plain that the client took it. A Close that
/// blames the server is a refusal, though none is due before the WebSocket is open (7.1.7).
pub(super) fn opened_all_the_same(view: &View<'_>) -> Option<(BadOpening, usize, usize)> {
    let (came, bad) = view.bad_opening()?;
    let told = view.notes.iter().find(|(_, note)| *note == Note::Opened).map(|(event, _)| *event);
    let takes_it = view.subject_frames.iter().find(|frame| {
        frame.ended.is_some() && frame.started > came && frame.is_recognised() && !frame.blames()
    });
    let opened = [told, takes_it.map(|frame| frame.started)].into_iter().flatten().min()?;
    Some((bad, came, opened))
}
