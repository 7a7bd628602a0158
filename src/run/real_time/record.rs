//! The record of one connection in real time: an exchange that several hands write.
//!
//! The actor's end writes what it sends and gets, the kernel's socket table what it
//! shows of the server's end. Whoever watches is told of every change.

use super::keeper::Keeper;
use crate::actor::Gap;
use crate::exchange::{ConnectionId, Event, Exchange, Time, What};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most bytes that a client takes from one server: then it stops reading.
const ENOUGH: u64 = 16 << 20;
/// The most that the record of what one server sent may take, in bytes: then the client stops
/// reading.
const MOST: usize = 256 << 10;
/// Bytes that are not kept are recorded together where they come within this part of the time
/// since the beginning, so that their number grows with its logarithm.
const TOGETHER: u32 = 64;

/// A handle of the record; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Record(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// When the server accepted, as far as the client can tell: it was connected.
    start: Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    exchange: Exchange,
    keeper: Keeper,
    /// Where bytes of the server's are not kept.
    gaps: Vec<Gap>,
    /// How many bytes the client got.
    got: u64,
    /// How many events say so.
    reads: usize,
    /// What is to be recorded once its time has come.
    soon: Option<(Time, What)>,
    /// Nothing more will come to the client: the end, a reset, or its own doing.
    actor_done: bool,
    /// The client does not read, or is cut off.
    blind: bool,
    dropped: bool,
}

