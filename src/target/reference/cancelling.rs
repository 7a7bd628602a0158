//! `reference/cancelled-sends`: one task that awaits its sends, and cancels them when
//! their time is over.
//!
//! What it takes to close well in this style: whoever cancels a send halfway can send
//! nothing any more, since the next frame would land inside that one; and the time that
//! a send may take is part of the time to close, since nothing is read in it.

use super::faults::PlantedFault;
use super::habits::{CorrectHabits, Habits as _, legal_close};
use super::inbox::{Inbox, InboxEvent, open};
use super::{CLOSE, HANDSHAKE, IDLE, QUEUE};
use crate::exchange::Note;
use crate::script::Command;
use crate::target::{Application, Connection};
use crate::wire::{CloseCode, ClosePayload, FrameHead, Opcode};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// The time that one send may take.
const SEND: Duration = Duration::from_millis(500);

/// What timers may be late in all.
const ROUNDING: Duration = Duration::from_millis(50);

/// The time to close, with a send before it: a Close may arrive right after that began.
const CLOSING: Duration = CLOSE.saturating_sub(SEND).saturating_sub(ROUNDING);
/// How long nothing may come, with the time to close and a send behind it.
const READ_TIMEOUT: Duration = IDLE.saturating_sub(CLOSE).saturating_sub(SEND);

/// Serves one connection. Returning drops it.
pub(super) async fn serve(io: Connection, faults: Vec<PlantedFault>) {
    let application = io.application();
    application.note(Note::Reports);
    let mut server = CancellingServer {
        io,
        application: application.clone(),
        inbox: Inbox::new(),
        deadline: Instant::now() + HANDSHAKE,
        code: None,
        faults,
    };
    // An error is an end like any other: there is nobody to say anything to.
    let _ = server.converse().await;
    application.note(Note::ToldOfEnd { code: server.code });
}

struct CancellingServer {
    io: Connection,
    application: Application,
    inbox: Inbox,
    /// When patience with the present phase ends.
    deadline: Instant,
    /// The code of the client's Close.
    code: Option<u16>,
    faults: Vec<PlantedFault>,
}

/// Why an open connection is to be closed.
enum ClosePlan {
    /// By the server: its Close has this payload, and the client's is waited for.
    Own(Vec<u8>),
    /// By the client, or its fault: this is the answer, and the last word.
    Answer(Option<Vec<u8>>),
}

impl CancellingServer {
    async fn converse(&mut self) -> io::Result<()> {
        let Some(behind) =
            timeout_at(self.deadline, open(&mut self.io, &self.application)).await??
        else {
            return Ok(());
        };
        let closing = if behind.is_empty() { None } else { self.receive(&behind).await? };
        let closing = match closing {
            Some(closing) => closing,
            None => self.serve_messages().await?,
        };
        // From here on there is one deadline, for all that is left.
        let deadline = Instant::now() + CLOSING;
        timeout_at(deadline, self.close(closing)).await?
    }

    /// Messages flow, until something begins the closing.
    async fn serve_messages(&mut self) -> io::Result<ClosePlan> {
        let mut buffer = [0; 1024];
        self.restart_idle_timer();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.deadline) => {
                    return Ok(ClosePlan::Own(CloseCode::GOING_AWAY.0.to_be_bytes().to_vec()));
                }
                count = self.io.read(&mut buffer) => {
                    let count = count?;
                    if let Some(closing) = self.receive(&buffer[..count]).await? {
                        return Ok(closing);
                    }
                }
                command = self.application.command() => {
                    if let Some(closing) = self.obey(command).await? {
                        return Ok(closing);
                    }
                }
            }
        }
    }

    fn restart_idle_timer(&mut self) {
        self.deadline = Instant::now() + READ_TIMEOUT;
    }

    /// Deals with what came.
    async fn receive(&mut self, bytes: &[u8]) -> io::Result<Option<ClosePlan>> {
        for event in self.inbox.take(bytes) {
            match event {
                InboxEvent::Alive => self.restart_idle_timer(),
                InboxEvent::Message(bytes) => {
                    self.restart_idle_timer();
                    self.application.note(Note::Received { bytes });
                }
                InboxEvent::Ping(payload) => {
                    self.restart_idle_timer();
                    self.send(Opcode::PONG, &payload).await?;
                }
                InboxEvent::Close(payload) => {
                    let code = ClosePayload::parse(&payload).code();
                    self.code = Some(code.map_or(1005, |code| code.0));
                    return Ok(Some(ClosePlan::Answer(CorrectHabits.answer(&payload))));
                }
                InboxEvent::Fault(fault) => {
                    let code =
                        CorrectHabits.failure_code(fault).map(|code| code.0.to_be_bytes().to_vec());
                    return Ok(Some(ClosePlan::Answer(code)));
                }
                InboxEvent::End => return Ok(Some(ClosePlan::Answer(None))),
            }
        }
        Ok(None)
    }

    async fn obey(&mut self, command: Command) -> io::Result<Option<ClosePlan>> {
        match command {
            // One message is no more than what others queue: else it is not sent at all.
            Command::SendText(content) | Command::SendBinary(content) if content.len() > QUEUE => {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Command::SendText(content) => {
                self.send(Opcode::TEXT, content.text().as_bytes()).await?;
            }
            Command::SendBinary(content) => self.send(Opcode::BINARY, &content.bytes()).await?,
            Command::Ping(content) => {
                let payload = content.bytes();
                self.send(Opcode::PING, &payload[..payload.len().min(125)]).await?;
            }
            Command::Close(code, reason) => {
                return Ok(Some(ClosePlan::Own(legal_close(code, &reason))));
            }
            Command::Return => return Err(io::ErrorKind::Interrupted.into()),
            Command::Keep => self.application.keep(self.application.clone()),
            // A whole server's, and not a connection's.
            Command::Shutdown | Command::Broadcast(_) => {}
        }
        Ok(None)
    }

    /// Sends a frame within its time. A send that was cancelled halfway is an error: the
    /// stream stands inside a frame, and nothing can be said any more.
    async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        FrameHead::server(opcode).encode(payload, &mut frame);
        let sending = self.io.write_all(&frame);
        if self.faults.contains(&PlantedFault::SendsBeforeItReads) {
            return sending.await;
        }
        let sent = timeout(SEND, sending).await;
        if self.faults.contains(&PlantedFault::CancelsSendHalfway) {
            // "The client is slow; it will be told next time."
            return sent.unwrap_or(Ok(()));
        }
        sent?
    }

    /// Says what there is to say, hears the client out, and ends the connection.
    async fn close(&mut self, closing: ClosePlan) -> io::Result<()> {
        let mut frame = Vec::new();
        match closing {
            ClosePlan::Own(payload) => {
                FrameHead::server(Opcode::CLOSE).encode(&payload, &mut frame);
                self.io.write_all(&frame).await?;
                self.await_close().await?;
            }
            ClosePlan::Answer(Some(payload)) => {
                FrameHead::server(Opcode::CLOSE).encode(&payload, &mut frame);
                self.io.write_all(&frame).await?;
            }
            ClosePlan::Answer(None) => {}
        }
        self.io.shutdown().await?;
        let mut buffer = [0; 1024];
        while self.io.read(&mut buffer).await? > 0 {}
        Ok(())
    }

    /// Reads on for the client's Close; pings are answered until then (5.5.2).
    async fn await_close(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let count = self.io.read(&mut buffer).await?;
            match self.receive(&buffer[..count]).await? {
                Some(ClosePlan::Answer(_) | ClosePlan::Own(_)) => return Ok(()),
                None => {}
            }
        }
    }
}
