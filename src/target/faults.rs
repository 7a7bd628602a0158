//! Planted faults: bugs of real servers, as switches in the reference server.
//!
//! Each is written the way a real server gets closing wrong, and says which rules it
//! breaks. They are the proof that the judge bites: a test plays campaigns against all
//! of them, and finds exactly what is declared here. On the command line each is a
//! target `reference/FAULT`, tested where it is named.

use crate::verdict::Invariant;

/// Defines the faults with their names, the rules that they break, and their stories.
macro_rules! faults {
    ($(#[doc = $about:literal] $variant:ident = $name:literal breaks [$($rule:ident),+],)+) => {
        /// A bug that the reference server can be given.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $(#[doc = $about] $variant,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The target's name.
            pub const fn target(self) -> &'static str {
                match self { $(Self::$variant => concat!("reference/", $name)),+ }
            }

            /// What it gets wrong, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about.trim_ascii()),+ }
            }

            /// The rules that it breaks, and no others.
            pub const fn breaks(self) -> &'static [Invariant] {
                match self { $(Self::$variant => &[$(Invariant::$rule),+]),+ }
            }
        }
    };
}

faults! {
    /// The own Close is sent, and its answer waited for with no deadline.
    NoDeadline = "no-deadline" breaks [EndsInTime, ReleasesInTime, IdleInTime],
    /// The time to close begins anew with every frame that comes.
    FrameRestartsDeadline = "frame-restarts-deadline" breaks [EndsInTime, ReleasesInTime],
    /// The time to close does not pass while there is something to write.
    WriteNotCovered = "write-not-covered" breaks [EndsInTime, ReleasesInTime, IdleInTime],
    /// The client's FIN ends its stream, and nothing else.
    FinIsNoEnd = "fin-is-no-end" breaks [EndsInTime, ReleasesInTime],
    /// The wait for the answer and the wait for the FIN get the whole time each.
    TimePerStage = "time-per-stage" breaks [ReleasesInTime],
    /// After the own FIN, the client's is waited for with no deadline.
    KeepsTransport = "keeps-transport" breaks [ReleasesInTime],
    /// Every byte of the request gives it the whole time anew.
    ByteRestartsHandshake = "byte-restarts-handshake" breaks [HandshakeInTime],
    /// What the server itself sends counts as a sign of life of the client's.
    OutputRestartsIdle = "output-restarts-idle" breaks [IdleInTime],
    /// The client's Close is answered by FIN alone.
    AnswersByFin = "answers-by-fin" breaks [AnswersClose],
    /// The answer is tried once, and forgotten where the send buffer is full.
    AnswerLostWhenFull = "answer-lost-when-full" breaks [AnswersClose],
    /// Every Close is answered with one, the answer to the own one too.
    AnswersEveryClose = "answers-every-close" breaks [ClosesOnce],
    /// The application goes on sending while the connection closes.
    SendsWhileClosing = "sends-while-closing" breaks [SilentAfterClose],
    /// The application's code and reason are sent whatever they are.
    SendsAnyCode = "sends-any-code" breaks [LegalClose],
    /// The client's code is echoed whatever it is.
    EchoesAnyCode = "echoes-any-code" breaks [LegalClose],
    /// The first two bytes of a Close's payload are read without a look at its length.
    ReadsCodeOfOneByte = "reads-code-of-one-byte" breaks [NoPanic],
    /// A read of nothing is taken for a read of something.
    ReadsTheEndAgain = "reads-the-end-again" breaks [NoSpin],
}
