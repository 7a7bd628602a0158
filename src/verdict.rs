//! The judge's words: invariants, causes, conditions, endings, violations.

use crate::exchange::Time;
use crate::wire::Fault;
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

words! {
    /// Why a server may have acted as it did although a rule looks broken.
    Excuse {
        /// Bytes of the client's came before the 101 (4.1 forbids it): what a server makes of
        /// them is its choice.
        EarlyBytes = "the client sent bytes before the 101",
        /// It had panicked, or spun, by then: that is a finding of its own.
        Crashed = "the server had crashed",
        /// The client had reset the connection.
        ClientGone = "the client had reset the connection",
        /// The client had said FIN: what the server does then is about that.
        ClientFin = "the client had sent FIN",
        /// It wanted to write, and there was no room up to the end.
        NoRoom = "there was no room to write",
        /// Room came in the moment of the end, and was not used.
        RoomCameTooLate = "room to write came in the moment of the end",
        /// What it sent had waited for room, and may have been meant for something earlier.
        WaitedForRoom = "the server had waited for room to write",
        /// The application had returned by itself.
        ApplicationLeft = "the application had returned by itself",
        /// The application had wanted to close.
        ApplicationClosed = "the application had wanted to close",
        /// The server had begun to close before.
        ServerClosedFirst = "the server had sent its own Close before",
        /// Its Close says that something went wrong: nobody need wait for an answer (7.1.7).
        ServerFailed = "the server's Close says that something went wrong",
        /// Its Close blames the client: of that, another rule speaks.
        BlamesTheClient = "the server's Close blames the client",
        /// Its Close says that the client's data was not wanted.
        AboutData = "the server's Close is about the client's data",
        /// A whole message had come before: an application may think of it what it likes.
        AfterMessage = "the application had been given a message",
        /// Nothing complete had come for 5 s: a timer of the server's may have run out.
        AfterQuiet = "the client had been quiet for 5 s",
        /// The client wrote a length in more bits than it needs (5.2): a server may refuse it.
        WideLength = "the client wrote a length in more bits than it needs",
        /// Half a frame had come, of which the server may know that it will be illegal.
        HalfFrame = "the client had sent half a frame",
        /// The client had sent that code itself.
        ClientsOwnCode = "the client had sent that code itself",
        /// The client did not read, or was cut off, and nobody saw the server's end.
        NobodyCouldSee = "nobody could see whether the connection ended",
    }
}

/// Another play, which decides whether a server acted on what the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The same without the last thing that the client sent, and lasting as long.
    WithoutTheLastSend {
        /// When the connection had shown what the suspicion is about.
        lasting: Time,
    },
}

/// Why a suspicion is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An excuse holds.
    Excuse(Excuse),
    /// The server did the same in a control.
    Control(Control),
}

/// A suspicion that is not held against the server, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissal {
    /// What it would have been.
    pub violation: Violation,
    /// Why it is none.
    pub reason: Reason,
}

/// How a connection ended, measured against what was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By its deadline, or with nothing owed.
    InTime,
    /// After its deadline, at exactly this time.
    Late(Time),
    /// Never: proven, nothing is left that could end it.
    Never,
    /// Not yet, while timers keep firing, this many microseconds apart on average.
    Ticking(u64),
    /// Not, because the server polls for ever while time stands still, from this time on.
    Spinning(Time),
    /// Not by this time, when watching ended; nothing was proven (real time only).
    Open(Time),
}

impl Ending {
    /// The names of all of them.
    pub const KINDS: [&'static str; 6] =
        ["in time", "late", "never", "ticking", "spinning", "open"];

    /// The ending's name in files and JSON.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::InTime => "in time",
            Self::Late(_) => "late",
            Self::Never => "never",
            Self::Ticking(_) => "ticking",
            Self::Spinning(_) => "spinning",
            Self::Open(_) => "open",
        }
    }

    /// The time that belongs to it, where one does.
    pub const fn at(self) -> Option<Time> {
        match self {
            Self::Late(at) | Self::Spinning(at) | Self::Open(at) => Some(at),
            Self::InTime | Self::Never | Self::Ticking(_) => None,
        }
    }
}

/// An obligation: the end of the connection is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// What obliges.
    pub cause: Cause,
    /// Since when.
    pub since: Time,
    /// By when.
    pub deadline: Time,
    /// The event that armed it; for [`Cause::Handshake`] the first of the trace.
    pub event: usize,
    /// For [`Cause::ClientViolation`], what the client did wrong.
    pub fault: Option<Fault>,
}

/// What findings are told apart by, beside their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The rule broken.
    pub invariant: Invariant,
    /// What obliged the server, where something did.
    pub cause: Option<Cause>,
    /// The client's part, where the rule is about time.
    pub condition: Option<Condition>,
}

impl Key {
    /// Whether `pattern` takes it in: the same rule, and the same cause and condition
    /// where the pattern has one.
    pub fn is_of(&self, pattern: &Self) -> bool {
        self.invariant == pattern.invariant
            && (pattern.cause.is_none() || self.cause == pattern.cause)
            && (pattern.condition.is_none() || self.condition == pattern.condition)
    }
}

/// One rule broken on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule, why and under what condition.
    pub key: Key,
    /// How strongly the RFC asks for it in this case.
    pub level: Level,
    /// How the connection ended.
    pub ending: Ending,
    /// What was owed, where the rule is about time.
    pub owed: Option<Owed>,
    /// What happened, in a few words without a subject's feelings: `sent Text after its Close`.
    pub fact: String,
    /// Indices into the exchange of the events that prove it.
    pub events: Vec<usize>,
    /// The control without which it is not certain; `None` where it is. Real time only.
    pub control: Option<Control>,
}

/// All that the judge found on one connection; empty is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The rules broken, in the order of [`Invariant::ALL`].
    pub violations: Vec<Violation>,
    /// What looked like a broken rule and is none, with the reason.
    pub dismissals: Vec<Dismissal>,
}

impl Verdict {
    /// Whether no rule was broken.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The violation with this key, where there is one.
    pub fn find(&self, key: Key) -> Option<&Violation> {
        self.violations.iter().find(|violation| violation.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_in_what_it_leaves_open_and_nothing_else() {
        let (invariant, cause) = (Invariant::EndsInTime, Some(Cause::OwnClose));
        let key = Key { invariant, cause, condition: Some(Condition::Silent) };
        assert!(key.is_of(&key));
        assert!(key.is_of(&Key { condition: None, ..key }));
        assert!(key.is_of(&Key { cause: None, ..key }));
        assert!(!key.is_of(&Key { condition: Some(Condition::Deaf), ..key }));
        assert!(!key.is_of(&Key { cause: Some(Cause::ClientClose), ..key }));
        assert!(!key.is_of(&Key { invariant: Invariant::AnswersClose, ..key }));
        assert!(!Key { condition: None, ..key }.is_of(&key));
    }
}
