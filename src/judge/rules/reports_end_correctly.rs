//! `reports-end-correctly`: after the client's Close the application is given no data, and the end once.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::judge::deliveries::pair;
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, Message, View, came_before, messages};
use crate::wire::Role;
use std::borrow::Cow;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::ReportsEndCorrectly,
    class: Class::Safety,
    section: "1.4, 5.5.1, 7.1.5",
    quote: Some((
        "1.4",
        "After receiving a control frame indicating the connection should be closed, a peer \
                 discards any further data received.",
    )),
    says: "The server gives its application no data after the client's Close, and reports the end \
         once, with the right code.",
    explains: "Messages that come after a Close must be discarded. However a connection ends, the library\n\
              reports it to the application once: with the code of the client's Close; with 1005 or no\n\
              code if that Close had none; with 1006 or no code if no Close came. An application that\n\
              learns 1000 of a lost connection does not connect again; one that never learns of the end\n\
              keeps its session for ever. Judged of applications that tell hangup what they receive\n\
              (`Note::Reports`).",
    asked_of: AskedOf::Both("1.4 and 7.1.5 speak of peers"),
    judged_from: JudgedFrom::Answers,
    symptoms: &[
        Symptom::GivenDataBehindClose,
        Symptom::ToldOtherCode,
        Symptom::CodeWithoutClose,
        Symptom::ToldTwice,
        Symptom::NeverTold,
    ],
    check,
};

/// Judged only of an application that said [`Note::Reports`].
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    if view.notes.iter().any(|(_, note)| *note == Note::Reports) {
        out.extend(given_after_close(view));
        out.extend(told_wrongly(view));
        out.extend(told_without_close(view));
        out.extend(told_twice(view));
        out.extend(never_told(view));
    }
}

fn heard(symptom: Symptom, fact: impl Into<Cow<'static, str>>, events: Vec<usize>) -> Suspicion {
    Suspicion::new(Level::Should, symptom, fact, events)
}

