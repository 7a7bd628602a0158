//! The record of one connection in real time: an exchange that several hands write.
//!
//! The actor's end writes what it sends and gets, the kernel's socket table what it
//! shows of the server's end. Whoever watches is told of every change.

use crate::exchange::{ConnectionId, Event, Exchange, Time, What};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

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
        let state = State { exchange, soon: None, actor_done: false, blind: false, dropped: false };
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

    /// The client got bytes; how many it has by now.
    pub fn got(&self, bytes: &[u8]) -> usize {
        let total = {
            let mut state = self.state();
            state.exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend_from_slice(bytes);
            state.exchange.bytes(ConnectionId::FIRST).to_actor.len()
        };
        self.push_at_actor(What::Read { bytes: bytes.len() as u32 });
        total
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
