//! How a server treats a client that behaves.

use super::broken::Broken;
use super::facts::{Facts, Seen, came_before};
use crate::exchange::What;
use crate::verdict::{Invariant, Level};
use crate::wire::{CloseClass, CloseCode};
use std::time::Duration;

/// Over a network no answer can be waited for in less time than this.
const AT_ONCE: Duration = Duration::from_millis(100);

/// `echoes-code`, `lets-the-polite-finish`.
pub(super) fn judge(facts: &Facts<'_>, out: &mut Vec<Broken>) {
    out.extend(echoes_code(facts));
    out.extend(eaten_close(facts).or_else(|| cut_at_once(facts)));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# When sending a Close frame in response, the endpoint
//# typically echos the status code it received.
fn echoes_code(facts: &Facts<'_>) -> Option<Broken> {
    let theirs = facts.client_close().filter(|close| close.fault.is_none())?;
    let own = facts.own_close().filter(|close| close.ended.is_some() && close.fault.is_none())?;
    let wanted = theirs.code()?;
    let sent = own.code();
    let received = facts.received(theirs)?;
    let other = is_about_something_else(facts, own) || facts.may_be_unasked(theirs);
    if sent == Some(wanted) || own.started <= received || other {
        return None;
    }
    let sent = sent.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    let fact = format!("answered the client's Close with {sent}, which had code {wanted}");
    let invariant = Invariant::EchoesCode;
    Some(Broken { invariant, level: Level::Should, fact, events: vec![own.started, received] })
}

/// Whether a Close that came after the client's need not answer it: the application
/// wanted it, it had waited for room since before, or it blames the client.
fn is_about_something_else(facts: &Facts<'_>, own: &Seen) -> bool {
    let theirs = facts.client_close().and_then(|close| facts.received(close));
    let waited = theirs.is_some_and(|received| facts.is_blocked_at(received));
    // Of half a message it may have had enough, and of blame `accepts-legal` has to say.
    let had_data = facts.client.iter().any(|frame| frame.opcode.is_data());
    let complains = had_data && matches!(own.code(), Some(CloseCode(1003 | 1008..=1011)));
    came_before(facts.firsts.began, own.started) || waited || complains || own.blames()
}

/// Whether the client has behaved so far that it may expect a clean end: it broke no
/// rule, kept its socket and the network, and sent nothing behind its own Close.
fn is_polite(facts: &Facts<'_>, at: usize) -> bool {
    // A reset of the client's is an end by itself.
    let came = |event: Option<usize>| event.is_some_and(|event| event <= at);
    let firsts = &facts.firsts;
    let behind_close = match facts.client_close() {
        Some(close) => close.end_offset < facts.bytes.to_subject.len(),
        None => came(firsts.fin),
    };
    let fault = facts.client_fault.map(|fault| fault.event);
    let left =
        came(fault) || came(firsts.reset) || came(firsts.cut) || came(firsts.began_to_return);
    let crashed = came(firsts.panicked) || came(firsts.spun);
    !behind_close && !facts.is_refusable_at(at) && !left && !crashed && !facts.is_deaf_at(at)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//# To _Close the WebSocket Connection_, an endpoint closes the
//# underlying TCP connection.  An endpoint SHOULD use a method that
//# cleanly closes the TCP connection
/// A reset that came before the client could read the server's Close.
fn eaten_close(facts: &Facts<'_>) -> Option<Broken> {
    let reset = facts.firsts.got_reset?;
    let own = facts.own_close().filter(|close| close.ended.is_some() && close.started < reset)?;
    let had = !facts.exchange.both_ends || facts.got_before(reset) >= own.end_offset;
    if had || !is_polite(facts, reset) || is_failing(own) {
        return None;
    }
    let fact = "reset the connection before the client could read its Close".to_owned();
    let events = vec![reset, own.started];
    Some(Broken { invariant: Invariant::LetsThePoliteFinish, level: Level::Should, fact, events })
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//# Once an endpoint has both sent and received
//# a Close control frame, that endpoint SHOULD _Close the WebSocket
//# Connection_ as defined in Section 7.1.1.
/// An end that came with the own Close, before any answer to it could. FIN alone is none:
/// who shuts down and reads on (7.1.1) can still be answered. So it counts only where it
/// was seen when the server let go: to a client, a drop and a FIN look the same.
fn cut_at_once(facts: &Facts<'_>) -> Option<Broken> {
    let own = facts.own_close()?;
    let sent = own.ended?;
    let (released, patience) = if facts.exchange.both_ends {
        (facts.released(), facts.exchange.timing_slack)
    } else {
        (facts.left_a_silent_client(), AT_ONCE)
    };
    let ended = released.filter(|ended| *ended >= sent)?;
    let at_once = facts.at(ended) <= facts.at(sent).after(patience);
    // An answer that came in the meantime was all that there was to wait for.
    let answered = facts
        .client
        .iter()
        .any(|frame| frame.is_close() && frame.ended.is_some_and(|arrived| arrived <= ended));
    // One that had to wait for room may have run out of time since it was meant.
    let waited = facts.events_before(sent).any(|event| event.what == What::WriteBlocked);
    if !at_once || answered || waited || is_failing(own) || !is_polite(facts, ended) {
        return None;
    }
    let fact = "ended the connection with its Close, before an answer could come".to_owned();
    let events = vec![ended, own.started];
    Some(Broken { invariant: Invariant::LetsThePoliteFinish, level: Level::Should, fact, events })
}

/// Whether a Close says that something went wrong: then nobody need wait for an answer (7.1.7).
fn is_failing(own: &Seen) -> bool {
    match own.code() {
        None | Some(CloseCode::NORMAL | CloseCode::GOING_AWAY) => false,
        Some(code) => matches!(code.class(), CloseClass::Defined),
    }
}
