//! web-socket: events and frames over any stream; the opening is the caller's.
//!
//! Its example answers pings, errors and Closes by itself: `close` consumes the socket, sends a
//! Close and does not wait. Reading must not be cancelled: there is a socket over each half.

#[path = "../../../examples/client/web_socket.rs"]
mod guide;

use super::super::web_socket::{Outgoing, Pieces, outgoing_of, send};
use super::application::Given;
use super::halves::{Reader, Writer};
use super::{about, halves};
use crate::host;
use crate::peer::Peer;
use hangup::Connection;
use hangup::script::Command;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use web_socket::{CloseCode, CloseReason as _, DataType, Event, WebSocket};

const VERSION: &str = "web-socket 0.7.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("web-socket-client/docs", VERSION, about::JOINED, |io| {
            halves::joined(io.application(), connect(io))
        }),
        Peer::client("web-socket-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect(io))
        }),
        Peer::client("web-socket-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect(io))
        }),
        Peer::of("web-socket-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

type Stream = TokioIo<Upgraded>;

struct Reading {
    socket: WebSocket<ReadHalf<Stream>>,
    pieces: Pieces,
    owes: mpsc::Sender<Outgoing>,
}

struct Writing {
    /// Gone once it has closed.
    socket: Option<WebSocket<WriteHalf<Stream>>>,
    owed: mpsc::Receiver<Outgoing>,
}

async fn connect(connection: Connection) -> Option<(Writing, Reading)> {
    let (reader, writer) = tokio::io::split(TokioIo::new(host::opened(connection).await?));
    let (owes, owed) = mpsc::channel(32);
    let writing = Writing { socket: Some(WebSocket::client(writer)), owed };
    Some((writing, Reading { socket: WebSocket::client(reader), pieces: Pieces::default(), owes }))
}

impl Reader for Reading {
    async fn read(&mut self) -> Option<Given> {
        let (owed, given) = match self.socket.recv().await.ok()? {
            Event::Data { ty: DataType::Complete(_), data } => {
                return Some(Given::Message(data.len()));
            }
            Event::Data { ty: DataType::Stream(piece), data } => {
                let whole = self.pieces.came(&piece, data.len());
                return Some(whole.map_or(Given::Nothing, Given::Message));
            }
            Event::Pong(..) => return Some(Given::Nothing),
            Event::Ping(data) => (Outgoing::Pong(data), Some(Given::Nothing)),
            Event::Error(..) => {
                (Outgoing::Close(CloseCode::ProtocolError.to_bytes().to_vec()), None)
            }
            Event::Close { code, .. } => {
                (Outgoing::Close(Vec::new()), Some(Given::Close(Some(code))))
            }
        };
        let _ = self.owes.send(owed).await;
        given
    }
}

impl Writing {
    async fn send(&mut self, outgoing: Outgoing) -> bool {
        let Some(socket) = self.socket.take() else { return false };
        let Ok(socket) = send(socket, outgoing).await else { return false };
        self.socket = socket;
        true
    }
}

impl Writer for Writing {
    type Owed = Outgoing;
    const OWES: bool = true;

    async fn owed(&mut self) -> Option<Outgoing> {
        self.owed.recv().await
    }

    async fn pay(&mut self, owed: Outgoing) -> bool {
        self.send(owed).await && self.socket.is_some()
    }

    async fn say(&mut self, command: &Command) -> bool {
        match outgoing_of(command) {
            Some(outgoing) => self.send(outgoing).await,
            None => true,
        }
    }
}
