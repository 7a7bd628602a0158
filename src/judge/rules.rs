//! What each invariant says, for people: the text behind `hangup explain`.

use crate::verdict::{Class, Invariant};

/// An invariant's text.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Liveness or safety.
    pub class: Class,
    /// The sections of RFC 6455 that it rests on; `-` where the RFC is silent.
    pub section: &'static str,
    /// The sentence of the RFC that decides it, as it stands at the code that does, with its
    /// section; `None` where the RFC is silent.
    pub quote: Option<(&'static str, &'static str)>,
    /// What a server that keeps it does, in one sentence.
    pub says: &'static str,
    /// Why it matters, how a server comes to break it, and what to do.
    pub explains: &'static str,
}

impl Rule {
    /// What it rests on, as a phrase: the sections of the RFC, or that there are none.
    pub fn basis(&self) -> String {
        match self.section {
            "-" => "RFC 6455 is silent".to_owned(),
            sections => format!("RFC 6455 {sections}"),
        }
    }
}

impl Invariant {
    /// What it says.
    #[expect(clippy::too_many_lines, reason = "a text for each rule")]
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
            Self::RefusesIllegal => (
                Safety,
                "5.1, 7.1.7, 7.4.1",
                "A protocol violation is answered with a Close that says so; a bad code is not echoed.",
                "The client sent what no client may send: a frame without a mask, reserved bits or\n\
                 opcodes, a broken fragment, text or a reason that is not UTF-8, a Close of one byte or\n\
                 with a code that no frame may carry. That the connection ends is asked by\n\
                 ends-in-time; here, that the client is told why: 1002, or 1007 for bad UTF-8.\n\n\
                 Servers break it by dropping the socket in the error path, by echoing whatever code came,\n\
                 or by reading one byte, or a bad reason, as none. Parse a Close's payload before you answer it.",
            ),
            Self::AcceptsLegal => (
                Safety,
                "5.4, 5.5, 5.5.1",
                "What is legal is not answered as a protocol error.",
                "The client broke no rule, and got a Close with 1002 or 1007. Often refused: a Close\n\
                 without a payload, or with a code and no reason; one of 125 bytes; a Close or a ping\n\
                 between the fragments of a message, which every endpoint must be able to take; a Close\n\
                 that crosses the server's own.",
            ),
            Self::EchoesCode => (
                Safety,
                "5.5.1",
                "The answer to a Close repeats its code.",
                "The client closed with a code, and the answer has another one or none: always 1000, say.\n\
                 The client's log then shows a reason that nobody gave. Not judged where the application\n\
                 wanted to close as well, or where the answer is a complaint about data sent before.",
            ),
            Self::LetsThePoliteFinish => (
                Safety,
                "1.4, 7.1.1, 7.1.2",
                "A client that behaves can read the server's Close, and has time to answer it.",
                "The server sent its Close and ended TCP in the same moment, so that no answer could come;\n\
                 or it dropped its socket with bytes unread, and the reset that this sends destroyed the\n\
                 Close on its way. The client sees 1006, an abnormal closure, though both sides were well.\n\n\
                 Send the Close; read on until the client's, or a deadline; then shut down the own side,\n\
                 and read to the end, or the deadline, before the socket is dropped.",
            ),
            Self::FramesWell => (
                Safety,
                "4.1, 5.1, 5.2",
                "The response and every frame are such as a server may send.",
                "A mask on a server's frame, reserved bits without an extension, an unknown opcode, a\n\
                 length in more bytes than it needs, a fragment of nothing, text cut inside a character,\n\
                 a wrong Sec-WebSocket-Accept. Often it is a send that was cancelled halfway: what is\n\
                 sent next, the Close too, then lands in the middle of a frame.",
            ),
            Self::QuietApplication => (
                Safety,
                "1.4, 5.5.1, 7.1.5",
                "The application is given no data after the client's Close, and is told of the end once, with the right code.",
                "Judged of applications that report what they hear (`Note::Reports`). Messages behind a\n\
                 Close are discarded. However a connection ends, its application is told, once: with the\n\
                 code of the client's Close, with 1005 or none where it had none. Sessions and listeners\n\
                 whose owner is never told are leaks.",
            ),
            Self::NoPanic => (
                Safety,
                "-",
                "No task of the server panics, and none ends its process, whatever the client sends.",
                "A panic in a connection's task is caught by the runtime and easily overlooked; what the\n\
                 task should have done afterwards is not done. An abort, a signal and a call of exit end\n\
                 every other connection with this one.",
            ),
            Self::NoSpin => (
                Liveness,
                "-",
                "The server makes progress or sleeps; it does not poll for ever.",
                "Reading the end of the stream, or an error, again and again without ending burns a core\n\
                 for as long as the connection lives. tokio's cooperative budget hides it, a counter of\n\
                 polls without progress does not. A poll that does not return at all is worse: it stops\n\
                 every task of its thread, and no time-out around it can fire.",
            ),
            Self::BoundedMemory => (
                Safety,
                "10.4",
                "No client makes the server hold memory without limit.",
                "A queue of replies that grows while the client does not read, a message that is gathered\n\
                 from fragments without end, a buffer as large as a header says before the bytes are\n\
                 there: one client then takes down the server of all. Bound every queue and every\n\
                 message, and refuse what is larger. Judged where the target promises a bound, and where it\n\
                 uses up all that its process may have.",
            ),
            Self::NoLeak => (
                Liveness,
                "-",
                "No task of the server's outlives the connection.",
                "The transport is gone, the time to close has passed once more, and tasks that the\n\
                 connection spawned still run or wait: a keepalive ticker, a writer that waits on a\n\
                 channel which a registry keeps open. Abort them, or let them own what ends with the\n\
                 connection. Judged in virtual time only.",
            ),
        };
        Rule { class, section, quote: self.quote(), says, explains }
    }

    const fn quote(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::EndsInTime | Self::ReleasesInTime => (
                "5.5.1",
                "After both sending and receiving a Close message, an endpoint considers the WebSocket \
                 connection closed and MUST close the underlying TCP connection.",
            ),
            Self::AnswersClose => (
                "5.5.1",
                "If an endpoint receives a Close frame and did not previously send a Close frame, the \
                 endpoint MUST send a Close frame in response.",
            ),
            Self::ClosesOnce => (
                "5.5.1",
                "After both sending and receiving a Close message, an endpoint considers the WebSocket \
                 connection closed",
            ),
            Self::SilentAfterClose => (
                "5.5.1",
                "The application MUST NOT send any more data frames after sending a Close frame.",
            ),
            Self::LegalClose => (
                "7.4.1",
                "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame \
                 by an endpoint.",
            ),
            Self::RefusesIllegal => (
                "7.1.7",
                "If _The WebSocket Connection is Established_ prior to the point where the endpoint is \
                 required to _Fail the WebSocket Connection_, the endpoint SHOULD send a Close frame with \
                 an appropriate status code (Section 7.4) before proceeding to _Close the WebSocket \
                 Connection_.",
            ),
            Self::AcceptsLegal => (
                "5.4",
                "An endpoint MUST be capable of handling control frames in the middle of a fragmented \
                 message.",
            ),
            Self::EchoesCode => (
                "5.5.1",
                "When sending a Close frame in response, the endpoint typically echos the status code it \
                 received.",
            ),
            Self::LetsThePoliteFinish => {
                ("7.1.1", "An endpoint SHOULD use a method that cleanly closes the TCP connection")
            }
            Self::FramesWell => {
                ("5.1", "A server MUST NOT mask any frames that it sends to the client.")
            }
            Self::QuietApplication => (
                "1.4",
                "After receiving a control frame indicating the connection should be closed, a peer \
                 discards any further data received.",
            ),
            Self::BoundedMemory => (
                "10.4",
                "Such an implementation SHOULD impose a limit on frame sizes and the total message size \
                 after reassembly from multiple frames.",
            ),
            Self::HandshakeInTime
            | Self::IdleInTime
            | Self::NoPanic
            | Self::NoSpin
            | Self::NoLeak => return None,
        })
    }
}
