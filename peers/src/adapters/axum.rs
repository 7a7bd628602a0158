//! axum: an extractor over tokio-tungstenite, on both of its hosts.
//!
//! Its documentation echoes until an error or the end, and splits for concurrent reads
//! and writes. `axum::serve` is given a listener of one connection; `axum-hyper` is
//! the same router on hyper's HTTP/1 server, as axum's examples show it.

#[path = "../../examples/axum.rs"]
mod guide;
#[path = "../../examples/axum_serve.rs"]
mod guide_serve;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use axum::extract::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::{Error, Router};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use std::future::Future;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::ServiceExt as _;

const VERSION: &str = "axum 0.8.9";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("axum/docs", VERSION, "axum::serve; echoes until an error or the end", |c| {
            serve(c, docs)
        }),
        Peer::new(
            "axum/bounded",
            VERSION,
            "axum::serve; one timeout around the close and the reads after it",
            |connection| serve(connection, bounded),
        ),
        Peer::new(
            "axum/split",
            VERSION,
            "axum::serve; a reading and a writing task, the first to end stops the other",
            |connection| serve(connection, split),
        ),
        Peer::new("axum-hyper/docs", VERSION, "hyper; echoes until an error or the end", |c| {
            host::hyper(c, |request| router(docs).oneshot(request))
        }),
        Peer::of(
            "axum-hyper/closing-well",
            VERSION,
            "the guide's server on hyper: every wait for the client is bounded",
            guide::suite(),
        ),
        Peer::of(
            "axum/closing-well",
            VERSION,
            "the guide's server on axum::serve, which bounds no opening",
            guide_serve::suite(),
        ),
    ]
}

async fn serve<F>(mut connection: Connection, socket: fn(WebSocket, Application) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let router = router(socket).layer(Extension(connection.application()));
    let dropped = connection.dropped();
    tokio::select! {
        _ = axum::serve(guide_serve::Once(Some(connection)), router) => {}
        () = dropped => {}
    }
}

fn router<F>(socket: fn(WebSocket, Application) -> F) -> Router
where
    F: Future<Output = ()> + Send + 'static,
{
    let handler = move |upgrade: WebSocketUpgrade,
                        Extension(application): Extension<Application>| async move {
        let response: Response = upgrade.on_upgrade(move |ws| socket(ws, application));
        response
    };
    Router::new().route("/", any(handler))
}

/// As the module's first example: whatever comes is sent back, a Close too.
async fn docs(mut socket: WebSocket, application: Application) {
    let mut heard = Heard::by(&application);
    loop {
        let message = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message)) => {
                    match &message {
                        Message::Close(frame) => heard.end(frame.as_ref().map(|frame| frame.code)),
                        Message::Text(_) | Message::Binary(_) => heard.message(size(&message)),
                        _ => {}
                    }
                    message
                }
                // client disconnected
                Some(Err(_)) | None => return,
            },
            command = application.command() => match message_of(&command) {
                Some(message) => message,
                None => return,
            },
        };
        if socket.send(message).await.is_err() {
            // client disconnected
            return;
        }
    }
}

async fn bounded(mut socket: WebSocket, application: Application) {
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

enum Closing {
    Own(Message),
    Clients,
}

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
async fn echo(socket: &mut WebSocket, application: &Application) -> Option<Closing> {
    let mut heard = Heard::by(application);
    loop {
        tokio::select! {
            message = socket.recv() => match message?.ok()? {
                Message::Close(frame) => {
                    heard.end(frame.map(|frame| frame.code));
                    return Some(Closing::Clients);
                }
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    heard.message(size(&message));
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

async fn close(socket: &mut WebSocket, closing: Closing) -> Result<(), Error> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    while let Some(message) = socket.recv().await {
        message?;
    }
    Ok(())
}

async fn split(socket: WebSocket, application: Application) {
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Close(frame) => heard.end(frame.map(|frame| frame.code)),
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    heard.message(size(&message));
                    if queue.send(message).await.is_err() {
                        return;
                    }
                }
                _ => {}
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
            let last = matches!(message, Message::Close(_));
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

fn size(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) | Message::Ping(data) | Message::Pong(data) => data.len(),
        Message::Close(_) => 0,
    }
}

/// A command in the library's words; `None` to return.
fn message_of(command: &Command) -> Option<Message> {
    Some(match command {
        Command::SendText(content) => Message::text(content.text().into_owned()),
        Command::SendBinary(content) => Message::binary(content.bytes().into_owned()),
        Command::Ping(content) => Message::Ping(content.bytes().into_owned().into()),
        Command::Close(code, reason) => Message::Close(
            code.map(|code| CloseFrame { code, reason: reason.text().into_owned().into() }),
        ),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
