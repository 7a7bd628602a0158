//! What happened on one connection: an append-only list of timed events.
//!
//! A trace is all that the judge sees. One recorded in virtual time and one
//! recorded over real TCP have the same shape; they differ in what could be
//! observed ([`Trace::both_ends`]). This module records, and judges nothing.

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};
use std::fmt;
use std::time::Duration;

/// A point in time: microseconds since the server accepted the connection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment at which the server accepted the connection.
    pub const ZERO: Self = Self(0);

    /// The time since accept as a duration.
    pub const fn since_accept(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// This time and `duration` later, or the last time there is.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Seconds since accept, for reports.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        Self::ZERO.after(duration)
    }
}

/// Prints seconds with three decimals, a millisecond being the simulator's grain: `5.000 s`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.div_ceil(1000);
        write!(f, "{}.{:03} s", millis / 1000, millis % 1000)
    }
}

/// One event and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What.
    pub what: What,
}

/// What the server's application says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// It reports what it is given and what it is told: only then can its silence be judged.
    Reports,
    /// It began to close the connection, of its own will or because it was told to.
    BeganToClose,
    /// It was told to return without closing, and is about to.
    BeganToReturn,
    /// It was given a message of so many bytes.
    Received {
        /// The message's payload, in bytes.
        bytes: u32,
    },
    /// It was told that the connection ended, with this close code.
    ToldOfEnd {
        /// The code it was told, `None` for none.
        code: Option<u16>,
    },
}

/// What became of a connection that had not ended when the deadline had passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
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
            Self::OutOfMemory => f.write_str("asked for more memory than its process may have"),
            Self::StoodStill => f.write_str("stood still: it neither makes progress nor sleeps"),
        }
    }
}

/// What happened. Byte counts index the two streams, in order.
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
    /// The server read bytes from its transport.
    Read {
        /// How many.
        bytes: u32,
    },
    /// The server read the end of the client's stream.
    ReadEnd,
    /// The server was told, on a read or a write, that the client reset the connection.
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
    /// The client read bytes.
    Got {
        /// How many.
        bytes: u32,
    },
    /// The client read the end of the server's stream.
    GotEnd,
    /// The client was told that the server reset the connection.
    GotReset,
    /// The target's function returned.
    Returned,
    /// The transport was dropped, the time to close has passed since, and tasks of the target's are left.
    Outlived {
        /// How many.
        tasks: u32,
    },
    /// A task of the target panicked.
    Panicked(Box<str>),
    /// The target polled this often while time stood still, and was stopped.
    Spun {
        /// How often.
        polls: u32,
    },
    /// The server's application said something.
    Noted(Note),
    /// What became of a connection that had not ended in time.
    Became(Outcome),
    /// The target's process ended, or stood still: nothing more was seen.
    Died(Death),
}

/// The record of one connection. Append with [`push`](Self::push) and the two `..._bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
    /// All bytes that arrived at the server, in order.
    pub to_server: Vec<u8>,
    /// All bytes that the server wrote or, where its end was not observed, that the client got.
    pub to_client: Vec<u8>,
    /// Whether the server's end was observed too: its reads, writes and drop.
    pub both_ends: bool,
    /// Whether it was observed when the server let go of its transport: where both
    /// ends were, and over TCP where the kernel's socket table could be read.
    pub sees_release: bool,
    /// Where only the client's end was observed: how soon after it sent something the
    /// client may still get what the server sent before that had arrived.
    pub transit: Duration,
    /// How far a time in here may lie behind what it stands for: the judge's slack.
    pub grain: Duration,
    /// The most bytes of heap that the target held at a time for this connection;
    /// `None` where nobody counted. No part of the [`digest`](Self::digest).
    pub peak_heap: Option<u64>,
}

impl Trace {
    /// The grain of virtual time: tokio's timers round up to a millisecond, and a
    /// deadline may be counted by two of them, one after the other.
    pub const VIRTUAL_GRAIN: Duration = Duration::from_millis(2);

    /// An empty trace. `both_ends` says whether the server's end will be observed.
    pub fn new(both_ends: bool) -> Self {
        Self {
            events: Vec::with_capacity(32),
            to_server: Vec::with_capacity(512),
            to_client: Vec::with_capacity(512),
            both_ends,
            sees_release: both_ends,
            transit: Self::VIRTUAL_GRAIN,
            grain: Self::VIRTUAL_GRAIN,
            peak_heap: None,
        }
    }

    /// Appends an event.
    pub fn push(&mut self, at: Time, what: What) {
        self.events.push(Event { at, what });
    }

    /// A fingerprint of the events and the bytes: equal for equal traces, 16 hex digits.
    pub fn digest(&self) -> String {
        use fmt::Write as _;
        let mut hash = Sha1::new();
        for stream in [&self.to_server, &self.to_client] {
            hash.update((stream.len() as u64).to_le_bytes());
            hash.update(stream);
        }
        let mut line = String::new();
        for event in &self.events {
            line.clear();
            writeln!(line, "{} {:?}", event.at.0, event.what).expect("a string takes all");
            hash.update(&line);
        }
        let mut hex = String::with_capacity(16);
        for byte in &hash.finalize()[..8] {
            write!(hex, "{byte:02x}").expect("a string takes all");
        }
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_changes_with_any_part_of_the_trace() {
        let mut trace = Trace::new(true);
        let empty = trace.digest();
        assert_eq!(empty.len(), 16);
        trace.push(Time(1), What::Froze);
        let with_event = trace.digest();
        trace.events[0].at = Time(2);
        let later = trace.digest();
        trace.to_client.push(1);
        let all = [empty, with_event, later, trace.digest()];
        trace.peak_heap = Some(1);
        assert_eq!(trace.digest(), all[3], "what a library keeps for the next connection varies");
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn a_death_says_what_the_server_did() {
        assert_eq!(Death::Signal(6).to_string(), "aborted its process (signal 6)");
        assert_eq!(Death::Signal(11).to_string(), "had its process killed by signal 11");
        assert_eq!(Death::Exited(3).to_string(), "ended its process with exit code 3");
    }

    #[test]
    fn time_prints_as_seconds_rounded_up_to_the_millisecond() {
        assert_eq!(Time(5_000_000).to_string(), "5.000 s");
        assert_eq!(Time(1).to_string(), "0.001 s");
        assert_eq!(Time::ZERO.to_string(), "0.000 s");
    }
}
