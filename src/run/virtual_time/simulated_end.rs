//! The actor's end in virtual time: the link, and the commands to the server's application.

use super::idle_detector::IdleDetector;
use super::whole::ServerEnd;
use crate::actor::{ActorEnd, Gap, Read};
use crate::bounds::Bounds;
use crate::exchange::{Note, What};
use crate::heap;
use crate::judge::OverdueCheck;
use crate::script::{Command, Setting, Size};
use crate::target::{AppSteps, ApplicationControl, Connection, Target};
use crate::transport::memory::{ActorRead, Link};
use crate::wire::Role;
use crate::wire::handshake::REQUEST;
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Handle, RuntimeMetrics};

/// Commands to the server's application, until it takes them.
pub(super) struct CommandQueue {
    link: Link,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    waker: Option<Waker>,
    kept: Vec<Box<dyn Any + Send>>,
}

impl CommandQueue {
    /// An empty one; what its application notes is recorded on `link`.
    pub fn new(link: &Link) -> Self {
        Self { link: link.clone(), waiting: Mutex::default() }
    }

    /// Another command.
    pub fn push(&self, command: Command) {
        let mut waiting = self.waiting();
        waiting.commands.push_back(command);
        waiting.waker.take().into_iter().for_each(heap::wake);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is commanded any more: lets go of whoever waits for that.
    pub fn forget_waker(&self) {
        let waker = self.waiting().waker.take();
        drop(waker);
    }

    /// Lets go of what the application kept, and says whether that was anything: a handle may hold
    /// the queue itself.
    pub fn clear(&self) -> bool {
        let kept = std::mem::take(&mut self.waiting().kept);
        !kept.is_empty()
    }
}

impl ApplicationControl for CommandQueue {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        self.link.notice_thread();
        let mut waiting = self.waiting();
        if let Some(command) = waiting.commands.pop_front() {
            return Poll::Ready(command);
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, note: Note) {
        self.link.record(What::Noted(note));
    }

    fn keep(&self, thing: Box<dyn Any + Send>) {
        self.waiting().kept.push(thing);
    }
}

/// The actor's end of one connection, and the way to the server's application.
pub(super) struct SimulatedEnd {
    link: Link,
    idle: Arc<IdleDetector>,
    obeys: AppSteps,
    role: Role,
    /// The opening request; `None` for the usual one.
    request: Option<Arc<str>>,
    /// The ask for idleness that counts; `None` until it was needed.
    asked: Option<u32>,
    metrics: RuntimeMetrics,
    overdue: OverdueCheck,
    pub commands: Arc<CommandQueue>,
    /// Where one server serves all connections: the way to that.
    server_end: Option<Arc<ServerEnd>>,
    /// Whether it has come in by that.
    connected: bool,
}

impl SimulatedEnd {
    pub fn new(
        link: &Link,
        idle: &Arc<IdleDetector>,
        target: &Arc<dyn Target>,
        bounds: &Bounds,
        server_end: Option<Arc<ServerEnd>>,
    ) -> Self {
        let commands = Arc::new(CommandQueue::new(link));
        Self {
            link: link.clone(),
            idle: Arc::clone(idle),
            asked: None,
            metrics: Handle::current().metrics(),
            obeys: target.obeys(),
            role: target.role().other(),
            request: target.opening().unusual_request(),
            overdue: OverdueCheck::new(bounds),
            commands,
            server_end,
            connected: false,
        }
    }
}

impl ActorEnd for SimulatedEnd {
    fn role(&self) -> Role {
        self.role
    }

    fn request(&self) -> &str {
        self.request.as_deref().unwrap_or(REQUEST)
    }

    fn connect(&mut self) {
        if let Some(server_end) = &self.server_end {
            let commands = Arc::clone(&self.commands) as _;
            let connection = Connection::in_memory(self.link.subject_end(), commands);
            server_end.offer(usize::from(self.link.connection().0), connection);
            self.connected = true;
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        self.link.poll_actor_read(cx).map(|read| match read {
            ActorRead::Bytes => Read::Bytes,
            ActorRead::End => Read::End,
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link.poll_actor_write(cx, bytes)
    }

    fn ask_settled(&mut self) {
        self.asked = None;
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A park costs as much as a short step, and there is nothing to wait for.
        if self.idle.is_idle(&self.metrics) {
            return Poll::Ready(());
        }
        let asked = *self.asked.get_or_insert_with(|| self.idle.ask());
        self.idle.poll_answered(asked, cx)
    }

    fn is_over(&self) -> bool {
        self.link.is_over()
    }

    fn is_late(&mut self) -> bool {
        // Nothing is owed to a client that has not come yet.
        if self.server_end.is_some() && !self.connected {
            return false;
        }
        let Self { link, overdue, .. } = self;
        overdue.is_overdue(link.now(), link.connection(), |read| link.with_exchange(read))
    }

    fn received(&mut self, look: &mut dyn FnMut(&[u8], &[Gap])) {
        self.link.with_received(|bytes| look(bytes, &[]));
    }

    fn tell(&mut self, command: &Command) {
        if !self.obeys.contain(AppSteps::of(command)) {
            return;
        }
        if self.server_end.as_ref().is_some_and(|server_end| server_end.tell(command)) {
            return;
        }
        self.link.actor_acted();
        self.commands.push(command.clone());
    }

    fn fin(&mut self) {
        self.link.actor_fin();
    }

    fn reset(&mut self) {
        self.link.actor_reset();
    }

    fn drop_socket(&mut self) {
        self.link.actor_drop();
    }

    fn cut(&mut self) {
        self.link.cut();
    }

    fn set(&mut self, setting: Setting, size: Size) {
        self.link.set(setting, size);
    }

    fn reading(&mut self, reads: bool) {
        self.link.record(if reads { What::ResumedReading } else { What::StoppedReading });
    }
}
