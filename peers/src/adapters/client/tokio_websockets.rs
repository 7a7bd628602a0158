//! tokio-websockets: `ClientBuilder`, and a `Stream` and a `Sink`.
//!
//! Its example sends, reads, and calls `close`, which sends a Close where none was sent, reads until
//! the end, and shuts the stream down.

#[path = "../../../examples/client/tokio_websockets.rs"]
mod guide;

use super::super::tokio_websockets::message_of;
use super::application::Given;
use super::halves::{Reading, Writing};
use super::{URL, about, halves, whole};
use crate::peer::Peer;
use futures_util::StreamExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use hangup::Connection;
use hangup::script::Command;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

const VERSION: &str = "tokio-websockets 0.13.3";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("tokio-websockets-client/docs", VERSION, about::DOCS, |io| {
            whole::docs(io.application(), connect(io))
        }),
        Peer::client("tokio-websockets-client/drops", VERSION, about::DROPS, |io| {
            whole::drops(io.application(), connect(io))
        }),
        Peer::client("tokio-websockets-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect_halves(io))
        }),
        Peer::client("tokio-websockets-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect_halves(io))
        }),
        Peer::of(
            "tokio-websockets-client/closing-well",
            VERSION,
            about::CLOSING_WELL,
            guide::suite(),
        ),
    ]
}

impl whole::Message for Message {
    fn of(command: &Command) -> Option<Self> {
        message_of(command)
    }

    fn given(&self) -> Given {
        if self.is_close() {
            Given::Close(self.as_close().map(|(code, _)| code.into()))
        } else if self.is_text() || self.is_binary() {
            Given::Message(self.as_payload().len())
        } else {
            Given::Nothing
        }
    }
}

type Socket = WebSocketStream<Connection>;

async fn connect(connection: Connection) -> Option<Socket> {
    Some(ClientBuilder::new().uri(URL).ok()?.connect_on(connection).await.ok()?.0)
}

type Halves = (Writing<SplitSink<Socket, Message>, Message>, Reading<SplitStream<Socket>>);

async fn connect_halves(connection: Connection) -> Option<Halves> {
    let (sink, stream) = connect(connection).await?.split();
    Some((Writing::of(sink), Reading(stream)))
}
