//! The simulated TCP connection: bounded buffers, FIN, RST and cut, in memory.
//!
//! It behaves as Linux does where that matters to closing:
//!
//! * A client that does not read fills its window, then the server's send buffer;
//!   then `poll_write` is pending.
//! * A server that drops its socket with unread bytes sends RST, and what the client
//!   had not read is lost; dropping a clean one sends FIN after the pending data.
//!   (Linux keeps what had reached the client's receive queue before the RST; a
//!   network loses it, and other systems discard it. The link is as harsh as they are.)
//! * After the client's RST the server can still read what had arrived, then gets
//!   `ConnectionReset` once, then end of stream; writes get `BrokenPipe`.
//! * A server that writes to a client which dropped its socket is answered with RST.
//! * A cut delivers nothing and reports nothing.
//!
//! It spends no tokio coop budget, since coop hides spins: it counts polls
//! without progress, and past a limit parks the poll for ever and says so in the
//! trace. Every act of either end is recorded with its time. The link knows no
//! script and judges nothing.

use crate::heap;
use crate::script::{Setting, Size};
use crate::trace::{Outcome, Time, Trace, What};
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The size of each buffer until a script sets another, in bytes.
/// Small beside Linux's, so that filling them does not cost a campaign its speed.
pub const BUFFER: usize = 4 * 1024;

/// So many polls of the server's end that move no byte, at one instant, are a spin.
pub const IDLE_POLLS: u32 = 10_000;

/// So many polls of the server's end at one instant are a spin even if bytes move,
/// beside those that the script's own bytes may need: see [`Link::expect`].
pub const BUSY_POLLS: u64 = 1_000_000;

/// So many bytes written at one instant, beside the script's own, are a spin: an
/// endless write loop must not eat the machine.
pub const BUSY_BYTES: u64 = 64 << 20;

/// The most events that are recorded: then watching ends. A script from a stranger,
/// through buffers of one byte, must not eat the machine.
pub const EVENTS: usize = 2_000_000;

/// What a runtime says of itself, for a link that cannot see it.
#[derive(Debug, Default)]
pub struct Turns {
    /// Moves on with every park of the runtime: time stands still in between.
    pub parks: AtomicU32,
    /// Polls of tasks since the last park, and since the link last moved a byte.
    pub polls: AtomicU32,
}

/// The connection with its record; clones share it.
#[derive(Clone, Debug)]
pub struct Link(Arc<Mutex<State>>);

/// The server's end: what a target serves. Dropping it releases the transport.
#[derive(Debug)]
pub struct ServerEnd(Link);

/// What a read of the client's found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRead {
    /// Some bytes.
    Bytes,
    /// The end of the stream, by FIN or RST: nothing more will come.
    End,
}

/// Who is told at once of what happens, in case the process does not live to tell.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Something was added to the trace.
    fn recorded(&self, trace: &Trace);

    /// Nothing can run at this instant any more: time may move on.
    fn rested(&self);

    /// Time may have moved on; `now` tells where it is.
    fn moved(&self, now: &dyn Fn() -> Time);
}

#[derive(Debug)]
struct State {
    trace: Trace,
    witness: Option<Arc<dyn Witness>>,
    start: Instant,
    /// Moves on whenever time may have; `None` where nobody says when that is.
    turns: Option<Arc<Turns>>,
    /// The time at that turn.
    known: (u32, Time),
    /// Recording is over; what tasks do while they are torn down is not part of the trace.
    over: bool,
    cut: bool,
    server: Server,
    client: Client,
    polls: Polls,
    watcher: Option<Waker>,
}

