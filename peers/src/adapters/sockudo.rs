//! sockudo-ws: a `Stream` and a `Sink`, with deadlines of its own.
//!
//! Its example sends text and binary back and stops at a Close. Its `Config` promises:
//! 5 s for a closing, whatever comes meanwhile, and 120 s without a frame of the
//! client's, after which it closes. Built with its feature `test-util`, it reads tokio's clock.

#[path = "../../examples/sockudo.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection, secs};
use sockudo_ws::error::CloseReason;
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{Config, Error, Http1, Message, WebSocketStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const VERSION: &str = "sockudo-ws 3.1.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "sockudo-ws/docs",
            VERSION,
            "echoes; returns on the client's Close, reads on after its own",
            docs,
        )
        .idle_within(secs(125)),
        Peer::new(
            "sockudo-ws/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            bounded,
        )
        .idle_within(secs(125)),
        Peer::new(
            "sockudo-ws/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            split,
        )
        .idle_within(secs(125)),
        Peer::of(
            "sockudo-ws/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

type Socket = WebSocketStream<Connection>;

async fn accept(connection: Connection) -> Result<Socket, Error> {
    let server = WebSocketServer::<Http1>::new(Config::default());
    Ok(server.accept_raw(connection).await?.0)
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let Ok(mut socket) = accept(connection).await else { return };
    // As its example: the client's Close ends the loop.
    let closing = echo(&mut socket, &application).await;
    if let Some(Closing::Own(close)) = closing
        && socket.send(close).await.is_ok()
    {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

async fn bounded(connection: Connection) {
    let application = connection.application();
    let Ok(mut socket) = accept(connection).await else { return };
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
            message = socket.next() => match message?.ok()? {
                Message::Close(reason) => {
                    heard.end(reason.map(|reason| reason.code));
                    return Some(Closing::Clients);
                }
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    heard.message(message.as_bytes().len());
                    socket.send(message).await.ok()?;
                }
                _ => {}
            },
            command = application.command() => match message_of(&command)? {
                close @ Message::Close(_) => return Some(Closing::Own(close)),
                message => socket.send(message).await.ok()?,
            },
        }
    }
}

async fn close(socket: &mut Socket, closing: Closing) -> Result<(), Error> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

async fn split(connection: Connection) {
    let application = connection.application();
    let Ok(socket) = accept(connection).await else { return };
    let (mut reader, mut writer) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reading = tokio::spawn(async move {
        while let Some(Ok(message)) = reader.next().await {
            match message {
                Message::Close(reason) => {
                    return heard.end(reason.map(|reason| reason.code));
                }
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    heard.message(message.as_bytes().len());
                    if queue.send(message).await.is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    let mut writing = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                message = queued.recv() => message,
                command = application.command() => message_of(&command),
            };
            let Some(message) = message else { return };
            let last = message.is_close();
            if writer.send(message).await.is_err() || last {
                return;
            }
        }
    });
    tokio::select! {
        // As its example: the writer ends once nothing is queued, and is waited for.
        _ = &mut reading => {
            let _ = writing.await;
        }
        _ = &mut writing => reading.abort(),
    }
}

/// A command in the library's words; `None` to return. Outgoing messages are "encoded as
/// given, without validation": what may not be sent is for the caller to know.
pub(super) fn message_of(command: &Command) -> Option<Message> {
    Some(match command {
        Command::SendText(content) => Message::text(content.text()),
        Command::SendBinary(content) => Message::binary(content.bytes().into_owned()),
        Command::Ping(content) => Message::ping(content.bytes().into_owned()),
        Command::Close(code, reason) => {
            Message::Close(code.map(|code| CloseReason::new(code, &*reason.text())))
        }
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
