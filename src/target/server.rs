//! A whole server under test: the listener that it accepts from, and the signal to shut down.
//!
//! Neither knows scripts. Connections are put into a [`Listener`] by whoever plays; a server
//! drops it to stop listening, which refuses what waits.

use super::{Application, ApplicationControl, Connection, Serving};
use crate::exchange::Note;
use crate::heap;
use crate::script::Command;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A server with all its connections: what [`Target::whole`](super::Target::whole) gives.
///
/// Any function of a listener and a stop signal that returns a future is one.
pub trait WholeServer: Send + Sync {
    /// Accepts and serves connections until `stop` is ready, then shuts down: the end of the
    /// future is the end of the shutdown. Runs inside a tokio runtime without I/O whose clock is
    /// paused, as [`Target::serve`](super::Target::serve) does.
    fn run(&self, listener: Listener, stop: Stop) -> Serving;
}

impl<S, F> WholeServer for S
where
    S: Fn(Listener, Stop) -> F + Send + Sync,
    F: Future<Output: Send> + Send + 'static,
{
    fn run(&self, listener: Listener, stop: Stop) -> Serving {
        let serving = self(listener, stop);
        Box::pin(async move {
            serving.await;
        })
    }
}

/// A whole server with one connection alone, over any transport: it is never told to shut down, and
/// ends with its connection.
pub(crate) fn serve_alone(server: &dyn WholeServer, mut connection: Connection) -> Serving {
    let dropped = connection.dropped();
    let backlog = Backlog::new(Arc::new(Unwatched));
    let serving = server.run(backlog.listener(), Stop::new());
    backlog.offer(0, connection);
    Box::pin(async move {
        tokio::select! {
            () = serving => {}
            () = dropped => {}
        }
    })
}

/// Nobody is told anything, and commands nothing.
struct Unwatched;

impl ListenerControl for Unwatched {
    fn accepted(&self, _: usize) {}

    fn refused(&self, _: usize) {}

    fn stopped_listening(&self) {}

    fn application(&self) -> Arc<dyn ApplicationControl> {
        Arc::new(Self)
    }
}

impl ApplicationControl for Unwatched {
    fn poll_command(&self, _: &mut Context<'_>) -> Poll<Command> {
        Poll::Pending
    }

    fn note(&self, _: Note) {}
}

/// Who is told what a whole server does with its listener.
pub(crate) trait ListenerControl: Send + Sync {
    /// A connection was accepted, the one that was offered as the `number`-th.
    fn accepted(&self, number: usize);

    /// One that waited was refused, since nobody listens any more.
    fn refused(&self, number: usize);

    /// Nobody listens any more.
    fn stopped_listening(&self);

    /// Commands the server as a whole: it is told to broadcast.
    fn application(&self) -> Arc<dyn ApplicationControl>;
}

/// Where a whole server accepts its connections, in place of a `TcpListener`.
///
/// ```
/// # async fn serve(connection: hangup::Connection) {}
/// async fn my_server(listener: hangup::Listener, stop: hangup::Stop) {
///     loop {
///         tokio::select! {
///             connection = listener.accept() => drop(tokio::spawn(serve(connection))),
///             () = stop.clone() => return,
///         }
///     }
/// }
/// # hangup::server_suite(my_server).scripts(1);
/// ```
///
/// Dropping it stops the listening: connections that wait to be accepted are reset, and those
/// that come later are refused.
pub struct Listener {
    backlog: Arc<Backlog>,
    wrap: Option<Box<WrapConnection>>,
}

/// Puts something around a connection before the server gets it, by the connection's number.
type WrapConnection = dyn Fn(usize, Connection) -> Connection + Send + Sync;

/// The connections that wait to be accepted; shared by the listener and whoever offers them.
pub(crate) struct Backlog {
    queue: Mutex<Queue>,
    control: Arc<dyn ListenerControl>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(usize, Connection)>,
    /// Those who wait for a connection.
    wakers: Vec<Waker>,
    closed: bool,
}

impl Backlog {
    pub fn new(control: Arc<dyn ListenerControl>) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), control })
    }

    /// The server's end of it; to be called once.
    pub fn listener(self: &Arc<Self>) -> Listener {
        Listener { backlog: Arc::clone(self), wrap: None }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client connects, as the `number`-th: it waits, or is refused where nobody listens.
    pub fn offer(&self, number: usize, connection: Connection) {
        let _ours = heap::pause();
        let mut queue = self.queue();
        if queue.closed {
            drop(queue);
            // Told before the drop, which else would be an end by the server.
            self.control.refused(number);
            return;
        }
        queue.waiting.push_back((number, connection));
        let wakers = std::mem::take(&mut queue.wakers);
        drop(queue);
        wakers.into_iter().for_each(heap::wake);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Listener {
    /// Waits for the next connection. Safe to cancel; never fails. Several tasks may wait.
    pub fn accept(&self) -> impl Future<Output = Connection> + Send + '_ {
        poll_fn(|cx| self.poll_accept(cx))
    }

    /// As [`accept`](Self::accept), for a listener of a framework's that is polled.
    pub fn poll_accept(&self, cx: &Context<'_>) -> Poll<Connection> {
        let mut queue = self.backlog.queue();
        let Some((number, connection)) = queue.waiting.pop_front() else {
            let _ours = heap::pause();
            if !queue.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                queue.wakers.push(cx.waker().clone());
            }
            return Poll::Pending;
        };
        drop(queue);
        self.backlog.control.accepted(number);
        Poll::Ready(match &self.wrap {
            Some(wrap) => wrap(number, connection),
            None => connection,
        })
    }

    /// The same, with `wrap` around each connection that is accepted.
    pub(crate) fn wrapping(
        mut self,
        wrap: impl Fn(usize, Connection) -> Connection + Send + Sync + 'static,
    ) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// The handle of the server as a whole: [`command`](Application::command) gives the script's
    /// [`Command::Broadcast`]s, where the target
    /// [obeys](super::Target::obeys) them. That it is to shut down is [`Stop`]'s to say. Take it
    /// before the listener is given away.
    pub fn application(&self) -> Application {
        Application::of(self.backlog.control.application())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ours = heap::pause();
        let mut queue = self.backlog.queue();
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.backlog.control.stopped_listening();
        for (number, connection) in waiting {
            self.backlog.control.refused(number);
            drop(connection);
        }
    }
}