/// The state in use. What the link takes from the heap meanwhile is not the target's.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    _ours: heap::Pause,
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
struct Server {
    /// How much of `trace.to_server` it has read.
    read: usize,
    receive_buffer: usize,
    send_buffer: usize,
    segment: usize,
    flushed: usize,
    blocked: bool,
    shut: bool,
    dropped: bool,
    fin_arrived: bool,
    reset_arrived: bool,
    read_end: bool,
    /// It has been told of the client's RST.
    told_of_reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The client's socket.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what happened to a socket, each on its own")]
struct Client {
    /// How much of `trace.to_client` is in its receive buffer or beyond.
    delivered: usize,
    /// How much of it the client has read.
    got: usize,
    window: usize,
    fin: bool,
    reset: bool,
    /// It dropped its socket: what the server writes is answered with RST.
    gone: bool,
    /// The server's RST reached it.
    was_reset: bool,
    /// The server's FIN reached it, behind all data.
    end_delivered: bool,
    got_end: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Polls of the server's end, to tell a spin.
#[derive(Debug)]
struct Polls {
    total: u64,
    idle: u32,
    busy: u64,
    /// How many bytes the server wrote at this instant.
    written: u64,
    /// How many bytes the script may send.
    expected: u64,
    since: Time,
    spun: bool,
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        slot => *slot = Some(cx.waker().clone()),
    }
}

impl Link {
    /// A new connection, accepted now on tokio's clock.
    pub fn new() -> Self {
        Self::with_turns(None)
    }

    /// As [`new`](Self::new); with `turns`, the clock is read only after the runtime has
    /// parked: reading it for every event costs more than the event.
    pub fn with_turns(turns: Option<Arc<Turns>>) -> Self {
        Self(Arc::new(Mutex::new(State {
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
        })))
    }

    /// The server's end. Call it once: a second one would be the same socket.
    pub fn server_end(&self) -> ServerEnd {
        ServerEnd(self.clone())
    }

    fn lock(&self) -> Locked<'_> {
        let ours = heap::pause();
        Locked { state: self.0.lock().unwrap_or_else(PoisonError::into_inner), _ours: ours }
    }

    /// Has `witness` told of everything that is recorded.
    pub fn witnessed_by(&self, witness: Arc<dyn Witness>) {
        self.lock().witness = Some(witness);
    }

    /// Says how many bytes the script may send, either way: through buffers of one
    /// byte each of them takes a few polls.
    pub fn expect(&self, bytes: u64) {
        self.lock().polls.expected = bytes;
    }

    /// Records something that is not the link's own doing.
    pub fn record(&self, what: What) {
        self.lock().record(what);
    }

    /// As [`record`](Self::record), from a panic hook: gives up where the link is
    /// in use, since it may be in use by the code that panicked.
    pub fn try_record(&self, what: What) {
        let _ours = heap::pause();
        if let Ok(mut state) = self.0.try_lock() {
            state.record(what);
        }
    }

    /// The time since accept.
    pub fn now(&self) -> Time {
        self.lock().now()
    }

    /// Ends the recording and takes the trace.
    pub fn take_trace(&self) -> Trace {
        let mut state = self.lock();
        state.over = true;
        std::mem::take(&mut state.trace)
    }

    /// Looks at the trace so far.
    pub fn with_trace<T>(&self, look: impl FnOnce(&Trace) -> T) -> T {
        look(&self.lock().trace)
    }

