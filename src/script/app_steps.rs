//! A set of application commands: those that a server obeys. Only these are drawn and sent.

use super::Command;
use std::ops::BitOr;

/// A set of kinds of commands to a server's application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppSteps(u8);

impl AppSteps {
    /// No command at all.
    pub const NONE: Self = Self(0);
    /// Send a text or binary message.
    pub const SEND: Self = Self(1);
    /// Send a ping.
    pub const PING: Self = Self(2);
    /// Close the connection.
    pub const CLOSE: Self = Self(4);
    /// Return without closing.
    pub const RETURN: Self = Self(8);
    /// Keep a handle of the session beyond the connection's end.
    pub const KEEP: Self = Self(16);
    /// Every command to the application of one connection: all but those to a whole server.
    pub const ALL: Self = Self(31);
    /// Shut the whole server down.
    pub const SHUTDOWN: Self = Self(32);
    /// Send a message to all connections.
    pub const BROADCAST: Self = Self(64);

    /// Whether all of `other` are in this set.
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kind of `command`.
    pub const fn of(command: &Command) -> Self {
        match command {
            Command::SendText(_) | Command::SendBinary(_) => Self::SEND,
            Command::Ping(_) => Self::PING,
            Command::Close(..) => Self::CLOSE,
            Command::Return => Self::RETURN,
            Command::Keep => Self::KEEP,
            Command::Shutdown => Self::SHUTDOWN,
            Command::Broadcast(_) => Self::BROADCAST,
        }
    }
}

impl BitOr for AppSteps {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
