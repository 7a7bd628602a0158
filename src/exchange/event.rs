//! The events of an exchange: when, on which connection, at which end, what.

use super::{Time, fingerprint};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A connection of an exchange, by its number: the first is 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ConnectionId(pub u16);

impl ConnectionId {
    /// The first connection; of most exchanges it is the only one.
    pub const FIRST: Self = Self(0);
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The endpoint under test.
    Subject,
    /// hangup's own end, which acts a script out.
    Actor,
}

/// What an event belongs to. The protocol has no events of its own: openings and frames are
/// read from the bytes, by [`view`](crate::view).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Bytes, FIN, RST, room and the sockets themselves.
    Transport,
    /// What the subject's application is told, and says.
    Application,
    /// The subject as a program, and how watching it went.
    Process,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Time,
    /// On which connection.
    pub connection: ConnectionId,
    /// At which end.
    pub end: End,
    /// Whether nobody saw it happen: it was concluded from something else, and may be
    /// dated too early. Only real time has such events.
    pub inferred: bool,
    /// What.
    pub what: What,
}

impl Event {
    /// An event of the first connection that was seen, at the end at which it usually is
    /// ([`What::usual_end`]).
    pub fn new(at: Time, what: What) -> Self {
        let (connection, end) = (ConnectionId::FIRST, what.usual_end());
        Self { at, connection, end, inferred: false, what }
    }

    /// The same at the actor's end.
    pub fn at_actor(self) -> Self {
        Self { end: End::Actor, ..self }
    }

    /// The same, marked as inferred.
    pub fn inferred(self) -> Self {
        Self { inferred: true, ..self }
    }

    /// Whether the actor read, or was told, `what`.
    pub fn is_actors(&self, what: &What) -> bool {
        self.end == End::Actor && self.what == *what
    }

    /// Whether the actor saw the subject's end: the end of its stream, or a reset.
    pub fn shows_actor_the_end(&self) -> bool {
        self.end == End::Actor && matches!(self.what, What::ReadEnd | What::ReadReset)
    }
}

/// What the subject's application says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// It reports what it is given and what it is told: only then can its silence be judged.
    Reports,
    /// It began to close the connection, of its own will or because it was told to.
    BeganToClose,
    /// It was told to return without closing, and is about to.
    BeganToReturn,
    /// It took the command to send a message. No part of an exchange's digest.
    Sends {
        /// Text, or else binary.
        text: bool,
        /// The message's payload, in bytes.
        bytes: u32,
        /// The payload's fingerprint (`super::fingerprint`).
        fingerprint: u64,
    },
    /// It was given a message of so many bytes.
    Received {
        /// The message's payload, in bytes.
        bytes: u32,
    },
    /// As [`Received`](Self::Received), and its content can be told.
    ReceivedContent {
        /// The message's payload, in bytes.
        bytes: u32,
        /// The payload's fingerprint (`super::fingerprint`).
        fingerprint: u64,
    },
    /// Of a client: the WebSocket is open, and its application may use it.
    Opened,
    /// Of a client: its application was told that no WebSocket opens.
    Refused,
    /// Of a client: the call that closes the connection returned, with the code that it was told.
    CloseReturned {
        /// The code, `None` for none.
        code: Option<u16>,
    },
    /// It was told that the connection ended, with this close code.
    ToldOfEnd {
        /// The code it was told, `None` for none.
        code: Option<u16>,
    },
}

impl Note {
    /// That the application takes the command to send this message.
    pub fn sends(text: bool, message: &[u8]) -> Self {
        Self::Sends { text, bytes: length(message), fingerprint: fingerprint(message) }
    }

    /// That the application is given this message.
    pub fn received(message: &[u8]) -> Self {
        Self::ReceivedContent { bytes: length(message), fingerprint: fingerprint(message) }
    }

    /// Of one that says that the application was given a message: its length, and its
    /// fingerprint where that is known.
    pub const fn message_given(&self) -> Option<(u32, Option<u64>)> {
        match *self {
            Self::Received { bytes } => Some((bytes, None)),
            Self::ReceivedContent { bytes, fingerprint } => Some((bytes, Some(fingerprint))),
            _ => None,
        }
    }
}

fn length(message: &[u8]) -> u32 {
    u32::try_from(message.len()).unwrap_or(u32::MAX)
}

/// What became of a connection that had not ended when the deadline had passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterDeadline {
    /// No task can run, no timer fires within ten years, no event is left: it stays
    /// like this for ever.
    Quiet,
    /// Timers keep firing, `wakes` of them in `lasting`, and none ends it.
    Ticking {
        /// How often something woke.
        wakes: u32,
        /// The time in which it did, in microseconds.
        lasting: u64,
    },
    /// Watching ended here and nothing was proven (real time only).
    GaveUp,
    /// Other threads are at work, whose time is not tokio's: the connection may yet end, or
    /// would have ended earlier. Virtual time only.
    Unproven(OtherThreads),
}

