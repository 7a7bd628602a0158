//! What comes from the client, frame by frame, for the styles that await their reads.

use crate::script::Command;
use crate::target::{Application, Connection};
use crate::wire::{Decoder, Fault, Item, Opcode, Role, handshake};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
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

/// The client's frames, until they mean nothing any more.
#[derive(Debug)]
pub(super) struct Inbox {
    decoder: Decoder,
    discards: bool,
}

impl Inbox {
    pub const fn new() -> Self {
        Self { decoder: Decoder::new(Role::Client), discards: false }
    }

    /// What `bytes` complete; none of them are the end of the stream.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<News> {
        if bytes.is_empty() {
            return vec![News::End];
        }
        let mut news = Vec::new();
        let mut rest = bytes;
        while !self.discards {
            let Some(item) = self.decoder.next(&mut rest) else { break };
            news.push(match item {
                Item::Started(_) | Item::Fault(Fault::LengthNotMinimal) => continue,
                Item::Fault(fault) => News::Fault(fault),
                Item::Frame(head) => match head.opcode {
                    Opcode::CLOSE => News::Close(self.decoder.body().to_vec()),
                    Opcode::PING => News::Ping(self.decoder.body().to_vec()),
                    opcode if opcode.is_data() && head.fin => {
                        News::Message(u32::try_from(head.length).unwrap_or(u32::MAX))
                    }
                    _ => News::Alive,
                },
            });
            self.discards = matches!(news.last(), Some(News::Close(_) | News::Fault(_)));
        }
        news
    }
}

/// How an opening stands.
pub(super) enum Opened {
    /// The request is not whole.
    NotYet,
    /// It is no opening handshake.
    Refused,
    /// It is one: the response to it, and what came behind it.
    With { response: String, behind: Vec<u8> },
}

/// A request in the making.
#[derive(Debug, Default)]
pub(super) struct Opening(Vec<u8>);

impl Opening {
    /// More of the request.
    pub fn take(&mut self, bytes: &[u8]) -> Opened {
        let seen = self.0.len().saturating_sub(3);
        self.0.extend_from_slice(bytes);
        let whole = handshake::head_length(&self.0[seen..]).is_some();
        if !whole && self.0.len() <= handshake::HEAD_LIMIT {
            return Opened::NotYet;
        }
        let Ok(Some((length, accept))) = handshake::request(&self.0) else {
            return Opened::Refused;
        };
        let response = handshake::switching_protocols(&accept);
        Opened::With { response, behind: self.0.split_off(length) }
    }
}

/// The opening handshake: what came behind the request, or `None` where it is over.
pub(super) async fn open(
    io: &mut Connection,
    application: &Application,
) -> io::Result<Option<Vec<u8>>> {
    let mut opening = Opening::default();
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
            Opened::NotYet => {}
            Opened::Refused => {
                io.write_all(BAD_REQUEST).await?;
                io.shutdown().await?;
                return Ok(None);
            }
            Opened::With { response, behind } => {
                io.write_all(response.as_bytes()).await?;
                return Ok(Some(behind));
            }
        }
    }
}

/// The response to a request that is no opening handshake.
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
