//! hyper-tungstenite: tungstenite behind a request that hyper upgrades.
//!
//! Its documented server spawns a task for the upgraded connection, answers messages
//! until the stream ends, and leaves the reply to a Close to tungstenite.

use super::tokio_tungstenite::{close, echo, halves};
use crate::host;
use crate::known;
use crate::peer::{BOUND, CLOSE, Peer, SEND};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::{AppSteps, Application};
use http::Request;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_tungstenite::HyperWebsocket;
use hyper_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use hyper_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use hyper_tungstenite::tungstenite::{Error, Message};
use std::future::Future;
use tokio::time::timeout;

const VERSION: &str = "hyper-tungstenite 0.30.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "hyper-tungstenite/docs",
            VERSION,
            "echoes in a task of its own; reads on after a Close",
            |connection| host::hyper(connection, |request| answer(request, docs)),
        ),
        Peer::new(
            "hyper-tungstenite/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            |connection| host::hyper(connection, |request| answer(request, bounded)),
        ),
        Peer::new(
            "hyper-tungstenite/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| host::hyper(connection, |request| answer(request, split)),
        ),
        Peer::new(
            "hyper-tungstenite/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            |connection| host::hyper_bounded(connection, |request| answer(request, closing_well)),
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .accepting(known::WHOLE_FRAMES)
        .accepting(known::CODE_1014)
        .with_handshake(),
    ]
}

type Reply =
    Result<http::Response<Full<Bytes>>, hyper_tungstenite::tungstenite::error::ProtocolError>;

#[expect(clippy::unused_async, reason = "what hyper serves is asynchronous")]
async fn answer<F>(
    mut request: Request<Incoming>,
    serve: fn(HyperWebsocket, Application) -> F,
) -> Reply
where
    F: Future<Output = ()> + Send + 'static,
{
    if !hyper_tungstenite::is_upgrade_request(&request) {
        return Ok(http::Response::new(Full::from("Hello HTTP!")));
    }
    let application = host::application(&request);
    let (response, websocket) = hyper_tungstenite::upgrade(&mut request, None::<WebSocketConfig>)?;
    tokio::spawn(serve(websocket, application));
    Ok(response)
}

async fn docs(websocket: HyperWebsocket, application: Application) {
    let Ok(mut socket) = websocket.await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = close(&mut socket, closing).await;
    }
}

async fn bounded(websocket: HyperWebsocket, application: Application) {
    let Ok(mut socket) = websocket.await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

async fn split(websocket: HyperWebsocket, application: Application) {
    let Ok(socket) = websocket.await else { return };
    halves(socket, application).await;
}

// docs/closing-well.md: begin
async fn closing_well(websocket: HyperWebsocket, application: Application) {
    let Ok(mut socket) = websocket.await else { return };
    let own_close = loop {
        let message = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message)) if message.is_text() || message.is_binary() => message,
                Some(Ok(_)) => continue,
                Some(Err(Error::Io(_))) | None => return,
                // The Close that fails the connection is up to us.
                Some(Err(_)) => break Some(Message::Close(Some(CloseFrame {
                    code: CloseCode::Protocol,
                    reason: "".into(),
                }))),
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::text(text.text().into_owned()),
                Command::SendBinary(data) => Message::binary(data.bytes().into_owned()),
                _ => break Some(Message::Close(None)),
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
        Ok::<(), Error>(())
    })
    .await;
}
// docs/closing-well.md: end