/// What was seen of threads beside the one that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtherThreads {
    /// So many that were started while the script was played still run.
    Left(u32),
    /// One of them woke a task of the server's.
    WokeTask,
    /// One of them used the server's transport, or took commands for its application.
    UsedTransport,
}

/// What they did, as a clause.
impl fmt::Display for OtherThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(1) => f.write_str("a thread that the server started still runs"),
            Self::Left(threads) => write!(f, "{threads} threads that the server started still run"),
            Self::WokeTask => f.write_str("another thread woke a task of the server's"),
            Self::UsedTransport => f.write_str("another thread used the connection"),
        }
    }
}

/// What the target asked its runtime for and the runtime of virtual time does not have. Another
/// runtime has it, so that the panic that follows is no mistake of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lack {
    /// Sockets, pipes, child processes or signals: the runtime has no I/O driver.
    Io,
    /// `block_in_place`: the runtime has one thread.
    Threads,
    /// `spawn_local`: the runtime polls the target outside of a `LocalSet`.
    LocalSet,
}

impl Lack {
    /// What to do about it, as a clause.
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::Io => "give the server a fake of what it connects to",
            Self::Threads => "use `spawn_blocking` in place of `block_in_place`",
            Self::LocalSet => {
                "serve it in a `LocalSet`, inside a `SendWrapper` of the crate of that name"
            }
        }
    }
}

/// What the server needs, as a predicate of it.
impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "needs I/O (`tokio::net`, `process`, `signal`)",
            Self::Threads => "needs a multi-threaded runtime (`block_in_place`)",
            Self::LocalSet => "needs a `LocalSet` (`spawn_local`)",
        })
    }
}

/// What the subject was doing with its transport when watching ended, and it had not let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether it reads again when it is woken; `None` where nobody could try.
    pub reads: Option<bool>,
    /// Whether it writes again when it is woken; `None` where nobody could try.
    pub writes: Option<bool>,
    /// Whether bytes of the actor's, its FIN or its RST are there that it has not read.
    pub has_input: bool,
    /// How many bytes it has sent that have not gone on to the actor.
    pub unsent: u32,
    /// How many more bytes it could send; `None` where nobody knows.
    pub room: Option<u32>,
}

/// How a target took down the process that it was played in, or kept it from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Death {
    /// A signal ended the process, by its number: 6 where the target aborted.
    Signal(i32),
    /// It ended the process, with this exit code.
    Exited(i32),
    /// It asked for more memory than the process may have, and that aborted it.
    OutOfMemory,
    /// Its process ended, and nobody saw how: over TCP it accepts no further connection.
    Unseen,
    /// For seconds of real time it ran, or blocked, without progress and without giving
    /// way to time, and the process was killed.
    StoodStill,
}

/// What it did, as a predicate of the server: `aborted its process (signal 6)`.
impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(6) => f.write_str("aborted its process (signal 6)"),
            Self::Signal(signal) => write!(f, "had its process killed by signal {signal}"),
            Self::Exited(code) => write!(f, "ended its process with exit code {code}"),
            Self::Unseen => f.write_str("ended its process: nothing answers any more"),
            Self::OutOfMemory => f.write_str("asked for more memory than its process may have"),
            Self::StoodStill => f.write_str("stood still: it neither makes progress nor sleeps"),
        }
    }
}

/// What a server's processes hold once a wave of connections has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAfter {
    /// How many connections the wave had.
    pub connections: u32,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// A play has hundreds of events, and they are copied as their list grows: what is large and rare is
/// in a box.
const _: () = assert!(size_of::<Event>() <= 40);

