//! The names that verdicts are made of, each with its id in output, files and arguments.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Defines an enum of ids with the name that each has in output, files and arguments.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$inner])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them, in the order in which they are listed and tried.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in output, files and arguments.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of this name.
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.id() == id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.id())
            }
        }
    };
}

words! {
    /// A named rule that a server keeps.
    Invariant {
        /// The client sees the end by the deadline.
        EndsInTime = "ends-in-time",
        /// The server lets go of its transport by the deadline.
        ReleasesInTime = "releases-in-time",
        /// An unfinished opening does not hold a connection.
        HandshakeInTime = "handshake-in-time",
        /// A silent client does not hold a connection, where that is promised.
        IdleInTime = "idle-in-time",
        /// A Close gets a Close.
        AnswersClose = "answers-close",
        /// At most one Close.
        ClosesOnce = "closes-once",
        /// After the own Close no data, and only what the RFC allows.
        SilentAfterClose = "silent-after-close",
        /// A Close frame is well formed and its code sendable.
        LegalClose = "legal-close",
        /// A protocol violation fails the connection, with a Close that says so.
        RefusesIllegal = "refuses-illegal",
        /// What is legal is not taken for a violation.
        AcceptsLegal = "accepts-legal",
        /// The answer to a Close repeats its code.
        EchoesCode = "echoes-code",
        /// A client that behaves gets the Close and the end, and the time for its own.
        LetsThePoliteFinish = "lets-the-polite-finish",
        /// Every frame is one that a server may send.
        FramesWell = "frames-well",
        /// The application hears nothing after the client's Close but its code, once.
        QuietApplication = "quiet-application",
        /// No task panics.
        NoPanic = "no-panic",
        /// Progress or sleep.
        NoSpin = "no-spin",
        /// No task outlives the connection.
        NoLeak = "no-leak",
        /// The client cannot make the server buffer without limit.
        BoundedMemory = "bounded-memory",
    }
}

words! {
    /// Liveness: something good never came. Safety: something bad came.
    Class {
        /// Something that was owed did not come in time.
        Liveness = "liveness",
        /// Something came that must not.
        Safety = "safety",
    }
}

words! {
    /// How strongly the RFC's own words ask for it.
    Level {
        /// The RFC says MUST or MUST NOT.
        Must = "must",
        /// The RFC says SHOULD, or is silent.
        Should = "should",
    }
}

words! {
    /// What obliges a server to end the connection.
    Cause {
        /// Accepted, and no complete request.
        Handshake = "unfinished handshake",
        /// The client's Close arrived.
        ClientClose = "the client's Close",
        /// The server began to write its own Close.
        OwnClose = "the server's own Close",
        /// The application began to close.
        AppClose = "the application's close",
        /// The client broke the protocol.
        ClientViolation = "the client's protocol violation",
        /// The client's FIN arrived.
        ClientFin = "the client's FIN",
        /// The client's RST arrived.
        ClientReset = "the client's RST",
        /// Nothing complete came for too long.
        Idle = "idle client",
    }
}

words! {
    /// What the client did, or left undone, while the end was owed.
    Condition {
        /// It did nothing more, and read what came.
        Silent = "silent",
        /// It sent bytes.
        Dripping = "dripping",
        /// It had sent its Close, and held TCP open.
        Replied = "replied",
        /// It left a frame, or its request, half sent, be it for a time.
        HalfSent = "half a frame",
        /// It had sent FIN.
        HalfClosed = "half-closed",
        /// It did not read.
        Deaf = "deaf",
        /// The network was cut.
        CutOff = "cut off",
        /// It had reset the connection, or dropped its socket.
        Gone = "gone",
    }
}
