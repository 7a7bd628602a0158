//! The changes that are measured: what is changed in which plays, and when a changed play
//! counts, in words; the same in code is in `criteria`. The words are of a server under test; of a client
//! the two ends have each other's names.

use super::criteria::{
    Honest, behind_close, given, left_out, length, masked, obliged, overdue, own_close, repeated,
    reported, same_key, sent_before_closing, served, unanswered,
};
use super::facts::{SLACK, answer, is_broken, messages, server_ended, whole_close};
use hangup::target::changed::Change;
use hangup::verdict::{Invariant, Level};
use hangup::view::{Frame, View};
use hangup::wire::{Fault, Role};
use std::time::Duration;

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
        rules: &[Invariant::NoDataAfterClose],
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
        rules: &[Invariant::NoDataAfterClose, Invariant::SendsValidFrames],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::BytesBehindClose),
        breaks: |_, changed| {
            let is_none = |frame: &Frame| matches!(frame.fault, Some(Fault::ReservedBits(_)));
            behind_close(changed)?.first().is_some_and(is_none).then_some(Level::Must)
        },
    },
    Kind {
        name: "masked Close",
        counts: "The header of the first Close was written as far as its mask bit, which is set; of a \
                 client, which is not. (5.1)",
        rules: &[Invariant::SendsValidFrames],
        change: |honest, _| whole_close(&honest.view).map(|_| Change::MaskClose),
        breaks: masked,
    },
    Kind {
        name: "masked frame",
        counts: "As `masked Close`, of any frame up to the Close, by the script's index. (5.1)",
        rules: &[Invariant::SendsValidFrames],
        change: |honest, index| {
            let frames = honest.view.subject_frames.len();
            (frames > 0).then(|| Change::MaskFrame(index % frames))
        },
        breaks: masked,
    },
    Kind {
        name: "same key",
        counts: "A client masked two frames or more, and all with the same key. (5.3)",
        rules: &[Invariant::FreshMaskingKey],
        change: |honest, _| {
            let masks = honest.view.subject_role() == Role::Client;
            masks.then_some(Change::SameKey)
        },
        breaks: same_key,
    },
    Kind {
        name: "own Close left out",
        counts: "The honest server sent a Close, before it had read one of the client's, and the \
                 client, which broke no rule, read it. The changed one lived as long at least, and \
                 ended without a whole Close, before the client reset the connection; the \
                 client's FIN came later than the Close should have. A must where the application \
                 had begun to close (7.1.2), else a should (7.1.1).",
        rules: &[Invariant::SendsClose, Invariant::NoSilentEnd, Invariant::AnswersClose],
        change: |honest, _| own_close(&honest.view).map(|_| Change::LeaveOutOwnClose),
        breaks: left_out,
    },
    Kind {
        name: "own Close cut",
        counts: "As `own Close left out`, but the changed server wrote a part of its Close: one \
                 byte, two, up to all but one, by the script's index.",
        rules: &[Invariant::SendsClose, Invariant::NoSilentEnd, Invariant::AnswersClose],
        change: |honest, index| {
            let length = length(own_close(&honest.view)?);
            Some(Change::CutOwnClose(1 + index % (length - 1)))
        },
        breaks: left_out,
    },
    Kind {
        name: "FIN before the own Close",
        counts: "As `own Close left out`: the server sends FIN where it would have closed.",
        rules: &[Invariant::SendsClose, Invariant::NoSilentEnd, Invariant::AnswersClose],
        change: |honest, _| own_close(&honest.view).map(|_| Change::FinBeforeOwnClose),
        breaks: left_out,
    },
    Kind {
        name: "message lost",
        counts: "The honest server's application sent messages and began to close; it had read no \
                 Close of the client's by then, and nothing illegal; the client read all, the Close, and a clean end. \
                 With the changed server it read the same but for one message, by the script's \
                 index. (No sentence of the RFC.)",
        rules: &[Invariant::SendsEveryMessage],
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
        rules: &[Invariant::SendsEveryMessage],
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
        rules: &[Invariant::DeliversEveryMessage],
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