/// The times at which the application was told of the end, and the code.
fn told(view: &View<'_>) -> impl Iterator<Item = (usize, Option<u16>)> {
    view.notes.iter().filter_map(|(event, note)| match note {
        Note::ToldOfEnd { code } => Some((*event, *code)),
        _ => None,
    })
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-1.4
//# After receiving a control frame indicating the connection should be
//# closed, a peer discards any further data received.
fn given_after_close(view: &View<'_>) -> Option<Suspicion> {
    let close = view.actor_close()?;
    let ends = |frame: &&Frame| {
        frame.opcode.is_data() && frame.head.is_some_and(|head| head.fin) && frame.ended.is_some()
    };
    let before = view.actor_frames.iter().take_while(|frame| !frame.is_close());
    let messages = before.filter(ends).count();
    let given = view.notes.iter().filter_map(|(event, note)| {
        let (bytes, _) = note.message_given()?;
        Some((*event, bytes as usize))
    });
    let (event, _) = given.clone().nth(messages)?;
    if !comes_from_behind(view, close, &given.map(|(_, bytes)| bytes).collect::<Vec<_>>()) {
        return None;
    }
    let fact = "gave its application data that came after the client's Close";
    Some(heard(Symptom::GivenDataBehindClose, fact, vec![event, close.ended?]))
}

/// Whether more messages than came before the client's Close are no mere repetition of those.
fn comes_from_behind(view: &View<'_>, close: &Frame, given: &[usize]) -> bool {
    let mut sent = messages(&view.actor_frames, &view.bytes.to_subject);
    sent.retain(|message| message.ended.is_some());
    let is_before =
        |message: &Message| view.actor_frames[message.last_frame].end_offset < close.end_offset;
    let before = sent.iter().take_while(|message| is_before(message)).count();
    let same = |one: usize, index: usize| sent[one].bytes == given[index];
    let Some(pairs) = pair(sent.len(), given.len(), same) else { return true };
    let is_strange = |index: usize| !pairs.known[index] && !(0..before).any(|one| same(one, index));
    pairs.came[before..].contains(&true) || (0..given.len()).any(is_strange)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5
//# _The WebSocket Connection Close Code_ is defined as the status code
//# (Section 7.4) contained in the first Close control frame received by
//# the application implementing this protocol.  If this Close control
//# frame contains no status code, _The WebSocket Connection Close Code_
//# is considered to be 1005.
fn told_wrongly(view: &View<'_>) -> Option<Suspicion> {
    let (event, code) = told(view).next()?;
    let close = view.actor_close().filter(|close| close.fault.is_none())?;
    let received = view.received(close).filter(|received| *received < event)?;
    let sent = close.code().map(|code| code.0);
    let right = code == sent || (sent.is_none() && code == Some(1005));
    if right {
        return None;
    }
    let words = |code: Option<u16>| code.map_or_else(|| "no code".to_owned(), |c| c.to_string());
    let fact = format!(
        "reported to its application that the connection ended with {}, where the client's Close had {}",
        words(code),
        words(sent)
    );
    // An end that the server had begun by itself may be told as it saw it. A reset that came
    // with the Close may be what was seen of it; and who gave up a send that waited for room
    // may have left the Close behind a ping where it was.
    let suspicion = heard(Symptom::ToldOtherCode, fact, vec![event, received])
        .unless(excuses::server_closed_first(view, received))
        .unless(excuses::blames_the_client(view.own_close()))
        .unless(excuses::wide_length(view, close))
        .unless(excuses::application_left(view, received))
        .unless(excuses::client_gone(view, event))
        .unless(excuses::waited_for_room(view, std::iter::once(event)))
        .unless(excuses::application_closed(view, received));
    Some(suspicion)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5
//# If _The WebSocket
//# Connection is Closed_ and no Close control frame was received by the
//# endpoint (such as could occur if the underlying transport connection
//# is lost), _The WebSocket Connection Close Code_ is considered to be
//# 1006.
fn told_without_close(view: &View<'_>) -> Option<Suspicion> {
    let (event, code) = told(view).next()?;
    let code = code.filter(|code| *code != 1006)?;
    // Of a Close that came, or part of one, it may have seen enough; and who failed the connection may
    // tell why.
    let began = |frame: &Frame| frame.is_close() && frame.started < event;
    let failed = came_before(view.actor_fault.map(|fault| fault.event), event);
    if failed || view.actor_frames.iter().any(began) {
        return None;
    }
    let fact = format!(
        "told its application that the connection ended with {code}, where no Close of the client's came"
    );
    let suspicion = heard(Symptom::CodeWithoutClose, fact, vec![event])
        .unless(excuses::early_bytes(view))
        .unless(excuses::application_left(view, event));
    // A client's close comes to nothing where no answer came; an end that a server had begun by itself
    // may be told as it saw it.
    Some(match view.subject_role() {
        Role::Server => suspicion.unless(excuses::server_closed_first(view, event)),
        Role::Client => suspicion,
    })
}

fn told_twice(view: &View<'_>) -> Option<Suspicion> {
    let (first, _) = told(view).next()?;
    let (second, _) = told(view).nth(1)?;
    Some(heard(
        Symptom::ToldTwice,
        "reported the end to its application twice",
        vec![second, first],
    ))
}

/// Of one that left by itself, or crashed, nobody need be told.
fn never_told(view: &View<'_>) -> Option<Suspicion> {
    let released = view.firsts.dropped?;
    if told(view).next().is_some() {
        return None;
    }
    let suspicion = heard(
        Symptom::NeverTold,
        "let go of the connection, and never told its application of the end",
        vec![released],
    )
    .unless(excuses::application_returned(view, usize::MAX))
    .unless(excuses::crashed(view, usize::MAX));
    Some(suspicion)
}
