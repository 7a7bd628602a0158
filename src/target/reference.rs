//! `reference`: a server that closes well, written to be read.
//!
//! The protocol is a plain state machine, `Session`, that is given bytes, the
//! time and the application's commands and says what to send; `serve` moves the
//! bytes. Four habits make it close within its bounds against every client:
//!
//! 1. **One deadline, set once.** Whatever begins the closing sets it; nothing the
//!    client does or sends afterwards moves it, and it covers the writes too.
//! 2. **Always reading.** It reads while it writes, so that a Close is never stuck
//!    behind a client that does not read. What it queues is bounded instead.
//! 3. **FIN, then wait, then drop.** After both Closes it shuts its side down and
//!    reads on until the client's FIN, so that no reset eats its last frame; the
//!    same deadline bounds that as well.
//! 4. **Every end is an end.** A read of 0, an error, the deadline: each leads out
//!    of the loop, and leaving the loop drops the transport.

use super::faults::Fault as Planted;
use super::{AppSteps, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::script::Command;
use crate::wire::{
    CloseCode, ClosePayload, Decoder, Fault, FrameHead, Item, Opcode, Role, handshake,
};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// From whatever begins the closing to the drop of the transport.
pub const CLOSE: Duration = Duration::from_secs(5);
/// From accept to a complete request.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// From the last complete frame to the connection's end, the closing included.
pub const IDLE: Duration = Duration::from_secs(30);
/// The most bytes that may wait to be sent: a client that leaves more unread is dropped.
pub const QUEUE: usize = 4 << 20;

/// A deadline that faults set: none.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The target `reference`, and with a planted fault `reference/FAULT`.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// What it gets wrong on purpose; `None` for the honest server.
    pub fault: Option<Planted>,
}

impl Reference {
    /// The server without a fault.
    pub const HONEST: Self = Self { fault: None };
}

impl Target for Reference {
    fn name(&self) -> &'static str {
        self.fault.map_or("reference", Planted::target)
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &'static str {
        match self.fault {
            None => "a correct server with all its bounds: the example of closing well",
            Some(fault) => fault.about(),
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            close: CLOSE,
            release: Duration::from_secs(1),
            handshake: Some(HANDSHAKE),
            idle: Some(IDLE),
        }
    }

    fn obeys(&self) -> AppSteps {
        AppSteps::ALL
    }

    fn is_planted(&self) -> bool {
        self.fault.is_some()
    }

    fn serve(&self, connection: Connection) -> Serving {
        Box::pin(serve(connection, self.fault))
    }
}

/// Serves one connection. Returning drops it.
async fn serve(mut io: Connection, fault: Option<Planted>) {
    let application = io.application();
    let mut session = Session::new(Instant::now(), fault);
    let mut timer = pin!(sleep_until(session.deadline));
    let mut buffer = [0; 1024];
    while !session.is_over() {
        if timer.deadline() != session.deadline {
            timer.as_mut().reset(session.deadline);
        }
        let obeys = session.obeys();
        let moved = poll_fn(|cx| poll_move(Pin::new(&mut io), cx, &mut session, &mut buffer));
        tokio::select! {
            biased;
            () = &mut timer => session.deadline_passed(Instant::now()),
            moved = moved => if moved.is_err() { return },
            command = application.command(), if obeys => {
                session.commanded(&command, Instant::now());
            }
        }
    }
}

/// Moves what can be moved, either way; ready when the session has news.
fn poll_move(
    mut io: Pin<&mut Connection>,
    cx: &mut Context<'_>,
    session: &mut Session,
    buffer: &mut [u8],
) -> Poll<io::Result<()>> {
    while session.sent < session.queue.len() {
        match io.as_mut().poll_write(cx, &session.queue[session.sent..])? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(count) => session.sent += count,
            Poll::Pending => {
                session.cannot_write();
                break;
            }
        }
    }
    if session.sent == session.queue.len() {
        session.queue.clear();
        session.sent = 0;
        let flushed = io.as_mut().poll_flush(cx)?.is_ready();
        if flushed && session.wants_fin() && io.as_mut().poll_shutdown(cx)?.is_ready() {
            session.sent_fin(Instant::now());
        }
        if session.is_over() {
            return Poll::Ready(Ok(()));
        }
    }
    if session.fin_received {
        return Poll::Pending;
    }
    let mut read = ReadBuf::new(buffer);
    match io.poll_read(cx, &mut read)? {
        Poll::Ready(()) => {
            session.received(read.filled(), Instant::now());
            Poll::Ready(Ok(()))
        }
        Poll::Pending => Poll::Pending,
    }
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request is not complete.
    Opening,
    /// Messages flow.
    Open,
    /// A Close was queued or is not worth sending; the deadline is set for good.
    Closing {
        /// Nothing more is wanted of the client but its FIN.
        heard: bool,
    },
    /// Nothing is left to do but to drop the transport.
    Over,
}

