//! Excuses: why a server may have acted as it did although a rule looks broken.
//!
//! A rule attaches to each suspicion the excuses that hold, by name; [`decide`](super::decide)
//! says what becomes of them. Here is what each name means, and when it holds.

use crate::exchange::{Time, What};
use crate::verdict::{Ending, Excuse};
use crate::view::{Firsts, Frame, View, came_before};
use crate::wire::{CloseClass, CloseCode};
use std::time::Duration;

/// What a server may take for idleness: few have less patience.
const QUIET: Duration = Duration::from_secs(5);

/// Why a server said nothing more before it ended with the event `ended`: it had crashed, the
/// client had gone, or there was no room up to the end. What came after the end is no excuse.
pub(super) fn silence(view: &View<'_>, ended: usize) -> Option<Excuse> {
    let Firsts { panicked, spun, reset, .. } = view.firsts;
    let by_the_end = |event: Option<usize>| event.is_some_and(|event| event <= ended);
    // Room that came in the very moment of the end, and was not used, came too late.
    let came_late = view.unused_room.is_some_and(|room| {
        room <= view.at(ended) && room.after(view.exchange.timing_slack) >= view.at(ended)
    });
    match () {
        () if by_the_end(panicked) || by_the_end(spun) => Some(Excuse::Crashed),
        () if by_the_end(reset) => Some(Excuse::ClientGone),
        () if view.is_blocked_at(ended) => Some(Excuse::NoRoom),
        () if came_late => Some(Excuse::RoomCameTooLate),
        // Over TCP nobody sees how full its buffers are of a client that does not read.
        () if !view.sees_both_ends() && view.is_not_reading_at(ended) => {
            Some(Excuse::WaitedForRoom)
        }
        () => None,
    }
}

/// Whether the application had left by itself when `event` happened, or in the same
/// moment: of what came then, nobody could be told.
pub(super) fn application_left(view: &View<'_>, event: usize) -> Option<Excuse> {
    let by = view.at(event).after(view.exchange.timing_slack);
    let left = view.firsts.began_to_return.is_some_and(|left| view.at(left) <= by);
    left.then_some(Excuse::ApplicationLeft)
}

