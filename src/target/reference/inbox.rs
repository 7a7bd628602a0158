//! The client's frames as events, for the two styles that await their reads.
//!
//! It decides nothing: how to answer is the server's business.

use crate::script::Command;
use crate::target::{Application, Connection};
use crate::wire::{Decoder, Fault, Item, Opcode, Role, handshake};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// An event from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InboxEvent {
    /// A frame that asks for nothing: a sign of life.
    Alive,
    /// A message of so many bytes is complete.
    Message(u32),
    /// A ping to be answered.
    Ping(Vec<u8>),
    /// The client's Close, with its payload. What comes behind it is discarded.
    Close(Vec<u8>),
    /// The client broke the protocol. What comes behind that is discarded.
    Fault(Fault),
    /// The end of the stream, by FIN or by an error.
    End,
}

/// Decodes the client's frames, up to a Close or a violation.
#[derive(Debug)]
pub(super) struct Inbox {
    decoder: Decoder,
    /// How many bytes the message at hand has so far.
    message_bytes: u64,
    discards: bool,
}

impl Inbox {
    pub const fn new() -> Self {
        Self { decoder: Decoder::new(Role::Client), message_bytes: 0, discards: false }
    }

    /// What `bytes` complete; none of them are the end of the stream.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<InboxEvent> {
        if bytes.is_empty() {
            return vec![InboxEvent::End];
        }
        let mut events = Vec::new();
        let mut rest = bytes;
        while !self.discards {
            let Some(item) = self.decoder.next(&mut rest) else { break };
            events.push(match item {
                Item::Started(_) | Item::Fault(Fault::LengthNotMinimal) => continue,
                Item::Fault(fault) => InboxEvent::Fault(fault),
                Item::Frame(head) => match head.opcode {
                    Opcode::CLOSE => InboxEvent::Close(self.decoder.body().to_vec()),
                    Opcode::PING => InboxEvent::Ping(self.decoder.body().to_vec()),
                    opcode if opcode.is_data() => {
                        self.message_bytes += head.length;
                        if head.fin {
                            let bytes = std::mem::take(&mut self.message_bytes);
                            InboxEvent::Message(u32::try_from(bytes).unwrap_or(u32::MAX))
                        } else {
                            InboxEvent::Alive
                        }
                    }
                    _ => InboxEvent::Alive,
                },
            });
            self.discards =
                matches!(events.last(), Some(InboxEvent::Close(_) | InboxEvent::Fault(_)));
        }
        events
    }
}

/// How much of the opening request has arrived.
pub(super) enum RequestState {
    /// The request is not whole.
    Incomplete,
    /// It is no opening handshake.
    Refused,
    /// It is complete: the response to it, and the bytes after it.
    Upgrade { response: String, behind: Vec<u8> },
}

/// Collects the bytes of the opening request.
#[derive(Debug, Default)]
pub(super) struct RequestBuffer(Vec<u8>);

impl RequestBuffer {
    /// More of the request.
    pub fn take(&mut self, bytes: &[u8]) -> RequestState {
        let seen = self.0.len().saturating_sub(3);
        self.0.extend_from_slice(bytes);
        let whole = handshake::head_length(&self.0[seen..]).is_some();
        if !whole && self.0.len() <= handshake::HEAD_LIMIT {
            return RequestState::Incomplete;
        }
        let Ok(Some((length, accept))) = handshake::request(&self.0) else {
            return RequestState::Refused;
        };
        let response = handshake::switching_protocols(&accept);
        RequestState::Upgrade { response, behind: self.0.split_off(length) }
    }
}

/// The opening handshake: what came behind the request, or `None` where it is over.
pub(super) async fn open(
    io: &mut Connection,
    application: &Application,
) -> io::Result<Option<Vec<u8>>> {
    let mut opening = RequestBuffer::default();
    let mut buffer = [0; 1024];
    loop {
        let count = tokio::select! {
            biased;
            count = io.read(&mut buffer) => count?,
            command = application.command() => match command {
                Command::Close(..) | Command::Return => return Ok(None),
                _ => continue,
            },
        };
        if count == 0 {
            return Ok(None);
        }
        match opening.take(&buffer[..count]) {
            RequestState::Incomplete => {}
            RequestState::Refused => {
                io.write_all(BAD_REQUEST).await?;
                io.shutdown().await?;
                return Ok(None);
            }
            RequestState::Upgrade { response, behind } => {
                io.write_all(response.as_bytes()).await?;
                return Ok(Some(behind));
            }
        }
    }
}

/// The response to a request that is no opening handshake.
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