impl Record {
    /// Begins with an empty exchange at time zero.
    pub fn begin(exchange: Exchange) -> Self {
        let state = State {
            exchange,
            keeper: Keeper::default(),
            gaps: Vec::new(),
            got: 0,
            reads: 0,
            soon: None,
            actor_done: false,
            blind: false,
            dropped: false,
        };
        Self(Arc::new(Shared {
            start: Instant::now(),
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }

    pub fn start(&self) -> Instant {
        self.0.start
    }

    pub fn now(&self) -> Time {
        self.0.start.elapsed().into()
    }

    /// Appends what happens now, at the end at which it usually does.
    pub fn push(&self, what: What) {
        self.append(|at| Event::new(at, what));
    }

    /// Appends what the actor reads, or is told, now.
    pub fn push_at_actor(&self, what: What) {
        self.append(|at| Event::new(at, what).at_actor());
    }

    fn append(&self, event: impl FnOnce(Time) -> Event) {
        let mut state = self.state();
        let event = event(self.now());
        match event.what {
            What::ResetArrived => state.actor_done = true,
            What::StoppedReading | What::Cut => state.blind = true,
            What::ResumedReading => state.blind = false,
            _ => {}
        }
        state.actor_done |= event.shows_actor_the_end();
        state.push(event);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Puts in what the server did at `time` or later: that it was not done before is
    /// all that is known. It is put behind what the client has seen of the end by then.
    pub fn put_in(&self, time: Time, what: What) {
        let mut state = self.state();
        state.dropped |= matches!(what, What::Dropped { .. });
        let events = &mut state.exchange.events;
        let end = events.iter().find(|event| event.shows_actor_the_end()).map(|event| event.at);
        let at = end.map_or(time, |end| time.max(end));
        let place = events.iter().rposition(|event| event.at <= at).map_or(0, |last| last + 1);
        events.insert(place, Event::new(at, what).inferred());
        drop(state);
        self.0.changed.notify_one();
    }

    /// Whether the client would see an end that came, and has seen none.
    pub fn looks_out(&self) -> bool {
        let state = self.state();
        !(state.blind || state.actor_done)
    }

    /// Appends, as inferred, `what` after `delay`; of several the first counts.
    pub fn push_after(&self, delay: Duration, what: What) {
        let due = self.now().after(delay);
        self.state().soon.get_or_insert((due, what));
    }

    /// When what is to be recorded once its time has come is due.
    pub fn due_soon(&self) -> Option<Time> {
        self.state().soon.as_ref().map(|(due, _)| *due)
    }

    /// Appends what is due by now.
    pub fn catch_up(&self) {
        let now = self.now();
        self.state().catch_up(now);
    }

    /// The client sent bytes.
    pub fn sent(&self, bytes: &[u8]) {
        self.state().exchange.bytes_mut(ConnectionId::FIRST).to_subject.extend_from_slice(bytes);
        self.push(What::Arrived { bytes: bytes.len() as u32 });
    }

    /// The client got bytes; whether that is enough.
    pub fn got(&self, bytes: &[u8]) -> bool {
        let mut state = self.state();
        let is_enough = state.got(bytes, self.now());
        drop(state);
        self.0.changed.notify_one();
        is_enough
    }

    /// Shows all bytes that the client got, and where some of them are missing.
    pub fn received(&self, look: &mut dyn FnMut(&[u8], &[Gap])) {
        let state = self.state();
        look(&state.exchange.bytes(ConnectionId::FIRST).to_actor, &state.gaps);
    }

    /// The client will see nothing more, by its own doing.
    pub fn actor_is_done(&self) {
        self.state().actor_done = true;
        self.0.changed.notify_one();
    }

    /// What the server does to its end will not be seen any more.
    pub fn lose_sight(&self) {
        self.state().exchange.sees_release = false;
        self.0.changed.notify_one();
    }

    /// Whether nothing more can be seen to happen.
    pub fn is_over(&self) -> bool {
        let state = self.state();
        state.dropped || (state.actor_done && !state.exchange.sees_release)
    }

    /// Ready after the next change.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Shows the exchange.
    pub fn look<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.state().exchange)
    }

    /// A copy of the exchange so far, with `what` at its end, as of now.
    pub fn copy_with(&self, what: impl IntoIterator<Item = What>) -> Exchange {
        let (mut exchange, at) = {
            let state = self.state();
            (state.exchange.clone(), self.now().max(state.last()))
        };
        what.into_iter().for_each(|what| exchange.push(at, what));
        exchange
    }

    /// Takes the exchange; the record is empty then.
    pub fn take(&self) -> Exchange {
        std::mem::take(&mut self.state().exchange)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, event: Event) {
        self.catch_up(event.at);
        // Two writers may read the clock in one order and write in the other.
        let at = event.at.max(self.last());
        self.exchange.events.push(Event { at, ..event });
    }

    /// Keeps what is to be kept of what the client got, and counts the rest.
    fn got(&mut self, bytes: &[u8], now: Time) -> bool {
        self.got += bytes.len() as u64;
        let to_actor = &mut self.exchange.bytes_mut(ConnectionId::FIRST).to_actor;
        let discarded = self.keeper.sort(to_actor, self.reads, bytes);
        let mut kept = 0;
        for run in discarded {
            self.keep(&bytes[kept..run.start], now);
            kept = run.end;
            self.discard(run.len() as u64, now);
        }
        self.keep(&bytes[kept..], now);
        let kept = self.exchange.bytes(ConnectionId::FIRST).to_actor.len();
        let records = self.reads * size_of::<Event>() + self.gaps.len() * size_of::<Gap>();
        self.got > ENOUGH || kept + records > MOST
    }

    fn keep(&mut self, bytes: &[u8], now: Time) {
        if !bytes.is_empty() {
            self.exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend_from_slice(bytes);
            self.reads += 1;
            self.push(Event::new(now, What::Read { bytes: bytes.len() as u32 }).at_actor());
        }
    }

    fn discard(&mut self, count: u64, now: Time) {
        let at = self.exchange.bytes(ConnectionId::FIRST).to_actor.len();
        match self.gaps.last_mut().filter(|gap| gap.at == at) {
            Some(gap) => gap.bytes += count,
            None => self.gaps.push(Gap { at, bytes: count }),
        }
        self.catch_up(now);
        if let Some(Event { at, what: What::Discarded { bytes }, .. }) =
            self.exchange.events.last_mut()
            && now.since_accept().saturating_sub(at.since_accept()) <= now.since_accept() / TOGETHER
        {
            *bytes += count;
            return;
        }
        self.reads += 1;
        self.push(Event::new(now, What::Discarded { bytes: count }));
    }

    fn catch_up(&mut self, now: Time) {
        if self.soon.as_ref().is_some_and(|(due, _)| *due <= now)
            && let Some((due, what)) = self.soon.take()
        {
            let at = due.max(self.last());
            self.exchange.events.push(Event::new(at, what).inferred());
        }
    }

    /// When the last event was.
    fn last(&self) -> Time {
        self.exchange.events.last().map_or(Time::ZERO, |event| event.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameHead, Opcode, handshake};

    /// What the record of a server takes that sends a frame again and again, in bytes, until the
    /// client has enough; and how many bytes it got by then.
    fn taken(opcode: Opcode, payload: &[u8], at_once: usize) -> (usize, u64) {
        let record = Record::begin(Exchange::new(false));
        record.got(handshake::switching_protocols(handshake::ACCEPT).as_bytes());
        let mut frame = Vec::new();
        FrameHead::server(opcode).encode(payload, &mut frame);
        let bytes = frame.repeat(2 + at_once / frame.len());
        let mut at = 0;
        while !record.got(&bytes[at..at + at_once]) {
            at = (at + at_once) % frame.len();
        }
        let state = record.state();
        let Exchange { events, .. } = &state.exchange;
        let taken = state.exchange.bytes(ConnectionId::FIRST).to_actor.capacity()
            + events.capacity() * size_of::<Event>()
            + state.gaps.capacity() * size_of::<Gap>();
        (taken, state.got)
    }

    #[test]
    fn a_flood_of_messages_takes_little_and_is_read_as_far_as_ever() {
        let floods = [(0, 20), (10, 16 << 10), (1000, 16 << 10), (90_000, 16 << 10)];
        for (size, at_once) in floods {
            let (taken, got) = taken(Opcode::TEXT, &vec![b'x'; size], at_once);
            assert!(taken < 2 * MOST && got > ENOUGH, "{size}: {taken} of {got}");
        }
        // Where no read has a whole message, each leaves its header behind.
        let (taken, got) = taken(Opcode::TEXT, &[b'x'; 1000], 1000);
        assert!(taken < 2 * MOST && got > 1 << 20, "{taken} of {got}");
    }

    #[test]
    fn a_flood_of_what_has_to_be_kept_is_read_until_that_is_too_much() {
        for opcode in [Opcode::PING, Opcode::CLOSE, Opcode::CONTINUATION] {
            let (taken, got) = taken(opcode, b"", 16 << 10);
            assert!(taken < 2 * MOST && got > MOST as u64 / 2 && got < ENOUGH, "{taken} of {got}");
        }
    }

    #[test]
    fn bytes_that_come_soon_one_after_another_are_discarded_in_one_event_and_others_are_not() {
        let record = Record::begin(Exchange::new(false));
        let mut state = record.state();
        for millis in [1000, 1001, 1010, 1020] {
            state.discard(3, Time::from(Duration::from_millis(millis)));
        }
        state.keep(b"x", Time::from(Duration::from_millis(1021)));
        state.discard(4, Time::from(Duration::from_millis(1022)));
        let discarded = |event: &Event| match event.what {
            What::Discarded { bytes } => bytes,
            _ => 0,
        };
        let events: Vec<u64> = state.exchange.events.iter().map(discarded).collect();
        assert_eq!(events, [9, 3, 0, 4]);
        assert_eq!(state.gaps, [Gap { at: 0, bytes: 12 }, Gap { at: 1, bytes: 4 }]);
    }
}
