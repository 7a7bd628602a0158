//! `reference`: a server that closes well, written to be read.
//!
//! `session` is the protocol as a plain state machine, that is given bytes, the time and
//! the application's commands and says what to send; this file moves the bytes.
//! `habits` are what it takes to close within a bound against every client, one
//! method each; [`faults`] are the same habits as real servers get them wrong. Four of
//! them matter most:
//!
//! 1. **One deadline, set once.** Whatever begins the closing sets it; nothing the
//!    client does or sends afterwards moves it, and it covers the writes too.
//! 2. **Always reading.** It reads while it writes, so that a Close is never stuck
//!    behind a client that does not read. What it queues is bounded instead.
//! 3. **FIN, then wait, then drop.** After both Closes it shuts its side down and
//!    reads on until the client's FIN, so that no reset eats its last frame; the
//!    same deadline bounds that as well.
//! 4. **Every end is an end.** A read of 0, an error, the deadline: each leads out
//!    of the loop, and leaving the loop drops the transport.
//!
//! Two other styles do the same as people write it more often: [`split`] with a task for
//! each direction, [`cancelling`] with awaited sends that a time-out cancels.

pub mod cancelling;
mod composed;
pub mod faults;
mod habits;
mod inbox;
pub mod server;
mod session;
pub mod split;

pub use composed::CannotCompose;
pub(super) use composed::parts;

use super::{AppSteps, Application, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::exchange::Note;
use faults::PlantedFault;
use habits::{ComposedHabits, CorrectHabits, Habits};
use session::Session;
use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// From whatever begins the closing to the drop of the transport.
pub const CLOSE: Duration = Duration::from_secs(5);
/// From accept to a complete request.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// From the last complete frame to the connection's end, the closing included.
pub const IDLE: Duration = Duration::from_secs(30);
/// The most bytes that may wait to be sent: a client that leaves more unread is dropped.
pub const QUEUE: usize = 256 << 10;
/// The most heap that one connection holds: the queue, which grows by doubling, and a
/// message on its way into it.
pub const MEMORY: u64 = 1 << 20;

/// The bounds of all styles.
pub const BOUNDS: Bounds = Bounds {
    close: CLOSE,
    release: Duration::from_secs(1),
    handshake: Some(HANDSHAKE),
    idle: Some(IDLE),
    memory: Some(MEMORY),
    shutdown: None,
};

/// How an application is written around the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One loop reads, writes, keeps the time and obeys: `reference`.
    OneLoop,
    /// A task reads, a task writes, a third one keeps the time.
    SplitTasks,
    /// One task that awaits its sends, and cancels them when their time is over.
    CancelledSends,
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneLoop => "one loop",
            Self::SplitTasks => "split tasks",
            Self::CancelledSends => "cancelled sends",
        })
    }
}

/// The targets `reference` and `reference/...`: a style, honest or with planted faults.
#[derive(Clone, Debug)]
pub struct Reference {
    style: Style,
    /// What it gets wrong on purpose; none for the honest server.
    faults: Vec<PlantedFault>,
    name: Cow<'static, str>,
    about: Cow<'static, str>,
}

impl Reference {
    /// The server without a fault.
    pub const HONEST: Self = Self::honest(Style::OneLoop);

    /// A style without a fault.
    pub const fn honest(style: Style) -> Self {
        let (name, about) = match style {
            Style::OneLoop => {
                ("reference", "a correct server with all its bounds: the example of closing well")
            }
            Style::SplitTasks => (
                "reference/split-tasks",
                "the same server as `reference`, with one task per \
                     direction",
            ),
            Style::CancelledSends => (
                "reference/cancelled-sends",
                "the same server as `reference`, with a time-out \
                     that cancels sends",
            ),
        };
        let (name, about) = (Cow::Borrowed(name), Cow::Borrowed(about));
        Self { style, faults: Vec::new(), name, about }
    }

    /// A server with a planted fault, in the style in which people write it.
    pub fn with(fault: PlantedFault) -> Self {
        let (name, about) = (Cow::Borrowed(fault.target()), Cow::Borrowed(fault.about()));
        Self { style: fault.style(), faults: vec![fault], name, about }
    }

    /// All styles, honest.
    pub const STYLES: [Self; 3] =
        [Self::HONEST, Self::honest(Style::SplitTasks), Self::honest(Style::CancelledSends)];
}

impl Target for Reference {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    fn obeys(&self) -> AppSteps {
        AppSteps::ALL
    }

    fn is_planted(&self) -> bool {
        !self.faults.is_empty()
    }

    fn serve(&self, connection: Connection) -> Serving {
        match (self.style, &self.faults[..]) {
            (Style::OneLoop, []) => Box::pin(serve(connection, &CorrectHabits)),
            (Style::OneLoop, [fault]) => Box::pin(serve(connection, fault.habits())),
            (Style::OneLoop, faults) => {
                let habits = ComposedHabits::of(faults);
                Box::pin(async move { serve(connection, &habits).await })
            }
            (Style::SplitTasks, faults) => Box::pin(split::serve(connection, faults.to_vec())),
            (Style::CancelledSends, faults) => {
                Box::pin(cancelling::serve(connection, faults.to_vec()))
            }
        }
    }
}

/// Serves one connection. Returning drops it.
async fn serve(mut io: Connection, habits: &dyn Habits) {
    let application = io.application();
    application.note(Note::Reports);
    let mut session = Session::new(Instant::now(), application.clone(), habits);
    let ended = converse(&mut io, &application, &mut session).await;
    if ended.is_err() && !habits.reports_errors() {
        return;
    }
    for _ in 0..habits.end_reports() {
        application.note(Note::ToldOfEnd { code: habits.reported_code(session.close_code()) });
    }
}

/// Moves bytes, time and commands until nothing is left to say or to wait for.
///
/// # Errors
///
/// The transport's: the client reset the connection.
async fn converse(
    io: &mut Connection,
    application: &Application,
    session: &mut Session<'_>,
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
            moved = moved => match moved {
                Err(error) if session.habits.ends_with(&error) => return Err(error),
                Ok(()) | Err(_) => {}
            },
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
    session: &mut Session<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<()>> {
    while session.habits.writes(session)
        && let Some(bytes) = session.to_send()
    {
        match io.as_mut().poll_write(cx, bytes)? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(count) => session.wrote(count),
            Poll::Pending => {
                session.habits.write_blocked(session);
                break;
            }
        }
    }
    if session.to_send().is_none() {
        let flushed = io.as_mut().poll_flush(cx)?.is_ready();
        if flushed && session.wants_fin() && io.as_mut().poll_shutdown(cx)?.is_ready() {
            session.sent_fin(Instant::now());
        }
        if session.is_over() {
            return Poll::Ready(Ok(()));
        }
    }
    if !session.habits.reads(session) {
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
