//! What both sockets of the link hold, and how bytes, FIN and RST move between them.

use super::{BUFFER, BUSY_BYTES, BUSY_POLLS, EVENTS, IDLE_POLLS, Turns, Witness};
use crate::exchange::{Outcome, Time, Trace, What};
use crate::heap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct State {
    pub trace: Trace,
    pub witness: Option<Arc<dyn Witness>>,
    pub start: Instant,
    /// Moves on whenever time may have; `None` where nobody says when that is.
    pub turns: Option<Arc<Turns>>,
    /// The time at that turn.
    pub known: (u32, Time),
    /// Recording is over; what tasks do while they are torn down is not part of the trace.
    pub over: bool,
    pub cut: bool,
    pub server: Server,
    pub client: Client,
    pub polls: Polls,
    pub watcher: Option<Waker>,
}

/// The state in use. What the link takes from the heap meanwhile is not the target's.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    _ours: heap::Pause,
}

impl<'a> Locked<'a> {
    pub fn of(state: &'a Mutex<State>) -> Self {
        let ours = heap::pause();
        Self { state: state.lock().unwrap_or_else(PoisonError::into_inner), _ours: ours }
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// The server's socket.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what happened to a socket, each on its own")]
pub(super) struct Server {
    /// How much of `trace.to_server` it has read.
    pub read: usize,
    pub receive_buffer: usize,
    pub send_buffer: usize,
    pub segment: usize,
    pub flushed: usize,
    pub blocked: bool,
    pub shut: bool,
    pub dropped: bool,
    pub fin_arrived: bool,
    pub reset_arrived: bool,
    pub read_end: bool,
    /// It has been told of the client's RST.
    pub told_of_reset: bool,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

/// The client's socket.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what happened to a socket, each on its own")]
pub(super) struct Client {
    /// How much of `trace.to_client` is in its receive buffer or beyond.
    pub delivered: usize,
    /// How much of it the client has read.
    pub got: usize,
    pub window: usize,
    pub fin: bool,
    pub reset: bool,
    /// It dropped its socket: what the server writes is answered with RST.
    pub gone: bool,
    /// The server's RST reached it.
    pub was_reset: bool,
    /// The server's FIN reached it, behind all data.
    pub end_delivered: bool,
    pub got_end: bool,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

/// Polls of the server's end, to tell a spin.
#[derive(Debug)]
pub(super) struct Polls {
    pub total: u64,
    pub idle: u32,
    pub busy: u64,
    /// How many bytes the server wrote at this instant.
    pub written: u64,
    /// How many bytes the script may send.
    pub expected: u64,
    pub since: Time,
    pub spun: bool,
}

pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

pub(super) fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        slot => *slot = Some(cx.waker().clone()),
    }
}

impl State {
    pub fn new(turns: Option<Arc<Turns>>) -> Self {
        Self {
            trace: Trace::new(true),
            witness: None,
            start: Instant::now(),
            turns,
            known: (0, Time::ZERO),
            over: false,
            cut: false,
            server: Server {
                read: 0,
                receive_buffer: BUFFER,
                send_buffer: BUFFER,
                segment: usize::MAX,
                flushed: 0,
                blocked: false,
                shut: false,
                dropped: false,
                fin_arrived: false,
                reset_arrived: false,
                read_end: false,
                told_of_reset: false,
                reader: None,
                writer: None,
            },
            client: Client {
                delivered: 0,
                got: 0,
                window: BUFFER,
                fin: false,
                reset: false,
                gone: false,
                was_reset: false,
                end_delivered: false,
                got_end: false,
                reader: None,
                writer: None,
            },
            polls: Polls {
                total: 0,
                idle: 0,
                busy: 0,
                written: 0,
                expected: 0,
                since: Time::ZERO,
                spun: false,
            },
            watcher: None,
        }
    }

    pub fn now(&mut self) -> Time {
        let Some(turns) = &self.turns else { return self.start.elapsed().into() };
        let turn = turns.parks.load(Ordering::Relaxed);
        if self.known.0 != turn {
            self.known = (turn, self.start.elapsed().into());
        }
        self.known.1
    }

    pub fn record(&mut self, what: What) {
        if self.over {
            return;
        }
        let at = self.now();
        self.trace.push(at, what);
        if self.trace.events.len() >= EVENTS {
            self.trace.push(at, What::Became(Outcome::GaveUp));
            self.over = true;
            wake(&mut self.watcher);
        }
        if let Some(witness) = &self.witness {
            witness.recorded(&self.trace);
        }
    }

    pub fn trace_written(&self) -> usize {
        self.trace.to_client.len()
    }

    /// The client did something: what the server polls now is about that.
    pub fn acted(&mut self) {
        self.progressed();
        self.polls.busy = 0;
        self.polls.written = 0;
    }

    /// Moves bytes from the server's send buffer into the client's window.
    pub fn deliver(&mut self) {
        if self.cut || self.client.was_reset {
            return;
        }
        let written = self.trace_written();
        let room = (self.client.got + self.client.window).max(self.client.delivered);
        self.client.delivered = written.min(room);
        self.client.end_delivered |= self.server.shut && self.client.delivered == written;
        if self.client.delivered > self.client.got || self.server.shut {
            wake(&mut self.client.reader);
        }
        let queued = written - self.client.delivered;
        if self.server.blocked && queued < self.server.send_buffer {
            self.server.blocked = false;
            self.record(What::Writable);
            wake(&mut self.server.writer);
        }
    }

    pub fn reset_by_client(&mut self) {
        self.client.reset = true;
        if !self.cut {
            self.server.reset_arrived = true;
            self.record(What::ResetArrived);
            self.acted();
            wake(&mut self.server.reader);
            wake(&mut self.server.writer);
        }
    }

    /// Counts a poll of the server's end; true where it has spun and must be parked.
    pub fn polled(&mut self) -> bool {
        let polls = &mut self.polls;
        polls.total += 1;
        if self.over {
            return true;
        }
        polls.idle += 1;
        polls.busy += 1;
        let Polls { idle, busy, written, expected, .. } = *polls;
        if idle >= IDLE_POLLS
            || busy >= BUSY_POLLS + expected * 8
            || written >= BUSY_BYTES + expected
        {
            let count = u32::try_from(busy).unwrap_or(u32::MAX);
            let now = self.now();
            self.acted();
            if now == self.polls.since && !self.polls.spun {
                self.polls.spun = true;
                self.record(What::Spun { polls: count });
                wake(&mut self.watcher);
            }
            self.polls.since = now;
        }
        self.polls.spun
    }

    pub fn progressed(&mut self) {
        self.polls.idle = 0;
        if let Some(turns) = &self.turns {
            turns.polls.store(0, Ordering::Relaxed);
        }
    }

    /// The error of an operation after the client's RST: told once, then a broken pipe.
    fn reset_error(&mut self) -> io::Error {
        if self.server.told_of_reset {
            return io::ErrorKind::BrokenPipe.into();
        }
        self.server.told_of_reset = true;
        self.record(What::ReadReset);
        io::ErrorKind::ConnectionReset.into()
    }

    pub fn poll_read(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let unread = self.trace.to_server.len() - self.server.read;
        let count = unread.min(buf.remaining()).min(self.server.segment);
        if count > 0 {
            let from = self.server.read;
            buf.put_slice(&self.trace.to_server[from..from + count]);
            self.server.read += count;
            self.progressed();
            self.record(What::Read { bytes: count as u32 });
            wake(&mut self.client.writer);
            return Poll::Ready(Ok(()));
        }
        if self.server.reset_arrived && !self.server.told_of_reset {
            return Poll::Ready(Err(self.reset_error()));
        }
        if self.server.fin_arrived || self.server.reset_arrived {
            if !self.server.read_end {
                self.server.read_end = true;
                self.record(What::ReadEnd);
            }
            return Poll::Ready(Ok(()));
        }
        keep(&mut self.server.reader, cx);
        Poll::Pending
    }

    pub fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.server.reset_arrived {
            return Poll::Ready(Err(self.reset_error()));
        }
        if self.server.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let queued = self.trace_written() - self.client.delivered;
        let count = bytes.len().min(self.server.send_buffer.saturating_sub(queued));
        if count == 0 {
            if !self.server.blocked {
                self.server.blocked = true;
                self.record(What::WriteBlocked);
            }
            keep(&mut self.server.writer, cx);
            return Poll::Pending;
        }
        if !self.over {
            self.trace.to_client.extend_from_slice(&bytes[..count]);
        }
        self.progressed();
        self.polls.written += count as u64;
        self.record(What::Wrote { bytes: count as u32 });
        if self.client.gone && !self.cut {
            // Nobody owns the socket that these bytes were for.
            self.reset_by_client();
        } else {
            self.deliver();
        }
        Poll::Ready(Ok(count))
    }

    pub fn shut(&mut self) {
        if !self.server.shut {
            self.server.shut = true;
            self.record(What::Shut);
            self.deliver();
        }
    }

    pub fn drop_server(&mut self) {
        let unread = self.trace.to_server.len() > self.server.read;
        let gone = self.client.reset || self.client.gone;
        let reset = unread && !gone;
        self.server.dropped = true;
        self.server.shut = true;
        self.record(What::Dropped { reset });
        if reset && !self.cut {
            // What the client had not read is lost.
            self.client.delivered = self.client.got;
            self.client.was_reset = true;
            self.record(What::GotReset);
        }
        self.deliver();
        wake(&mut self.client.reader);
        wake(&mut self.client.writer);
        wake(&mut self.watcher);
    }
}
