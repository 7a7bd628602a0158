//! `reference-client`: a client that closes well, written to be read.
//!
//! `session` is the protocol as a plain state machine, that is given bytes, the time and the
//! application's commands and says what to send; this file moves the bytes. It does for a server
//! that never answers what [`reference`](super::reference) does for a client that never does:
//!
//! 1. **One deadline for the opening**, around the request and the whole answer.
//! 2. **One deadline for the closing, set once**, around the write of the Close too.
//! 3. **The server closes TCP first**, and has until that deadline; then the socket is dropped.
//! 4. **The application is told, once**, however the connection ended, and its close returns.
//!
//! [`faults`] are the same client as real ones get it wrong.

pub mod faults;
mod random;
mod session;

use super::{AppSteps, Application, Connection, Role, Serving, Target};
use crate::bounds::Bounds;
use crate::exchange::Note;
use faults::ClientFault;
use session::Session;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// From the connection to an answer that opens the WebSocket.
pub const CONNECT: Duration = Duration::from_secs(5);
/// From whatever begins the closing to the drop of the transport.
pub const CLOSE: Duration = Duration::from_secs(5);
/// From the last complete frame to the connection's end, the closing included.
pub const IDLE: Duration = Duration::from_secs(30);
/// The most bytes that may wait to be sent: a server that leaves more unread is given up.
pub const QUEUE: usize = 256 << 10;

/// The bounds of the client.
pub const BOUNDS: Bounds = Bounds {
    close: CLOSE,
    release: Duration::from_secs(1),
    handshake: Some(CONNECT),
    idle: Some(IDLE),
    memory: Some(1 << 20),
    shutdown: None,
};

/// The targets `reference-client` and `reference-client/...`.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceClient {
    /// What it gets wrong on purpose; `None` for the honest client.
    fault: Option<ClientFault>,
}

impl ReferenceClient {
    /// The client without a fault.
    pub const HONEST: Self = Self { fault: None };

    /// A client with a planted fault.
    pub const fn with(fault: ClientFault) -> Self {
        Self { fault: Some(fault) }
    }
}

impl Target for ReferenceClient {
    fn name(&self) -> &str {
        self.fault.map_or("reference-client", ClientFault::target)
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &str {
        let honest = "a correct client with all its bounds: the example of closing well";
        self.fault.map_or(honest, ClientFault::about)
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    fn obeys(&self) -> AppSteps {
        AppSteps::ALL
    }

    fn role(&self) -> Role {
        Role::Client
    }

    fn is_planted(&self) -> bool {
        self.fault.is_some()
    }

    fn serve(&self, connection: Connection) -> Serving {
        Box::pin(connect(connection, self.fault))
    }
}

/// Connects, and uses the connection to its end. Returning drops it.
async fn connect(mut io: Connection, fault: Option<ClientFault>) {
    let application = io.application();
    application.note(Note::Reports);
    let mut session = Session::new(Instant::now(), application.clone(), fault);
    // An error of the transport is an end as any other.
    let _ = converse(&mut io, &application, &mut session).await;
    drop(io);
    if !session.was_open {
        application.note(Note::Refused);
    }
    for _ in 0..session.reports_of_the_end() {
        application.note(Note::ToldOfEnd { code: Some(session.close_code()) });
    }
    if session.was_told_to_close {
        if fault == Some(ClientFault::CloseHangs) {
            pending::<()>().await;
        }
        application.note(Note::CloseReturned { code: Some(session.close_code()) });
    }
}

/// Moves bytes, time and commands until nothing is left to say or to wait for.
///
/// # Errors
///
/// The transport's: the server reset the connection.
async fn converse(
    io: &mut Connection,
    application: &Application,
    session: &mut Session,
) -> io::Result<()> {
    let mut timer = pin!(sleep_until(session.deadline));
    let mut buffer = [0; 1024];
    while !session.is_over() {
        if timer.deadline() != session.deadline {
            timer.as_mut().reset(session.deadline);
        }
        let obeys = session.obeys();
        let moved = poll_fn(|cx| poll_move(Pin::new(&mut *io), cx, session, &mut buffer));
        tokio::select! {
            biased;
            () = &mut timer => session.deadline_passed(Instant::now()),
            moved = moved => moved?,
            command = application.command(), if obeys => {
                session.commanded(command, Instant::now());
            }
        }
    }
    Ok(())
}

/// Moves what can be moved, either way; ready when the session has news.
fn poll_move(
    mut io: Pin<&mut Connection>,
    cx: &mut Context<'_>,
    session: &mut Session,
    buffer: &mut [u8],
) -> Poll<io::Result<()>> {
    while let Some(bytes) = session.to_send() {
        match io.as_mut().poll_write(cx, bytes)? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(count) => session.wrote(count),
            Poll::Pending => break,
        }
    }
    if session.to_send().is_none() {
        let flushed = io.as_mut().poll_flush(cx)?.is_ready();
        if flushed && session.wants_fin() && io.as_mut().poll_shutdown(cx)?.is_ready() {
            session.fin_sent = true;
        }
        if session.is_over() {
            return Poll::Ready(Ok(()));
        }
    }
    if session.fin_received {
        return Poll::Pending;
    }
    let mut read = ReadBuf::new(buffer);
    match io.poll_read(cx, &mut read)? {
        Poll::Ready(()) => {
            session.received(read.filled(), Instant::now());
            Poll::Ready(Ok(()))
        }
        Poll::Pending => Poll::Pending,
    }
}
