//! When a changed play breaks a rule for certain.
//!
//! A criterion looks at two plays of one script with one seed: the honest one, and the one of the
//! changed server. It asks whether the change took effect, and whether what can be seen then is
//! wrong whatever the server's reasons. It knows none of the judge's excuses; in words it stands
//! beside its change, in [`KINDS`](super::changes::KINDS).

use super::facts::{
    SLACK, answer, client_left, client_read, is_after, is_broken, key_of, legal_close, messages,
    server_ended, whole_close,
};
use hangup::bounds::Bounds;
use hangup::exchange::Note;
use hangup::verdict::Level;
use hangup::view::{Frame, View};
use hangup::wire::{CloseCode, Fault, Opcode};
use std::time::Duration;

/// A play of the honest server and what its target promises.
pub struct Honest<'a> {
    pub view: View<'a>,
    pub bounds: Bounds,
}

/// How long the built-in servers leave a client idle before they close.
const IDLE_TIMER: Duration = Duration::from_secs(25);

/// How many bytes a Close has, the header included.
pub fn length(close: &Frame) -> usize {
    2 + close.close.as_deref().map_or(0, <[u8]>::len)
}

pub fn unanswered(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let sent = answer(&honest.view)?.own;
    client_read(&honest.view, sent.end_offset)?;
    let read = changed.received(legal_close(changed)?)?;
    let ended = server_ended(changed)?;
    let lived = changed.at(ended) >= honest.view.at(sent.ended?);
    // An application that leaves in the moment in which the Close is read may leave unasked.
    let left = !is_after(changed, changed.firsts.began_to_return, changed.at(read));
    let answered = whole_close(changed).is_some();
    let counts = ended > read && lived && !left && !answered && !client_left(changed, ended);
    counts.then_some(Level::Must)
}

/// The code that the honest server repeats in its answer.
pub fn repeated(honest: &Honest<'_>) -> Option<CloseCode> {
    let view = &honest.view;
    let answer = answer(view)?;
    let wanted = view.firsts.began.is_some_and(|began| began < answer.own.started);
    let code = answer.theirs.code().filter(|code| code.is_sendable())?;
    let before =
        view.actor_frames.iter().take_while(|frame| frame.end_offset < answer.theirs.end_offset);
    let last = before.filter_map(|frame| frame.ended).chain(view.opened).max()?;
    let due = view.at(last).after(IDLE_TIMER).since_accept();
    let by_timer = view.at(answer.own.started).since_accept().abs_diff(due) <= 2 * SLACK;
    (!wanted && !by_timer && answer.own.code() == Some(code)).then_some(code)
}

/// The server's frames behind its first Close, where that is whole.
pub fn behind_close<'a>(view: &'a View<'_>) -> Option<&'a [Frame]> {
    let close = view.subject_frames.iter().position(Frame::is_close)?;
    view.subject_frames[close].ended?;
    Some(&view.subject_frames[close + 1..])
}

pub fn masked(_: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let close = changed.subject_frames.iter().position(Frame::is_close);
    let upto = close.map_or(changed.subject_frames.len(), |close| close + 1);
    let masked = |frame: &Frame| matches!(frame.fault, Some(Fault::Masked | Fault::Unmasked));
    changed.subject_frames[..upto].iter().any(masked).then_some(Level::Must)
}

/// Whether there are two whole frames with a mask, and all have one key.
pub fn same_key(_: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let frames = changed.subject_frames.iter();
    let keys: Vec<&[u8]> = frames.filter_map(|frame| key_of(changed, frame)).collect();
    (keys.len() > 1 && keys.iter().all(|key| *key == keys[0])).then_some(Level::Must)
}

/// A Close of the honest server's that answers nothing: whole, read by a client that had broken no
/// rule and sent no FIN.
pub fn own_close<'a>(view: &'a View<'_>) -> Option<&'a Frame> {
    let own = whole_close(view)?;
    let read = view.actor_close().and_then(|close| view.received(close));
    let answers = read.is_some_and(|read| read < own.started);
    let ended = own.ended?;
    let fin = !is_after(view, view.firsts.fin, view.at(ended));
    client_read(view, own.end_offset)?;
    (!answers && !fin && !is_broken(view, ended)).then_some(own)
}

pub fn left_out(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let sent = own_close(&honest.view)?;
    let ended = server_ended(changed)?;
    let lived = changed.at(ended) >= honest.view.at(sent.ended?);
    let left = client_left(changed, ended) || is_broken(changed, ended);
    let returns = changed.firsts.began_to_return.is_some();
    let began = honest.view.firsts.began.is_some_and(|began| began < sent.started);
    let counts = whole_close(changed).is_none() && lived && !left && !returns;
    counts.then_some(if began { Level::Must } else { Level::Should })
}