    /// Looks at all that the client has read so far.
    pub fn with_received<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let state = self.lock();
        look(&state.trace.to_client[..state.client.got])
    }

    /// Whether the server has dropped its end, or was stopped because it spun.
    pub fn is_over(&self) -> bool {
        let state = self.lock();
        state.server.dropped || state.polls.spun || state.over
    }

    /// Whether the server has dropped its end.
    pub fn is_dropped(&self) -> bool {
        self.lock().server.dropped
    }

    /// How often the server's end was polled so far.
    pub fn polls(&self) -> u64 {
        self.lock().polls.total
    }

    /// Ready once the server has dropped its end or spun.
    pub fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.server.dropped || state.polls.spun || state.over {
            return Poll::Ready(());
        }
        keep(&mut state.watcher, cx);
        Poll::Pending
    }

    /// The client did something beside the link: what the server polls now is about that.
    pub fn client_acted(&self) {
        self.lock().acted();
    }

    // The client's end.

    /// Reads all that is in the client's receive buffer.
    pub fn poll_client_read(&self, cx: &Context<'_>) -> Poll<ClientRead> {
        let mut state = self.lock();
        let available = state.client.delivered - state.client.got;
        if available > 0 {
            state.client.got = state.client.delivered;
            state.record(What::Got { bytes: available as u32 });
            state.deliver();
            return Poll::Ready(ClientRead::Bytes);
        }
        if state.client.was_reset || state.client.reset || state.client.gone {
            return Poll::Ready(ClientRead::End);
        }
        if state.client.end_delivered {
            if !state.client.got_end {
                state.client.got_end = true;
                state.record(What::GotEnd);
            }
            return Poll::Ready(ClientRead::End);
        }
        keep(&mut state.client.reader, cx);
        Poll::Pending
    }

    /// Sends bytes; ready with how many the server's receive buffer took.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` after the client's own FIN or RST, or the server's RST.
    pub fn poll_client_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let client = &state.client;
        if client.fin || client.reset || client.gone || client.was_reset || state.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.cut || state.server.dropped {
            return Poll::Ready(Ok(bytes.len()));
        }
        let unread = state.trace.to_server.len() - state.server.read;
        let taken = bytes.len().min(state.server.receive_buffer.saturating_sub(unread));
        if taken == 0 && !bytes.is_empty() {
            keep(&mut state.client.writer, cx);
            return Poll::Pending;
        }
        state.trace.to_server.extend_from_slice(&bytes[..taken]);
        state.record(What::Arrived { bytes: taken as u32 });
        state.acted();
        wake(&mut state.server.reader);
        Poll::Ready(Ok(taken))
    }

    /// The client's FIN.
    pub fn client_fin(&self) {
        let mut state = self.lock();
        if state.client.fin || state.client.reset || state.client.gone {
            return;
        }
        state.client.fin = true;
        if !state.cut {
            state.server.fin_arrived = true;
            state.record(What::FinArrived);
            state.acted();
            wake(&mut state.server.reader);
        }
    }

    /// The client's RST.
    pub fn client_reset(&self) {
        let mut state = self.lock();
        if !state.client.reset && !state.client.gone {
            state.reset_by_client();
        }
    }

    /// The client drops its socket: RST where bytes are unread, FIN where none are.
    pub fn client_drop(&self) {
        let unread = {
            let state = self.lock();
            state.client.delivered > state.client.got
        };
        if unread {
            return self.client_reset();
        }
        self.client_fin();
        self.lock().client.gone = true;
    }

    /// The network is cut.
    pub fn cut(&self) {
        let mut state = self.lock();
        if !state.cut {
            state.cut = true;
            state.record(What::Cut);
        }
    }

    /// Sets a property of the link. A buffer that holds more than its new size
    /// keeps what it has, and takes more once that is gone.
    pub fn set(&self, setting: Setting, size: Size) {
        let size = (size.0 as usize).max(1);
        let mut state = self.lock();
        match setting {
            Setting::Window => state.client.window = size,
            Setting::SendBuffer => state.server.send_buffer = size,
            Setting::ReceiveBuffer => state.server.receive_buffer = size,
            Setting::Segment => state.server.segment = size,
        }
        state.deliver();
        wake(&mut state.client.writer);
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn now(&mut self) -> Time {
        let Some(turns) = &self.turns else { return self.start.elapsed().into() };
        let turn = turns.parks.load(Ordering::Relaxed);
        if self.known.0 != turn {
            self.known = (turn, self.start.elapsed().into());
        }
        self.known.1
    }

    fn record(&mut self, what: What) {
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

    fn trace_written(&self) -> usize {
        self.trace.to_client.len()
    }

    /// The client did something: what the server polls now is about that.
    fn acted(&mut self) {
        self.progressed();
        self.polls.busy = 0;
        self.polls.written = 0;
    }

    /// Moves bytes from the server's send buffer into the client's window.
    fn deliver(&mut self) {
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

    fn reset_by_client(&mut self) {
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
    fn polled(&mut self) -> bool {
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

    fn progressed(&mut self) {
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

    fn poll_read(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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

    fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
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

    fn shut(&mut self) {
        if !self.server.shut {
            self.server.shut = true;
            self.record(What::Shut);
            self.deliver();
        }
    }

    fn drop_server(&mut self) {
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

impl AsyncRead for ServerEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() { Poll::Pending } else { state.poll_read(cx, buf) }
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.polled() { Poll::Pending } else { state.poll_write(cx, bytes) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() {
            return Poll::Pending;
        }
        let written = state.trace_written();
        if state.server.flushed < written {
            state.server.flushed = written;
            state.progressed();
            state.record(What::Flushed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() {
            return Poll::Pending;
        }
        state.shut();
        Poll::Ready(Ok(()))
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.lock().drop_server();
    }
}
