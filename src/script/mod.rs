//! The script: one test case as plain data, and its notation.
//!
//! Steps by two actors, the client and the server's application, on one connection or on several
//! at the same time. It prints as lines and parses back to the same script; the
//! notation, described in `docs/notation.md`, is the format of repro files, fuzz
//! corpora and snapshots. A script plays nothing and judges nothing.

mod accept;
mod app_steps;
mod connection;
mod declared_length;
mod encode;
mod parse;
mod preamble;
mod print;

pub use accept::{Accept, Answer};
pub use app_steps::AppSteps;
pub use connection::ConnectionNumber;
pub use declared_length::DeclaredLength;
pub use encode::Encoding;
pub use parse::ParseError;
pub(crate) use preamble::{Preamble, WithPreamble};

use crate::wire::{LengthForm, Opcode, Role};
use std::time::Duration;

/// One test case: steps, played from first to last; then the client freezes. The steps of each
/// connection are played so, all connections at the same time.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Script {
    /// The steps, in order: those of connection 1, then those of connection 2, and so on. No
    /// number is left out: [`of_steps`](Self::of_steps) sees to that.
    pub steps: Vec<Step>,
}

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// On which connection; printed, as `2: `, where it is not the first.
    pub connection: ConnectionNumber,
    /// Printed as `+`: at once with the connection's step before, in the same segment where
    /// both send, and before the server can run.
    pub joined: bool,
    /// What is done.
    pub act: Act,
}

impl From<Act> for Step {
    fn from(act: Act) -> Self {
        Self { connection: ConnectionNumber::FIRST, joined: false, act }
    }
}

impl Step {
    /// Whether it says when its connection arrives.
    pub const fn connects(&self) -> bool {
        matches!(self.act, Act::Connect(_))
    }
}

/// One act of the client, the network between, or the server's application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Nothing is done. Unit tests alone have this kind of step: they play files of before it was added
    /// (`fuzzing::older_files`).
    #[cfg(test)]
    Idle,
    /// The client connects, so long after the script began; a connection without this, which may only
    /// be its first step, is there from the beginning.
    Connect(Millis),
    /// The client sends bytes.
    Send(Send),
    /// Time passes.
    Wait(Millis),
    /// Waits until the server's part has come, or the stream's end. A wait for
    /// what never comes lasts for ever: the rest of the script is not played.
    Await(Awaited),
    /// The client stops reading its socket; its window fills.
    StopReading,
    /// The client reads again.
    ResumeReading,
    /// The client half-closes: FIN, and its own reading goes on.
    Fin,
    /// The client resets the connection: RST.
    Reset,
    /// The client drops its socket, as `close(2)` does.
    Drop,
    /// The network is cut: nothing passes any more, either way, and nobody is told.
    Cut,
    /// A property of the connection changes.
    Set(Setting, Size),
    /// The server's application is told to act, once or at a pace.
    App(Command, Pace),
}

/// What a client can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Awaited {
    /// The response to the opening request.
    Upgrade,
    /// A Close frame.
    Close,
    /// A text or binary frame.
    Message,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// The end of the server's stream.
    End,
}

/// A property of the link that a script can set. Sizes of 0 are taken as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The receive buffer of hangup's end.
    Window,
    /// The send buffer of the end under test.
    SendBuffer,
    /// Its receive buffer.
    ReceiveBuffer,
    /// The most bytes that one of its reads yields.
    Segment,
}

/// Bytes that the client sends: a unit, all or part of it, once or at a pace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Send {
    /// Which part of the unit's bytes.
    pub piece: Piece,
    /// What is sent.
    pub unit: Unit,
    /// How often and how fast.
    pub pace: Pace,
}

/// A part of a unit's bytes. What lies beyond its end is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// All of them.
    Whole,
    /// The first so many.
    First(u32),
    /// All but the first so many.
    After(u32),
}

/// How often an act is done and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    /// Once.
    Once,
    /// So many times, with a pause between.
    Times(u32, Millis),
    /// Cut into pieces of so many bytes, with a pause between; an application's
    /// command is not cut.
    Pieces(u32, Millis),
}

