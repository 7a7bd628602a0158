//! The changes that are measured: what is changed in which plays, and when a changed play
//! breaks a rule for certain.
//!
//! A criterion looks at two plays of one script with one seed: the honest one, and the one of the
//! changed server. It asks whether the change took effect, and whether what can be seen then is
//! wrong whatever the server's reasons. It knows none of the judge's excuses.

use super::facts::{
    SLACK, answer, client_left, client_read, is_after, is_broken, legal_close, messages,
    server_ended, whole_close,
};
use hangup::bounds::Bounds;
use hangup::exchange::Note;
use hangup::target::changed::Change;
use hangup::verdict::{Invariant, Level};
use hangup::view::{Frame, View};
use hangup::wire::{CloseCode, Fault};
use std::time::Duration;

/// A play of the honest server and what its target promises.
pub struct Honest<'a> {
    pub view: View<'a>,
    pub bounds: Bounds,
}

/// One kind of change.
pub struct Kind {
    pub name: &'static str,
    /// When a changed play counts, in plain words.
    pub counts: &'static str,
    /// The rules that are right to convict; none where any is that the honest play keeps.
    pub rules: &'static [Invariant],
    /// The change for a script whose honest play is this, by the script's index; `None` where it
    /// could have no effect.
    pub change: fn(&Honest<'_>, usize) -> Option<Change>,
    /// How strongly the RFC forbids what the changed play shows; `None` where it does not count.
    pub breaks: fn(&Honest<'_>, &View<'_>) -> Option<Level>,
}

/// All kinds, in the order of the table.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "answer dropped",
        counts: "The honest server answered a legal Close, and the client read the answer. The \
                 changed one read the same Close, lived as long at least, and ended without a byte \
                 of a Close, before the client reset the connection. (5.5.1)",
        rules: &[Invariant::AnswersClose],
        change: |honest, _| answer(&honest.view).map(|_| Change::DropAnswer),
        breaks: unanswered,
    },
    Kind {
        name: "answer cut",
        counts: "As `answer dropped`, but the changed server wrote a part of its Close: one byte, \
                 two, up to all but one, by the script's index. (5.5.1)",
        rules: &[Invariant::AnswersClose],
        change: |honest, index| {
            let length = length(answer(&honest.view)?.own);
            Some(Change::CutAnswer(1 + index % (length - 1)))
        },
        breaks: unanswered,
    },
    Kind {
        name: "FIN before the answer",
        counts: "As `answer dropped`: the server sends FIN where it would have answered. (5.5.1)",
        rules: &[Invariant::AnswersClose],
        change: |honest, _| answer(&honest.view).map(|_| Change::FinBeforeAnswer),
        breaks: unanswered,
    },
    Kind {
        name: "answer with another code",
        counts: "The honest server, whose application had not begun to close, and whose idle timer \
                 was not due in that moment, repeated the code of a legal Close. The changed one \
                 sent a whole Close with another legal code, or none. (5.5.1)",
        rules: &[Invariant::EchoesCode, Invariant::AcceptsLegal],
        change: |honest, index| {
            let code = repeated(honest)?;
            let others = OTHER_CODES.iter().filter(|other| **other != Some(code.0));
            others.cycle().nth(index).map(|other| Change::RecodeAnswer(*other))
        },
        breaks: |honest, changed| {
            let own = whole_close(changed)?;
            let code = repeated(honest)?;
            (own.code() != Some(code)).then_some(Level::Should)
        },
    },
    Kind {
        name: "answer that blames",
        counts: "As `answer with another code`; the code is 1002 or 1007, though the client had \
                 broken no rule by then, behind its Close neither. (7.4.1)",
        rules: &[Invariant::AcceptsLegal],
        change: |honest, index| {
            let code = [1002, 1007][index % 2];
            repeated(honest).filter(|repeated| repeated.0 != code)?;
            let answered = answer(&honest.view)?.own.started;
            (!is_broken(&honest.view, answered)).then_some(Change::RecodeAnswer(Some(code)))
        },
        breaks: |honest, changed| {
            let own = whole_close(changed)?;
            let code = repeated(honest)?;
            (own.code() != Some(code)).then_some(Level::Should)
        },
    },
    Kind {
        name: "second Close",
        counts: "Two whole Closes were written. (5.5.1)",
        rules: &[Invariant::ClosesOnce],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::CloseTwice),
        breaks: |_, changed| {
            let whole = |frame: &&Frame| frame.is_close() && frame.ended.is_some();
            (changed.subject_frames.iter().filter(whole).count() > 1).then_some(Level::Should)
        },
    },
    Kind {
        name: "data behind the Close",
        counts: "A whole text was written behind a whole Close. (5.5.1)",
        rules: &[Invariant::SilentAfterClose],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::DataBehindClose),
        breaks: |_, changed| {
            let data = |frame: &Frame| frame.opcode.is_data() && frame.ended.is_some();
            behind_close(changed)?.iter().any(data).then_some(Level::Must)
        },
    },
    Kind {
        name: "bytes behind the Close",
        counts: "A byte that begins no frame, since it sets reserved bits, was written behind a \
                 whole Close. (5.2)",
        rules: &[Invariant::SilentAfterClose, Invariant::FramesWell],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::BytesBehindClose),
        breaks: |_, changed| {
            let is_none = |frame: &Frame| matches!(frame.fault, Some(Fault::ReservedBits(_)));
            behind_close(changed)?.first().is_some_and(is_none).then_some(Level::Must)
        },
    },
    Kind {
        name: "masked Close",
        counts: "The header of the first Close was written as far as its mask bit, which is set. \
                 (5.1)",
        rules: &[Invariant::FramesWell],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::MaskClose),
        breaks: masked,
    },
    Kind {
        name: "masked frame",
        counts: "As `masked Close`, of any frame up to the Close, by the script's index. (5.1)",
        rules: &[Invariant::FramesWell],
        change: |honest, index| {
            let frames = honest.view.subject_frames.len();
            (frames > 0).then(|| Change::MaskFrame(index % frames))
        },
        breaks: masked,
    },
    Kind {
        name: "own Close left out",
        counts: "The honest server sent a Close, before it had read one of the client's, and the \
                 client, which broke no rule, read it. The changed one lived as long at least, and \
                 ended without a whole Close, before the client reset the connection; the \
                 client's FIN came later than the Close should have. A must where the application \
                 had begun to close (7.1.2), else a should (7.1.1).",
        rules: &[],
        change: |honest, _| own_close(&honest.view).map(|_| Change::LeaveOutOwnClose),
        breaks: left_out,
    },
    Kind {
        name: "own Close cut",
        counts: "As `own Close left out`, but the changed server wrote a part of its Close: one \
                 byte, two, up to all but one, by the script's index.",
        rules: &[],
        change: |honest, index| {
            let length = length(own_close(&honest.view)?);
            Some(Change::CutOwnClose(1 + index % (length - 1)))
        },
        breaks: left_out,
    },
    Kind {
        name: "FIN before the own Close",
        counts: "As `own Close left out`: the server sends FIN where it would have closed.",
        rules: &[],
        change: |honest, _| own_close(&honest.view).map(|_| Change::FinBeforeOwnClose),
        breaks: left_out,
    },
    Kind {
        name: "message lost",
        counts: "The honest server's application sent messages and began to close; it had read no \
                 Close of the client's by then, and nothing illegal; the client read all, the Close, and a clean end. \
                 With the changed server it read the same but for one message, by the script's \
                 index. (No sentence of the RFC.)",
        rules: &[],
        change: |honest, index| {
            let count = sent_before_closing(honest)?.len();
            (count > 0).then(|| Change::LoseMessage(index % count))
        },
        breaks: |honest, changed| {
            let (sent, got) = (sent_before_closing(honest)?, messages(changed)?);
            (got.len() + 1 == sent.len()).then_some(Level::Should)
        },
    },
    Kind {
        name: "messages swapped",
        counts: "As `message lost`; with the changed server the client read the same messages but \
                 in another order. (No sentence of the RFC.)",
        rules: &[],
        change: |honest, index| {
            let sent = sent_before_closing(honest)?;
            let first = index % sent.len().checked_sub(1).filter(|pairs| *pairs > 0)?;
            (sent[first] != sent[first + 1]).then_some(Change::SwapMessages(first))
        },
        breaks: |honest, changed| {
            let (sent, got) = (sent_before_closing(honest)?, messages(changed)?);
            (got.len() == sent.len() && got != sent).then_some(Level::Should)
        },
    },
    Kind {
        name: "client's message lost",
        counts: "The honest server's application reports what it is given: every message that the \
                 client had sent whole before its legal Close, all of which the server had read \
                 before it closed. With the changed server it reports one less, though the server \
                 read as much. (No sentence of the RFC.)",
        rules: &[],
        change: |honest, index| {
            let count = reported(&honest.view)?;
            (count > 0).then(|| Change::HideMessage(index % count))
        },
        breaks: |honest, changed| {
            let (all, given) = (reported(&honest.view)?, given(changed));
            let read = answer(changed).is_some();
            (read && given + 1 == all).then_some(Level::Should)
        },
    },
    Kind {
        name: "late end",
        counts: "The server neither sent FIN nor let go by the promised time and the slack, counted \
                 from when it had read the client's legal Close (must, 5.5.1); where it had read \
                 none, from its own Close or from the client's FIN (should). The client had not \
                 reset the connection by then. Late by 10 ms, 1 s or a minute, by the script's \
                 index.",
        rules: OVERDUE,
        change: |honest, index| {
            let view = &honest.view;
            let (since, _) = obliged(view)?;
            let ended = view.at(server_ended(view)?).since_accept();
            let extra = [10, 1000, 60_000][index % 3];
            let due = view.at(since).after(honest.bounds.close).since_accept();
            let later = (due + SLACK + Duration::from_millis(extra)).checked_sub(ended)?;
            Some(Change::EndLater(later))
        },
        breaks: overdue,
    },
    Kind {
        name: "no end",
        counts: "As `late end`; the end never comes.",
        rules: OVERDUE,
        change: |honest, _| obliged(&honest.view).map(|_| Change::NeverEnd),
        breaks: overdue,
    },
    Kind {
        name: "violation served",
        counts: "The client sent a whole illegal frame, and the server read it, before it read a \
                 Close and before it began to close itself or its application wanted to end. By the \
                 promised time and the slack it had neither begun a Close nor ended, and the client \
                 had not reset the connection; or it repeated the code of a Close that it read later \
                 than the slack after; or it answered a Close with a bad payload as a legal one. Must for a frame without a mask, with reserved bits, a \
                 reserved opcode, or bad UTF-8 (5.1, 5.2, 8.1), else should.",
        rules: &[Invariant::RefusesIllegal, Invariant::EndsInTime],
        change: |honest, _| honest.view.actor_fault.map(|_| Change::ServeViolations),
        breaks: served,
    },
];

