//! The actor's end of a real socket: what it does and gets is recorded.

use super::record::Record;
use crate::actor::{ActorEnd, Gap, Read};
use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Event, Note, What};
use crate::judge::OverdueCheck;
use crate::script::{Command, Setting, Size};
use crate::transport::tcp::ActorSocket;
use crate::wire::Role;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

/// The actor's end of one connection.
pub(super) struct TcpEnd {
    role: Role,
    socket: ActorSocket,
    record: Record,
    request: String,
    /// How long the server is given to deal with what it was sent.
    settle: Duration,
    settled: Pin<Box<Sleep>>,
    /// After how long an application that closes on open has surely begun to.
    begins: Duration,
    overdue: OverdueCheck,
    /// Who is told where the script says `app shutdown`.
    shutdown: Option<Arc<Notify>>,
    /// How long after a deadline the client still acts.
    slack: Duration,
    reads: bool,
    cut: bool,
    ended: bool,
    buffer: Box<[u8]>,
}

impl TcpEnd {
    pub fn new(
        role: Role,
        socket: ActorSocket,
        record: Record,
        request: String,
        settle: Duration,
        begins: Duration,
        (bounds, slack): (&Bounds, Duration),
    ) -> Self {
        Self {
            role,
            socket,
            record,
            request,
            settle,
            settled: Box::pin(sleep(Duration::ZERO)),
            begins,
            overdue: OverdueCheck::new(bounds),
            shutdown: None,
            slack,
            reads: true,
            cut: false,
            ended: false,
            buffer: vec![0; 16 << 10].into(),
        }
    }

    /// `app shutdown` tells `wish`.
    pub fn on_shutdown(&mut self, wish: Arc<Notify>) {
        self.shutdown = Some(wish);
    }

    /// What a read came to; true where there may be more.
    fn took(&mut self, read: &io::Result<usize>) -> bool {
        match read {
            Ok(0) => self.end(What::ReadEnd),
            Err(_) => self.end(What::ReadReset),
            Ok(count) => {
                if self.record.got(&self.buffer[..*count]) && self.reads {
                    self.reads = false;
                    self.record.push(What::StoppedReading);
                }
                return self.reads;
            }
        }
        false
    }

    fn end(&mut self, what: What) {
        if !self.ended {
            self.ended = true;
            self.record.push_at_actor(what);
        }
    }

    /// Takes what has come, so that what came before a send is recorded before it.
    fn take_what_came(&mut self) {
        while self.reads && !self.ended {
            let Some(read) = self.socket.read_now(&mut self.buffer) else { return };
            if !self.took(&read) {
                return;
            }
        }
    }

    fn has_sent_fin(&self) -> bool {
        let is_fin = |event: &Event| event.what == What::FinArrived;
        self.record.look(|exchange| exchange.events.iter().any(is_fin))
    }

    /// The client sees nothing more of the connection.
    fn leave(&mut self) {
        self.ended = true;
        self.record.actor_is_done();
    }
}

impl ActorEnd for TcpEnd {
    fn role(&self) -> Role {
        self.role
    }

    fn request(&self) -> &str {
        &self.request
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        if self.ended {
            return Poll::Ready(Read::End);
        }
        if self.cut || !self.reads {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        let read = ready!(self.socket.poll_read(cx, &mut buffer));
        let read = read.map(|()| buffer.filled().len());
        self.took(&read);
        Poll::Ready(if self.ended { Read::End } else { Read::Bytes })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.take_what_came();
        let written = ready!(self.socket.poll_write(cx, bytes));
        match &written {
            Ok(count) => self.record.sent(&bytes[..*count]),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            // Behind its own FIN a client cannot send: that is no act of the server's.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.has_sent_fin() => {}
            Err(_) => self.end(What::ReadReset),
        }
        Poll::Ready(written)
    }

    fn ask_settled(&mut self) {
        let due = Instant::now() + self.settle;
        self.settled.as_mut().reset(due);
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.settled.as_mut().poll(cx)
    }

    fn is_over(&self) -> bool {
        self.record.is_over()
    }

    /// By the client's clock, and with the slack: a server that begins its time anew with all that
    /// comes is late only if the client goes on for longer than the slack.
    fn is_late(&mut self) -> bool {
        let Self { record, overdue, slack, .. } = self;
        let Some(now) = record.now().since_accept().checked_sub(*slack) else { return false };
        overdue.is_overdue(now.into(), ConnectionId::FIRST, |read| record.look(read))
    }

    fn received(&mut self, look: &mut dyn FnMut(&[u8], &[Gap])) {
        self.record.received(look);
    }

    /// Nobody can be told over TCP: the URL, or the command, says what the application does, and is
    /// taken at its word. A process can be told to shut down.
    fn tell(&mut self, command: &Command) {
        if let Some(wish) = self.shutdown.as_ref().filter(|_| *command == Command::Shutdown) {
            wish.notify_one();
        }
        if matches!(command, Command::Close(..)) {
            self.record.push_after(self.begins, What::Noted(Note::BeganToClose));
        }
    }

    fn fin(&mut self) {
        if !self.cut && !self.ended {
            self.socket.send_fin();
            self.record.push(What::FinArrived);
        }
    }

    fn reset(&mut self) {
        if !self.cut && !matches!(self.socket, ActorSocket::Closed) {
            self.socket.reset();
            self.record.push(What::ResetArrived);
            self.leave();
        }
    }

    fn drop_socket(&mut self) {
        if self.cut || matches!(self.socket, ActorSocket::Closed) {
            return;
        }
        if self.socket.close() {
            self.record.push(What::ResetArrived);
        } else {
            self.record.push(What::FinArrived);
            if !self.record.look(|exchange| exchange.sees_release) {
                self.record.push(What::StoppedReading);
            }
        }
        self.leave();
    }

    fn cut(&mut self) {
        if !self.cut {
            self.cut = true;
            self.record.push(What::Cut);
        }
    }

    /// Only the client's own window can be set from here.
    fn set(&mut self, setting: Setting, size: Size) {
        if setting == Setting::Window {
            self.socket.set_window(size.0);
        }
    }

    fn reading(&mut self, reads: bool) {
        if self.reads != reads {
            self.reads = reads;
            self.record.push(if reads { What::ResumedReading } else { What::StoppedReading });
        }
    }
}

impl Drop for TcpEnd {
    /// Neither end is left with anything to wait for.
    fn drop(&mut self) {
        self.socket.reset();
    }
}
