//! What both sockets of the link hold, and how bytes, FIN and RST move between them.

use super::{BUFFER, BUSY_BYTES, BUSY_POLLS, EVENTS, IDLE_POLLS, Observer, Turns};
use crate::exchange::{
    AfterDeadline, Bytes, ConnectionId, End, Event, Exchange, Standing, Time, What,
};
use crate::heap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// The most that is reserved for a stream before it comes, in bytes.
const MOST_RESERVED: u64 = 256 << 10;

/// So many events before the last that is recorded, a spin is told.
const LAST_EVENTS: usize = 64;

/// All connections of one play, and their record.
#[derive(Debug)]
pub(super) struct Network {
    pub log: Log,
    /// By [`ConnectionId`].
    sockets: Vec<Sockets>,
}

/// The record, which all connections share.
#[derive(Debug)]
pub(super) struct Log {
    pub exchange: Exchange,
    pub observer: Option<Arc<dyn Observer>>,
    pub start: Instant,
    /// Moves on whenever time may have; `None` where nobody says when that is.
    pub turns: Option<Arc<Turns>>,
    /// The time at that turn.
    pub known: (u32, Time),
    /// The thread that plays, and whether another one has used the subject's end.
    thread: usize,
    pub used_elsewhere: bool,
    /// Recording is over; what tasks do while they are torn down is not part of the exchange.
    pub over: bool,
}

/// Both sockets of one connection.
#[derive(Debug)]
pub(super) struct Sockets {
    pub cut: bool,
    pub subject: SubjectSocket,
    pub actor: ActorSocket,
    pub polls: Polls,
    pub watcher: Option<Waker>,
}

/// Tells the threads of this process that run now apart.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// The network in use. What the link takes from the heap meanwhile is not the target's.
pub(super) struct Locked<'a> {
    network: MutexGuard<'a, Network>,
    connection: ConnectionId,
    _ours: heap::Pause,
}

impl<'a> Locked<'a> {
    pub fn of(network: &'a Mutex<Network>, connection: ConnectionId) -> Self {
        let ours = heap::pause();
        let network = network.lock().unwrap_or_else(PoisonError::into_inner);
        Self { network, connection, _ours: ours }
    }

    /// The connection that this link is.
    pub fn link(&mut self) -> State<'_> {
        self.network.link(self.connection)
    }

    /// Adds a connection.
    pub fn connect(&mut self) -> ConnectionId {
        self.network.sockets.push(Sockets::new());
        self.network.log.exchange.connect()
    }

    pub fn log(&mut self) -> &mut Log {
        &mut self.network.log
    }
}

/// One connection, with the record of all.
#[derive(Debug)]
pub(super) struct State<'a> {
    connection: ConnectionId,
    pub log: &'a mut Log,
    sockets: &'a mut Sockets,
}

impl Deref for State<'_> {
    type Target = Sockets;

    fn deref(&self) -> &Sockets {
        self.sockets
    }
}

impl DerefMut for State<'_> {
    fn deref_mut(&mut self) -> &mut Sockets {
        self.sockets
    }
}

/// The socket of the endpoint under test.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what happened to a socket, each on its own")]
pub(super) struct SubjectSocket {
    /// How much of `exchange.bytes(ConnectionId::FIRST).to_subject` it has read.
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
    /// What it has yet to be told of the client's RST.
    pub error: Option<io::ErrorKind>,
    /// Whether it polled since it was woken to see whether it does; nothing moves any more then.
    pub tried: Option<Tried>,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

/// What a subject polled when it was woken for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    pub reads: bool,
    pub writes: bool,
}

/// The socket of hangup's own end.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what happened to a socket, each on its own")]
pub(super) struct ActorSocket {
    /// How much of `exchange.bytes(ConnectionId::FIRST).to_actor` is in its receive buffer or beyond.
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
    /// What it has yet to be told of that.
    pub error: Option<io::ErrorKind>,
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
    waker.take().into_iter().for_each(heap::wake);
}

pub(super) fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        slot => heap::let_go(slot.replace(cx.waker().clone())),
    }
}

