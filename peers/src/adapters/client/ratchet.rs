//! ratchet: reads and writes into buffers, by calls that must not be cancelled.
//!
//! Its example reads and writes in turn and ends at a Close, which the library has answered by
//! then. `close` sends a Close.

#[path = "../../../examples/client/ratchet.rs"]
mod guide;

use super::super::ratchet::{Outgoing, code, outgoing_of};
use super::application::Given;
use super::halves::{Reader, Writer};
use super::{URL, about, halves};
use crate::peer::Peer;
use bytes::BytesMut;
use hangup::Connection;
use hangup::script::Command;
use ratchet_rs::{
    Message, NoExtDecoder, NoExtEncoder, Receiver, Sender, WebSocketConfig, subscribe,
};

const VERSION: &str = "ratchet_rs 1.2.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client("ratchet-client/docs", VERSION, about::JOINED, |io| {
            halves::joined(io.application(), connect(io))
        }),
        Peer::client("ratchet-client/split", VERSION, about::SPLIT, |io| {
            halves::split(io.application(), connect(io))
        }),
        Peer::client("ratchet-client/reader-task", VERSION, about::READER_TASK, |io| {
            halves::reader_task(io.application(), connect(io))
        }),
        Peer::of("ratchet-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

struct Reading {
    receiver: Receiver<Connection, NoExtDecoder>,
    buffer: BytesMut,
}

async fn connect(connection: Connection) -> Option<(Sender<Connection, NoExtEncoder>, Reading)> {
    let upgraded = subscribe(WebSocketConfig::default(), connection, URL).await.ok()?;
    let (sender, receiver) = upgraded.into_websocket().split().ok()?;
    Some((sender, Reading { receiver, buffer: BytesMut::new() }))
}

impl Reader for Reading {
    async fn read(&mut self) -> Option<Given> {
        Some(match self.receiver.read(&mut self.buffer).await.ok()? {
            Message::Text | Message::Binary => Given::Message(self.buffer.split().len()),
            Message::Ping(_) | Message::Pong(_) => Given::Nothing,
            Message::Close(reason) => Given::Close(code(reason)),
        })
    }
}

impl Writer for Sender<Connection, NoExtEncoder> {
    type Owed = ();

    async fn pay(&mut self, (): ()) -> bool {
        true
    }

    async fn say(&mut self, command: &Command) -> bool {
        let said = match outgoing_of(command) {
            Some(Outgoing::Frame(bytes, payload)) => self.write(bytes, payload).await,
            Some(Outgoing::Close(reason)) => self.close(reason).await,
            None => Ok(()),
        };
        said.is_ok()
    }
}