/// Who holds a connection on which the client broke the protocol, and says nothing, cannot be told
/// from one that serves what the client sent.
const OVERDUE: &[Invariant] = &[Invariant::EndsInTime, Invariant::RefusesIllegal];

/// Legal codes to answer with.
const OTHER_CODES: &[Option<u16>] = &[
    Some(1000),
    Some(1001),
    Some(1003),
    Some(1008),
    Some(1009),
    Some(1011),
    Some(3000),
    Some(4999),
    None,
];

/// How many bytes a Close has, the header included.
fn length(close: &Frame) -> usize {
    2 + close.close.as_deref().map_or(0, <[u8]>::len)
}

/// How long the built-in servers leave a client idle before they close.
const IDLE_TIMER: Duration = Duration::from_secs(25);

fn unanswered(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
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
fn repeated(honest: &Honest<'_>) -> Option<CloseCode> {
    let view = &honest.view;
    let answer = answer(view)?;
    let wanted = view.firsts.began.is_some_and(|began| began < answer.own.started);
    let code = answer.theirs.code().filter(|code| code.is_sendable())?;
    let before =
        view.actor_frames.iter().take_while(|frame| frame.end_offset < answer.theirs.end_offset);
    let last = before.filter_map(|frame| frame.ended).chain(view.opened).max()?;
    let quiet = view.at(answer.own.started).since_accept() - view.at(last).since_accept();
    let by_timer = quiet.abs_diff(IDLE_TIMER) <= 2 * SLACK;
    (!wanted && !by_timer && answer.own.code() == Some(code)).then_some(code)
}

/// The server's frames behind its first Close, where that is whole.
fn behind_close<'a>(view: &'a View<'_>) -> Option<&'a [Frame]> {
    let close = view.subject_frames.iter().position(Frame::is_close)?;
    view.subject_frames[close].ended?;
    Some(&view.subject_frames[close + 1..])
}

fn masked(_: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let close = changed.subject_frames.iter().position(Frame::is_close);
    let upto = close.map_or(changed.subject_frames.len(), |close| close + 1);
    let masked = |frame: &Frame| frame.fault == Some(Fault::Masked);
    changed.subject_frames[..upto].iter().any(masked).then_some(Level::Must)
}

/// A Close of the honest server's that answers nothing: whole, read by a client that had broken no
/// rule and sent no FIN.
fn own_close<'a>(view: &'a View<'_>) -> Option<&'a Frame> {
    let own = whole_close(view)?;
    let read = view.actor_close().and_then(|close| view.received(close));
    let answers = read.is_some_and(|read| read < own.started);
    let ended = own.ended?;
    let fin = !is_after(view, view.firsts.fin, view.at(ended));
    client_read(view, own.end_offset)?;
    (!answers && !fin && !is_broken(view, ended)).then_some(own)
}

fn left_out(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
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
fn sent_before_closing<'a>(honest: &Honest<'a>) -> Option<Vec<&'a [u8]>> {
    let view = &honest.view;
    let own = whole_close(view)?;
    let began = view.firsts.began.is_some_and(|began| began < own.started);
    let owes_nothing = answer(view).is_some() || is_broken(view, own.started);
    (began && !owes_nothing).then(|| messages(view))?
}

