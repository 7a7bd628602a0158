//! yawc: a `Stream` and a `Sink` of frames, behind an opening by hyper.
//!
//! Its example sends, reads frames until the stream ends, and drops the socket. Pongs and the
//! answer to a Close are the library's.

#[path = "../../../examples/client/yawc.rs"]
mod guide;

use super::super::yawc::frame_of;
use super::application::Given;
use super::halves::{Reading, Writing};
use super::{URL, about, halves, whole};
use crate::peer::Peer;
use futures_util::{Sink, Stream, StreamExt as _};
use hangup::Connection;
use hangup::script::Command;
use std::convert::Infallible;
use yawc::frame::{Frame, OpCode};
use yawc::{Options, WebSocket, WebSocketError};

const VERSION: &str = "yawc 0.5.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("yawc-client/docs", VERSION, about::DOCS, |io| {
            whole::docs(io.application(), connect(io))
        }),
        Peer::client("yawc-client/drops", VERSION, about::DROPS, |io| {
            whole::drops(io.application(), connect(io))
        }),
        Peer::client("yawc-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), async {
                let (sink, stream) = connect(io).await?.split();
                Some((Writing::<_, Frame>::of(sink), Reading(stream)))
            })
        }),
        Peer::of("yawc-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

impl whole::Message for Frame {
    fn of(command: &Command) -> Option<Self> {
        frame_of(command)
    }

    fn given(&self) -> Given {
        match self.opcode() {
            OpCode::Close => Given::Close(self.close_code().map(u16::from)),
            OpCode::Text | OpCode::Binary => Given::Message(self.payload().len()),
            _ => Given::Nothing,
        }
    }
}

/// Its stream ends alike on the end and on an error.
async fn connect(
    connection: Connection,
) -> Option<
    impl Stream<Item = Result<Frame, Infallible>>
    + Sink<Frame, Error = WebSocketError>
    + Send
    + Unpin
    + 'static,
> {
    let url = URL.parse().ok()?;
    let socket = WebSocket::handshake(url, connection, Options::default()).await.ok()?;
    Some(socket.map(Ok))
}
