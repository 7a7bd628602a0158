//! `nasty/...`: servers that take down, or keep from going on, the process that they
//! run in: the proof that campaigns survive it. Each is the honest `reference` behind
//! a transport that goes wrong on one thing that a client may send.
//!
//! `flaky/...` fails, but not every time: the proof that this is not passed over.

use super::reference::Reference;
use super::{AppSteps, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::wire::{ClosePayload, Decoder, Item, Opcode, Role, handshake};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf, ReadHalf};

/// How many connections this process has served: what no server should look at.
static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// What [`Nasty::EatsMemory`] asks for at most, and in what portions.
const FEAST: usize = 4 << 30;
const BITE: usize = 16 << 20;
const CRUMB: usize = 64 << 10;

/// How it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nasty {
    /// Aborts on a Close payload of one byte.
    Aborts,
    /// Reads for ever where the client's FIN comes inside a Close.
    PollsForEver,
    /// Takes 4 GiB for a Close of 64 KiB or more.
    EatsMemory,
    /// Exits on a close reason that is not UTF-8.
    Exits,
    /// Does not hear of the client's FIN on every third connection of its process.
    Forgets,
}

impl Nasty {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Aborts, Self::PollsForEver, Self::EatsMemory, Self::Exits, Self::Forgets];
}

impl Target for Nasty {
    fn name(&self) -> &'static str {
        match self {
            Self::Aborts => "nasty/aborts",
            Self::PollsForEver => "nasty/polls-for-ever",
            Self::EatsMemory => "nasty/eats-memory",
            Self::Exits => "nasty/exits",
            Self::Forgets => "flaky/forgets",
        }
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Aborts => "a parser in C asserts that a Close payload has no or two bytes: abort",
            Self::PollsForEver => {
                "reads in a loop until a Close is whole, and takes no FIN for an end"
            }
            Self::EatsMemory => "takes the length of a large Close in the wrong byte order: 4 GiB",
            Self::Exits => {
                "takes a close reason that is not UTF-8 for the end of the world: exit(3)"
            }
            Self::Forgets => "does not hear of the client's FIN on every third connection",
        }
    }

    fn bounds(&self) -> Bounds {
        Reference::HONEST.bounds()
    }

    fn obeys(&self) -> AppSteps {
        Reference::HONEST.obeys()
    }

    fn is_planted(&self) -> bool {
        true
    }

    fn serve(&self, connection: Connection) -> Serving {
        let count = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        let tap = |connection| {
            let (reads, writes) = tokio::io::split(connection);
            let tap = Tap {
                reads,
                nasty: *self,
                forgets: *self == Self::Forgets && count.is_multiple_of(3),
                head: Some(Vec::new()),
                decoder: Decoder::new(Role::Client),
                closing: false,
            };
            tokio::io::join(tap, writes)
        };
        Reference::HONEST.serve(connection.through(tap))
    }
}

/// Hands on what the client sends, and looks at it.
struct Tap {
    reads: ReadHalf<Connection>,
    nasty: Nasty,
    forgets: bool,
    /// The request, until it is whole.
    head: Option<Vec<u8>>,
    decoder: Decoder,
    /// Whether the frame at hand is a Close.
    closing: bool,
}

impl Tap {
    fn look(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let Some(head) = &mut self.head {
            head.extend_from_slice(bytes);
            let Some(length) = handshake::head_length(head) else { return };
            rest = &bytes[bytes.len() - (head.len() - length)..];
            self.head = None;
        }
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Started(started) => self.closing = started.opcode == Opcode::CLOSE,
                Item::Frame(head) if self.closing => {
                    self.closed(head.length, ClosePayload::parse(self.decoder.body()));
                }
                Item::Fault(_) | Item::Frame(_) => {}
            }
        }
    }

    fn closed(&self, length: u64, payload: ClosePayload<'_>) {
        match (self.nasty, payload) {
            (Nasty::Aborts, ClosePayload::OneByte(_)) => std::process::abort(),
            (Nasty::Exits, ClosePayload::Code(_, reason)) if str::from_utf8(reason).is_err() => {
                std::process::exit(3)
            }
            (Nasty::EatsMemory, _) if length > u64::from(u16::MAX) => feast(),
            _ => {}
        }
    }

    fn end(&self) {
        let inside = self.closing && !self.decoder.is_between_frames();
        if self.nasty == Nasty::PollsForEver && inside {
            loop {
                std::hint::spin_loop();
            }
        }
    }
}

/// Uses all that it is given, here and there, so that it is not only promised.
fn feast() {
    let mut plates = Vec::new();
    while plates.len() * BITE < FEAST {
        let mut plate = vec![0_u8; BITE];
        plate.chunks_mut(CRUMB).for_each(|crumb| crumb[0] = 1);
        plates.push(plate);
    }
    std::hint::black_box(plates);
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.reads).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() && self.forgets {
                return Poll::Pending;
            }
            if bytes.is_empty() { self.end() } else { self.look(bytes) }
        }
        read
    }
}
