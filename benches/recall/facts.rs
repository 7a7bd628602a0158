//! What an exchange shows, read without the judge: who had read what by when, and who had left.
//!
//! Both ends of a play in virtual time are recorded. Nothing here asks why a server did
//! something: excuses are the judge's, and what is measured.

use hangup::exchange::{End, Time, What};
use hangup::view::{Frame, View};
use hangup::wire::Opcode;
use std::time::Duration;

/// Timers of virtual time are exact to this.
pub const SLACK: Duration = Duration::from_millis(2);

/// The client's Close, and the server's that came when the client's had been read.
pub struct Answer<'a> {
    pub theirs: &'a Frame,
    pub own: &'a Frame,
}

/// The client's Close, whole and legal, with nothing illegal before it.
pub fn legal_close<'a>(view: &'a View<'_>) -> Option<&'a Frame> {
    let close = view.actor_close().filter(|close| close.fault.is_none())?;
    (!is_wide(view, close.end_offset)).then_some(close)
}

/// Whether the client wrote a length in more bits than it needs, which 5.2 forbids it, in a
/// frame that began before the byte `offset`.
fn is_wide(view: &View<'_>, offset: usize) -> bool {
    let before = |frame: &&Frame| frame.end_offset <= offset || frame.ended.is_none();
    view.actor_frames.iter().filter(before).any(|frame| frame.wide)
}

/// Whether the client had broken a rule of frames by the event `by`.
pub fn is_broken(view: &View<'_>, by: usize) -> bool {
    let fault = view.actor_fault.is_some_and(|fault| fault.event <= by);
    fault || view.actor_frames.iter().any(|frame| frame.wide && frame.started <= by)
}

/// The server's Close that came, whole, when it had read the client's legal one.
pub fn answer<'a>(view: &'a View<'_>) -> Option<Answer<'a>> {
    let theirs = legal_close(view)?;
    let own = whole_close(view)?;
    let read = view.received(theirs)?;
    (own.started > read).then_some(Answer { theirs, own })
}

/// The server's first Close, where it is whole.
pub fn whole_close<'a>(view: &'a View<'_>) -> Option<&'a Frame> {
    view.own_close().filter(|close| close.ended.is_some())
}

/// The event with which the client had read so many bytes.
pub fn client_read(view: &View<'_>, offset: usize) -> Option<usize> {
    let mut total = 0;
    view.indexed_events().find_map(|(index, event)| {
        if let (What::Read { bytes }, End::Actor) = (&event.what, event.end) {
            total += *bytes as usize;
        }
        (total >= offset).then_some(index)
    })
}

/// The event with which the server ended the connection: its FIN, or the drop of its socket.
pub fn server_ended(view: &View<'_>) -> Option<usize> {
    [view.firsts.shut, view.firsts.dropped].into_iter().flatten().min()
}

/// Whether the client reset the connection, or its socket was gone, before the event `by`.
pub fn client_left(view: &View<'_>, by: usize) -> bool {
    view.firsts.reset.is_some_and(|reset| reset <= by)
}

/// Whether `event`, if it happened, came after `time` and the slack.
pub fn is_after(view: &View<'_>, event: Option<usize>, time: Time) -> bool {
    event.is_none_or(|event| view.at(event) > time.after(SLACK))
}

/// Opcode and payload of each whole message that the client read, where it read the server's Close
/// behind them and a clean end. `None` where it did not.
pub fn messages(view: &View<'_>) -> Option<Vec<(Opcode, Vec<u8>)>> {
    let own = whole_close(view)?;
    client_read(view, own.end_offset)?;
    view.firsts.got_end?;
    let before = view.subject_frames.iter().take_while(|frame| !frame.is_close());
    let data = before.filter(|frame| matches!(frame.opcode, Opcode::TEXT | Opcode::BINARY));
    Some(data.filter_map(|frame| Some((frame.opcode, payload_of(view, frame)?))).collect())
}

/// The payload of a whole frame that was sent, without its mask.
fn payload_of(view: &View<'_>, frame: &Frame) -> Option<Vec<u8>> {
    let start = frame.end_offset.checked_sub(usize::try_from(frame.head?.length).ok()?)?;
    let payload = view.bytes.to_actor.get(start..frame.end_offset)?;
    let key = key_of(view, frame).unwrap_or(&[0]);
    Some(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
}

/// The masking key of a whole frame that was sent, where it has one.
pub fn key_of<'a>(view: &View<'a>, frame: &Frame) -> Option<&'a [u8]> {
    let head = frame.head.filter(|head| head.masked && frame.ended.is_some())?;
    let payload = frame.end_offset.checked_sub(usize::try_from(head.length).ok()?)?;
    view.bytes.to_actor.get(payload.checked_sub(4)?..payload)
}
