//! hyper-tungstenite: tungstenite behind a request that hyper upgrades.
//!
//! Its documented server spawns a task for the upgraded connection, answers messages
//! until the stream ends, and leaves the reply to a Close to tungstenite.

#[path = "../../examples/hyper_tungstenite.rs"]
mod guide;

use super::tokio_tungstenite::{close, echo, halves};
use crate::host;
use crate::peer::{BOUND, Peer};
use hangup::Application;
use http::Request;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_tungstenite::HyperWebsocket;
use hyper_tungstenite::tungstenite::protocol::WebSocketConfig;
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
        Peer::of(
            "hyper-tungstenite/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
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
