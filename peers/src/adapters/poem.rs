//! poem: an extractor over tokio-tungstenite, on poem's own server.
//!
//! Its example echoes text. The server is given an acceptor of one connection.

use crate::heard::Heard;
use crate::host;
use crate::known;
use crate::peer::{BOUND, CLOSE, Peer, SEND};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection};
use http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::websocket::{CloseCode, Message, WebSocket, WebSocketStream};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{EndpointExt as _, FromRequest as _, IntoResponse as _, Request, Server, endpoint};
use std::future::{Future, pending};
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
        Peer::new(
            "poem/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded, but for the opening",
            |connection| serve(connection, closing_well),
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .accepting(known::WHOLE_FRAMES)
        .accepting(known::CODE_1014)
        .accepting(known::UNREAD_ANSWER),
    ]
}

/// An acceptor's one connection.
struct Once(Option<host::Only>);

impl Acceptor for Once {
    type Io = host::Only;

    fn local_addr(&self) -> Vec<LocalAddr> {
        Vec::new()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        match self.0.take() {
            Some(only) => Ok((only, LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP)),
            None => pending().await,
        }
    }
}

async fn serve<F>(connection: Connection, socket: fn(WebSocketStream, Application) -> F)
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
    let (only, gone) = host::only(connection);
    tokio::select! {
        _ = Server::new_with_acceptor(Once(Some(only))).run(endpoint.map_to_response()) => {}
        _ = gone => {}
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
        Command::Return | Command::Keep => return None,
    })
}

// docs/closing-well.md: begin
/// poem has no time for the opening: a client that never completes its request stays.
async fn closing_well(mut socket: WebSocketStream, application: Application) {
    let own_close = loop {
        let message = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(_)) => continue,
                // An error of tungstenite's, not of the transport's.
                Some(Err(error)) if error.kind() == io::ErrorKind::Other => {
                    break Some(Message::close_with(CloseCode::Protocol, ""));
                }
                Some(Err(_)) | None => return,
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::text(text.text()),
                Command::SendBinary(data) => Message::binary(data.bytes()),
                _ => break Some(Message::close()),
            },
        };
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(message)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.next().await.transpose()?.is_some() {}
        io::Result::Ok(())
    })
    .await;
}
// docs/closing-well.md: end
