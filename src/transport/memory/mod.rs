//! The simulated TCP connection: bounded buffers, FIN, RST and cut, in memory.
//!
//! It behaves as Linux does, but for the table in `docs/internals.md`, "Where the link differs
//! from the kernel"; `tests/tcp/kernel/` holds it to that:
//!
//! * A client that does not read fills its window, then the server's send buffer;
//!   then `poll_write` is pending.
//! * A server that drops its socket with unread bytes sends RST, and what the client
//!   had not read is lost; dropping a clean one sends FIN after the pending data.
//!   (Linux keeps what had reached the client's receive queue before the RST; a
//!   network loses it, and other systems discard it. The link is as harsh as they are.)
//! * After the client's RST the server can still read what had arrived, then gets
//!   `ConnectionReset` once, then end of stream; writes get `BrokenPipe`. Where the
//!   client's FIN came first, reads get the end of stream and writes `BrokenPipe`.
//! * Who writes to a socket that the other dropped is answered with RST: the first
//!   write is taken, and what the dropped socket had still to send is lost.
//! * Once the FINs of both have arrived, no RST follows.
//! * A cut delivers nothing and reports nothing.
//!
//! It spends no tokio coop budget, since coop hides spins: it counts polls
//! without progress, and past a limit parks the poll for ever and says so in the
//! exchange. Every act of either end is recorded with its time. The link knows no
//! script and judges nothing.

mod state;
mod subject_socket;

use self::state::{Locked, Network, keep, wake};
pub use self::subject_socket::SubjectEnd;
use crate::exchange::{AfterDeadline, ConnectionId, End, Exchange, Time, What};
use crate::heap;
use crate::script::{Setting, Size};
use crate::wire::Role;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

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
pub const EVENTS: usize = 300_000;

/// What a runtime says of itself, for a link that cannot see it.
#[derive(Debug, Default)]
pub struct Turns {
    /// Moves on with every park of the runtime: time stands still in between.
    pub parks: AtomicU32,
    /// Polls of tasks since the last park, and since the link last moved a byte.
    pub polls: AtomicU32,
}

/// One connection of a play; clones share it, and all connections of a play share the record.
#[derive(Clone, Debug)]
pub struct Link {
    network: Arc<Mutex<Network>>,
    connection: ConnectionId,
}

/// What a read of the actor's found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorRead {
    /// Some bytes.
    Bytes,
    /// The end of the stream, by FIN or RST: nothing more will come.
    End,
}

