//! Planted faults of clients: a client that closes well, as real ones get it wrong.
//!
//! Each says what it gets wrong, and the problems that it shows. They are the proof that the judge
//! bites: a test plays campaigns against all of them and finds exactly what is declared here.

use crate::verdict::{Invariant, Problem, Symptom};

macro_rules! faults {
    ($($(#[doc = $about:literal])+ $variant:ident = $name:literal,
        shows [$($rule:ident: $symptom:ident),+];)+) => {
        /// A bug that the reference client can be given.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ClientFault {
            $($(#[doc = $about])+ $variant,)+
        }

        impl ClientFault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The target's name.
            pub const fn target(self) -> &'static str {
                match self { $(Self::$variant => concat!("reference-client/", $name)),+ }
            }

            /// What it gets wrong, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+).trim_ascii()),+ }
            }

            /// The problems that it shows, and no others.
            pub const fn shows(self) -> &'static [Problem] {
                match self {
                    $(Self::$variant => const { &[
                        $(Problem::of(Invariant::$rule).with_symptom(Symptom::$symptom)),+
                    ] }),+
                }
            }
        }
    };
}

faults! {
    /// The opening has no deadline.
    ConnectsForEver = "connects-for-ever", shows [ConnectsInTime: WaitsToRead];
    /// Every read moves the deadline of the opening.
    ReadRearmsConnect = "read-rearms-connect", shows [ConnectsInTime: OwnTimer];
    /// A 101 opens, whatever key or protocol it answers.
    TakesAnyAnswer = "takes-any-answer", shows [ConnectsInTime: OwnTimer, ReleasesInTime: OwnTimer];
    /// The closing has no deadline.
    CloseWaitsForEver = "close-waits-for-ever", shows [
        EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket,
        IdleInTime: WaitsForRoom
    ];
    /// Every frame moves the deadline of the closing.
    FrameRearmsClose = "frame-rearms-close", shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer];
    /// Once both Closes are there, the wait for the server's FIN has no deadline.
    WaitsForFinForEver = "waits-for-fin-for-ever", shows [
        EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket
    ];
    /// The server's FIN is no end, where no Close came before it.
    IgnoresFin = "ignores-fin", shows [
        EndsInTime: OwnTimer, EndsInTime: StillOpen, ReleasesInTime: OwnTimer
    ];
    /// The application's close drops the connection.
    DropsAtClose = "drops-at-close", shows [SendsClose: DropsAtClose];
    /// The server's Close is not answered.
    NeverAnswers = "never-answers", shows [AnswersClose: EmptyClose];
    /// The answer to a Close has the code 1000.
    AnswersNormal = "answers-normal", shows [EchoesCode: OtherCode];
    /// The application's close does not return when the connection has ended.
    CloseHangs = "close-hangs", shows [CloseReturns: CloseHangs];
    /// The application is not told of the end.
    NeverTells = "never-tells", shows [QuietApplication: NeverTold];
    /// The application is told twice of the end.
    TellsTwice = "tells-twice", shows [QuietApplication: ToldTwice];
    /// A Close without a code is told as 1000.
    TellsNormalForNone = "tells-normal-for-none", shows [QuietApplication: ToldOtherCode];
    /// All frames have the same mask.
    SameMask = "same-mask", shows [MasksAfresh: SameKey];
    /// Frames have no mask.
    NoMask = "no-mask", shows [FramesWell: WrongMask];
    /// A server's frame may have a mask.
    TakesMasked = "takes-masked", shows [RefusesIllegal: ServesMasked, ReleasesInTime: OwnTimer];
    /// TCP ends as soon as both Closes are there.
    EndsTcpFirst = "ends-tcp-first", shows [WaitsForTheServer: EndsTcpFirst];
    /// The own side is shut down right behind the own Close.
    HalfClosesBehindItsClose = "half-closes", shows [WaitsForTheServer: EndsTcpFirst];
    /// A pong that comes while closing panics.
    PongPanics = "pong-panics", shows [NoPanic: Panics];
}