/// The protocol: no I/O, no clock.
#[derive(Debug)]
struct Session {
    phase: Phase,
    /// When patience with the present phase ends.
    deadline: Instant,
    /// The request, as far as it came.
    head: Vec<u8>,
    decoder: Decoder,
    queue: Vec<u8>,
    /// How much of the queue is on its way.
    sent: usize,
    /// Where in the queue the Close begins.
    close_at: usize,
    fin_sent: bool,
    fin_received: bool,
    /// What this server gets wrong on purpose.
    fault: Option<Planted>,
}

impl Session {
    fn new(now: Instant, fault: Option<Planted>) -> Self {
        Self {
            phase: Phase::Opening,
            deadline: now + HANDSHAKE,
            head: Vec::new(),
            decoder: Decoder::new(Role::Client),
            queue: Vec::with_capacity(256),
            sent: 0,
            close_at: 0,
            fin_sent: false,
            fin_received: false,
            fault,
        }
    }

    fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    fn has(&self, fault: Planted) -> bool {
        self.fault == Some(fault)
    }

    /// Whether commands of the application are taken.
    fn obeys(&self) -> bool {
        let waiting = self.phase == Phase::Closing { heard: false };
        self.is_open() || (waiting && self.has(Planted::SendsWhileClosing))
    }

    /// Whether everything was said and heard, so that dropping the transport loses nothing.
    fn is_over(&self) -> bool {
        let all_sent = self.queue.is_empty();
        match self.phase {
            Phase::Over => true,
            Phase::Closing { .. } => self.fin_received && all_sent,
            Phase::Opening | Phase::Open => false,
        }
    }

    /// Whether the own side can be shut down: the last frame is sent, and no reply
    /// to it is awaited.
    fn wants_fin(&self) -> bool {
        self.phase == Phase::Closing { heard: true } && !self.fin_sent
    }