/// Ready once the server is to shut down, and ever after; clones share it. Each clone may be
/// awaited by a task of its own, before the signal or long after.
pub struct Stop {
    signal: Arc<Mutex<Signal>>,
    /// Tells the clones apart.
    key: u64,
}

#[derive(Default)]
struct Signal {
    told: bool,
    clones: u64,
    /// Of each clone that waits: who is gone keeps no task alive.
    wakers: BTreeMap<u64, Waker>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", self.is_told())
    }
}

impl Stop {
    /// One that nobody has told yet.
    pub(crate) fn new() -> Self {
        Self { signal: Arc::default(), key: 0 }
    }

    fn signal(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server is to shut down.
    pub fn is_told(&self) -> bool {
        self.signal().told
    }

    /// Tells it; true where it had not been told before.
    pub(crate) fn tell(&self) -> bool {
        let _ours = heap::pause();
        let mut signal = self.signal();
        let wakers = std::mem::take(&mut signal.wakers);
        let first = !std::mem::replace(&mut signal.told, true);
        drop(signal);
        wakers.into_values().for_each(heap::wake);
        first
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        let mut signal = self.signal();
        signal.clones += 1;
        Self { signal: Arc::clone(&self.signal), key: signal.clones }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let _ours = heap::pause();
        let waker = self.signal().wakers.remove(&self.key);
        // Outside of the lock: it may drop a task, and with it another clone.
        heap::let_go(waker);
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _ours = heap::pause();
        let mut signal = self.signal();
        if signal.told {
            return Poll::Ready(());
        }
        let before = signal.wakers.insert(self.key, cx.waker().clone());
        drop(signal);
        heap::let_go(before);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(stop: &mut Stop, counter: &Arc<Counter>) -> Poll<()> {
        let waker = Waker::from(Arc::clone(counter));
        Pin::new(stop).poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn every_clone_is_told_once_and_one_that_is_gone_keeps_nobody_alive() {
        let counter = Arc::new(Counter::default());
        let (mut one, mut two) = (Stop::new(), Stop::new());
        let (mut three, mut gone) = (one.clone(), one.clone());
        for stop in [&mut one, &mut two, &mut three, &mut gone] {
            assert_eq!(poll(stop, &counter), Poll::Pending);
        }
        let holders = Arc::strong_count(&counter);
        drop(gone);
        assert_eq!(Arc::strong_count(&counter), holders - 1);
        assert!(one.tell() && !three.tell());
        assert_eq!(counter.0.load(Ordering::Relaxed), 2);
        assert_eq!(poll(&mut three, &counter), Poll::Ready(()));
        assert_eq!(poll(&mut one.clone(), &counter), Poll::Ready(()));
        assert_eq!(poll(&mut two, &counter), Poll::Pending);
    }

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Seen {
        fn add(&self, what: String) {
            self.0.lock().expect("nobody panicked").push(what);
        }
    }

    impl ListenerControl for Seen {
        fn accepted(&self, number: usize) {
            self.add(format!("accepted {number}"));
        }

        fn refused(&self, number: usize) {
            self.add(format!("refused {number}"));
        }

        fn stopped_listening(&self) {
            self.add("stopped".to_owned());
        }

        fn application(&self) -> Arc<dyn ApplicationControl> {
            Arc::new(Unwatched)
        }
    }

    #[test]
    fn connections_are_accepted_in_their_order_and_those_that_wait_are_refused_at_the_end() {
        let seen = Arc::new(Seen::default());
        let backlog = Backlog::new(Arc::clone(&seen) as _);
        let listener = backlog.listener();
        let connection = || Connection::over(tokio::io::empty());
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let cx = Context::from_waker(&waker);
        assert!(listener.poll_accept(&cx).is_pending());
        backlog.offer(0, connection());
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        backlog.offer(1, connection());
        assert!(listener.poll_accept(&cx).is_ready());
        drop(listener);
        backlog.offer(2, connection());
        let seen = seen.0.lock().expect("nobody panicked").clone();
        assert_eq!(seen, ["accepted 0", "stopped", "refused 1", "refused 2"]);
    }
}
