//! Every byte that a server sends is part of a response or a frame that it may send.

use super::broken::Broken;
use super::facts::{Facts, Seen};
use crate::verdict::{Invariant, Level};
use crate::wire::{Fault, handshake};

/// `frames-well`. What is wrong with a Close is `legal-close`'s, and what comes behind one
/// is `silent-after-close`'s, but for a control frame that none may be.
pub(super) fn judge(facts: &Facts<'_>, out: &mut Vec<Broken>) {
    out.extend(wrong_accept(facts).or_else(|| ill_formed(facts)));
}

fn broken(fact: String, events: Vec<usize>) -> Broken {
    Broken { invariant: Invariant::FramesWell, level: Level::Must, fact, events }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# If the response lacks a |Sec-WebSocket-Accept| header field or
//# the |Sec-WebSocket-Accept| contains a value other than the
//# base64-encoded SHA-1 of the concatenation of the |Sec-WebSocket-
//# Key| (as a string, not base64-decoded) with the string [..]
//# the client MUST _Fail the WebSocket Connection_.
fn wrong_accept(facts: &Facts<'_>) -> Option<Broken> {
    let response = handshake::response(&facts.bytes.to_actor).ok().flatten()?;
    let asked = handshake::request(&facts.bytes.to_subject).ok().flatten();
    // A script may open with a key of its own.
    let known = asked.is_some_and(|(_, accept)| accept == handshake::ACCEPT);
    let fact = "sent a Sec-WebSocket-Accept that does not answer the client's key".to_owned();
    (known && !response.accepted).then(|| broken(fact, facts.opened.into_iter().collect()))
}

fn ill_formed(facts: &Facts<'_>) -> Option<Broken> {
    let own = facts.own_close().map_or(usize::MAX, |close| close.end_offset);
    let odd = |fault| matches!(fault, Some(Fault::LongControl(_) | Fault::FragmentedControl(_)));
    let counts = |frame: &&Seen| frame.end_offset <= own || odd(frame.fault);
    facts.server.iter().filter(counts).find_map(|frame| {
        let fault = fault(frame)?;
        Some(broken(format!("sent a frame that none may be: {fault}"), vec![frame.started]))
    })
}

fn fault(frame: &Seen) -> Option<Fault> {
    match frame.fault {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# Note that in all cases, the minimal number of bytes MUST be used to
        //# encode the length
        None => frame.wide.then_some(Fault::LengthNotMinimal),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
        //# A server MUST NOT mask any frames that it sends to the client.
        Some(fault @ Fault::Masked) => Some(fault),
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# MUST be 0 unless an extension is negotiated that defines meanings
        //# for non-zero values.
        Some(fault @ Fault::ReservedBits(_)) => Some(fault),
        Some(Fault::CloseOneByte | Fault::CloseCode(_) | Fault::CloseReasonNotUtf8) => None,
        Some(Fault::FragmentedControl(_) | Fault::LongControl(_)) if frame.is_close() => None,
        Some(fault) => Some(fault),
    }
}