    /// Bytes came, or none: the client's FIN.
    fn received(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            if self.has(Planted::ReadsTheEndAgain) {
                return;
            }
            self.fin_received = true;
            if self.has(Planted::FinIsNoEnd) && self.is_open() {
                return;
            }
            self.begin_closing(now, true);
            return;
        }
        let mut rest = bytes;
        if self.phase == Phase::Opening {
            let Some(length) = self.opening(bytes, now) else { return };
            rest = &bytes[bytes.len() - length..];
        }
        while matches!(self.phase, Phase::Open | Phase::Closing { heard: false }) {
            let Some(item) = self.decoder.next(&mut rest) else { return };
            match item {
                Item::Started(_) => {}
                Item::Fault(fault) => self.fail(fault, now),
                Item::Frame(head) => self.frame(head.opcode, now),
            }
        }
    }

    /// More of the request. Once it is complete: how many bytes came behind it.
    fn opening(&mut self, bytes: &[u8], now: Instant) -> Option<usize> {
        // Looked at only where new bytes could complete it: a request that comes
        // byte by byte costs no more than one that comes whole.
        let seen = self.head.len().saturating_sub(3);
        if self.has(Planted::ByteRestartsHandshake) {
            self.deadline = now + HANDSHAKE;
        }
        self.head.extend_from_slice(bytes);
        if handshake::head_length(&self.head[seen..]).is_none()
            && self.head.len() <= handshake::HEAD_LIMIT
        {
            return None;
        }
        let Ok(Some((length, accept))) = handshake::request(&self.head) else {
            self.queue.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            self.begin_closing(now, true);
            return None;
        };
        self.queue.extend_from_slice(handshake::switching_protocols(&accept).as_bytes());
        let behind = self.head.len() - length;
        self.head = Vec::new();
        self.phase = Phase::Open;
        self.heard_from(now);
        Some(behind)
    }

    /// A complete frame is a sign of life, until the closing has begun.
    fn heard_from(&mut self, now: Instant) {
        if self.has(Planted::FrameRestartsDeadline) && !self.is_open() {
            self.deadline = now + CLOSE;
        }
        if self.is_open() {
            self.deadline = now + IDLE.saturating_sub(CLOSE);
        }
    }

    fn frame(&mut self, opcode: Opcode, now: Instant) {
        self.heard_from(now);
        match opcode {
            // A ping is answered until the client's Close is here (5.5.2).
            Opcode::PING => {
                FrameHead::server(Opcode::PONG).encode(self.decoder.body(), &mut self.queue);
                self.bound_queue();
            }
            Opcode::CLOSE => {
                let payload = self.decoder.body().to_vec();
                if self.has(Planted::ReadsCodeOfOneByte) && !payload.is_empty() {
                    let _ = u16::from_be_bytes([payload[0], payload[1]]);
                }
                let answers = self.is_open() || self.has(Planted::AnswersEveryClose);
                if answers && !self.has(Planted::AnswersByFin) {
                    // "The endpoint typically echos the status code it received" (5.5.1).
                    let code = ClosePayload::parse(&payload).code();
                    self.close(code, b"");
                }
                self.begin_closing(now, true);
            }
            _ => {}
        }
    }

    /// The client broke the protocol: a Close that says so, and no more reading (7.1.7).
    fn fail(&mut self, fault: Fault, now: Instant) {
        if self.has(Planted::EchoesAnyCode) && matches!(fault, Fault::CloseCode(_)) {
            return;
        }
        if self.has(Planted::ReadsCodeOfOneByte) && fault == Fault::CloseOneByte {
            return;
        }
        if self.is_open() {
            let code = match fault {
                Fault::TextNotUtf8 | Fault::CloseReasonNotUtf8 => CloseCode::INVALID_DATA,
                _ => CloseCode::PROTOCOL_ERROR,
            };
            self.close(Some(code), b"");
        }
        self.begin_closing(now, true);
    }

    /// The application was told to act.
    fn commanded(&mut self, command: &Command, now: Instant) {
        let closing = !self.is_open();
        if closing && !matches!(command, Command::SendText(_) | Command::SendBinary(_)) {
            return;
        }
        if self.has(Planted::OutputRestartsIdle) {
            self.heard_from(now);
        }
        let any = self.has(Planted::SendsAnyCode);
        let mut send = |opcode, payload: &[u8]| {
            FrameHead::server(opcode).encode(payload, &mut self.queue);
        };
        match command {
            Command::SendText(content) => send(Opcode::TEXT, content.text().as_bytes()),
            Command::SendBinary(content) => send(Opcode::BINARY, &content.bytes()),
            Command::Ping(content) => {
                let payload = content.bytes();
                send(Opcode::PING, &payload[..payload.len().min(125)]);
            }
            Command::Close(code, reason) => {
                // What may not be sent is not sent, whoever asks for it.
                let code = code
                    .map(CloseCode)
                    .map(|code| if code.is_sendable() || any { code } else { CloseCode::NORMAL });
                let reason = reason.text();
                let most = if any { reason.len() } else { reason.floor_char_boundary(123) };
                self.close(code, &reason.as_bytes()[..most]);
                self.begin_closing(now, false);
            }
            Command::Return => self.phase = Phase::Over,
        }
        self.bound_queue();
    }

    fn deadline_passed(&mut self, now: Instant) {
        match self.phase {
            Phase::Open => {
                self.close(Some(CloseCode::GOING_AWAY), b"idle");
                self.begin_closing(now, false);
            }
            Phase::Closing { .. }
                if self.has(Planted::WriteNotCovered) && !self.queue.is_empty() =>
            {
                self.deadline = now + CLOSE;
            }
            Phase::Opening | Phase::Closing { .. } | Phase::Over => self.phase = Phase::Over,
        }
    }

    /// Queues the one Close that this connection sends.
    fn close(&mut self, code: Option<CloseCode>, reason: &[u8]) {
        self.close_at = self.queue.len();
        let payload = code.map_or_else(Vec::new, |code| [&code.0.to_be_bytes(), reason].concat());
        FrameHead::server(Opcode::CLOSE).encode(&payload, &mut self.queue);
    }

    /// From here on the end is owed. Sets the deadline the first time, and never again.
    fn begin_closing(&mut self, now: Instant, heard: bool) {
        match self.phase {
            Phase::Opening => {
                // The opening's own deadline stands where it is earlier.
                self.deadline = self.deadline.min(now + CLOSE);
                self.phase = Phase::Closing { heard };
            }
            Phase::Open => {
                let forgets = self.has(Planted::NoDeadline) && !heard;
                self.deadline = now + if forgets { NEVER } else { CLOSE };
                self.phase = Phase::Closing { heard };
            }
            Phase::Closing { heard: before } => {
                self.phase = Phase::Closing { heard: before || heard }
            }
            Phase::Over => {}
        }
    }

    /// The own side is shut down.
    fn sent_fin(&mut self, now: Instant) {
        self.fin_sent = true;
        match self.fault {
            Some(Planted::TimePerStage) => self.deadline = now + CLOSE,
            Some(Planted::KeepsTransport) => self.deadline = now + NEVER,
            _ => {}
        }
    }

    /// There is no room for what is queued; it is tried again once there is.
    fn cannot_write(&mut self) {
        let answers = self.phase == Phase::Closing { heard: true };
        if answers && self.has(Planted::AnswerLostWhenFull) && self.close_at >= self.sent {
            self.queue.truncate(self.close_at);
        }
    }

    /// Gives a client up that does not read what it is sent.
    fn bound_queue(&mut self) {
        if self.queue.len() - self.sent > QUEUE {
            self.phase = Phase::Over;
        }
    }
}
