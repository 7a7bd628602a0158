//! The names that verdicts are made of, each with its id in output, files and arguments.

use super::ends::name_ends;
use crate::wire::Role;
use std::borrow::Cow;

/// Defines an enum of ids with the name that each has in output, files and arguments.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $text:literal $(| $old:literal)*,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$inner])* $variant,)+
        }

        impl $name {
            /// All of them, in the order in which they are listed and tried.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in output, files and arguments.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of this name, or that had it in older files.
            pub fn from_id(id: &str) -> Option<Self> {
                let has_it = |one: &Self| one.id() == id || one.old_ids().contains(&id);
                Self::ALL.iter().copied().find(has_it)
            }

            /// What older files call it.
            pub const fn old_ids(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($old),*]),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.id())
            }
        }

        // By hand, since what is derived compares bytes with every name, in code of its own for each
        // format: a twentieth of all that is compiled.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.id())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let id = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::from_id(&id).ok_or_else(|| {
                    let id = crate::excerpt::excerpt(&id);
                    serde::de::Error::custom(match stringify!($name) {
                        "Invariant" => format!("no rule `{id}` (`hangup rules` lists all)"),
                        kind => format!("no {} `{id}`", kind.to_lowercase()),
                    })
                })
            }
        }
    };
}
pub(super) use words;

words! {
    /// A named rule that a server keeps.
    Invariant {
        /// The client sees the end by the deadline.
        EndsInTime = "ends-in-time",
        /// The server lets go of its transport by the deadline.
        ReleasesInTime = "releases-in-time",
        /// An unfinished opening does not hold a connection.
        HandshakeInTime = "handshake-in-time",
        /// A silent client does not hold a connection, where a bound is set for that.
        IdleInTime = "idle-in-time",
        /// A Close gets a Close.
        AnswersClose = "answers-close",
        /// A close that begins is put on the wire.
        SendsClose = "sends-close",
        /// No end without a Close before it.
        NoSilentEnd = "no-silent-end",
        /// At most one Close.
        ClosesOnce = "closes-once",
        /// After the own Close no data, and only what the RFC allows.
        NoDataAfterClose = "no-data-after-close" | "silent-after-close",
        /// A Close frame is well formed and its code sendable.
        LegalClose = "legal-close",
        /// A protocol violation fails the connection, with a Close that says so.
        RefusesIllegal = "refuses-illegal",
        /// What is legal is not taken for a violation.
        AcceptsLegal = "accepts-legal",
        /// The answer to a Close repeats its code.
        EchoesCode = "echoes-code",
        /// A client that behaves gets the Close and the end, and the time for its own.
        WaitsForAnswer = "waits-for-answer" | "lets-the-polite-finish",
        /// Every frame is one that a server may send.
        SendsValidFrames = "sends-valid-frames" | "frames-well",
        /// The application hears nothing after the client's Close but its code, once.
        ReportsEndCorrectly = "reports-end-correctly" | "quiet-application",
        /// What the application had sent before it closed comes before the Close.
        SendsEveryMessage = "sends-every-message",
        /// What the client had sent before its Close reaches the application.
        DeliversEveryMessage = "delivers-every-message" | "hands-on-every-message",
        /// No task panics.
        NoPanic = "no-panic",
        /// Progress or sleep.
        NoSpin = "no-spin",
        /// No task outlives the connection.
        NoLeak = "no-leak",
        /// The client cannot make the server buffer without limit.
        BoundedMemory = "bounded-memory",
        /// Twice the bytes cost no more than about twice the work.
        LinearWork = "linear-work" | "work-in-proportion",
        // Of a whole server, with all its connections.
        /// A shutdown is over within its bound.
        ShutsDownInTime = "shuts-down-in-time",
        /// A shutdown sends every open connection a Close.
        ClosesAllAtShutdown = "closes-all-at-shutdown" | "closes-everyone",
        /// What one client does or leaves undone delays no other.
        IsolatesClients = "isolates-clients" | "keeps-clients-apart",
        /// Who comes during the shutdown is sent away, and not held.
        StopsAccepting = "stops-accepting",
        /// What connections took is given back when they have ended.
        FreesResources = "frees-resources" | "returns-to-rest",
        // Of a client.
        /// A connection that does not open is given up.
        ConnectsInTime = "connects-in-time",
        /// The call that closes returns.
        CloseReturns = "close-returns",
        /// Every frame has a masking key of its own.
        FreshMaskingKey = "fresh-masking-key" | "masks-afresh",
        /// The server is left to close TCP.
        LetsServerCloseTcp = "lets-server-close-tcp" | "waits-for-the-server",
        /// A 101 that does not answer the request opens nothing.
        RefusesBadOpening = "refuses-bad-opening",
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
        /// The server was told to shut down.
        Shutdown = "the shutdown",
    }
}

impl Cause {
    /// As a subject in this role has it: of a client under test, it is the server whose Close arrives.
    pub fn named(self, subject: Role) -> Cow<'static, str> {
        name_ends(self.id(), Some(subject))
    }

    /// The cause that has this name, of whichever subject, or had it in older files; and of a subject in
    /// which role. A name that both have is a server's.
    pub fn from_name(name: &str) -> Option<(Self, Role)> {
        let of_server = Self::from_id(name).map(|cause| (cause, Role::Server));
        of_server.or_else(|| {
            let swapped = name_ends(name, Some(Role::Client));
            Self::from_id(&swapped).map(|cause| (cause, Role::Client))
        })
    }
}

words! {
    /// What the client did, or left undone, while the end was owed.
    Condition {
        /// It did nothing more, and read what came.
        Silent = "silent",
        /// It sent bytes.
        StillSending = "still sending" | "dripping",
        /// It had sent its Close, and held TCP open.
        Answered = "answered" | "replied",
        /// It left a frame, or its request, half sent, be it for a time.
        HalfSent = "half a frame",
        /// It had sent FIN.
        HalfClosed = "half-closed",
        /// It did not read.
        NotReading = "not reading" | "deaf",
        /// The network was cut.
        CutOff = "cut off",
        /// It had reset the connection, or dropped its socket.
        Disconnected = "disconnected" | "gone",
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
        /// The network was cut, and nothing would have reached the client.
        CutOff = "the client was cut off",
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
        AfterQuiet = "nothing complete had come from the client for 5 s" | "the client had been quiet for 5 s",
        /// The client wrote a length in more bits than it needs (5.2): a server may refuse it.
        WideLength = "the client wrote a length in more bits than it needs",
        /// The client's Close has a code beyond RFC 6455's own: a server may refuse it for that.
        UnusualCode = "the client's Close has a code that not everybody knows",
        /// Half a frame had come, of which the server may know that it will be illegal.
        HalfFrame = "the client had sent half a frame",
        /// The client had sent that code itself.
        ClientsOwnCode = "the client had sent that code itself",
        /// Nobody saw what it had read when it spoke: over TCP it may have acted by itself.
        ActedByItself = "the server may have acted by itself",
        /// The client did not read, or was cut off, and nobody saw the server's end.
        NobodyCouldSee = "nobody could see whether the connection ended",
        /// The server asked for what the runtime of virtual time does not have: what it did
        /// then it would not do in another.
        RuntimeLacks = "the server asked for what virtual time does not have",
        /// Other threads are at work, whose time is not tokio's. Virtual time only.
        OtherThreads = "other threads are at work, whose time is not virtual",
        /// Another client need not be the reason: the server may do the same to this client alone.
        SameAlone = "the server does the same to this client alone",
    }
}