/// What a socket is told of a RST: after FIN it only learns that nobody reads.
const fn reset_error(after_fin: bool) -> io::ErrorKind {
    if after_fin { io::ErrorKind::BrokenPipe } else { io::ErrorKind::ConnectionReset }
}

impl Network {
    pub fn new(turns: Option<Arc<Turns>>) -> Self {
        let log = Log {
            exchange: Exchange::new(true),
            observer: None,
            start: Instant::now(),
            turns,
            known: (0, Time::ZERO),
            thread: this_thread(),
            used_elsewhere: false,
            over: false,
        };
        Self { log, sockets: vec![Sockets::new()] }
    }

    pub fn link(&mut self, connection: ConnectionId) -> State<'_> {
        let sockets = &mut self.sockets[usize::from(connection.0)];
        State { connection, log: &mut self.log, sockets }
    }
}

impl Sockets {
    fn new() -> Self {
        Self {
            cut: false,
            subject: SubjectSocket {
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
                error: None,
                tried: None,
                reader: None,
                writer: None,
            },
            actor: ActorSocket {
                delivered: 0,
                got: 0,
                window: BUFFER,
                fin: false,
                reset: false,
                gone: false,
                was_reset: false,
                error: None,
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
}

impl Log {
    /// The subject's end is used, on this thread.
    pub fn notice_thread(&mut self) {
        self.used_elsewhere |= self.thread != this_thread();
    }

    pub fn now(&mut self) -> Time {
        let Some(turns) = &self.turns else { return self.start.elapsed().into() };
        let turn = turns.parks.load(Ordering::Relaxed);
        if self.known.0 != turn {
            self.known = (turn, self.start.elapsed().into());
        }
        self.known.1
    }

    /// Whether hardly another event is recorded, and half of them are of this instant: who has made so
    /// many without giving way to time has spun, and is told so while that can be recorded.
    fn is_nearly_full_of_one_instant(&mut self) -> bool {
        if self.exchange.events.len() + LAST_EVENTS < EVENTS {
            return false;
        }
        let now = self.now();
        let events = &self.exchange.events;
        events[events.len() - EVENTS / 2].at == now
    }

    /// Appends an event; true where that was the last one that is recorded.
    pub fn record(&mut self, connection: ConnectionId, end: End, what: What) -> bool {
        if self.over {
            return false;
        }
        let at = self.now();
        let events = &mut self.exchange.events;
        events.push(Event { connection, end, ..Event::new(at, what) });
        let full = events.len() >= EVENTS;
        if full {
            let gave_up = Event::new(at, What::Became(AfterDeadline::GaveUp));
            events.push(Event { connection, ..gave_up });
            self.over = true;
        }
        if let Some(observer) = &self.observer {
            observer.recorded(&self.exchange);
        }
        full
    }
}

impl State<'_> {
    pub fn bytes(&self) -> &Bytes {
        self.log.exchange.bytes(self.connection)
    }

    fn bytes_mut(&mut self) -> &mut Bytes {
        self.log.exchange.bytes_mut(self.connection)
    }

    /// How many bytes the subject has written.
    pub fn written(&self) -> usize {
        self.bytes().to_actor.len()
    }

    /// How many bytes of the actor's the subject has not read.
    pub fn unread(&self) -> usize {
        self.bytes().to_subject.len() - self.subject.read
    }

    /// Appends bytes of the actor's.
    pub fn arrive(&mut self, bytes: &[u8]) {
        let expected = self.polls.expected.min(MOST_RESERVED) as usize;
        let stream = &mut self.bytes_mut().to_subject;
        if stream.len() + bytes.len() > stream.capacity() {
            // As much as the script may send: to grow by doubling copies all of it once more.
            stream.reserve(expected.saturating_sub(stream.len()).max(bytes.len()));
        }
        stream.extend_from_slice(bytes);
        self.record(What::Arrived { bytes: bytes.len() as u32 });
        self.acted();
        wake(&mut self.subject.reader);
    }

    /// Records what happened at the end at which it usually does.
    pub fn record(&mut self, what: What) {
        let end = what.usual_end();
        self.record_at(end, what);
    }

    /// Records what happened at one end.
    pub fn record_at(&mut self, end: End, what: What) {
        if self.log.record(self.connection, end, what) {
            wake(&mut self.watcher);
        }
    }

    /// The actor did something: what the subject polls now is about that.
    pub fn acted(&mut self) {
        self.progressed();
        self.polls.busy = 0;
        self.polls.written = 0;
    }

    /// Moves bytes from the subject's send buffer into the actor's window, where they can get
    /// there, and wakes a writer for which there is room now.
    pub fn deliver(&mut self) {
        let passes = !self.cut && !self.actor.was_reset;
        if passes {
            self.move_bytes();
        }
        // A larger send buffer has room whether the network is cut or not.
        if passes || !self.subject.dropped {
            self.wake_writer();
        }
    }

    fn wake_writer(&mut self) {
        let queued = self.written() - self.actor.delivered;
        if self.subject.blocked && queued < self.subject.send_buffer {
            self.subject.blocked = false;
            self.record(What::Writable);
            wake(&mut self.subject.writer);
        }
    }

    fn move_bytes(&mut self) {
        let written = self.written();
        let room = (self.actor.got + self.actor.window).max(self.actor.delivered);
        self.actor.delivered = written.min(room);
        self.actor.end_delivered |= self.subject.shut && self.actor.delivered == written;
        if self.actor.delivered > self.actor.got || self.subject.shut {
            wake(&mut self.actor.reader);
        }
    }

    /// Whether the FINs of both have arrived: then no RST follows, whoever drops unread bytes.
    fn is_closed(&self) -> bool {
        self.subject.fin_arrived && self.actor.end_delivered
    }

    /// The actor's RST. To a socket that has read FIN and may still write it is a broken pipe.
    pub fn reset_by_actor(&mut self) {
        self.actor.reset = true;
        if !self.cut && !self.is_closed() {
            let after_fin = self.subject.fin_arrived && !self.subject.shut;
            self.subject.error = Some(reset_error(after_fin));
            self.subject.reset_arrived = true;
            self.record(What::ResetArrived);
            self.acted();
            wake(&mut self.subject.reader);
            wake(&mut self.subject.writer);
        }
    }

    /// The subject's RST. The actor is told at once, unless it has FIN to read.
    pub fn reset_by_subject(&mut self) {
        let after_fin = self.actor.end_delivered;
        self.actor.error = Some(reset_error(after_fin));
        self.actor.was_reset = true;
        if !after_fin {
            self.record_at(End::Actor, What::ReadReset);
        }
        wake(&mut self.actor.reader);
        wake(&mut self.actor.writer);
    }

    /// Counts a poll of the subject's end; true where it has spun and must be parked.
    pub fn polled(&mut self) -> bool {
        self.log.notice_thread();
        self.polls.total += 1;
        if self.log.over {
            // One that is watched for what it tries may try.
            return self.subject.tried.is_none();
        }
        let polls = &mut self.polls;
        polls.idle += 1;
        polls.busy += 1;
        let Polls { idle, busy, written, expected, .. } = *polls;
        let crowded = self.log.is_nearly_full_of_one_instant();
        if idle >= IDLE_POLLS
            || busy >= BUSY_POLLS + expected * 8
            || crowded && busy >= EVENTS as u64 / 4 + expected * 8
            || written >= BUSY_BYTES + expected
        {
            let count = u32::try_from(busy).unwrap_or(u32::MAX);
            let now = self.log.now();
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
        if let Some(turns) = &self.log.turns {
            turns.polls.store(0, Ordering::Relaxed);
        }
    }

    /// What the actor's RST left to be told: once.
    fn take_error(&mut self) -> Option<io::ErrorKind> {
        let error = self.subject.error.take()?;
        if error == io::ErrorKind::ConnectionReset {
            self.record(What::ReadReset);
        }
        Some(error)
    }

    pub fn poll_read(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(tried) = &mut self.subject.tried {
            tried.reads = true;
            return Poll::Pending;
        }
        let unread = self.unread();
        let count = unread.min(buf.remaining()).min(self.subject.segment);
        if count > 0 {
            let from = self.subject.read;
            buf.put_slice(&self.bytes().to_subject[from..from + count]);
            self.subject.read += count;
            self.progressed();
            self.record(What::Read { bytes: count as u32 });
            wake(&mut self.actor.writer);
            return Poll::Ready(Ok(()));
        }
        // A FIN that came before the RST is what a read finds, however often.
        if !self.subject.fin_arrived
            && let Some(error) = self.take_error()
        {
            return Poll::Ready(Err(error.into()));
        }
        if self.subject.fin_arrived || self.subject.reset_arrived {
            if !self.subject.read_end {
                self.subject.read_end = true;
                self.record(What::ReadEnd);
            }
            return Poll::Ready(Ok(()));
        }
        keep(&mut self.subject.reader, cx);
        Poll::Pending
    }

    pub fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(tried) = &mut self.subject.tried {
            tried.writes |= !bytes.is_empty();
            return Poll::Pending;
        }
        if self.subject.reset_arrived {
            let error = self.take_error().unwrap_or(io::ErrorKind::BrokenPipe);
            return Poll::Ready(Err(error.into()));
        }
        if self.subject.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let queued = self.written() - self.actor.delivered;
        let count = bytes.len().min(self.subject.send_buffer.saturating_sub(queued));
        if count == 0 {
            if !self.subject.blocked {
                self.subject.blocked = true;
                self.record(What::WriteBlocked);
            }
            keep(&mut self.subject.writer, cx);
            return Poll::Pending;
        }
        if !self.log.over {
            self.bytes_mut().to_actor.extend_from_slice(&bytes[..count]);
        }
        self.progressed();
        self.polls.written += count as u64;
        self.record(What::Wrote { bytes: count as u32 });
        if self.actor.gone && !self.cut {
            // Nobody owns the socket that these bytes were for.
            self.reset_by_actor();
        } else {
            self.deliver();
        }
        Poll::Ready(Ok(count))
    }

    /// Wakes whoever waits to read or to write, for nothing, to see who does.
    pub fn wake_for_nothing(&mut self) {
        self.subject.tried = Some(Tried::default());
        wake(&mut self.subject.reader);
        wake(&mut self.subject.writer);
    }

    /// What the subject is doing, as far as it can be seen from here.
    pub fn standing(&self) -> Standing {
        let SubjectSocket { fin_arrived, read_end, error, .. } = self.subject;
        let end_unread = if fin_arrived { !read_end } else { error.is_some() };
        let unsent = self.written() - self.actor.delivered;
        let room = self.subject.send_buffer.saturating_sub(unsent);
        let to_u32 = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Standing {
            reads: self.subject.tried.map(|tried| tried.reads),
            writes: self.subject.tried.map(|tried| tried.writes),
            has_input: self.unread() > 0 || end_unread,
            unsent: to_u32(unsent),
            room: Some(to_u32(room)),
        }
    }

    pub fn shut(&mut self) {
        if !self.subject.shut {
            self.subject.shut = true;
            self.record(What::Shut);
            self.deliver();
            wake(&mut self.subject.writer);
        }
    }

    pub fn refuse(&mut self) {
        self.subject.dropped = true;
        self.subject.shut = true;
        self.record(What::Refused);
        if !self.cut && !self.actor.reset && !self.actor.gone {
            self.reset_by_subject();
        }
        wake(&mut self.watcher);
    }

    pub fn drop_subject(&mut self) {
        if self.subject.dropped {
            // It was refused.
            return;
        }
        self.log.notice_thread();
        // Where the record was taken, it has no bytes any more.
        let unread = self.bytes().to_subject.len() > self.subject.read;
        let gone = self.actor.reset || self.actor.gone;
        let reset = unread && !gone && !self.is_closed();
        self.subject.dropped = true;
        self.subject.shut = true;
        self.record(What::Dropped { reset });
        if reset && !self.cut {
            if self.actor.delivered > self.actor.got {
                // What the actor had not read is lost, and a FIN behind it.
                self.actor.delivered = self.actor.got;
                self.actor.end_delivered = false;
            }
            self.reset_by_subject();
        }
        self.deliver();
        wake(&mut self.actor.reader);
        wake(&mut self.actor.writer);
        wake(&mut self.watcher);
    }
}
