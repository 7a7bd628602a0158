//! The connection that a target serves: a byte stream, and the handle of its application.
//!
//! It knows neither scripts nor frames.

use crate::exchange::Note;
use crate::heap;
use crate::script::Command;
use crate::transport::memory::SubjectEnd;
use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Commands a server's application, and takes its notes.
pub trait ApplicationControl: Send + Sync {
    /// The next command; pending, perhaps for ever, while there is none.
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command>;

    /// The application noted something.
    fn note(&self, note: Note);

    /// Keeps `handle` alive beyond the connection, until the play ends. Default:
    /// keeps nothing.
    fn keep(&self, handle: Box<dyn Any + Send>) {
        drop(handle);
    }
}

/// Commands nothing and ignores all notes.
struct NoControl;

impl ApplicationControl for NoControl {
    fn poll_command(&self, _: &mut Context<'_>) -> Poll<Command> {
        Poll::Pending
    }

    fn note(&self, _: Note) {}
}

trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

enum Transport {
    Memory(SubjectEnd),
    Other(Box<dyn ByteStream>),
}

/// One accepted connection: `AsyncRead + AsyncWrite`, before the opening handshake.
///
/// Hand it to a library as it is. A server whose application obeys commands
/// takes [`application`](Self::application) first.
pub struct Connection {
    transport: Transport,
    application: Application,
    /// Who waits for the drop: behind the transport, so that this is gone when they hear of it.
    waiting: Vec<oneshot::Sender<()>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// A connection over the in-memory TCP.
    pub(crate) fn in_memory(end: SubjectEnd, control: Arc<dyn ApplicationControl>) -> Self {
        Self {
            transport: Transport::Memory(end),
            application: Application(control),
            waiting: Vec::new(),
        }
    }

    /// A connection over any stream, a `TcpStream` say, whose application gets no commands.
    pub fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::controlled(io, Arc::new(NoControl))
    }

    /// A connection over any stream, whose application `control` commands.
    pub fn controlled(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        control: Arc<dyn ApplicationControl>,
    ) -> Self {
        Self {
            transport: Transport::Other(Box::new(io)),
            application: Application(control),
            waiting: Vec::new(),
        }
    }

    /// This connection, with `wrap` around its stream.
    pub(crate) fn wrapped<T>(self, wrap: impl FnOnce(Self) -> T) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let application = self.application();
        Self { transport: Transport::Other(Box::new(wrap(self))), application, waiting: Vec::new() }
    }

    /// The handle through which the application gets commands.
    pub fn application(&self) -> Application {
        self.application.clone()
    }

    /// Waits until this connection has been dropped; take it before the connection is given away.
    /// For a server that goes on accepting when its only connection is over, and would be
    /// called one that leaves a task behind.
    ///
    /// ```
    /// # use hangup::Connection;
    /// # async fn serve_for_ever(connection: Connection) { drop(connection); std::future::pending().await }
    /// async fn my_server(mut connection: Connection) {
    ///     let dropped = connection.dropped();
    ///     tokio::select! {
    ///         () = serve_for_ever(connection) => {}
    ///         () = dropped => {}
    ///     }
    /// }
    ///
    /// hangup::suite(my_server).scripts(1);
    /// ```
    pub fn dropped(&mut self) -> impl Future<Output = ()> + Send + use<> {
        // What it takes is not the target's.
        let _ours = heap::pause();
        let (sender, gone) = oneshot::channel();
        self.waiting.push(sender);
        async move {
            // Nothing is ever sent.
            let _ = gone.await;
        }
    }
}

/// The handle of a server's application; clones share it.
#[derive(Clone)]
pub struct Application(Arc<dyn ApplicationControl>);

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Application")
    }
}

impl Application {
    /// The one that `control` commands.
    pub(crate) fn of(control: Arc<dyn ApplicationControl>) -> Self {
        Self(control)
    }

    /// Whoever commands it.
    pub(crate) fn control(&self) -> &Arc<dyn ApplicationControl> {
        &self.0
    }

    /// Waits for the next command, as a real application waits for a shutdown
    /// signal or a broadcast: beside its reads. Safe to cancel. Taking a command
    /// to close or to return is noted in the exchange: from then on the end is owed. So is
    /// taking one to send a message: that is to reach the client before the Close.
    pub async fn command(&self) -> Command {
        let command = std::future::poll_fn(|cx| self.0.poll_command(cx)).await;
        // What the note takes is not the target's.
        let _ours = heap::pause();
        match &command {
            Command::Close(..) => self.note(Note::BeganToClose),
            Command::Return => self.note(Note::BeganToReturn),
            Command::SendText(content) => self.note(Note::sends(true, content.text().as_bytes())),
            Command::SendBinary(content) => self.note(Note::sends(false, &content.bytes())),
            Command::Ping(_) | Command::Keep | Command::Shutdown | Command::Broadcast(_) => {}
        }
        command
    }

    /// Notes that the application is given this message, whole: what the client had sent
    /// before its Close is then known to have come in order, once, and not cut. One that
    /// cannot show the content notes its length, with [`Note::Received`].
    pub fn received(&self, message: &[u8]) {
        let _ours = heap::pause();
        self.note(Note::received(message));
    }

    /// Notes something in the exchange: that the application began to close of its
    /// own will, received a message, or learned of the end. One that reports the
    /// last two says so first, with [`Note::Reports`].
    pub fn note(&self, note: Note) {
        self.0.note(note);
    }

    /// What [`Command::Keep`] asks for: `handle`, of the session, is kept beyond the
    /// connection's end, as a registry of sessions keeps it that nobody cleans up. One
    /// that holds the transport keeps it open.
    pub fn keep(&self, handle: impl Any + Send) {
        self.0.keep(Box::new(handle));
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Memory(io) => Pin::new(io).poll_read(cx, buf),
            Transport::Other(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Memory(io) => Pin::new(io).poll_write(cx, bytes),
            Transport::Other(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Memory(io) => Pin::new(io).poll_flush(cx),
            Transport::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Memory(io) => Pin::new(io).poll_shutdown(cx),
            Transport::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
