//! What the server's application hears, where it reports that.

use super::broken::Broken;
use super::facts::{Facts, Seen, came_before};
use crate::exchange::Note;
use crate::verdict::{Invariant, Level};

/// `quiet-application`. Judged only of an application that said [`Note::Reports`].
pub(super) fn judge(facts: &Facts<'_>, out: &mut Vec<Broken>) {
    if facts.notes.iter().all(|(_, note)| *note != Note::Reports) {
        return;
    }
    let found = given_after_close(facts)
        .or_else(|| told_wrongly(facts))
        .or_else(|| told_twice(facts))
        .or_else(|| never_told(facts));
    out.extend(found.map(|(fact, events)| Broken {
        invariant: Invariant::QuietApplication,
        level: Level::Should,
        fact,
        events,
    }));
}

type Found = Option<(String, Vec<usize>)>;

/// The times at which the application was told of the end, and the code.
fn told(facts: &Facts<'_>) -> impl Iterator<Item = (usize, Option<u16>)> {
    facts.notes.iter().filter_map(|(event, note)| match note {
        Note::ToldOfEnd { code } => Some((*event, *code)),
        _ => None,
    })
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-1.4
//# After receiving a control frame indicating the connection should be
//# closed, a peer discards any further data received.
fn given_after_close(facts: &Facts<'_>) -> Found {
    let close = facts.client_close()?;
    let ends = |frame: &&Seen| {
        frame.opcode.is_data() && frame.head.is_some_and(|head| head.fin) && frame.ended.is_some()
    };
    let before = facts.client.iter().take_while(|frame| !frame.is_close());
    let messages = before.filter(ends).count();
    let mut given = facts.notes.iter().filter(|(_, note)| matches!(note, Note::Received { .. }));
    let (event, _) = given.nth(messages)?;
    let fact = "gave its application data that came after the client's Close".to_owned();
    Some((fact, vec![*event, close.ended?]))
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5
//# _The WebSocket Connection Close Code_ is defined as the status code
//# (Section 7.4) contained in the first Close control frame received by
//# the application implementing this protocol.  If this Close control
//# frame contains no status code, _The WebSocket Connection Close Code_
//# is considered to be 1005.
fn told_wrongly(facts: &Facts<'_>) -> Found {
    let (event, code) = told(facts).next()?;
    let close = facts.client_close().filter(|close| close.fault.is_none())?;
    let received = facts.received(close).filter(|received| *received < event)?;
    let sent = close.code().map(|code| code.0);
    let right = code == sent || (sent.is_none() && code == Some(1005));
    // An end that the server had begun by itself may be told as it saw it; where it took
    // the Close for a violation, `accepts-legal` says so.
    let own = facts.own_close().is_some_and(|own| own.started < received || own.blames());
    // A reset that came with the Close may be what was seen of it; and who gave up a send
    // that waited for room may have left the Close behind a ping where it was.
    let reset = came_before(facts.firsts.reset, event);
    let gave_up = facts.is_blocked_at(event);
    let left = facts.is_wide_upto(close) || facts.app_left_by(received) || reset || gave_up;
    if right || own || left || came_before(facts.firsts.began, received) {
        return None;
    }
    let words = |code: Option<u16>| code.map_or_else(|| "no code".to_owned(), |c| c.to_string());
    let fact = format!(
        "told its application that the connection ended with {}, where the client's Close had {}",
        words(code),
        words(sent)
    );
    Some((fact, vec![event, received]))
}

fn told_twice(facts: &Facts<'_>) -> Found {
    let (first, _) = told(facts).next()?;
    let (second, _) = told(facts).nth(1)?;
    Some(("told its application twice of the end".to_owned(), vec![second, first]))
}

/// Of one that left by itself, or crashed, nobody need be told.
fn never_told(facts: &Facts<'_>) -> Found {
    let released = facts.firsts.dropped?;
    let firsts = &facts.firsts;
    let left = firsts.began_to_return.or(firsts.panicked).or(firsts.spun).is_some();
    if left || told(facts).next().is_some() {
        return None;
    }
    Some(("never told its application of the end".to_owned(), vec![released]))
}
