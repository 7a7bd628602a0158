//! What each invariant says, for people: the text behind `hangup explain`.

use crate::verdict::{Class, Invariant};

/// An invariant's text.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Liveness or safety.
    pub class: Class,
    /// The sections of RFC 6455 that it rests on; `-` where the RFC is silent.
    pub section: &'static str,
    /// What a server that keeps it does, in one sentence.
    pub says: &'static str,
    /// Why it matters, how a server comes to break it, and what to do.
    pub explains: &'static str,
}

impl Invariant {
    /// What it says.
    pub const fn rule(self) -> Rule {
        use Class::{Liveness, Safety};
        let (class, section, says, explains) = match self {
            Self::EndsInTime => (
                Liveness,
                "5.5.1, 7.1.1",
                "Once the end is owed, the client sees it by the deadline, whatever it does or leaves undone.",
                "The end is owed from the first of: a Close either way, the application's wish to\n\
                 close, a protocol violation of the client's, its FIN. A client that never replies,\n\
                 does not read, drips bytes or leaves a frame half sent must not be able to delay it.\n\n\
                 The classic way to break it: send a Close, then read for the reply with no deadline.\n\
                 Others: a deadline around the read but not around the write of the Close, which a\n\
                 client that does not read blocks; a deadline that every received frame re-arms.\n\n\
                 Put one deadline, set once, around all of: sending the Close, waiting for the reply,\n\
                 and closing TCP. When it passes, drop the connection.",
            ),
            Self::ReleasesInTime => (
                Liveness,
                "7.1.1",
                "The server lets go of its transport by the deadline, not only of its sending half.",
                "The client has seen the end, or has reset the connection, and the server still holds\n\
                 the socket: it shut down its writing side and waits for the client's FIN without a\n\
                 deadline, or a task, a session or a split half keeps the transport alive.\n\n\
                 Such sockets sit in FIN_WAIT2 or CLOSE_WAIT and use up file descriptors. Bound the\n\
                 wait for the client's FIN, and drop every half of the stream.",
            ),
            Self::HandshakeInTime => (
                Liveness,
                "4.2, 10.4",
                "An unfinished opening does not hold a connection beyond the promised time.",
                "The client connected and never completed its request: it sent nothing, half of it, or\n\
                 one header byte now and then. One deadline over the whole opening ends that; a time-out\n\
                 for each read does not. Judged only where the target promises a bound.",
            ),
            Self::IdleInTime => (
                Liveness,
                "-",
                "A client from which nothing complete comes does not hold a connection beyond the promised time.",
                "Judged only where the target promises it. The server's own pings and pushes are no sign\n\
                 of life of the client's, and neither is half a frame.",
            ),
            Self::AnswersClose => (
                Safety,
                "5.5.1",
                "A Close from the client gets a Close before the connection ends.",
                "The server read the client's Close, could write, and ended the connection without\n\
                 sending its own. Often the reply was queued and the transport dropped before it was\n\
                 flushed. The client then reports 1006, an abnormal closure.",
            ),
            Self::ClosesOnce => (
                Safety,
                "5.5.1",
                "A server sends at most one Close.",
                "Two places in the server close: the application and the reply to the client's Close,\n\
                 say. Two ends that answer every Close with a Close would never stop.",
            ),
            Self::SilentAfterClose => (
                Safety,
                "5.5.1, 5.5.2",
                "After its Close the server sends no data; once it has the client's too, nothing at all.",
                "A writer task that does not know that the connection is closing goes on sending. Pings\n\
                 that arrive between the own Close and the client's are still answered: that is asked\n\
                 for, and not counted here.",
            ),
            Self::LegalClose => (
                Safety,
                "5.5, 5.5.1, 7.4",
                "A Close frame is well formed, and its code is one that may be sent.",
                "Codes 1005, 1006 and 1015 are local reports and must never be in a frame; 1004, 0-999,\n\
                 1016-2999 and 5000 up should not. The payload is empty or begins with two bytes, has\n\
                 at most 125, and its reason is UTF-8 (cut at a character's border, not at byte 123).",
            ),
            Self::NoPanic => (
                Safety,
                "-",
                "No task of the server panics, whatever the client sends.",
                "A panic in a connection's task is caught by the runtime and easily overlooked; what the\n\
                 task should have done afterwards is not done.",
            ),
            Self::NoSpin => (
                Liveness,
                "-",
                "The server makes progress or sleeps; it does not poll for ever.",
                "Reading the end of the stream, or an error, again and again without ending burns a core\n\
                 for as long as the connection lives. tokio's cooperative budget hides it, a counter of\n\
                 polls without progress does not.",
            ),
        };
        Rule { class, section, says, explains }
    }
}
