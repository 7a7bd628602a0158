//! How far a connection got: what tells a test that tested something from one that did not.

use super::Cause;

/// How far one connection got.
#[expect(clippy::struct_excessive_bools, reason = "what was reached, each on its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// A WebSocket was open.
    pub opened: bool,
    /// A Close was sent, by the server or, legal and complete, by the client.
    pub closed: bool,
    /// The connection ended.
    pub ended: bool,
    /// What obliged the server to end it, where something did.
    pub cause: Option<Cause>,
    /// The application took a command to close.
    pub took_close: bool,
    /// The application took a command to return.
    pub took_return: bool,
    /// The application took a command to send a message.
    pub took_send: bool,
}

impl Reached {
    /// As far as either of two connections got. What obliged the first to end comes first.
    pub fn add(&mut self, other: Self) {
        self.opened |= other.opened;
        self.closed |= other.closed;
        self.ended |= other.ended;
        self.cause = self.cause.or(other.cause);
        self.took_close |= other.took_close;
        self.took_return |= other.took_return;
        self.took_send |= other.took_send;
    }
}
