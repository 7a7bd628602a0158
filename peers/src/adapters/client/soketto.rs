//! soketto: a sender and a receiver, by calls that must not be cancelled.
//!
//! Its example sends, receives, and calls `close`, which sends a Close and ends the sending side.

#[path = "../../../examples/client/soketto.rs"]
mod guide;

use super::super::soketto::push;
use super::application::Given;
use super::halves::{Reader, Writer};
use super::{about, halves};
use crate::peer::Peer;
use hangup::Connection;
use hangup::script::Command;
use soketto::connection::{Receiver, Sender};
use soketto::handshake::{Client, ServerResponse};
use soketto::{Data, Incoming};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

const VERSION: &str = "soketto 0.8.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("soketto-client/docs", VERSION, about::JOINED, |io| {
            halves::joined(io.application(), connect(io))
        }),
        Peer::client("soketto-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect(io))
        }),
        Peer::client("soketto-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect(io))
        }),
        Peer::of("soketto-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

type Halves = (Sender<Compat<Connection>>, Receiver<Compat<Connection>>);

/// As the library's first page shows it.
async fn connect(connection: Connection) -> Option<Halves> {
    let mut client = Client::new(connection.compat(), "localhost", "/");
    match client.handshake().await.ok()? {
        ServerResponse::Accepted { .. } => Some(client.into_builder().finish()),
        ServerResponse::Redirect { .. } | ServerResponse::Rejected { .. } => None,
    }
}

impl Reader for Receiver<Compat<Connection>> {
    async fn read(&mut self) -> Option<Given> {
        let mut message = Vec::new();
        Some(match self.receive(&mut message).await.ok()? {
            // What is no text ends the connection, as in its example.
            Incoming::Data(Data::Text(_)) if str::from_utf8(&message).is_err() => return None,
            Incoming::Data(_) => Given::Message(message.len()),
            Incoming::Pong(_) => Given::Nothing,
            Incoming::Closed(reason) => Given::Close(Some(reason.code)),
        })
    }
}

impl Writer for Sender<Compat<Connection>> {
    type Owed = ();

    async fn pay(&mut self, (): ()) -> bool {
        true
    }

    /// Its `close` takes neither a code nor a reason.
    async fn say(&mut self, command: &Command) -> bool {
        match command {
            Command::Close(..) => self.close().await.is_ok(),
            command => push(self, command).await.is_ok(),
        }
    }
}