/// Who is told at once of what happens, in case the process does not live to tell.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Something was added to the exchange.
    fn recorded(&self, exchange: &Exchange);

    /// Nothing can run at this instant any more: time may move on.
    fn rested(&self);

    /// Time may have moved on; `now` tells where it is.
    fn moved(&self, now: &dyn Fn() -> Time);

    /// Whether what it was told may be taken back, and the script be played anew. Default: yes.
    fn may_begin_anew(&self) -> bool {
        true
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
        let network = Arc::new(Mutex::new(Network::new(turns)));
        Self { network, connection: ConnectionId::FIRST }
    }

    /// Another connection of the same play, accepted now, with the same record.
    pub fn connect(&self) -> Self {
        let connection = self.lock().connect();
        Self { network: Arc::clone(&self.network), connection }
    }

    /// Which connection of the exchange this is.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The subject's end. Call it once: a second one would be the same socket.
    pub fn subject_end(&self) -> SubjectEnd {
        SubjectEnd(self.clone())
    }

    fn lock(&self) -> Locked<'_> {
        Locked::of(&self.network, self.connection)
    }

    /// Has `observer` told of everything that is recorded.
    pub fn observed_by(&self, observer: Arc<dyn Observer>) {
        self.lock().log().observer = Some(observer);
    }

    /// Notes which role the subject has.
    pub fn set_subject(&self, role: Role) {
        self.lock().log().exchange.subject = role;
    }

    /// Has the judge allow so much where time is real.
    pub fn set_timing_slack(&self, slack: Duration) {
        self.lock().log().exchange.timing_slack = slack;
    }

    /// The subject's application is asked something, on this thread.
    pub fn notice_thread(&self) {
        self.lock().log().notice_thread();
    }

    /// Whether another thread than the one that made the link has used the subject's end.
    pub fn is_used_elsewhere(&self) -> bool {
        self.lock().log().used_elsewhere
    }

    /// Says how many bytes the script may send, either way: through buffers of one
    /// byte each of them takes a few polls.
    pub fn expect(&self, bytes: u64) {
        self.lock().link().polls.expected = bytes;
    }

    /// Records something that is not the link's own doing.
    pub fn record(&self, what: What) {
        self.lock().link().record(what);
    }

    /// As [`record`](Self::record), from a panic hook: gives up where the link is
    /// in use, since it may be in use by the code that panicked.
    pub fn try_record(&self, what: What) {
        let _ours = heap::pause();
        if let Ok(mut network) = self.network.try_lock() {
            network.link(self.connection).record(what);
        }
    }

    /// The time since accept.
    pub fn now(&self) -> Time {
        self.lock().log().now()
    }

    /// Ends the recording and takes the exchange.
    pub fn take_exchange(&self) -> Exchange {
        let mut locked = self.lock();
        let state = locked.link();
        state.log.over = true;
        std::mem::take(&mut state.log.exchange)
    }

    /// Wakes whoever waits on the subject's end to read, or to write, for nothing: whether it
    /// then tries again tells what it was waiting for. Ends the recording: what a subject
    /// does that was woken for nothing is not part of the exchange.
    pub fn wake_for_nothing(&self) {
        let mut locked = self.lock();
        let mut state = locked.link();
        state.log.over = true;
        state.wake_for_nothing();
    }

    /// Adds what the subject was doing, and what became of the connection, to a recording that
    /// [`wake_for_nothing`](Self::wake_for_nothing) has ended.
    pub fn conclude(&self, became: AfterDeadline) {
        let mut locked = self.lock();
        let mut state = locked.link();
        let standing = state.standing();
        state.log.over = false;
        state.record(What::Stands(standing));
        state.record(What::Became(became));
        state.log.over = true;
    }

    /// Adds to a recording, also to one that [`wake_for_nothing`](Self::wake_for_nothing) has ended.
    pub fn record_at_last(&self, what: What) {
        let mut locked = self.lock();
        let mut state = locked.link();
        let over = std::mem::replace(&mut state.log.over, false);
        state.record(what);
        state.log.over |= over;
    }

    /// Nobody listens on the subject's side, or nobody does any more: the connection is reset, as
    /// one that was never accepted. The subject's end is dropped behind this.
    pub fn refuse(&self) {
        self.lock().link().refuse();
    }

    /// Looks at the exchange so far.
    pub fn with_exchange<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.lock().log().exchange)
    }

    /// Looks at all that the actor has read so far.
    pub fn with_received<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let mut locked = self.lock();
        let state = locked.link();
        look(&state.bytes().to_actor[..state.actor.got])
    }

    /// Whether the subject has dropped its end, or was stopped because it spun.
    pub fn is_over(&self) -> bool {
        let mut locked = self.lock();
        let state = locked.link();
        state.subject.dropped || state.polls.spun || state.log.over
    }

    /// Whether the subject has dropped its end.
    pub fn is_dropped(&self) -> bool {
        self.lock().link().subject.dropped
    }

    /// The subject has dropped its end: lets go of whoever waited on it.
    pub fn forget_wakers(&self) {
        let wakers = {
            let mut locked = self.lock();
            let mut state = locked.link();
            [state.subject.reader.take(), state.subject.writer.take()]
        };
        // Outside of the lock, and counted: they may be all that is left of a task.
        drop(wakers);
    }

    /// How often the subject's end was polled so far.
    pub fn polls(&self) -> u64 {
        self.lock().link().polls.total
    }

    /// Ready once the subject has dropped its end or spun.
    pub fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut locked = self.lock();
        let mut state = locked.link();
        if state.subject.dropped || state.polls.spun || state.log.over {
            return Poll::Ready(());
        }
        keep(&mut state.watcher, cx);
        Poll::Pending
    }

    /// The actor did something beside the link: what the subject polls now is about that.
    pub fn actor_acted(&self) {
        self.lock().link().acted();
    }

    // The actor's end.

    /// Reads all that is in the actor's receive buffer.
    pub fn poll_actor_read(&self, cx: &Context<'_>) -> Poll<ActorRead> {
        let mut locked = self.lock();
        let mut state = locked.link();
        let available = state.actor.delivered - state.actor.got;
        if available > 0 {
            state.actor.got = state.actor.delivered;
            state.record_at(End::Actor, What::Read { bytes: available as u32 });
            state.deliver();
            return Poll::Ready(ActorRead::Bytes);
        }
        if state.actor.reset || state.actor.gone {
            return Poll::Ready(ActorRead::End);
        }
        if state.actor.end_delivered {
            if !state.actor.got_end {
                state.actor.got_end = true;
                state.record_at(End::Actor, What::ReadEnd);
            }
            return Poll::Ready(ActorRead::End);
        }
        if state.actor.was_reset {
            state.actor.error = None;
            return Poll::Ready(ActorRead::End);
        }
        keep(&mut state.actor.reader, cx);
        Poll::Pending
    }

    /// Sends bytes; ready with how many the subject's receive buffer took.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` after the actor's own FIN or RST, or the subject's RST; `ConnectionReset`
    /// where the actor has not been told of that yet.
    pub fn poll_actor_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut locked = self.lock();
        let mut state = locked.link();
        if let Some(error) = state.actor.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        let actor = &state.actor;
        if actor.fin || actor.reset || actor.gone || actor.was_reset || state.log.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.cut || state.subject.dropped {
            if !state.cut && !bytes.is_empty() {
                // Nobody owns the socket that these bytes are for.
                state.reset_by_subject();
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        let taken = bytes.len().min(state.subject.receive_buffer.saturating_sub(state.unread()));
        if taken == 0 && !bytes.is_empty() {
            keep(&mut state.actor.writer, cx);
            return Poll::Pending;
        }
        state.arrive(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    /// The actor's FIN.
    pub fn actor_fin(&self) {
        let mut locked = self.lock();
        let mut state = locked.link();
        if state.actor.fin || state.actor.reset || state.actor.gone {
            return;
        }
        state.actor.fin = true;
        wake(&mut state.actor.writer);
        if !state.cut {
            state.subject.fin_arrived = true;
            state.record(What::FinArrived);
            state.acted();
            wake(&mut state.subject.reader);
        }
    }

    /// The actor's RST.
    pub fn actor_reset(&self) {
        let mut locked = self.lock();
        let mut state = locked.link();
        if !state.actor.reset && !state.actor.gone {
            state.reset_by_actor();
        }
    }

    /// The actor drops its socket: RST where bytes are unread, FIN where none are.
    pub fn actor_drop(&self) {
        let unread = {
            let mut locked = self.lock();
            let state = locked.link();
            state.actor.delivered > state.actor.got
        };
        if unread {
            return self.actor_reset();
        }
        self.actor_fin();
        self.lock().link().actor.gone = true;
    }

    /// The network is cut.
    pub fn cut(&self) {
        let mut locked = self.lock();
        let mut state = locked.link();
        if !state.cut {
            state.cut = true;
            state.record(What::Cut);
        }
    }

    /// Sets a property of the link. A buffer that holds more than its new size
    /// keeps what it has, and takes more once that is gone.
    pub fn set(&self, setting: Setting, size: Size) {
        let size = (size.0 as usize).max(1);
        let mut locked = self.lock();
        let mut state = locked.link();
        match setting {
            Setting::Window => state.actor.window = size,
            Setting::SendBuffer => state.subject.send_buffer = size,
            Setting::ReceiveBuffer => state.subject.receive_buffer = size,
            Setting::Segment => state.subject.segment = size,
        }
        state.deliver();
        wake(&mut state.actor.writer);
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}
