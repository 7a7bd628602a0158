//! tokio-tungstenite: a `Stream` and a `Sink` of messages over the bare connection.
//!
//! Its documentation: echo what is text or binary, and read until the stream ends;
//! `close` queues the Close, "after which you should continue calling read or flush".
//!
//! What is written here over any stream serves the libraries that hand out this one's socket.

#[path = "../../examples/tokio_tungstenite.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

const VERSION: &str = "tokio-tungstenite 0.30.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("tokio-tungstenite/docs", VERSION, "echoes; reads on after a Close", docs),
        Peer::new(
            "tokio-tungstenite/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            bounded,
        ),
        Peer::new(
            "tokio-tungstenite/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            split,
        ),
        Peer::of(
            "tokio-tungstenite/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let Ok(mut socket) = accept_async(connection).await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = close(&mut socket, closing).await;
    }
}

async fn bounded(connection: Connection) {
    let application = connection.application();
    let Ok(mut socket) = accept_async(connection).await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

/// Who began to close.
pub(super) enum Closing {
    Own(Option<CloseFrame>),
    Clients,
}

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
pub(super) async fn echo<S>(
    socket: &mut WebSocketStream<S>,
    application: &Application,
) -> Option<Closing>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut heard = Heard::by(application);
    loop {
        tokio::select! {
            message = socket.next() => match message?.ok()? {
                Message::Close(frame) => {
                    heard.end(frame.map(|frame| frame.code.into()));
                    return Some(Closing::Clients);
                }
                message if message.is_text() || message.is_binary() => {
                    heard.message(message.len());
                    socket.send(message).await.ok()?;
                }
                _ => {}
            },
            command = application.command() => match message_of(&command)? {
                Message::Close(frame) => return Some(Closing::Own(frame)),
                message => socket.send(message).await.ok()?,
            },
        }
    }
}

/// Sends the own Close where that is due, and reads on to the end.
pub(super) async fn close<S>(socket: &mut WebSocketStream<S>, closing: Closing) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Closing::Own(frame) = closing {
        socket.close(frame).await?;
    }
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

async fn split(connection: Connection) {
    let application = connection.application();
    let Ok(socket) = accept_async(connection).await else { return };
    halves(socket, application).await;
}

/// Two tasks, one for each direction; the first to end stops the other.
pub(super) async fn halves<S>(socket: WebSocketStream<S>, application: Application)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Close(frame) = &message {
                heard.end(frame.as_ref().map(|frame| frame.code.into()));
            } else if message.is_text() || message.is_binary() {
                heard.message(message.len());
                if queue.send(message).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut writer = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                message = queued.recv() => message,
                command = application.command() => message_of(&command),
            };
            let Some(message) = message else { return };
            let last = message.is_close();
            if sink.send(message).await.is_err() || last {
                return;
            }
        }
    });
    tokio::select! {
        _ = &mut reader => writer.abort(),
        _ = &mut writer => reader.abort(),
    }
}

/// A command in tungstenite's words; `None` to return.
pub(super) fn message_of(command: &Command) -> Option<Message> {
    Some(match command {
        Command::SendText(content) => Message::text(content.text().into_owned()),
        Command::SendBinary(content) => Message::binary(content.bytes().into_owned()),
        Command::Ping(content) => Message::Ping(content.bytes().into_owned().into()),
        Command::Close(code, reason) => Message::Close(code.map(|code| CloseFrame {
            code: code.into(),
            reason: reason.text().into_owned().into(),
        })),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
