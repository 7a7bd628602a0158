//! What the application of every client does: it tells whether it opened, what it was given, and
//! what it was told at the end.

use crate::heard::Heard;
use hangup::Application;
use hangup::exchange::Note;
use std::future::Future;

/// What a library gave its application.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// A message of so many bytes.
    Message(usize),
    /// The server's Close, with this code or none.
    Close(Option<u16>),
    /// Something that is no business of the application's: a ping, a pong.
    Nothing,
}

impl Heard {
    /// It was given this.
    pub(super) fn given(&mut self, given: Given) {
        match given {
            Given::Message(bytes) => self.message(bytes),
            Given::Close(code) => self.end(code),
            Given::Nothing => {}
        }
    }
}

/// Connects; `None` where nothing opens. The application is told which.
pub(super) async fn open<S>(
    application: &Application,
    connecting: impl Future<Output = Option<S>>,
) -> Option<(S, Heard)> {
    let heard = Heard::by(application);
    let socket = connecting.await;
    application.note(if socket.is_some() { Note::Opened } else { Note::Refused });
    Some((socket?, heard))
}
