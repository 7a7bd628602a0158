//! salvo: a handler over tokio-tungstenite, hosted by hyper.
//!
//! Its example sends back whatever comes, a Close too, until an error or the end.

#[path = "../../examples/salvo.rs"]
mod guide;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{Application, Connection};
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::service::Service as _;
use salvo::conn::ConnCtrl;
use salvo::conn::addr::SocketAddr;
use salvo::http::{ResBody, StatusError};
use salvo::websocket::{Message, WebSocket, WebSocketUpgrade};
use salvo::{Depot, Error, FlowCtrl, Handler, Request, Response, Router, Service, async_trait};
use std::future::Future;
use tokio::sync::mpsc;
use tokio::time::timeout;

const VERSION: &str = "salvo 1.1.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("salvo/docs", VERSION, "sends back whatever comes", |connection| {
            serve(connection, docs)
        }),
        Peer::new(
            "salvo/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            |connection| serve(connection, bounded),
        ),
        Peer::new(
            "salvo/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| serve(connection, split),
        ),
        Peer::of(
            "salvo/closing-well",
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
    let service = service(socket);
    host::hyper(connection, move |request| service.call(request)).await;
}

fn service<F>(socket: fn(WebSocket, Application) -> F) -> impl HyperService
where
    F: Future<Output = ()> + Send + 'static,
{
    Service::new(Router::new().goal(Upgrade(socket))).hyper_handler(
        SocketAddr::Unknown,
        SocketAddr::Unknown,
        Scheme::HTTP,
        None,
        ConnCtrl::new(),
        None,
    )
}

/// What salvo's service is for hyper; its own name is private.
trait HyperService:
    hyper::service::Service<
        http::Request<Incoming>,
        Response = http::Response<ResBody>,
        Error = hyper::Error,
        Future: Send,
    >
{
}

impl<S> HyperService for S where
    S: hyper::service::Service<
            http::Request<Incoming>,
            Response = http::Response<ResBody>,
            Error = hyper::Error,
            Future: Send,
        >
{
}

struct Upgrade<F>(fn(WebSocket, Application) -> F);

#[async_trait]
impl<F: Future<Output = ()> + Send + 'static> Handler for Upgrade<F> {
    async fn handle(
        &self,
        request: &mut Request,
        _: &mut Depot,
        response: &mut Response,
        _: &mut FlowCtrl,
    ) {
        let socket = self.0;
        let application = request.extensions().get::<Application>().cloned();
        let upgraded = match application {
            Some(application) => {
                WebSocketUpgrade::new()
                    .upgrade(request, response, move |ws| socket(ws, application))
                    .await
            }
            None => Err(StatusError::internal_server_error()),
        };
        if let Err(error) = upgraded {
            response.render(error);
        }
    }
}

/// As the module's example: whatever comes is sent back, a Close too.
async fn docs(mut socket: WebSocket, application: Application) {
    let mut heard = Heard::by(&application);
    loop {
        let message = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message)) => {
                    if message.is_close() {
                        heard.end(message.close_frame().map(|(code, _)| code));
                    } else if message.is_text() || message.is_binary() {
                        heard.message(message.as_bytes().len());
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
            message = socket.recv() => {
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
        Command::SendText(content) => Message::text(content.text().into_owned()),
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