/// What the client sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The opening request, with a filler header of this size where one is given.
    /// Sent whole, once and not joined by a next step, it waits for the response.
    Upgrade(Option<Size>),
    /// Bytes as they are.
    Raw(Content),
    /// A frame.
    Frame(Frame),
    /// An answer to the opening request, as a server sends it. An actor that is the server waits for
    /// the whole request before; one that is the client sends it like other bytes.
    Accept(Accept),
}

/// A frame of the actor's, legal or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// Opcode and payload.
    pub kind: Kind,
    /// Whether FIN is set.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 as the bits 4, 2, 1.
    pub rsv: u8,
    /// Whether it is masked.
    pub mask: Masking,
    /// How its length is written.
    pub length: Length,
    /// The length in its header, where that is not its payload's.
    pub declares: Option<DeclaredLength>,
}

impl Frame {
    /// A legal frame but for what `kind` itself makes illegal.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            fin: true,
            rsv: 0,
            mask: Masking::Usual,
            length: Length::Minimal,
            declares: None,
        }
    }
}

/// Whether a frame is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Masking {
    /// It is not, whoever sends it.
    Unmasked,
    /// As the actor's role asks for (5.1): a client masks all its frames, a server none.
    Usual,
    /// It is, whoever sends it.
    Masked,
}

impl Masking {
    /// Whether a frame that `sender` sends has a mask.
    pub const fn is_masked(self, sender: Role) -> bool {
        match self {
            Self::Unmasked => false,
            Self::Usual => matches!(sender, Role::Client),
            Self::Masked => true,
        }
    }
}

/// How a frame's length is written; the script's own word for [`LengthForm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Length {
    /// In the shortest form.
    Minimal,
    /// In 16 bits at least.
    Bits16,
    /// In 64 bits.
    Bits64,
}

impl From<Length> for LengthForm {
    fn from(length: Length) -> Self {
        match length {
            Length::Minimal => Self::Minimal,
            Length::Bits16 => Self::Bits16,
            Length::Bits64 => Self::Bits64,
        }
    }
}

/// A frame's opcode with its payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A text message, or its first fragment.
    Text(Content),
    /// A binary message, or its first fragment.
    Binary(Content),
    /// A later fragment.
    Continuation(Content),
    /// A ping.
    Ping(Content),
    /// A pong.
    Pong(Content),
    /// A Close with a code, or none, before the rest of its payload.
    Close(Option<u16>, Content),
    /// A reserved opcode; the known ones are spelled by their names.
    Other(Opcode, Content),
}

/// Payload bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// None.
    Empty,
    /// Text, as UTF-8.
    Text(String),
    /// So many letters `x`.
    Fill(Size),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// What the server's application is told to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Send a text message.
    SendText(Content),
    /// Send a binary message.
    SendBinary(Content),
    /// Send a ping.
    Ping(Content),
    /// Close the connection, with a code and reason or none.
    Close(Option<u16>, Content),
    /// Return without closing: the connection is dropped as it is.
    Return,
    /// Keep a handle of the session beyond the connection's end, as a registry of sessions does.
    Keep,
    /// Shut the whole server down, whichever connection's steps say so.
    Shutdown,
    /// Send a text message to all connections, whichever connection's steps say so.
    Broadcast(Content),
}

/// A number of bytes, at most [`Size::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u32);

impl Size {
    /// The largest size that the notation takes: 16 MiB, which is more than any
    /// buffer on the way.
    pub const MAX: Self = Self(16 << 20);
}

/// A duration in whole milliseconds, the step of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u32);

impl Millis {
    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

/// The most repetitions or pieces that one step may have.
pub const MAX_TIMES: u32 = 10_000;

/// The most bytes that a whole script may send, the client's and the
/// application's together, on all connections: a repro from a stranger must not eat the machine, and what hangup records
/// of a play has to fit into a worker process beside what the server keeps.
pub const MAX_BYTES: u64 = 32 << 20;

/// The most acts of a whole script: steps, each with its repetitions or its pieces. Each of them has
/// the server polled.
pub const MAX_ACTS: u64 = 100_000;
