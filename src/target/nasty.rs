//! `nasty/...`: servers that abort, exit, exhaust memory or spin. They prove that campaigns
//! survive such targets. Each is the correct `reference` server behind a reader that goes wrong
//! on one input.
//!
//! `flaky/...` fails on every third connection. It proves that hangup reports failures that do
//! not repeat.

use super::reference::Reference;
use super::{AppSteps, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::wire::{ClosePayload, Decoder, Item, Opcode, Role, handshake};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf, ReadHalf};

/// How many connections this process has served, for the target that depends on it.
static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// [`Nasty::EatsMemory`] takes at most so many bytes, in chunks, and writes a byte to every page.
const MAX_TAKEN: usize = 4 << 30;
/// A longer request is not read: it never becomes whole.
const MAX_HEAD: usize = 256 << 10;
const CHUNK: usize = 16 << 20;
const TOUCH_EVERY: usize = 64 << 10;

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
    /// Aborts on a ping with a payload, in one of ten scripts. On a pong with a payload it
    /// deadlocks: none of its tasks runs again.
    AbortsOnPing,
    /// Loops for ever on a ping with a payload.
    SpinsOnPing,
    /// Is killed by SIGKILL on a Close payload of one byte, every time: as by an OOM killer.
    IsKilled,
    /// Does not hear of the client's FIN on every third connection of its process.
    Forgets,
}

impl Nasty {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Aborts,
        Self::PollsForEver,
        Self::EatsMemory,
        Self::Exits,
        Self::AbortsOnPing,
        Self::SpinsOnPing,
        Self::IsKilled,
        Self::Forgets,
    ];
}

impl Target for Nasty {
    fn name(&self) -> &'static str {
        match self {
            Self::Aborts => "nasty/aborts",
            Self::PollsForEver => "nasty/polls-for-ever",
            Self::EatsMemory => "nasty/eats-memory",
            Self::Exits => "nasty/exits",
            Self::AbortsOnPing => "nasty/aborts-on-ping",
            Self::SpinsOnPing => "nasty/spins-on-ping",
            Self::IsKilled => "nasty/is-killed",
            Self::Forgets => "flaky/forgets",
        }
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Aborts => "a parser in C asserts that a Close payload has no or two bytes: abort",
            Self::PollsForEver => "reads in a loop until a Close is complete, and ignores FIN",
            Self::EatsMemory => "takes the length of a large Close in the wrong byte order: 4 GiB",
            Self::Exits => "calls exit(3) on a close reason that is not UTF-8",
            Self::AbortsOnPing => {
                "asserts that a ping is empty: abort; and deadlocks on a pong that is not empty"
            }
            Self::SpinsOnPing => "loops for ever on a ping that is not empty",
            Self::IsKilled => "has itself killed by SIGKILL on a Close payload of one byte",
            Self::Forgets => "ignores the client's FIN on every third connection",
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
        let deadlocked = Arc::new(AtomicBool::new(false));
        let reader = |connection| {
            let (reads, writes) = tokio::io::split(connection);
            let reader = FaultyReader {
                reads,
                nasty: *self,
                ignores_fin: *self == Self::Forgets && count.is_multiple_of(3),
                head: Some(Vec::new()),
                decoder: Decoder::new(Role::Client),
                opcode: Opcode::CONTINUATION,
                deadlocked: Arc::clone(&deadlocked),
            };
            tokio::io::join(reader, writes)
        };
        let mut serving = Reference::HONEST.serve(connection.wrapped(reader));
        Box::pin(std::future::poll_fn(move |cx| {
            let stuck = || deadlocked.load(Ordering::Relaxed);
            if stuck() {
                return Poll::Pending;
            }
            serving.as_mut().poll(cx)
        }))
    }
}

/// Passes on the client's bytes, and goes wrong on one input.
struct FaultyReader {
    reads: ReadHalf<Connection>,
    nasty: Nasty,
    ignores_fin: bool,
    /// The request, until it is whole.
    head: Option<Vec<u8>>,
    decoder: Decoder,
    /// Of the frame at hand.
    opcode: Opcode,
    deadlocked: Arc<AtomicBool>,
}

impl FaultyReader {
    fn inspect(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let Some(head) = &mut self.head {
            // Looked at only where new bytes could complete it.
            if head.len() + bytes.len() > MAX_HEAD {
                return;
            }
            let seen = head.len().saturating_sub(3);
            head.extend_from_slice(bytes);
            let Some(length) = handshake::head_length(&head[seen..]) else { return };
            rest = &bytes[bytes.len() - (head.len() - seen - length)..];
            self.head = None;
        }
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Started(started) => self.opcode = started.opcode,
                Item::Frame(head) if self.opcode == Opcode::CLOSE => {
                    self.close_complete(head.length, ClosePayload::parse(self.decoder.body()));
                }
                Item::Frame(head) if head.length > 0 => self.frame_with_payload(),
                Item::Fault(_) | Item::Frame(_) => {}
            }
        }
    }

    fn close_complete(&self, length: u64, payload: ClosePayload<'_>) {
        match (self.nasty, payload) {
            (Nasty::Aborts, ClosePayload::OneByte(_)) => std::process::abort(),
            (Nasty::IsKilled, ClosePayload::OneByte(_)) => kill(),
            (Nasty::Exits, ClosePayload::Code(_, reason)) if str::from_utf8(reason).is_err() => {
                std::process::exit(3)
            }
            (Nasty::EatsMemory, _) if length > u64::from(u16::MAX) => exhaust_memory(),
            _ => {}
        }
    }

    fn frame_with_payload(&self) {
        match (self.nasty, self.opcode) {
            (Nasty::AbortsOnPing, Opcode::PING) => std::process::abort(),
            (Nasty::AbortsOnPing, Opcode::PONG) => self.deadlocked.store(true, Ordering::Relaxed),
            (Nasty::SpinsOnPing, Opcode::PING) => spin(),
            _ => {}
        }
    }

    fn fin_received(&self) {
        let inside = self.opcode == Opcode::CLOSE && !self.decoder.is_between_frames();
        if self.nasty == Nasty::PollsForEver && inside {
            spin();
        }
    }
}

/// Sends its own process SIGKILL, and does not return before that has come.
fn kill() {
    let own = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-KILL", &own]).status();
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Takes memory, and writes to it, so that the system really provides it.
fn exhaust_memory() {
    let mut chunks = Vec::new();
    while chunks.len() * CHUNK < MAX_TAKEN {
        let mut chunk = vec![0_u8; CHUNK];
        chunk.chunks_mut(TOUCH_EVERY).for_each(|page| page[0] = 1);
        chunks.push(chunk);
    }
    std::hint::black_box(chunks);
}

impl AsyncRead for FaultyReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.reads).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() && self.ignores_fin {
                return Poll::Pending;
            }
            if bytes.is_empty() { self.fin_received() } else { self.inspect(bytes) }
        }
        read
    }
}
