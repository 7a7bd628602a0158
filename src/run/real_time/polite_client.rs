//! A client that does nothing illegal: it opens, plays a preamble, waits for frames, and closes.
//!
//! It decides nothing: [`preflight`](super::preflight) and [`idle_client`](super::idle_client) ask it.

use super::remote_subject::UrlRole;
use crate::excerpt::{MOST_OF_A_PATH, clipped};
use crate::script::{Act, Awaited, Pace, Preamble, Send, Step};
use crate::transport::tcp::ActorSocket;
use crate::wire::{Decoder, FrameHead, Item, Opcode, Role, handshake};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{sleep, timeout};

/// One connection.
pub(super) struct PoliteClient {
    socket: ActorSocket,
    received: Vec<u8>,
    ended: bool,
    /// The length of the response that opened the WebSocket: frames begin there.
    pub opened: usize,
    /// How many of the server's frames were waited for.
    taken: usize,
}

/// A frame of the server's that is complete.
struct ServerFrame {
    opcode: Opcode,
    /// The payload of a control frame.
    body: Vec<u8>,
}

impl PoliteClient {
    pub const fn new(socket: ActorSocket) -> Self {
        Self { socket, received: Vec::new(), ended: false, opened: 0, taken: 0 }
    }

    /// All that came.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            sent += poll_fn(|cx| self.socket.poll_write(cx, &bytes[sent..])).await?;
        }
        Ok(())
    }

    /// Reads once more.
    async fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let mut read = ReadBuf::new(&mut buffer);
        poll_fn(|cx| self.socket.poll_read(cx, &mut read)).await?;
        self.ended = read.filled().is_empty();
        self.received.extend_from_slice(read.filled());
        Ok(())
    }

    pub async fn response(&mut self) -> io::Result<handshake::Response> {
        loop {
            match handshake::response(&self.received) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) if self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(None) => self.read().await?,
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Closes the connection as it should, and waits for its end.
    pub async fn close(&mut self) -> io::Result<()> {
        let mut frame = Vec::new();
        FrameHead::client(Opcode::CLOSE).encode(&1000_u16.to_be_bytes(), &mut frame);
        self.send(&frame).await?;
        while !self.ended {
            self.read().await?;
        }
        Ok(())
    }

    /// Plays the preamble; each of its waits lasts so long at most.
    ///
    /// # Errors
    ///
    /// One line: which step failed, and why.
    pub async fn preamble(&mut self, preamble: &Preamble, most: Duration) -> Result<(), String> {
        for step in &preamble.script().steps {
            self.step(step, most).await.map_err(|why| format!("at `{step}` {why}"))?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, most: Duration) -> Result<(), String> {
        match &step.act {
            Act::Send(send) => self.send_all(send).await.map_err(|_| self.ending()),
            Act::Wait(time) => {
                sleep(time.duration()).await;
                Ok(())
            }
            Act::Await(awaited) => match timeout(most, self.wait_for(*awaited)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(self.ending()),
                Err(_) => Err(format!("nothing like that came within {} s", most.as_secs())),
            },
            _ => unreachable!("no preamble has it"),
        }
    }

    async fn send_all(&mut self, send: &Send) -> io::Result<()> {
        let mut unit = Vec::new();
        send.unit.encode(&mut unit);
        let piece = send.piece.of(&unit);
        let (times, every) = match send.pace {
            Pace::Times(times, every) => (times, every.duration()),
            Pace::Once | Pace::Pieces(..) => (1, Duration::ZERO),
        };
        for time in 0..times {
            if time > 0 {
                sleep(every).await;
            }
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Waits for a frame behind those that were waited for; whether it came before the end.
    async fn wait_for(&mut self, awaited: Awaited) -> bool {
        let wanted: &[Opcode] = match awaited {
            Awaited::Upgrade => return true,
            Awaited::Close => &[Opcode::CLOSE],
            Awaited::Message => &[Opcode::TEXT, Opcode::BINARY],
            Awaited::Ping => &[Opcode::PING],
            Awaited::Pong => &[Opcode::PONG],
            Awaited::End => &[],
        };
        self.frame(wanted).await || awaited == Awaited::End
    }

    /// Waits for a frame of one of these kinds, behind those that were waited for; false where the
    /// server closed before, or ended the stream. For none of them: for the stream's end.
    pub async fn frame(&mut self, wanted: &[Opcode]) -> bool {
        loop {
            let came = self.frames();
            let found = came.iter().skip(self.taken).position(|it| wanted.contains(&it.opcode));
            if let Some(found) = found {
                self.taken += found + 1;
                return true;
            }
            // Behind its Close a server sends nothing more.
            let closed = came.iter().skip(self.taken).any(|it| it.opcode == Opcode::CLOSE);
            if self.ended || closed && !wanted.is_empty() || self.read().await.is_err() {
                return false;
            }
        }
    }

    fn frames(&self) -> Vec<ServerFrame> {
        let mut decoder = Decoder::new(Role::Server);
        let mut rest = &self.received[self.opened..];
        let mut came = Vec::new();
        while let Some(item) = decoder.next(&mut rest) {
            if let Item::Frame(head) = item {
                came.push(ServerFrame { opcode: head.opcode, body: decoder.body().to_vec() });
            }
        }
        came
    }

    /// How the server ended the connection, behind `the server`: with which Close, or without one.
    pub fn ending(&self) -> String {
        let frames = self.frames();
        let close = frames.iter().find(|came| came.opcode == Opcode::CLOSE);
        match close.map(|close| close.body.split_at_checked(2)) {
            None => "the server ended the connection without a Close".to_owned(),
            Some(None) => "the server closed, with no code".to_owned(),
            Some(Some((code, reason))) => {
                let code = u16::from_be_bytes([code[0], code[1]]);
                let reason = clipped(&String::from_utf8_lossy(reason), MOST_OF_A_PATH);
                let reason = if reason.is_empty() { reason } else { format!(" \"{reason}\"") };
                format!("the server closed with {code}{reason}")
            }
        }
    }

    /// Whether the application acts as `role` says.
    pub async fn application_acts(&mut self, role: UrlRole) -> bool {
        let wanted: &[Opcode] = match role {
            UrlRole::Plain => return true,
            UrlRole::Bye => &[Opcode::CLOSE],
            UrlRole::Echo => {
                let mut frame = Vec::new();
                FrameHead::client(Opcode::TEXT).encode(b"hangup", &mut frame);
                if self.send(&frame).await.is_err() {
                    return false;
                }
                &[Opcode::TEXT, Opcode::BINARY]
            }
            UrlRole::Push => &[Opcode::TEXT, Opcode::BINARY],
        };
        // Who ends without a Close closes as well, if badly: that is judged later.
        self.frame(wanted).await || role == UrlRole::Bye
    }
}

impl Drop for PoliteClient {
    fn drop(&mut self) {
        if self.ended {
            self.socket.close();
        } else {
            self.socket.reset();
        }
    }
}
