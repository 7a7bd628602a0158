//! What an application says of what it is given: messages, and the end once.

use hangup::Application;
use hangup::exchange::Note;

/// An application's ear. It reports the end when it is dropped, at the latest: a loop
/// that is over has been told so.
pub(crate) struct Heard {
    application: Application,
    told: bool,
    /// The close code that it was told.
    code: Option<u16>,
}

impl Heard {
    /// The ear of an application that reports all that it hears.
    pub(crate) fn by(application: &Application) -> Self {
        application.note(Note::Reports);
        Self { application: application.clone(), told: false, code: None }
    }

    /// It was given a message of so many bytes.
    pub(crate) fn message(&mut self, bytes: usize) {
        self.application.note(Note::Received { bytes: bytes.try_into().unwrap_or(u32::MAX) });
    }

    /// It was told that the other side closed, with this code or none.
    pub(crate) fn end(&mut self, code: Option<u16>) {
        self.told = true;
        self.code = code;
        self.application.note(Note::ToldOfEnd { code });
    }

    /// Of a client: its own close is over.
    pub(crate) fn close_returned(&self) {
        self.application.note(Note::CloseReturned { code: self.code });
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if !self.told {
            self.end(None);
        }
    }
}
