//! `tungstenite/...`: servers on tokio-tungstenite, one with the bug that hangup began with.
//!
//! A server accepts a WebSocket, discards what it is sent, and closes when its
//! application is told to. [`Style::NoDeadline`] is the bug of the story;
//! [`Style::ReadDeadline`] and [`Style::ReaderTask`] are its two fixes, done
//! properly: the deadline covers the writes too.

use super::{AppSteps, Application, Connection, Deviation, Serving, Target};
use crate::bounds::Bounds;
use crate::script::{Command, Content};
use crate::verdict::{Cause, Condition, Invariant, Pattern};
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

/// The bound of the two fixed styles, from whatever begins the closing to its end.
const BOUND: Duration = Duration::from_secs(5);
/// Their time for one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_secs(2);
/// Their time for the closing, so that with a send before it the bound is kept.
const CLOSE: Duration = Duration::from_secs(3);

/// How the server closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Sends its Close, then reads for the reply with no deadline.
    NoDeadline,
    /// One deadline around sending the Close and reading for the reply.
    ReadDeadline,
    /// Reads in a task of its own, and ends it when the deadline passes.
    ReaderTask,
}

impl Style {
    /// All styles, the bug first.
    pub const ALL: [Self; 3] = [Self::NoDeadline, Self::ReadDeadline, Self::ReaderTask];
}

/// A target on tokio-tungstenite.
#[derive(Clone, Copy, Debug)]
pub struct Tungstenite(
    /// How it closes.
    pub Style,
);

/// What tokio-tungstenite does by itself, whatever a server around it does: for a suite
/// over a server of one's own, `.accepting(deviations::LATE_REFUSAL)`. One that never
/// occurs for a server is stale there, and fails a long campaign: accept only what applies.
pub mod deviations {
    use super::{Cause, Condition, Deviation, Invariant, Pattern};

    /// It looks at a frame once all of it has come.
    pub const LATE_REFUSAL: Deviation = Deviation {
        pattern: Pattern::of(Invariant::EndsInTime)
            .with_cause(Cause::ClientViolation)
            .with_condition(Condition::HalfSent),
        reason: "tungstenite looks at a frame once all of it has come: a frame that its header \
                 proves illegal, and that never becomes complete, is no error yet, and the server \
                 has no bound for idle clients",
        rfc: "5.1: The server MUST close the connection upon receiving a frame that is not masked.",
        rate: None,
    };

    /// It returns an error on a protocol violation, and sends no Close by itself.
    pub const SILENT_REFUSAL: Deviation = Deviation {
        pattern: Pattern::of(Invariant::RefusesIllegal),
        reason: "on a protocol violation tungstenite returns an error and sends no Close; the \
             caller has to send one, and these servers do not",
        rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code \
              (Section 7.4) before proceeding to _Close the WebSocket Connection_.",
        rate: None,
    };

    /// It takes close code 1014 for a violation.
    pub const CODE_1014: Deviation = Deviation {
        pattern: Pattern::of(Invariant::AcceptsLegal).with_cause(Cause::ClientClose),
        reason: "tungstenite treats 1014, registered after the RFC, as illegal",
        rfc: "7.4.2: Status codes in the range 1000-2999 are reserved for definition by this \
              protocol, its future revisions, and extensions",
        rate: None,
    };

    /// It sends the code and the reason that the application passes it, legal or not.
    pub const CLOSE_AS_PASSED: Deviation = Deviation {
        pattern: Pattern::of(Invariant::LegalClose),
        reason: "tungstenite's close() does not validate the code and the reason (1005, or 200 \
             bytes of reason, go out unchanged); the caller has to pass legal ones",
        rfc: "7.4.1: 1005 is a reserved value and MUST NOT be set as a status code in a Close \
              control frame by an endpoint.",
        rate: None,
    };

    /// Those of the targets here, with the rates that these show: five campaigns of 20,000 scripts
    /// against each. Servers with other bounds and steps show others.
    pub(super) const ALL: &[Deviation] = &[
        CLOSE_AS_PASSED.at_rate(0.018),
        LATE_REFUSAL.at_rate(0.0076),
        SILENT_REFUSAL.at_rate(0.11),
        CODE_1014.at_rate(0.0017),
    ];
}

impl Target for Tungstenite {
    fn name(&self) -> &'static str {
        match self.0 {
            Style::NoDeadline => "tungstenite/no-deadline",
            Style::ReadDeadline => "tungstenite/read-deadline",
            Style::ReaderTask => "tungstenite/reader-task",
        }
    }

    fn version(&self) -> &'static str {
        "tokio-tungstenite 0.30"
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Style::NoDeadline => {
                "sends its Close, then reads for the reply with no deadline: a known bug"
            }
            Style::ReadDeadline => {
                "one deadline around sending the Close and reading for the reply"
            }
            Style::ReaderTask => "reads in a task of its own, and ends it when the deadline passes",
        }
    }

    fn bounds(&self) -> Bounds {
        let handshake = (self.0 != Style::NoDeadline).then_some(BOUND);
        Bounds { handshake, ..Bounds::close_within(BOUND) }
    }

    fn obeys(&self) -> AppSteps {
        AppSteps::SEND | AppSteps::PING | AppSteps::CLOSE | AppSteps::RETURN
    }

    fn deviations(&self) -> &[Deviation] {
        if self.0 == Style::NoDeadline { &[] } else { deviations::ALL }
    }

    fn serve(&self, connection: Connection) -> Serving {
        match self.0 {
            Style::NoDeadline => Box::pin(no_deadline(connection)),
            Style::ReadDeadline => Box::pin(read_deadline(connection)),
            Style::ReaderTask => Box::pin(reader_task(connection)),
        }
    }
}

