//! tokio-tungstenite: `client_async`, and the server's `Stream` and `Sink`.
//!
//! Its example splits the socket, and reads in the one half what the other was answered. `close`
//! sends a Close and returns: "after which you should continue calling read or flush".

#[path = "../../../examples/client/tokio_tungstenite.rs"]
mod guide;

use super::super::tokio_tungstenite::message_of;
use super::application::Given;
use super::halves::{Reading, Writing};
use super::{URL, about, halves, whole};
use crate::peer::Peer;
use futures_util::StreamExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use hangup::Connection;
use hangup::script::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

const VERSION: &str = "tokio-tungstenite 0.30.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("tokio-tungstenite-client/docs", VERSION, about::DOCS, |io| {
            whole::docs(io.application(), connect(io))
        }),
        Peer::client("tokio-tungstenite-client/drops", VERSION, about::DROPS, |io| {
            whole::drops(io.application(), connect(io))
        }),
        Peer::client("tokio-tungstenite-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect_halves(io))
        }),
        Peer::client("tokio-tungstenite-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect_halves(io))
        }),
        Peer::of(
            "tokio-tungstenite-client/closing-well",
            VERSION,
            about::CLOSING_WELL,
            guide::suite(),
        ),
    ]
}

/// tungstenite's, whoever reads and writes it.
impl whole::Message for Message {
    fn of(command: &Command) -> Option<Self> {
        message_of(command)
    }

    fn given(&self) -> Given {
        match self {
            Self::Close(frame) => Given::Close(frame.as_ref().map(|frame| frame.code.into())),
            Self::Text(_) | Self::Binary(_) => Given::Message(self.len()),
            _ => Given::Nothing,
        }
    }
}

type Socket = WebSocketStream<Connection>;

async fn connect(connection: Connection) -> Option<Socket> {
    Some(client_async(URL, connection).await.ok()?.0)
}

type Halves = (Writing<SplitSink<Socket, Message>, Message>, Reading<SplitStream<Socket>>);

async fn connect_halves(connection: Connection) -> Option<Halves> {
    let (sink, stream) = connect(connection).await?.split();
    Some((Writing::of(sink), Reading(stream)))
}