/// How many messages an application reported.
fn given(view: &View<'_>) -> usize {
    view.notes.iter().filter(|(_, note)| matches!(note, Note::Received { .. })).count()
}

/// As [`given`], where those are all that the client had sent before a Close that was answered.
fn reported(view: &View<'_>) -> Option<usize> {
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
fn obliged(view: &View<'_>) -> Option<(usize, Level)> {
    view.opened?;
    if let Some(read) = legal_close(view).and_then(|close| view.received(close)) {
        return Some((read, Level::Must));
    }
    let own = view.own_close().map(|own| own.started);
    Some((own.or(view.firsts.fin)?, Level::Should))
}

fn overdue(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
    let (since, level) = obliged(changed)?;
    let due = changed.at(since).after(honest.bounds.close);
    let late = is_after(changed, server_ended(changed), due);
    let watched = changed.events().next_back().is_some_and(|last| last.at > due.after(SLACK));
    (late && watched && is_after(changed, changed.firsts.reset, due)).then_some(level)
}

fn served(honest: &Honest<'_>, changed: &View<'_>) -> Option<Level> {
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
        | Fault::ReservedBits(_)
        | Fault::ReservedOpcode(_)
        | Fault::TextNotUtf8 => Level::Must,
        _ => Level::Should,
    }
}
