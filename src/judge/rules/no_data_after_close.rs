//! `no-data-after-close`: no data after the own Close, and only what the RFC allows.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View};
use crate::wire::Opcode;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::NoDataAfterClose,
    class: Class::Safety,
    section: "5.5.1, 5.5.2",
    quote: Some((
        "5.5.1",
        "The application MUST NOT send any more data frames after sending a Close frame.",
    )),
    says: "After its Close the server sends no data; once it has received the client's Close too, it sends \
         nothing at all.",
    explains: "A writer task that does not know that the connection is closing goes on sending. The server\n\
              must still answer pings that arrive between its own Close and the client's; such pongs\n\
              break no rule.",
    asked_of: AskedOf::Both("5.5.1 and 5.5.2 speak of applications and endpoints"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[Symptom::DataBehindClose, Symptom::NoFrameBehindClose, Symptom::ControlBehindClose],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//# The application MUST NOT send any more data frames after sending a
//# Close frame.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    out.extend(noise(case.view));
}

fn noise(view: &View<'_>) -> Option<Suspicion> {
    let close = view.subject_frames.iter().position(Frame::is_close)?;
    let (upto, later) = view.subject_frames.split_at(close + 1);
    let own = upto.last()?;
    let sent = |frame: &Frame, level, symptom, fact| {
        Suspicion::new(level, symptom, fact, vec![frame.started, own.started])
    };
    if let Some(frame) = later.iter().find(|frame| frame.opcode.is_data()) {
        let fact = format!("sent {} after its Close", frame.opcode);
        return Some(sent(frame, Level::Must, Symptom::DataBehindClose, fact));
    }
    let garbled = |frame: &&Frame| !frame.is_recognised();
    if let Some(frame) = later.iter().find(garbled) {
        let fact = "sent bytes that are not a frame after its Close".to_owned();
        return Some(sent(frame, Level::Must, Symptom::NoFrameBehindClose, fact));
    }
    let frame = later.iter().find(|frame| is_idle_chatter(view, frame))?;
    let fact = format!("sent {} after both Closes", frame.opcode);
    // A Close that came too early it may not have seen.
    let suspicion = sent(frame, Level::Should, Symptom::ControlBehindClose, fact)
        .unless(excuses::early_bytes(view));
    Some(suspicion)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
//# Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in
//# response, unless it already received a Close frame.
/// Whether a control frame after the own Close was owed to nobody any more: the
/// client's Close had been received too, and it answers no ping from before that.
fn is_idle_chatter(view: &View<'_>, frame: &Frame) -> bool {
    let Some(close) = view.actor_close() else { return false };
    if frame.is_close() || !is_after_both(view, close, frame) {
        return false;
    }
    // Which pong answers which ping cannot be told; none is held against the server
    // as long as there are no more of them than there were pings.
    let pings = view.actor_frames.iter().take_while(|frame| !frame.is_close());
    let pings = pings.filter(|frame| frame.opcode == Opcode::PING).count();
    let after_own = view.subject_frames.iter().skip_while(|frame| !frame.is_close());
    let pongs = after_own.filter(|frame| frame.opcode == Opcode::PONG).count();
    frame.opcode != Opcode::PONG || pongs > pings
}

/// Whether the server had sent its Close, and received the client's, before `frame`. A
/// client alone knows that of a server which closed second, or after a while.
fn is_after_both(view: &View<'_>, theirs: &Frame, frame: &Frame) -> bool {
    let (Some(received), Some(own)) = (view.received(theirs), view.own_close()) else {
        return false;
    };
    let closed_second = view.sees_both_ends() || own.started > received;
    let later = view.at(frame.started) > view.at(received).after(view.exchange.timing_slack);
    received < frame.started && (closed_second || later)
}
