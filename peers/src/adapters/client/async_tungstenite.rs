//! async-tungstenite: tungstenite for any runtime, here on tokio's adapter.
//!
//! Its examples are those of tokio-tungstenite; `split` gives an own sender and receiver.

#[path = "../../../examples/client/async_tungstenite.rs"]
mod guide;

use super::halves::{Reading, Writing};
use super::{URL, about, halves, whole};
use crate::peer::Peer;
use async_tungstenite::tokio::{TokioAdapter, client_async};
use async_tungstenite::tungstenite::Message;
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use hangup::Connection;

const VERSION: &str = "async-tungstenite 0.35.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("async-tungstenite-client/docs", VERSION, about::DOCS, |io| {
            whole::docs(io.application(), connect(io))
        }),
        Peer::client("async-tungstenite-client/drops", VERSION, about::DROPS, |io| {
            whole::drops(io.application(), connect(io))
        }),
        Peer::client("async-tungstenite-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect_halves(io))
        }),
        Peer::client("async-tungstenite-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect_halves(io))
        }),
        Peer::of(
            "async-tungstenite-client/closing-well",
            VERSION,
            about::CLOSING_WELL,
            guide::suite(),
        ),
    ]
}

type Stream = TokioAdapter<Connection>;

async fn connect(connection: Connection) -> Option<WebSocketStream<Stream>> {
    Some(client_async(URL, connection).await.ok()?.0)
}

type Halves = (Writing<WebSocketSender<Stream>, Message>, Reading<WebSocketReceiver<Stream>>);

async fn connect_halves(connection: Connection) -> Option<Halves> {
    let (sender, receiver) = connect(connection).await?.split();
    Some((Writing::of(sender), Reading(receiver)))
}