type TungsteniteSocket = WebSocketStream<Connection>;

/// The default read buffer of 128 KiB is more than a whole script sends.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096)
}

/// The bug: nothing bounds the last loop.
async fn no_deadline(connection: Connection) {
    let application = connection.application();
    let Ok(mut socket) = accept_async_with_config(connection, Some(config())).await else { return };
    loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            command = application.command() => match TungsteniteCommand::from(&command) {
                TungsteniteCommand::Send(message) => if socket.send(message).await.is_err() { return },
                TungsteniteCommand::Close(frame) => {
                    if socket.close(frame).await.is_err() { return }
                    while let Some(Ok(_)) = socket.next().await {}
                    return;
                }
                TungsteniteCommand::Return => return,
            },
        }
    }
}

/// The first fix: what could wait for the client has a deadline.
async fn read_deadline(connection: Connection) {
    let application = connection.application();
    let accepting = accept_async_with_config(connection, Some(config()));
    let Ok(Ok(mut socket)) = timeout(BOUND, accepting).await else { return };
    let closing = open(&mut socket, &application).await;
    let _ = timeout(CLOSE, close(&mut socket, closing)).await;
}

/// Why the open phase ended.
enum CloseTrigger {
    /// The application wants to close.
    Application(Option<CloseFrame>),
    /// The client's Close came; tungstenite has queued the reply.
    Client,
    /// The client is gone, or was given up.
    Gone,
}

async fn open(socket: &mut TungsteniteSocket, application: &Application) -> CloseTrigger {
    loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => return CloseTrigger::Client,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return CloseTrigger::Gone,
            },
            command = application.command() => match TungsteniteCommand::from(&command) {
                TungsteniteCommand::Send(message) => match timeout(SEND, socket.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return CloseTrigger::Gone,
                },
                TungsteniteCommand::Close(frame) => return CloseTrigger::Application(frame),
                TungsteniteCommand::Return => return CloseTrigger::Gone,
            },
        }
    }
}

/// Sends the Close that is due, then reads until the client's or the end.
async fn close(socket: &mut TungsteniteSocket, closing: CloseTrigger) -> Result<(), Error> {
    match closing {
        CloseTrigger::Application(frame) => socket.close(frame).await?,
        CloseTrigger::Client => {}
        CloseTrigger::Gone => return Ok(()),
    }
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

/// The second fix: a task reads; this one keeps the time.
async fn reader_task(connection: Connection) {
    let application = connection.application();
    let accepting = accept_async_with_config(connection, Some(config()));
    let Ok(Ok(socket)) = timeout(BOUND, accepting).await else { return };
    let (mut sink, mut stream) = socket.split();
    let close_came = Arc::new(Notify::new());
    let notifier = Arc::clone(&close_came);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                notifier.notify_one();
            }
        }
    });
    let closing = command_or_end(&mut sink, &application, &mut reader, &close_came);
    if closing.await {
        let _ = timeout(CLOSE, &mut reader).await;
    }
    // The reader holds the other half: without this the connection would live on.
    // A handle that has been awaited to its end must not be awaited again.
    if !reader.is_finished() {
        reader.abort();
        let _ = reader.await;
    }
}

/// Obeys the application until the closing has begun; true where the reader should
/// still be given time to see it through.
async fn command_or_end(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    application: &Application,
    reader: &mut tokio::task::JoinHandle<()>,
    close_came: &Notify,
) -> bool {
    loop {
        tokio::select! {
            biased;
            _ = &mut *reader => return false,
            () = close_came.notified() => return true,
            command = application.command() => match TungsteniteCommand::from(&command) {
                TungsteniteCommand::Send(message) => match timeout(SEND, sink.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return false,
                },
                TungsteniteCommand::Close(frame) => {
                    let sent = timeout(SEND, sink.send(Message::Close(frame))).await;
                    return matches!(sent, Ok(Ok(())));
                }
                TungsteniteCommand::Return => return false,
            },
        }
    }
}

/// A command as a message of tungstenite.
enum TungsteniteCommand {
    Send(Message),
    Close(Option<CloseFrame>),
    Return,
}

impl From<&Command> for TungsteniteCommand {
    fn from(command: &Command) -> Self {
        let bytes = |content: &Content| content.bytes().into_owned();
        match command {
            Command::SendText(content) => Self::Send(Message::text(content.text().into_owned())),
            Command::SendBinary(content) => Self::Send(Message::binary(bytes(content))),
            Command::Ping(content) => Self::Send(Message::Ping(bytes(content).into())),
            Command::Close(code, reason) => Self::Close(code.map(|code| CloseFrame {
                code: code.into(),
                reason: reason.text().into_owned().into(),
            })),
            // This server has no session handle to keep: it does not obey `keep`.
            // Nor those that are not one connection's.
            Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => {
                Self::Return
            }
        }
    }
}
