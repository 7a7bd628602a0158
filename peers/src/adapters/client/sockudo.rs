//! sockudo-ws: `WebSocketClient`, and a `Stream` and a `Sink` with deadlines of their own.
//!
//! Its `Config` promises what it promises a server: 5 s for a closing, and 120 s without a frame,
//! after which it closes.

#[path = "../../../examples/client/sockudo.rs"]
mod guide;

use super::super::sockudo::message_of;
use super::application::Given;
use super::halves::{Reader, Writer};
use super::{about, halves, whole};
use crate::peer::Peer;
use hangup::script::Command;
use hangup::{Connection, secs};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::stream::{SplitReader, SplitWriter};
use sockudo_ws::{Config, Http1, Message, WebSocketStream};

const VERSION: &str = "sockudo-ws 3.1.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("sockudo-ws-client/docs", VERSION, about::DOCS, |io| {
            whole::docs(io.application(), connect(io))
        })
        .idle_within(secs(125)),
        Peer::client("sockudo-ws-client/drops", VERSION, about::DROPS, |io| {
            whole::drops(io.application(), connect(io))
        })
        .idle_within(secs(125)),
        Peer::client("sockudo-ws-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), async {
                let (reader, writer) = connect(io).await?.split();
                Some((writer, reader))
            })
        })
        .idle_within(secs(125)),
        Peer::of("sockudo-ws-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

impl whole::Message for Message {
    fn of(command: &Command) -> Option<Self> {
        message_of(command)
    }

    fn given(&self) -> Given {
        match self {
            Self::Close(reason) => Given::Close(reason.as_ref().map(|reason| reason.code)),
            Self::Text(_) | Self::Binary(_) => Given::Message(self.as_bytes().len()),
            _ => Given::Nothing,
        }
    }
}

async fn connect(connection: Connection) -> Option<WebSocketStream<Connection>> {
    let client = WebSocketClient::<Http1>::new(Config::default());
    Some(client.connect_raw(connection, "localhost", "/", None).await.ok()?.0)
}

impl Reader for SplitReader<Connection> {
    async fn read(&mut self) -> Option<Given> {
        self.next().await?.ok().map(|message| whole::Message::given(&message))
    }
}

impl Writer for SplitWriter<Connection> {
    type Owed = ();

    async fn pay(&mut self, (): ()) -> bool {
        true
    }

    async fn say(&mut self, command: &Command) -> bool {
        match message_of(command) {
            Some(message) => self.send(message).await.is_ok(),
            None => true,
        }
    }
}