/// Why a Close of the server's that came after `frame` of the client's may answer nothing: a
/// whole message had come before, of which an application may think what it likes, or
/// nothing complete had come for a while, so that a timer of the server's may have run out
/// in that moment. What came in that moment too, before `frame`, stopped no timer.
pub(super) fn reason_of_its_own(view: &View<'_>, frame: &Frame) -> Option<Excuse> {
    let own = view.own_close().map(|own| view.at(own.started));
    let before = view.actor_frames.iter().take_while(|other| other.end_offset < frame.end_offset);
    let (mut had_message, mut last) = (false, view.opened);
    for other in before {
        had_message |= other.opcode.is_data() && other.head.is_some_and(|head| head.fin);
        let in_time = |ended: &usize| {
            own.is_none_or(|own| view.at(*ended).after(view.exchange.timing_slack) < own)
        };
        last = last.max(other.ended.filter(in_time));
    }
    let was_quiet = last.zip(own).is_some_and(|(last, own)| own >= view.at(last).after(QUIET));
    match () {
        () if had_message => Some(Excuse::AfterMessage),
        () if was_quiet => Some(Excuse::AfterQuiet),
        () => None,
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//# Note that in all cases, the minimal number of bytes MUST be used to
//# encode the length
/// Whether the client wrote a length in more bits than that, up to `frame`'s end.
/// Hardly any server minds, but one may refuse the frame.
pub(super) fn wide_length(view: &View<'_>, frame: &Frame) -> Option<Excuse> {
    let wide = |other: &Frame| other.wide && other.end_offset <= frame.end_offset;
    view.actor_frames.iter().any(wide).then_some(Excuse::WideLength)
}

/// Whether `close` of the client's has a code that a library need not know.
pub(super) fn unusual_code(close: Option<&Frame>) -> Option<Excuse> {
    close.and_then(Frame::code).is_some_and(CloseCode::is_unusual).then_some(Excuse::UnusualCode)
}

/// Whether the client had sent, when the event `at` happened, what a server may refuse
/// though no rule is broken yet: a length in more bits than it needs, or half a frame.
/// Who looks at a header may know what the rest of the frame will only show. Behind the client's
/// Close everything is discarded.
pub(super) fn refusable(view: &View<'_>, at: usize) -> Option<Excuse> {
    let wide = |frame: &Frame| frame.wide && frame.started < at;
    let close = view.actor_close().map_or(usize::MAX, |close| close.end_offset);
    let mut counts = view.actor_frames.iter().take_while(|frame| frame.end_offset <= close);
    match () {
        () if counts.clone().any(wide) => Some(Excuse::WideLength),
        () if counts.any(|frame| frame.is_half_sent_at(at)) => Some(Excuse::HalfFrame),
        () => None,
    }
}

/// Whether the application had wanted to close, or a shutdown had, before the event `at`.
pub(super) fn application_closed(view: &View<'_>, at: usize) -> Option<Excuse> {
    view.wish_to_close().is_some_and(|began| began < at).then_some(Excuse::ApplicationClosed)
}

/// Whether the server's wish to write had waited for room since before one of `events`.
pub(super) fn waited_for_room(
    view: &View<'_>,
    mut events: impl Iterator<Item = usize>,
) -> Option<Excuse> {
    // Half a frame of its own says so as well, whether it has used the room that came since or not.
    let is_halfway = |event| {
        let begun = view.subject_frames.iter().take_while(|own| own.started < event);
        begun.last().is_some_and(|own| own.ended.is_none_or(|ended| ended > event))
    };
    let waited = |event| view.is_blocked_at(event) || is_halfway(event);
    events.any(waited).then_some(Excuse::WaitedForRoom)
}

/// Whether a Close says that the client's data was not wanted, where there was some: of half
/// a message a server may have had enough.
pub(super) fn about_data(view: &View<'_>, own: &Frame) -> Option<Excuse> {
    let had_data = view.actor_frames.iter().any(|frame| frame.opcode.is_data());
    let complains = matches!(own.code(), Some(CloseCode(1003 | 1008..=1011)));
    (had_data && complains).then_some(Excuse::AboutData)
}

/// Whether the server had panicked, or spun, by the event `at`.
pub(super) fn crashed(view: &View<'_>, at: usize) -> Option<Excuse> {
    let by = |event: Option<usize>| event.is_some_and(|event| event <= at);
    (by(view.firsts.panicked) || by(view.firsts.spun)).then_some(Excuse::Crashed)
}

/// Whether the application had returned by itself by the event `at`.
pub(super) fn application_returned(view: &View<'_>, at: usize) -> Option<Excuse> {
    view.firsts.began_to_return.is_some_and(|left| left <= at).then_some(Excuse::ApplicationLeft)
}

/// Whether the client had sent FIN before the event `at`: what the server does then is about that.
pub(super) fn client_fin(view: &View<'_>, at: usize) -> Option<Excuse> {
    came_before(view.firsts.fin, at).then_some(Excuse::ClientFin)
}

/// Whether the client had reset the connection before the event `at`.
pub(super) fn client_gone(view: &View<'_>, at: usize) -> Option<Excuse> {
    came_before(view.firsts.reset, at).then_some(Excuse::ClientGone)
}

/// Whether the client's Close has the code `blame` itself.
pub(super) fn clients_own_code(view: &View<'_>, blame: CloseCode) -> Option<Excuse> {
    let sent = view.actor_close().and_then(Frame::code);
    (sent == Some(blame)).then_some(Excuse::ClientsOwnCode)
}

/// Whether the server had begun its own Close before the event `at`.
pub(super) fn server_closed_first(view: &View<'_>, at: usize) -> Option<Excuse> {
    view.own_close().is_some_and(|own| own.started < at).then_some(Excuse::ServerClosedFirst)
}

/// Whether a Close of the server's blames the client: of that, `accepts-legal` speaks.
pub(super) fn blames_the_client(own: Option<&Frame>) -> Option<Excuse> {
    own.is_some_and(Frame::blames).then_some(Excuse::BlamesTheClient)
}

/// Whether a Close of the server's says that something went wrong: then nobody need wait for
/// an answer (7.1.7).
pub(super) fn server_failed(own: &Frame) -> Option<Excuse> {
    let failed = match own.code() {
        None | Some(CloseCode::NORMAL | CloseCode::GOING_AWAY) => false,
        Some(code) => matches!(code.class(), CloseClass::Defined),
    };
    failed.then_some(Excuse::ServerFailed)
}

/// Whether the server had to wait for room before the event `sent`, so that time went by: what was
/// sent then may have run out of it since it was meant. Room that a client which reads makes in
/// the same moment takes none.
pub(super) fn had_to_wait_for_room(view: &View<'_>, sent: usize) -> Option<Excuse> {
    let mut since: Option<Time> = None;
    let mut waited = Duration::ZERO;
    let until = |since: Option<Time>, time: Time| {
        since.map_or(Duration::ZERO, |since| {
            time.since_accept().saturating_sub(since.since_accept())
        })
    };
    for event in view.events_before(sent) {
        match event.what {
            What::WriteBlocked => since = since.or(Some(event.at)),
            What::Writable => waited += until(since.take(), event.at),
            _ => {}
        }
    }
    waited += until(since, view.at(sent));
    (waited > view.exchange.timing_slack).then_some(Excuse::WaitedForRoom)
}

/// Whether the client could not see an end at `time`, since it did not read or was cut off, and
/// nobody looked at the server's end.
pub(super) fn nobody_could_see(view: &View<'_>, time: Time) -> Option<Excuse> {
    let unseen = !view.exchange.sees_release && view.is_blind_at(time);
    unseen.then_some(Excuse::NobodyCouldSee)
}

/// Whether other threads are at work: in virtual time nobody knows when they are done.
pub(super) fn other_threads(view: &View<'_>) -> Option<Excuse> {
    view.other_threads().map(|_| Excuse::OtherThreads)
}

/// That another client need not be the reason for what a server does to one: nobody knows before
/// that one was played alone.
pub(super) fn same_alone(view: &View<'_>) -> Option<Excuse> {
    (view.exchange.connections().len() > 1).then_some(Excuse::SameAlone)
}

/// As [`other_threads`], of what is known by how it ended.
pub(super) const fn unproven(ending: &Ending) -> Option<Excuse> {
    match ending {
        Ending::Unproven(_) => Some(Excuse::OtherThreads),
        _ => None,
    }
}

/// Whether the client had sent bytes before the 101: the server may have dropped them.
pub(super) fn early_bytes(view: &View<'_>) -> Option<Excuse> {
    view.early.then_some(Excuse::EarlyBytes)
}

/// Whether the network had been cut before the event `at`.
pub(super) fn cut_off(view: &View<'_>, at: usize) -> Option<Excuse> {
    came_before(view.firsts.cut, at).then_some(Excuse::CutOff)
}

/// Whether nobody saw what the server had read when it spoke: it may have answered nothing.
pub(super) fn unseen_what_was_read(view: &View<'_>) -> Option<Excuse> {
    (!view.sees_both_ends()).then_some(Excuse::ActedByItself)
}

/// Of a server that ended the connection at its application's close, and sent nothing of its own
/// Close `own`: it may have ended it in that moment by itself.
pub(super) fn ended_by_itself(own: Option<&Frame>) -> Option<Excuse> {
    own.is_none().then_some(Excuse::ActedByItself)
}

/// As [`client_fin`], where the client had not closed: what comes behind its Close is no reason.
pub(super) fn client_fin_without_close(view: &View<'_>, at: usize) -> Option<Excuse> {
    let closed = came_before(view.actor_close().and_then(|close| close.ended), at);
    client_fin(view, at).filter(|_| !closed)
}

/// Whether the server's wish to write waited for room between two events, for some time.
pub(super) fn waited_for_room_between(view: &View<'_>, from: usize, to: usize) -> Option<Excuse> {
    let slack = view.exchange.timing_slack;
    let mut since = None;
    for (index, event) in view.indexed_events().take_while(|(index, _)| *index <= to) {
        let ends = index == to || event.what == What::Writable;
        match since {
            None if event.what == What::WriteBlocked => since = Some(event.at),
            Some(began) if ends && index > from => {
                if event.at > view.exchange.events[from].at.max(began).after(slack) {
                    return Some(Excuse::WaitedForRoom);
                }
                since = None;
            }
            Some(_) if ends => since = None,
            _ => {}
        }
    }
    None
}

/// Whether the server still waited for room to write at the very end.
pub(super) fn no_room_to_the_end(view: &View<'_>) -> Option<Excuse> {
    view.blocked.then_some(Excuse::NoRoom)
}
