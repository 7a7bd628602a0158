//! A whole server in play: the listener that it is given, its stop signal, and its function's task.

use super::simulated_end::CommandQueue;
use crate::bounds::Bounds;
use crate::exchange::{AfterDeadline, Time, What, fingerprint};
use crate::heap;
use crate::script::Command;
use crate::target::{ApplicationControl, Backlog, Connection, ListenerControl, Stop, Target};
use crate::transport::memory::Link;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::task::JoinHandle;

/// What all connections of a play share where one server serves them.
pub(super) struct ServerInPlay {
    pub task: JoinHandle<()>,
    pub server_end: Arc<ServerEnd>,
}

/// The server's end of the play: where connections come in, and how it is told things.
pub(super) struct ServerEnd {
    backlog: Arc<Backlog>,
    stop: Stop,
    watched: Arc<Watched>,
}

/// What is seen of the server's own function.
struct Watched {
    /// Of all connections, in their order; the server's own events stand on the first.
    links: Vec<Link>,
    commands: Arc<CommandQueue>,
    returned: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl ServerInPlay {
    /// Has the target's server run, over the connections of `links`; `None` where the target serves
    /// one connection at a time.
    pub fn begin(target: &Arc<dyn Target>, links: &[Link]) -> Option<Self> {
        target.whole()?;
        let watched = Arc::new(Watched {
            links: links.to_vec(),
            commands: Arc::new(CommandQueue::new(&links[0])),
            returned: AtomicBool::new(false),
            waiting: Mutex::default(),
        });
        let backlog = Backlog::new(Arc::clone(&watched) as _);
        let stop = Stop::new();
        let (listener, told) = (backlog.listener(), stop.clone());
        let (target, seen) = (Arc::clone(target), Arc::clone(&watched));
        let task = tokio::spawn(async move {
            let Some(server) = target.whole() else { return };
            let serving = server.run(listener, told);
            serving.await;
            seen.has_returned();
        });
        Some(Self { task, server_end: Arc::new(ServerEnd { backlog, stop, watched }) })
    }
}

impl Watched {
    fn has_returned(&self) {
        let _ours = heap::pause();
        self.links[0].record(What::ServerReturned);
        self.returned.store(true, Ordering::Relaxed);
        let waker = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl ListenerControl for Watched {
    fn accepted(&self, number: usize) {
        self.links[number].record(What::Accepted);
    }

    fn refused(&self, number: usize) {
        self.links[number].refuse();
    }

    fn stopped_listening(&self) {
        self.links[0].record(What::StoppedListening);
    }

    fn application(&self) -> Arc<dyn ApplicationControl> {
        Arc::clone(&self.commands) as _
    }
}

impl ServerEnd {
    /// A client connects, on the connection of this number.
    pub fn offer(&self, number: usize, connection: Connection) {
        self.watched.links[number].record(What::Offered);
        self.backlog.offer(number, connection);
    }

    /// Tells the server as a whole; false where the command is one connection's.
    pub fn tell(&self, command: &Command) -> bool {
        let link = &self.watched.links[0];
        match command {
            Command::Shutdown => {
                if !self.stop.is_told() {
                    link.record(What::ToldToShutDown);
                    self.stop.tell();
                }
            }
            Command::Broadcast(content) => {
                let text = content.text();
                let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
                let fingerprint = fingerprint(text.as_bytes());
                link.record(What::ToldToBroadcast { bytes, fingerprint });
                self.watched.commands.push(command.clone());
            }
            _ => return false,
        }
        self.watched.links.iter().for_each(Link::actor_acted);
        true
    }

    /// Whether the server has been told to shut down, and has not.
    pub fn owes_shutdown(&self) -> bool {
        self.stop.is_told() && !self.has_returned()
    }

    pub fn has_returned(&self) -> bool {
        self.watched.returned.load(Ordering::Relaxed)
    }

    /// By when the server is to have shut down that was told to, and has not.
    pub fn due(&self, bounds: &Bounds) -> Option<Time> {
        let told = || {
            self.watched.links[0].with_exchange(|exchange| {
                let told = |event: &&crate::exchange::Event| event.what == What::ToldToShutDown;
                exchange.events.iter().find(told).map(|event| event.at)
            })
        };
        self.owes_shutdown().then(told).flatten().map(|told| told.after(bounds.shutdown()))
    }

    /// Ready once it owes no shutdown.
    pub fn poll_shut_down(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.owes_shutdown() {
            return Poll::Ready(());
        }
        *self.watched.waiting.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(cx.waker().clone());
        Poll::Pending
    }

    /// What became of a server that owes its shutdown.
    pub fn conclude(&self, became: AfterDeadline) {
        if self.owes_shutdown() {
            self.watched.links[0].record_at_last(What::ServerBecame(became));
        }
    }

    /// Lets go of what the play kept.
    pub fn clear(&self) {
        self.watched.commands.clear();
    }
}
