//! fastwebsockets: frames, by calls that must not be cancelled, behind an opening by hyper.
//!
//! Its example sends, reads until a Close, and drops the socket. Split, the reading half hands on
//! what the library owes for the writing half to send.

#[path = "../../../examples/client/fastwebsockets.rs"]
mod guide;

use super::super::fastwebsockets::{Owned, Stream, code, frame_of};
use super::application::Given;
use super::halves::{Reader, Writer};
use super::{about, halves};
use crate::host::opening_request;
use crate::peer::Peer;
use fastwebsockets::{FragmentCollectorRead, OpCode, WebSocketWrite, handshake};
use hangup::Connection;
use hangup::script::Command;
use hyper_util::rt::TokioExecutor;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

const VERSION: &str = "fastwebsockets 0.10.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("fastwebsockets-client/docs", VERSION, about::JOINED, |io| {
            halves::joined(io.application(), connect(io))
        }),
        Peer::client("fastwebsockets-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect(io))
        }),
        Peer::client("fastwebsockets-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect(io))
        }),
        Peer::of(
            "fastwebsockets-client/closing-well",
            VERSION,
            about::CLOSING_WELL,
            guide::suite(),
        ),
    ]
}

struct Reading {
    reader: FragmentCollectorRead<ReadHalf<Stream>>,
    owes: mpsc::Sender<Owned>,
    /// The library reads on behind a Close; its example does not.
    closed: bool,
}

struct Writing {
    writer: WebSocketWrite<WriteHalf<Stream>>,
    owed: mpsc::Receiver<Owned>,
}

async fn connect(connection: Connection) -> Option<(Writing, Reading)> {
    let request = opening_request(&handshake::generate_key());
    let (socket, _) = handshake::client(&TokioExecutor::new(), request, connection).await.ok()?;
    let (reader, writer) = socket.split(tokio::io::split);
    let (owes, owed) = mpsc::channel(32);
    let reader = FragmentCollectorRead::new(reader);
    Some((Writing { writer, owed }, Reading { reader, owes, closed: false }))
}

impl Reader for Reading {
    async fn read(&mut self) -> Option<Given> {
        let Self { reader, owes, closed } = self;
        if *closed {
            return None;
        }
        let frame = reader.read_frame(&mut |owed: Owned| owes.send(owed)).await.ok()?;
        Some(match frame.opcode {
            OpCode::Close => {
                *closed = true;
                Given::Close(code(&frame))
            }
            OpCode::Text | OpCode::Binary => Given::Message(frame.payload.len()),
            _ => Given::Nothing,
        })
    }
}

impl Writer for Writing {
    type Owed = Owned;
    const OWES: bool = true;

    async fn owed(&mut self) -> Option<Owned> {
        self.owed.recv().await
    }

    async fn pay(&mut self, owed: Owned) -> bool {
        let is_last = owed.opcode == OpCode::Close;
        self.writer.write_frame(owed).await.is_ok() && !is_last
    }

    async fn say(&mut self, command: &Command) -> bool {
        match frame_of(command) {
            Some(frame) => self.writer.write_frame(frame).await.is_ok(),
            None => true,
        }
    }
}