/// What happened. Byte counts index the connection's two streams, in order, but for those of
/// [`Discarded`](Self::Discarded).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Bytes of the client's entered the server's receive buffer.
    Arrived {
        /// How many.
        bytes: u32,
    },
    /// The client's FIN reached the server: it sends no more.
    FinArrived,
    /// The client's RST reached the server.
    ResetArrived,
    /// The client stopped reading its socket.
    StoppedReading,
    /// The client reads again.
    ResumedReading,
    /// The network was cut: nothing passes any more, either way, and nobody is told.
    Cut,
    /// The client's script is over: it keeps its socket and its reading policy, and does nothing more.
    Froze,
    /// This end read bytes.
    Read {
        /// How many.
        bytes: u32,
    },
    /// The actor read bytes that are not kept, and that the connection's bytes do not have: whole
    /// messages, or a piece of a message's payload. No rule was broken in them. Only real time has
    /// such events, of servers that send a lot.
    Discarded {
        /// How many.
        bytes: u64,
    },
    /// This end read the end of the other's stream.
    ReadEnd,
    /// This end was told, on a read or a write, that the other reset the connection.
    ReadReset,
    /// The server wrote bytes: its send buffer took them.
    Wrote {
        /// How many.
        bytes: u32,
    },
    /// The server wanted to write and its send buffer was full.
    WriteBlocked,
    /// There is room again in a send buffer that was full.
    Writable,
    /// The server flushed what it had written.
    Flushed,
    /// The server shut its transport down for writing: its FIN follows its data.
    Shut,
    /// The server dropped its transport.
    Dropped {
        /// Whether that sent RST, because bytes of the client's were unread.
        reset: bool,
    },
    /// The target's function returned.
    Returned,
    /// The transport was dropped, the time to close has passed since, and tasks of the target's are left.
    Outlived {
        /// How many.
        tasks: u32,
    },
    /// A task of the target panicked.
    Panicked(Box<str>),
    /// The target asked for what virtual time does not have, and panicked because of that.
    Lacked(Lack),
    /// The target polled this often while time stood still, and was stopped.
    Spun {
        /// How often.
        polls: u32,
    },
    /// The server's application said something.
    Noted(Note),
    /// What the subject was doing when watching ended.
    Stands(Standing),
    /// What became of a connection that had not ended in time.
    Became(AfterDeadline),
    /// The target's process ended, or stood still: nothing more was seen.
    Died(Death),
    /// The client connected: the connection waits to be accepted. Only of a whole server.
    Offered,
    /// The server accepted the connection. Only of a whole server.
    Accepted,
    /// The server stopped listening before it accepted the connection, which is reset. Only of a whole server.
    Refused,
    /// A whole server was told to shut down.
    ToldToShutDown,
    /// A whole server was told to send all its clients this message.
    ToldToBroadcast {
        /// The message's payload, in bytes.
        bytes: u32,
        /// The payload's fingerprint (`super::fingerprint`).
        fingerprint: u64,
    },
    /// A whole server stopped listening.
    StoppedListening,
    /// A whole server is done: its function returned, or its process exited.
    ServerReturned,
    /// What became of a whole server whose time to shut down has passed.
    ServerBecame(AfterDeadline),
    /// What the processes of a whole server hold once a wave of connections has ended. Only real time
    /// has such events.
    Held(Box<HeldAfter>),
    /// All connections have ended, and the time to close has passed since.
    Rests {
        /// How many tasks are left, that of the server's own function not counted.
        tasks: u32,
        /// How many bytes of heap are held; `None` where nobody counts. No part of the digest.
        heap: Option<u64>,
    },
}

impl What {
    /// Whether the subject panicked, spun or died: what it owes then is another matter.
    pub const fn is_crash(&self) -> bool {
        matches!(self, Self::Panicked(_) | Self::Lacked(_) | Self::Spun { .. } | Self::Died(_))
    }

    /// Whether it is about a whole server, and no connection: it stands on the first one.
    pub const fn is_servers(&self) -> bool {
        matches!(
            self,
            Self::ToldToShutDown
                | Self::ToldToBroadcast { .. }
                | Self::StoppedListening
                | Self::ServerReturned
                | Self::ServerBecame(_)
                | Self::Held(_)
                | Self::Rests { .. }
        )
    }

    /// The layer to which it belongs.
    pub const fn layer(&self) -> Layer {
        match self {
            Self::Returned
            | Self::Outlived { .. }
            | Self::Panicked(_)
            | Self::Lacked(_)
            | Self::Spun { .. }
            | Self::Became(_)
            | Self::Died(_)
            | Self::ServerReturned
            | Self::ServerBecame(_)
            | Self::Held(_)
            | Self::Rests { .. } => Layer::Process,
            Self::Noted(_) | Self::ToldToShutDown | Self::ToldToBroadcast { .. } => {
                Layer::Application
            }
            _ => Layer::Transport,
        }
    }

    /// The end at which it happens; reads happen at both, and usually means the subject's.
    pub const fn usual_end(&self) -> End {
        match self {
            Self::StoppedReading
            | Self::ResumedReading
            | Self::Discarded { .. }
            | Self::Cut
            | Self::Froze
            | Self::Offered => End::Actor,
            _ => End::Subject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_says_what_the_server_did() {
        assert_eq!(Death::Signal(6).to_string(), "aborted its process (signal 6)");
        assert_eq!(Death::Signal(11).to_string(), "had its process killed by signal 11");
        assert_eq!(Death::Exited(3).to_string(), "ended its process with exit code 3");
    }
}
