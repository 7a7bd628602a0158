//! tokio-websockets: a `Stream` and a `Sink` over the bare connection.
//!
//! Its servers send back what is text or binary until the stream ends. `close` sends a
//! Close where none was sent, reads until the end, and shuts the stream down.

#[path = "../../examples/tokio_websockets.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_websockets::{CloseCode, Error, Message, ServerBuilder, WebSocketStream};

const VERSION: &str = "tokio-websockets 0.13.3";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("tokio-websockets/docs", VERSION, "echoes; reads on after a Close", docs),
        Peer::new(
            "tokio-websockets/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            bounded,
        ),
        Peer::new(
            "tokio-websockets/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            split,
        ),
        Peer::of(
            "tokio-websockets/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

type Socket = WebSocketStream<Connection>;

async fn docs(connection: Connection) {
    let application = connection.application();
    let Ok((_, mut socket)) = ServerBuilder::new().accept(connection).await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = close(&mut socket, closing).await;
    }
}

async fn bounded(connection: Connection) {
    let application = connection.application();
    let Ok((_, mut socket)) = ServerBuilder::new().accept(connection).await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

enum Closing {
    Own(Message),
    Clients,
}

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
async fn echo(socket: &mut Socket, application: &Application) -> Option<Closing> {
    let mut heard = Heard::by(application);
    loop {
        tokio::select! {
            message = socket.next() => {
                let message = message?.ok()?;
                if message.is_close() {
                    heard.end(message.as_close().map(|(code, _)| code.into()));
                    return Some(Closing::Clients);
                }
                if message.is_text() || message.is_binary() {
                    heard.message(message.as_payload().len());
                    socket.send(message).await.ok()?;
                }
            }
            command = application.command() => {
                let message = message_of(&command)?;
                if message.is_close() {
                    return Some(Closing::Own(message));
                }
                socket.send(message).await.ok()?;
            }
        }
    }
}

async fn close(socket: &mut Socket, closing: Closing) -> Result<(), Error> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    socket.close().await
}

async fn split(connection: Connection) {
    let application = connection.application();
    let Ok((_, socket)) = ServerBuilder::new().accept(connection).await else { return };
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                heard.end(message.as_close().map(|(code, _)| code.into()));
            } else if message.is_text() || message.is_binary() {
                heard.message(message.as_payload().len());
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

/// A command in the library's words; `None` to return. A ping or a Close that it
/// panics at is not asked of it: what it asserts, its documentation says.
pub(super) fn message_of(command: &Command) -> Option<Message> {
    Some(match command {
        Command::SendText(content) => Message::text(content.text().into_owned()),
        Command::SendBinary(content) => Message::binary(content.bytes().into_owned()),
        Command::Ping(content) => {
            let mut bytes = content.bytes().into_owned();
            bytes.truncate(125);
            Message::ping(bytes)
        }
        Command::Close(code, reason) => {
            let code = code.and_then(|code| CloseCode::try_from(code).ok());
            let reason = reason.text();
            let reason = &reason[..reason.floor_char_boundary(123)];
            match code.filter(|code| !code.is_reserved()) {
                Some(code) => Message::close(Some(code), reason),
                None => Message::close(None, ""),
            }
        }
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
