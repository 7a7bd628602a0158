//! warp: a filter over tokio-tungstenite, hosted by hyper.
//!
//! Its example forwards what it receives. "Close messages need to be handled
//! explicitly: usually by closing the `Sink` end of the `WebSocket`."

#[path = "../../examples/warp.rs"]
mod guide;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::time::timeout;
use warp::filters::BoxedFilter;
use warp::ws::{Message, WebSocket, Ws};
use warp::{Error, Filter, Reply};

const VERSION: &str = "warp 0.4.3";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "warp/docs",
            VERSION,
            "echoes; closes its sink on a Close, and returns",
            |connection| serve(connection, docs),
        ),
        Peer::new(
            "warp/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            |connection| serve(connection, bounded),
        ),
        Peer::new(
            "warp/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| serve(connection, split),
        ),
        Peer::of(
            "warp/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

async fn serve<F>(connection: Connection, socket: fn(WebSocket, Application) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let service = TowerToHyperService::new(warp::service(route(socket)));
    host::hyper(connection, move |request| service.call(request)).await;
}

fn route<F>(socket: fn(WebSocket, Application) -> F) -> BoxedFilter<(impl Reply,)>
where
    F: Future<Output = ()> + Send + 'static,
{
    warp::ws()
        .and(warp::ext::get::<Application>())
        .map(move |ws: Ws, application| ws.on_upgrade(move |ws| socket(ws, application)))
        .boxed()
}

async fn docs(mut socket: WebSocket, application: Application) {
    if let Some(closing) = echo(&mut socket, &application).await {
        if let Closing::Own(close) = closing {
            let _ = socket.send(close).await;
        }
        let _ = socket.close().await;
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
            message = socket.next() => {
                let message = message?.ok()?;
                if message.is_close() {
                    heard.end(message.close_frame().map(|(code, _)| code));
                    return Some(Closing::Clients);
                }
                if message.is_text() || message.is_binary() {
                    heard.message(message.as_bytes().len());
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

async fn close(socket: &mut WebSocket, closing: Closing) -> Result<(), Error> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    while let Some(message) = socket.next().await {
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
            if message.is_close() {
                heard.end(message.close_frame().map(|(code, _)| code));
            } else if message.is_text() || message.is_binary() {
                heard.message(message.as_bytes().len());
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

/// A command in the library's words; `None` to return.
fn message_of(command: &Command) -> Option<Message> {
    Some(match command {
        Command::SendText(content) => Message::text(content.text()),
        Command::SendBinary(content) => Message::binary(content.bytes().into_owned()),
        Command::Ping(content) => Message::ping(content.bytes().into_owned()),
        Command::Close(Some(code), reason) => {
            Message::close_with(*code, reason.text().into_owned())
        }
        Command::Close(None, _) => Message::close(),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
