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

mod server_end;
mod state;

pub use self::server_end::ServerEnd;
use self::state::{Locked, State, keep, wake};
use crate::exchange::{Time, Trace, What};
use crate::heap;
use crate::script::{Setting, Size};
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

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

impl Link {
    /// A new connection, accepted now on tokio's clock.
    pub fn new() -> Self {
        Self::with_turns(None)
    }

    /// As [`new`](Self::new); with `turns`, the clock is read only after the runtime has
    /// parked: reading it for every event costs more than the event.
    pub fn with_turns(turns: Option<Arc<Turns>>) -> Self {
        Self(Arc::new(Mutex::new(State::new(turns))))
    }

    /// The server's end. Call it once: a second one would be the same socket.
    pub fn server_end(&self) -> ServerEnd {
        ServerEnd(self.clone())
    }

    fn lock(&self) -> Locked<'_> {
        Locked::of(&self.0)
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
