//! The sessions of a whole server: a task each, and a queue of orders into each.

use super::super::habits::Habits;
use super::super::session::Session;
use crate::exchange::Note;
use crate::script::Command;
use crate::target::{Application, ApplicationControl, Connection};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many orders may wait for one session. A session takes them as they come, unless it is
/// closing: then there is nothing more to order.
const ORDERS: usize = 64;

/// As long as a client may be idle.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The queue into each session, by its number.
pub(super) type Orders = BTreeMap<u64, mpsc::Sender<Command>>;

/// The list of the sessions; clones share it.
#[derive(Clone, Default)]
pub(super) struct List(Arc<Mutex<Listed>>);

#[derive(Default)]
struct Listed {
    orders: Orders,
    begun: u64,
}

impl List {
    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session, for as long as the entry lives.
    pub fn enter(&self) -> (Entry, mpsc::Receiver<Command>) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let mut listed = self.listed();
        listed.begun += 1;
        let number = listed.begun;
        listed.orders.insert(number, sender);
        (Entry { list: self.clone(), number }, orders)
    }

    /// Tells every session to do this, and waits for none. One whose queue is full is closing.
    pub fn order_all(&self, command: &Command) {
        self.with(|all| {
            for orders in all.values() {
                let _ = orders.try_send(command.clone());
            }
        });
    }

    /// Looks at the queues, and may change them.
    pub fn with<T>(&self, look: impl FnOnce(&mut Orders) -> T) -> T {
        look(&mut self.listed().orders)
    }
}

/// All sessions. Dropping it drops their connections.
pub(super) struct Sessions {
    pub tasks: JoinSet<()>,
    /// A session takes itself out of it.
    pub list: List,
}

impl Sessions {
    pub fn new() -> Self {
        Self { tasks: JoinSet::new(), list: List::default() }
    }

    /// Serves a connection in a task of its own.
    pub fn begin(&mut self, connection: Connection) {
        self.begin_with(connection, &Patient);
    }

    /// The same by these habits.
    pub fn begin_with(&mut self, connection: Connection, habits: &'static dyn Habits) {
        let (entry, orders) = self.list.enter();
        self.tasks.spawn(async move {
            let _entry = entry;
            serve(connection, orders, habits).await;
        });
    }

    /// Tells every session to do this, as [`List::order_all`].
    pub fn order_all(&self, command: &Command) {
        self.list.order_all(command);
    }

    /// Ready when a session has ended; never while there is none.
    pub async fn one_ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until every session has ended.
    pub async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A session's place in the list. It leaves when this is dropped, however the session ended.
pub(super) struct Entry {
    list: List,
    pub number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.list.with(|all| all.remove(&self.number));
    }
}

/// Serves one connection, whose application obeys the server's orders beside its own commands.
pub(super) async fn serve(
    connection: Connection,
    orders: mpsc::Receiver<Command>,
    habits: &dyn Habits,
) {
    serve_by(connection, orders, |connection| super::super::serve(connection, habits)).await;
}

/// The same, as `serve` does.
pub(super) async fn serve_by<F: Future<Output = ()>>(
    connection: Connection,
    orders: mpsc::Receiver<Command>,
    serve: impl FnOnce(Connection) -> F,
) {
    let ordered = Ordered { own: connection.application(), orders: Mutex::new(orders) };
    serve(Connection::controlled(connection, Arc::new(ordered))).await;
}

/// The application of one connection, with the server above it.
struct Ordered {
    own: Application,
    orders: Mutex<mpsc::Receiver<Command>>,
}

impl ApplicationControl for Ordered {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Poll::Ready(Some(order)) = orders.poll_recv(cx) {
            return Poll::Ready(order);
        }
        self.own.control().poll_command(cx)
    }

    fn note(&self, note: Note) {
        self.own.note(note);
    }

    fn keep(&self, handle: Box<dyn Any + Send>) {
        self.own.control().keep(handle);
    }
}

/// The habits of a session whose client may be idle for as long as it likes.
#[derive(Debug)]
pub(super) struct Patient;

impl Habits for Patient {
    fn gives_up_waiting(&self, session: &mut Session, now: Instant) {
        session.deadline = now + FOR_EVER;
    }
}