/// The messages that the honest server's application had sent when it closed of its own will, and
/// that the client read.
pub fn sent_before_closing(honest: &Honest<'_>) -> Option<Vec<(Opcode, Vec<u8>)>> {
    let view = &honest.view;
    let own = whole_close(view)?;
    let began = view.firsts.began.is_some_and(|began| began < own.started);
    let owes_nothing = answer(view).is_some() || is_broken(view, own.started);
    (began && !owes_nothing).then(|| messages(view))?
}

/// How many messages an application reported.
pub fn given(view: &View<'_>) -> usize {
    view.notes.iter().filter(|(_, note)| matches!(note, Note::Received { .. })).count()
}

/// As [`given`], where those are all that the client had sent before a Close that was answered.
pub fn reported(view: &View<'_>) -> Option<usize> {
    let close = answer(view)?.theirs.end_offset;
    let ends = |frame: &&Frame| {
        let last = frame.opcode.is_data() && frame.head.is_some_and(|head| head.fin);
        last && frame.end_offset < close
    };
    let sent = view.actor_frames.iter().filter(ends).count();
    let began = view.firsts.began.is_some();
    (!began && given(view) == sent).then_some(sent)
}

/// Since which event the server owes an end, for certain, and how strongly.
pub fn obliged(view: &View<'_>) -> Option<(usize, Level)> {
    view.opened?;
    if let Some(read) = legal_close(view).and_then(|close| view.received(close)) {
        return Some((read, Level::Must));
    }
    let own = view.own_close().map(|own| own.started);
    Some((own.or(view.firsts.fin)?, Level::Should))
}

pub fn overdue(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let (since, level) = obliged(changed)?;
    let due = changed.at(since).after(honest.bounds.close);
    let late = is_after(changed, server_ended(changed), due);
    let watched = changed.events().next_back().is_some_and(|last| last.at > due.after(SLACK));
    (late && watched && is_after(changed, changed.firsts.reset, due)).then_some(level)
}

pub fn served(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let fault = changed.actor_fault?;
    changed.opened?;
    let frame = changed.actor_frames.iter().find(|frame| frame.fault == Some(fault.fault))?;
    let whole = changed.received(frame)?;
    let closed = changed.actor_close().is_some_and(|close| close.end_offset < fault.offset);
    let before = |event: Option<usize>| event.is_some_and(|event| event <= whole);
    let own = changed.own_close();
    let ending = before(own.map(|own| own.started))
        || before(changed.firsts.began)
        || before(server_ended(changed));
    if closed || ending {
        return None;
    }
    let due = changed.at(whole).after(honest.bounds.close);
    let hangs = is_after(changed, own.map(|own| own.started), due)
        && is_after(changed, server_ended(changed), due)
        && is_after(changed, changed.firsts.reset, due);
    let answers = answers_later_close(changed, whole)
        || is_bad_close(fault.fault) && answers_at_once(changed, whole);
    (hangs || answers).then(|| level_of(fault.fault))
}

/// Whether the server repeated the code of a Close that it had read later than the slack after
/// the event `whole`.
fn answers_later_close(view: &View<'_>, whole: usize) -> bool {
    let Some(own) = whole_close(view) else { return false };
    let repeats = |close: &Frame| {
        let read = view.received(close).filter(|read| *read < own.started);
        let later = read.is_some_and(|read| view.at(read) > view.at(whole).after(SLACK));
        later && close.fault.is_none() && close.code() == own.code()
    };
    is_unasked(view, own)
        && !complains(own)
        && view.actor_frames.iter().filter(|frame| frame.is_close()).any(repeats)
}

/// Whether the server sent a Close within the slack after the event `whole`, as it answers a
/// legal one.
fn answers_at_once(view: &View<'_>, whole: usize) -> bool {
    whole_close(view).is_some_and(|own| {
        let at_once = !is_after(view, Some(own.started), view.at(whole));
        own.started > whole && at_once && is_unasked(view, own) && !complains(own)
    })
}

/// Whether the application had not wanted to close by the server's Close.
fn is_unasked(view: &View<'_>, own: &Frame) -> bool {
    view.firsts.began.is_none_or(|began| began > own.started)
}

/// Whether a Close says that something was wrong.
fn complains(own: &Frame) -> bool {
    own.code().is_some_and(|code| matches!(code.0, 1002 | 1003 | 1007..=1011))
}

/// Whether only a Close's payload is at fault.
const fn is_bad_close(fault: Fault) -> bool {
    matches!(fault, Fault::CloseOneByte | Fault::CloseCode(_) | Fault::CloseReasonNotUtf8)
}

/// What the RFC asks of a server that receives such a frame.
const fn level_of(fault: Fault) -> Level {
    match fault {
        Fault::Unmasked
        | Fault::Masked
        | Fault::ReservedBits(_)
        | Fault::ReservedOpcode(_)
        | Fault::TextNotUtf8 => Level::Must,
        _ => Level::Should,
    }
}
