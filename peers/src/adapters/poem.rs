//! poem: an extractor over tokio-tungstenite, on poem's own server.
//!
//! Its example echoes text. The server is given an acceptor of one connection.

#[path = "../../examples/poem.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use poem::web::websocket::{CloseCode, Message, WebSocket, WebSocketStream};
use poem::{EndpointExt as _, FromRequest as _, IntoResponse as _, Request, Server, endpoint};
use std::future::Future;
use std::io;
use tokio::sync::mpsc;
use tokio::time::timeout;

const VERSION: &str = "poem 3.1.12";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("poem/docs", VERSION, "echoes; reads on after a Close", |connection| {
            serve(connection, docs)
        }),
        Peer::new(
            "poem/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            |connection| serve(connection, bounded),
        ),
        Peer::new(
            "poem/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| serve(connection, split),
        ),
        Peer::of(
            "poem/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded, but for the opening",
            guide::suite(),
        ),
    ]
}

async fn serve<F>(mut connection: Connection, socket: fn(WebSocketStream, Application) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let application = connection.application();
    let endpoint = endpoint::make(move |request: Request| {
        let application = application.clone();
        async move {
            let (request, mut body) = request.split();
            let upgrade = WebSocket::from_request(&request, &mut body).await?;
            let upgraded = upgrade.on_upgrade(move |stream| socket(stream, application));
            poem::Result::<poem::Response>::Ok(upgraded.into_response())
        }
    });
    let dropped = connection.dropped();
    let acceptor = guide::Once(Some(connection));
    tokio::select! {
        _ = Server::new_with_acceptor(acceptor).run(endpoint.map_to_response()) => {}
        () = dropped => {}
    }
}

async fn docs(mut socket: WebSocketStream, application: Application) {
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = close(&mut socket, closing).await;
    }
}

async fn bounded(mut socket: WebSocketStream, application: Application) {
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

enum Closing {
    Own(Message),
    Clients,
}

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
async fn echo(socket: &mut WebSocketStream, application: &Application) -> Option<Closing> {
    let mut heard = Heard::by(application);
    loop {
        tokio::select! {
            message = socket.next() => match message?.ok()? {
                Message::Close(frame) => {
                    heard.end(frame.map(|(code, _)| code.into()));
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

async fn close(socket: &mut WebSocketStream, closing: Closing) -> io::Result<()> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

async fn split(socket: WebSocketStream, application: Application) {
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Close(frame) => heard.end(frame.map(|(code, _)| code.into())),
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
        Command::SendBinary(content) => Message::binary(content.bytes()),
        Command::Ping(content) => Message::ping(content.bytes()),
        Command::Close(Some(code), reason) => {
            Message::close_with(CloseCode::from(*code), reason.text())
        }
        Command::Close(None, _) => Message::close(),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
