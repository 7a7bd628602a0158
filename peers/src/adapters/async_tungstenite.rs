//! async-tungstenite: tungstenite for any runtime, here on tokio's adapter.
//!
//! Its echo server forwards what is text or binary until the stream ends; `close`
//! sends the Close, and `split` gives an own sender and receiver.

#[path = "../../examples/async_tungstenite.rs"]
mod guide;

use super::tokio_tungstenite::{Closing, message_of};
use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, accept_async};
use async_tungstenite::tungstenite::{Error, Message};
use futures_util::StreamExt as _;
use hangup::{Application, Connection};
use tokio::sync::mpsc;
use tokio::time::timeout;

const VERSION: &str = "async-tungstenite 0.35.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("async-tungstenite/docs", VERSION, "echoes; reads on after a Close", docs),
        Peer::new(
            "async-tungstenite/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            bounded,
        ),
        Peer::new(
            "async-tungstenite/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            split,
        ),
        Peer::of(
            "async-tungstenite/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

type Socket = WebSocketStream<TokioAdapter<Connection>>;

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

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
async fn echo(socket: &mut Socket, application: &Application) -> Option<Closing> {
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

async fn close(socket: &mut Socket, closing: Closing) -> Result<(), Error> {
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
    let (mut sender, mut receiver) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = receiver.next().await {
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
            match message {
                None => return,
                Some(Message::Close(frame)) => {
                    let _ = sender.close(frame).await;
                    return;
                }
                Some(message) => {
                    if sender.send(message).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    tokio::select! {
        _ = &mut reader => writer.abort(),
        _ = &mut writer => reader.abort(),
    }
}
