//! What a row of a timeline is, without its words: what a picture draws.

use crate::exchange::Time;
use crate::wire::Opcode;

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole opening request, or the answer to one.
    Opening,
    /// A piece of either.
    PartOfOpening,
    /// A frame, or a piece of one.
    Frame {
        /// Which sort of frame.
        sort: Sort,
        /// Whether it is complete.
        whole: bool,
        /// Whether it breaks no rule of the wire.
        legal: bool,
    },
    /// The end of a direction.
    Fin,
    /// A reset of the connection.
    Reset,
    /// The client stops reading its socket.
    StopsReading,
    /// The client reads again.
    ReadsAgain,
    /// The client does nothing more.
    Silent,
    /// The network is cut.
    Cut,
    /// The server has no room to write.
    Blocked,
    /// The server can write again.
    Writable,
    /// The application closes, or returns.
    ApplicationCloses,
    /// The application sends a message, or is given or told something.
    Application,
    /// The server lets go of its socket.
    Released,
    /// The server panics, spins, or takes its process down.
    Crash,
    /// What a server that has not let go is doing.
    Waits,
    /// By when the end was owed.
    Deadline {
        /// Since when it was.
        since: Time,
    },
    /// Still open when watching ended, or while its timers fire.
    Open,
    /// Still open for ever, which is proven: no task can run, and no timer is set.
    Never,
    /// What is drawn without a sign of its own.
    Other,
}

/// A sort of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A Close.
    Close,
    /// A ping, a pong, or a reserved control frame.
    Control,
    /// Text, binary, a continuation, or a reserved data frame.
    Message,
    /// More bytes of the frame before.
    More,
}

impl Kind {
    /// A frame with this opcode.
    pub(super) fn frame(opcode: Opcode, whole: bool, legal: bool) -> Self {
        let sort = match opcode {
            Opcode::CLOSE => Sort::Close,
            control if control.is_control() => Sort::Control,
            _ => Sort::Message,
        };
        Self::Frame { sort, whole, legal }
    }
}
